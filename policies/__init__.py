"""Policy compiled from the declaration."""
