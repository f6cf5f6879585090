"""Processor time of a server's sidecar per request, by how many callers it allows and in which shape that is said.

Every shape stands in a namespace of its own with a server of its own, so that they are measured in turn, round after
round, without any change between. The caller that sends is the last of those allowed, which is the dearest place.
"""

import contextlib
import functools
import statistics
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judge import fleet, install
from benchmarks.scope import crowd, proxy
from policies.bundles import compiler, namespaces
from slipway.mesh import loader

SIZES = (10, 100, 1000)
CALLERS = "bench-callers"
ALLOWED = fleet.Application(namespace=CALLERS, name="last", account="last", labels={"app": "last"})
STRANGER = fleet.Application(namespace=CALLERS, name="stranger", account="stranger", labels={"app": "stranger"})
_WARM, _STATUS_OK, _STATUS_REFUSED = 500, 200, 403
_TYPES = "type.googleapis.com/envoy"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way to allow callers: ``objects`` makes what says so, from a namespace and principals in order."""

    name: str
    objects: Callable[[str, Sequence[str]], Sequence[Object]]


def _declared(namespace: str, principals: Sequence[str]) -> Sequence[Object]:
    """Return what Slipway makes of a service with these callers, in the service's namespace."""
    names = [item.rpartition("/")[2] for item in principals]
    calls = "".join(f"  {name}: {{namespace: {CALLERS}, calls: [{{service: server}}]}}\n" for name in names)
    mesh = f"mesh: bench\nservices:\n  server: {{namespace: {namespace}, ports: {{http: {crowd.PORT}}}}}\n{calls}"
    phase = "{mtls: strict, egress: locked, authorization: enforced}"
    environment = f'platform: lab\nrevision: "{install.REVISION}"\nphase: {phase}\n'
    made = loader.load(
        [loader.Source(file="mesh.yaml", text=mesh)],
        loader.Source(file="lab.yaml", text=environment),
        environment_name="lab",
    )
    found = compiler.compile_part(made, "authorization")
    return [item.to_dict() for item in found if item.namespace == namespace]


def _each(namespace: str, principals: Sequence[str]) -> Sequence[Object]:
    """Return one policy per caller, each with the rule that Slipway writes for all of them."""
    found: list[Object] = []
    for number, principal in enumerate(principals):
        rule = {
            "from": [{"source": {"principals": [principal]}}],
            "to": [{"operation": {"ports": [str(crowd.PORT)]}}],
        }
        spec = {"selector": {"matchLabels": {"app": "server"}}, "action": "ALLOW", "rules": [rule]}
        found.append(
            {
                "apiVersion": "security.istio.io/v1",
                "kind": "AuthorizationPolicy",
                "metadata": {"name": f"caller-{number}", "namespace": namespace},
                "spec": spec,
            }
        )
    return found


def _filter(namespace: str, rbac: Mapping[str, Any]) -> Object:
    """Return Envoy's own filter, written by hand, in front of everything that a server's sidecar lets in."""
    value = {
        "name": "bench-rbac",
        "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.rbac.v3.RBAC", **rbac},
    }
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_INBOUND",
            "listener": {
                "filterChain": {
                    "filter": {
                        "name": "envoy.filters.network.http_connection_manager",
                        "subFilter": {"name": "envoy.filters.http.router"},
                    }
                }
            },
        },
        "patch": {"operation": "INSERT_BEFORE", "value": value},
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "bench-rbac", "namespace": namespace},
        "spec": {"workloadSelector": {"labels": {"app": "server"}}, "configPatches": [patch]},
    }


def _ideal(namespace: str, principals: Sequence[str]) -> Sequence[Object]:
    """Return one policy of Envoy's with nothing but a list of exact names.

    Source: Envoy API, config/rbac/v3/rbac.proto.
    """
    names = [{"authenticated": {"principal_name": {"exact": f"spiffe://{item}"}}} for item in principals]
    policy = {"permissions": [{"any": True}], "principals": names}
    return [_filter(namespace, {"rules": {"action": "ALLOW", "policies": {"callers": policy}}})]


