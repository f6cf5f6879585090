"""From facts to the two files of a declaration, and what becomes of everything that is there already."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from slipway.inventory import facts
from slipway.inventory.drafting import access_log, addresses, configured, observed, parts, services, text
from slipway.mesh import names

_NOT_TEAMS = frozenset({*names.RESERVED_NAMESPACES, "local-path-storage", "gatekeeper-system", "cert-manager"})
_REVISION = "istio.io/rev"
_DEFAULT = "default"
_TRUST_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Two files, notes about every Istio object and everything left out, and remarks about the logs; all sorted."""

    mesh: str
    environment: str
    notes: tuple[parts.Note, ...]
    remarks: tuple[str, ...]


def teams(found: facts.Facts) -> tuple[str, ...]:
    """Return the namespaces that hold somebody's workloads, sorted: none of Kubernetes, Istio or the gateways."""
    used = {item.namespace for item in found.workloads}
    return tuple(sorted(name for name in used if name not in _NOT_TEAMS and not name.startswith("kube-")))


def draft(found: facts.Facts, log: access_log.Log, *, mesh: str, namespaces: Collection[str] = ()) -> Draft:
    """Return the draft of a declaration called ``mesh`` for ``namespaces`` (none: those of teams).

    It passes `slipway check`; the same facts give the same bytes.
    """
    spaces = tuple(sorted(set(namespaces))) or teams(found)
    chosen = services.choose(found, namespaces=spaces, spoken_http=observed.spoken_http(log, found))
    known = observed.directory(chosen.services, found)
    calls = parts.Calls()
    judged = configured.Configured(
        services=chosen.services, namespaces=spaces, identities=known.identities, calls=calls
    )
    judged.judge(found.objects)
    remarks = observed.add(log, known, calls, judged.externals)
    written = [replace(item, foreign_traffic=item.name in judged.foreign_traffic) for item in chosen.services]
    revision, revision_remark = _revision(found, spaces)
    default = "strict" if judged.strict else "permissive"
    doubtful = {item.name for item in written}
    used = {item.namespace for item in written} - doubtful
    exceptions = sorted(name for name, mode in judged.mtls.items() if mode != default and name in used)
    return Draft(
        mesh=text.mesh(
            name=mesh, services=written, externals=judged.externals.values(), calls=calls, remarks=remarks
        ),
        environment=text.environment(
            revision=revision,
            revision_remark=revision_remark,
            trust_domain=_trust_domain(found, revision),
            mtls=default,
            exceptions=exceptions,
            plan=addresses.plan(found),
        ),
        notes=tuple(sorted([*chosen.notes, *judged.notes])),
        remarks=remarks,
    )


def _trust_domain(found: facts.Facts, revision: str) -> str:
    """Return the trust domain of the revision's mesh; empty where it is the default or not known."""
    stated = found.mesh_configs.get(revision, {}).get("trustDomain")
    return stated if isinstance(stated, str) and stated != _TRUST_DOMAIN else ""


def _revision(found: facts.Facts, namespaces: Collection[str]) -> tuple[str, str]:
    """Return the revision that most of the namespaces have, and a remark when it is only a guess."""
    labels = [found.namespaces.get(name, {}) for name in namespaces]
    stated = Counter(item[_REVISION] for item in labels if item.get(_REVISION))
    running = Counter(
        item.sidecar
        for item in found.workloads
        if item.sidecar and item.namespace in namespaces and item.kind == "Pod"
    )
    best = min((stated or running).items(), key=lambda pair: (-pair[1], pair[0]), default=(_DEFAULT, 0))
    if len(stated or running) > 1:
        return best[0], f"guessed: there are also {', '.join(sorted({*stated, *running} - {best[0]}))}"
    return best[0], "" if best[1] else "guessed: no namespace has a label with a revision"
