"""A first draft of a declaration from what runs, what is configured, and what was seen in access logs."""
