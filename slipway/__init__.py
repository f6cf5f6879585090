"""Slipway rolls Istio out across Kubernetes and virtual machines."""
