"""Azure: network, cluster, machines and what they need. Pulumi's SDK of Azure is imported here only."""
