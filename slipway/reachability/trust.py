"""Trust domains and their aliases in principals.

Source: istio 1.29.1 pilot/pkg/security/trustdomain/bundle.go.
"""

SCHEME = "spiffe://"
_DEFAULT = "cluster.local"
_PARTS = 5  # trust domain, "ns", namespace, "sa", service account


def with_aliases(principals: tuple[str, ...], domains: tuple[str, ...]) -> tuple[str, ...]:
    """Return principals with one entry per trust domain where the policy names one of them.

    ``domains`` are the mesh's own and its aliases. ``cluster.local`` always means the mesh's own; principals with
    another trust domain, with ``*`` for one, or of another form stay as they are.
    """
    found: list[str] = []
    for principal in principals:
        parts = principal.split("/")
        domain = parts[0]
        known = domain == _DEFAULT or any(_matches(domain, own) for own in domains)
        if len(parts) != _PARTS or domain == "*" or not known:
            found.append(principal)
            continue
        for own in domains:
            kept = domain.startswith("*") and own.endswith(domain[1:])
            found.append(principal if kept else "/".join((own, *parts[1:])))
    return tuple(dict.fromkeys(found))


def _matches(domain: str, own: str) -> bool:
    if domain.startswith("*"):
        return own.endswith(domain[1:])
    if domain.endswith("*"):
        return own.startswith(domain[:-1])
    return domain == own
