"""Pulumi component resources: one typed argument class each, children parented, outputs registered."""
