"""Pure: what a machine gets at its first boot: guard, sidecar files, token fetcher, database, as one user-data."""