def _map(namespace: str, principals: Sequence[str]) -> Sequence[Object]:
    """Return Envoy's filter with its matcher: one look into a map of names, which Istio has no word for.

    Source: Envoy API, config/common/matcher/v3/matcher.proto, `exact_match_map`; extensions/matching/common_inputs.
    """
    action = {
        "name": "allow",
        "typed_config": {"@type": f"{_TYPES}.config.rbac.v3.Action", "name": "allow", "action": "ALLOW"},
    }
    deny = {
        "name": "deny",
        "typed_config": {"@type": f"{_TYPES}.config.rbac.v3.Action", "name": "deny", "action": "DENY"},
    }
    tree = {
        "input": {
            "name": "identity",
            "typed_config": {"@type": f"{_TYPES}.extensions.matching.common_inputs.ssl.v3.UriSanInput"},
        },
        "exact_match_map": {"map": {f"spiffe://{item}": {"action": action} for item in principals}},
    }
    return [_filter(namespace, {"matcher": {"matcher_tree": tree, "on_no_match": {"action": deny}}})]


def _nothing(_namespace: str, _principals: Sequence[str]) -> Sequence[Object]:
    return []


NONE = Shape(name="no policy", objects=_nothing)
OURS = Shape(name="Slipway", objects=_declared)
IDEAL = Shape(name="exact list by hand", objects=_ideal)
SHAPES = (
    NONE,
    OURS,
    Shape(name="one policy per caller", objects=_each),
    IDEAL,
    Shape(name="map by hand", objects=_map),
)


def principals(count: int) -> list[str]:
    """Return the identities that are allowed, the one that sends last."""
    names = [f"c{number:04d}" for number in range(count - 1)]
    return [f"cluster.local/ns/{CALLERS}/sa/{name}" for name in (*names, ALLOWED.account)]


def measure(people: crowd.Crowd, *, count: int, rounds: int, requests: int) -> dict[str, list[float]]:
    """Return for each shape the microseconds per request of each round."""
    with _servers(people, count) as (inside, servers):
        caller, stranger = inside[ALLOWED.place], inside[STRANGER.place]
        senders = {
            shape: functools.partial(crowd.load, address=people.address(item), host=item.hostname)
            for shape, item in servers.items()
        }
        for shape, send in senders.items():
            _expect(shape, "a stranger", send(stranger, count=1), _STATUS_OK if shape is NONE else _STATUS_REFUSED)
            _expect(shape, "the caller", send(caller, count=_WARM), _STATUS_OK)
        found: dict[str, list[float]] = {shape.name: [] for shape in SHAPES}
        proxies = {shape: proxy.Proxy(inside[item.place]) for shape, item in servers.items()}
        for turn in range(rounds):
            for shape in SHAPES if turn % 2 else reversed(SHAPES):
                before = proxies[shape].cpu_us()
                _expect(shape, "the caller", senders[shape](caller, count=requests), _STATUS_OK)
                found[shape.name].append((proxies[shape].cpu_us() - before) / requests)
        return found


@contextlib.contextmanager
def _servers(people: crowd.Crowd, count: int) -> Generator[tuple[dict[str, Path], dict[Shape, fleet.Application]]]:
    servers = {
        shape: fleet.Application(
            namespace=f"bench-{count}-{number}", name="server", account="server", labels={"app": "server"}
        )
        for number, shape in enumerate(SHAPES)
    }
    spaces = [CALLERS, *(item.namespace for item in servers.values())]
    labels = {namespaces.REVISION_LABEL: install.REVISION}
    people.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}} for name in spaces
    )
    allowed = principals(count)
    people.apply(_service(item) for item in servers.values())
    people.apply(body for shape, item in servers.items() for body in shape.objects(item.namespace, allowed))
    with people.living([ALLOWED, STRANGER, *servers.values()]) as inside:
        yield inside, servers


def _service(item: fleet.Application) -> Object:
    spec = {"selector": dict(item.labels), "ports": [{"name": "http", "port": crowd.PORT, "appProtocol": "http"}]}
    metadata = {"name": item.name, "namespace": item.namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _expect(shape: Shape, who: str, answers: Mapping[str, int], status: int) -> None:
    if set(answers) != {str(status)}:
        sys.stdout.write(f"{shape.name}: {who} was answered {answers}\n")
        raise RuntimeError(f"{shape.name}: {who} was answered {dict(answers)}, and {status} was expected")


def medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each shape's rounds."""
    return {name: statistics.median(values) for name, values in found.items()}


def ratio(found: Mapping[str, Sequence[float]], name: str, other: str) -> float:
    """Return the median of the ratios of two shapes, round by round, since the computer's speed drifts."""
    return statistics.median(one / two for one, two in zip(found[name], found[other], strict=True))
