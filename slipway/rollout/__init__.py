"""Rolling out and proving: probes, checks, verify."""
