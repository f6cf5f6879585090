"""What runs in a cluster, as facts: compared with a declaration, or drafted into one."""
