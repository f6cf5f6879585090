"""Istio from its official charts: control plane by revision, gateways."""
