"""What each platform fixes of the address plan."""

from slipway.mesh import model

_AZURE_RESOLVER = "168.63.129.16"  # Source: Azure documentation, virtual-network/what-is-ip-address-168-63-129-16
_METADATA = "169.254.169.254"  # Source: Azure documentation, virtual-machines/instance-metadata-service

# The lab's plan is one constant: each instance has network namespaces of its own.
LAB = {
    "pods": "10.61.0.0/16",
    "services": "10.62.0.0/16",
    "nodes": "10.60.1.0/24",
    "machines": "10.60.2.0/24",
    "resolver": _AZURE_RESOLVER,
    "metadata": _METADATA,
    "vault": "10.60.0.4",
    "controlPlane": "10.60.1.101",
    "ingress": "10.60.1.100",
    "egress": "10.60.1.102",
}
_AZURE = {"resolver": _AZURE_RESOLVER, "metadata": _METADATA}


def plan(platform: model.PlatformKind) -> dict[str, str]:
    """Return the keys of the address plan that the platform knows by itself; the environment states the rest."""
    match platform:
        case model.PlatformKind.LAB:
            return dict(LAB)
        case model.PlatformKind.AZURE:
            return dict(_AZURE)
        case model.PlatformKind.EXISTING:
            return {}
