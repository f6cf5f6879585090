"""Syntax only: the YAML reader with spans and limits, manifests as values, canonical output."""
