"""Every effect on the outside goes through this room."""
