"""From the declaration to Istio's objects, network policies and the machines' packet filters: no effects."""
