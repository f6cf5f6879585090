"""Machines outside the cluster: systemd containers that boot with real cloud-init user-data."""
