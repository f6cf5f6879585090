"""A mesh as a user has it, judged: everybody who sends in it asks everybody, and the analyser's answers beside.

`python -m benchmarks.judge.example --instance NAME` asks in a lab that runs the example, pods and machines alike, and
writes with `--record FILE` what was measured as a case; exit code 1 for a contradiction.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.judge import asking, cases, relations, sets
from policies.bundles import compiler
from policies.bundles import surroundings as bundle_surroundings
from slipway.cli import grounds, stacks, worlds
from slipway.lab import instance as instances
from slipway.manifests.manifest import Manifest
from slipway.manifests.surroundings import Surroundings
from slipway.mesh import model
from slipway.rollout import expectations, probes, samples, senders, sources, stand_ins
from slipway.rollout.checks import check, spoken
from slipway.world import kubernetes, live

_HTTP, _HTTPS = 80, 443
# Longer than proxies wait for a connection. Source: istio/api mesh/v1alpha1/config.proto, connect_timeout.
_TIMEOUT_MS = 12_000
_ENDS = {"eof": "reset", "tls_error": "reset", "forbidden": "refused", "unreachable": "timeout"}
_PROXYS = (expectations.RBAC_BODY, *expectations.UNREACHED)  # what proxies answer themselves, or nothing at all
# What is left of a pod, and what is taken from every object: copies of it, and what was done to it.
_OF_PODS, _CONTAINERS = ("serviceAccountName", "hostNetwork", "nodeName"), {"containers", "initContainers"}
_NOTES = {"kubectl.kubernetes.io/last-applied-configuration", "sidecar.istio.io/status"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it is sent, and the same as the analyser is asked it."""

    source: sources.Source
    request: probes.Request
    row: sets.Request

    @property
    def name(self) -> str:
        """Unique among the requests of one run."""
        return f"{self.source} -> {self.row}"


class Example:
    """A lab that runs a declared mesh."""

    def __init__(
        self, mesh: model.Mesh, known: samples.Samples, cluster: kubernetes.Kubernetes, place: grounds.LabGround
    ) -> None:
        """Keep what is asked; nothing is sent. ``known`` are requests that do no harm."""
        self._mesh, self._known, self._cluster, self._place = mesh, known, cluster, place
        self._senders = senders.Senders(cluster, place, mesh)

    def case(self, name: str) -> cases.Case:
        """Return what came of all requests, with everything that the cluster tells while they are sent.

        Raises KubernetesError or GroundError when the lab cannot be used.
        """
        asked = list(requests(self._mesh, self._known, self._place.surroundings().internet))
        with self._senders.standing_in(asked):
            around = self._around()
            measured = self._senders.measure(asked)
        rows = [(item.row, ended(item.request, measured[item.name])) for item in asked]
        unsent = [item for item in asked if measured[item.name].outcome == "unsent"]
        if unsent:
            raise kubernetes.KubernetesError(f"{unsent[0].name}: {measured[unsent[0].name].detail}")
        return cases.Case(name=name, objects=(), requests=tuple(rows), around=around)

    def _around(self) -> Surroundings:
        """Return what the cluster has, in the networks and behind the rules that are declared."""
        declared = bundle_surroundings.emit_surroundings(self._mesh, compiler.compile_bundle(self._mesh))
        found = tuple(_plain(item) for item in live.read(self._cluster, worlds.LIVE_KINDS))
        return dataclasses.replace(declared, manifests=found, owners={})


def requests(mesh: model.Mesh, known: samples.Samples, internet: check.Outside | None) -> Iterator[Asked]:
    """Return every request: of each identity, in its own pod or machine and in an open scope, and of a bare pod."""
    for sender in _senders(mesh, known):
        for service in mesh.services:
            yield from sender.to_service(service)
        yield sender.to_nobody()
        for host in mesh.externals:
            yield sender.https(host.host, host.host)
        if internet is not None:
            yield sender.https(internet.forbidden.host, internet.forbidden.host)
            yield from (sender.https(address, host) for host, address in sorted(internet.addresses.items()))


def _senders(mesh: model.Mesh, known: samples.Samples) -> "Iterator[_Sender]":
    for item in sources.all_identities(mesh):
        own = sources.Source(manner=sources.Manner.APPLICATION, identity=item)
        yield _Sender(mesh=mesh, known=known, source=own, place=f"{item.namespace}/{item.name}")
        opened = sources.Source(manner=sources.Manner.OPENED, identity=item)
        yield _Sender(mesh=mesh, known=known, source=opened, place=f"{item.namespace}/{stand_ins.pod_name(opened)}")
    for namespace in sources.bare_namespaces(mesh):
        bare = sources.Source(manner=sources.Manner.BARE, namespace=namespace)
        yield _Sender(mesh=mesh, known=known, source=bare, place=f"{namespace}/{stand_ins.pod_name(bare)}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """A source in a mesh, with namespace and name of the workload that it is."""

    mesh: model.Mesh
    known: samples.Samples
    source: sources.Source
    place: str

    def to_service(self, service: model.Service) -> Iterator[Asked]:
        """Return requests to every port of a service: by each of its names, and by the address of an endpoint."""
        short = f"{service.name}.{service.namespace}"
        for port in service.ports:
            names = (service.host, short, *service.names)
            named = [probes.Address(host=name, port=port.service_port) for name in names]
            for target in (*named, spoken.endpoint(self.mesh, service, port)):
                if port.protocol.is_http:
                    yield from (self._http(service, target, match) for match in _matches(self.mesh, service, port))
                elif port.protocol is model.Protocol.POSTGRES:
                    yield self._login(service, port, target)

    def to_nobody(self) -> Asked:
        """Return a request to a name of the cluster that there is not."""
        target = probes.Address(host=f"nobody.{self.mesh.namespaces[0]}.svc.cluster.local", port=_HTTP)
        request = probes.Request(kind=probes.Kind.HTTP, target=target, timeout_ms=_TIMEOUT_MS)
        http = sets.Http(method="GET", path="/", host=target.host)
        return Asked(source=self.source, request=request, row=dataclasses.replace(self._row(target), http=http))

    def https(self, called: str, name: str) -> Asked:
        """Return a request to an outside host over TLS, by a name or an address."""
        target = probes.Address(host=called, port=_HTTPS)
        tls = probes.Tls(sni=name, unverified=True)
        timeout_ms = _TIMEOUT_MS
        request = probes.Request(kind=probes.Kind.HTTP, target=target, tls=tls, host=name, timeout_ms=timeout_ms)
        http = sets.Http(method="GET", path="/", host=name)
        row = sets.Request(source=self.place, host=called, port=_HTTPS, http=http, sni=name)
        return Asked(source=self.source, request=request, row=row)

    def _http(
        self, service: model.Service, target: probes.Address | probes.PodAddress, match: model.HttpMatch
    ) -> Asked:
        sample = self.known.http.get((service.name, f"{match.method} {match.path}"), samples.Http())
        request = spoken.http(target, match, sample, timeout_ms=_TIMEOUT_MS)
        host = str(target) if isinstance(target, probes.Address) else ""
        http = sets.Http(method=request.method, path=request.path, host=host)
        return Asked(source=self.source, request=request, row=dataclasses.replace(self._row(target), http=http))

    def _login(self, service: model.Service, port: model.Port, target: probes.Address | probes.PodAddress) -> Asked:
        caller = self.source.identity.service if self.source.identity is not None else ""
        sample, timeout_ms = samples.Sql(), _TIMEOUT_MS
        request = spoken.tcp(self.mesh, service, port, target, caller=caller, sample=sample, timeout_ms=timeout_ms)
        return Asked(source=self.source, request=request, row=self._row(target))

    def _row(self, target: probes.Address | probes.PodAddress) -> sets.Request:
        if isinstance(target, probes.Address):
            return sets.Request(source=self.place, host=target.host, port=target.port)
        return sets.Request(
            source=self.place, pod=f"{target.namespace}/{dict(target.labels)['app']}", port=target.port
        )


def _matches(mesh: model.Mesh, service: model.Service, port: model.Port) -> list[model.HttpMatch]:
    """Return requests that somebody may send, the same with another method, and one that nobody may."""
    declared = [match for _, call in mesh.callers(service.name) if call.port == port.name for match in call.http]
    others = [
        model.HttpMatch(method=method, path=match.path)
        for match in declared
        if (method := spoken.undeclared_method(tuple(declared), match.path)) is not None
    ]
    return list(dict.fromkeys([*declared, *others, model.HttpMatch(method="GET", path=spoken.UNDECLARED_PATH)]))


def ended(request: probes.Request, result: probes.Result) -> asking.Measured:
    """Return what came of a request in the judge's words."""
    if result.outcome != "answer":
        return asking.Measured(end=_ENDS.get(result.outcome, result.outcome))
    if request.kind is probes.Kind.HTTP and (not result.body or result.body.startswith(_PROXYS)):
        return asking.Measured(end="status", status=int(result.code))
    return asking.Measured(end="app")


def _plain(item: Manifest) -> Manifest:
    """Return what decides of a live object: a pod without what its containers are given."""
    annotations = {key: value for key, value in item.annotations.items() if key not in _NOTES}
    body = item.body
    if item.kind == "Pod":
        spec = {key: item.body["spec"][key] for key in _OF_PODS if key in item.body["spec"]}
        for key in _CONTAINERS & item.body["spec"].keys():
            spec[key] = [_chosen(one, ("name", "ports")) for one in item.body["spec"][key]]
        body = {"spec": spec, "status": _chosen(item.body.get("status", {}), ("phase", "podIP", "podIPs"))}
    return dataclasses.replace(item, annotations=annotations, body=body)


def _chosen(found: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: found[key] for key in keys if key in found}


def main(arguments: Sequence[str]) -> int:
    """Ask in a lab that runs the example; 1 for a contradiction."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge.example", description=__doc__)
    parser.add_argument("--instance", default="lab")
    parser.add_argument("--environment", default="lab")
    parser.add_argument("--record", type=Path, help="a file for what was measured, as a case")
    chosen = parser.parse_args(arguments)
    place = instances.named(chosen.instance)
    mesh = stacks.load(chosen.environment)
    text = (Path(stacks.FOLDER) / "probes.yaml").read_bytes()
    known = samples.load(text, file="probes.yaml", mesh=mesh)
    example = Example(mesh, known, kubernetes.connect(place.kubeconfig), grounds.of_lab(place))
    found = example.case(chosen.environment)
    told = list(relations.disagreements(found))
    sys.stdout.write("".join(f"{line}\n" for line in told))
    sys.stdout.write(f"{len(found.requests)} requests, {len(told)} contradictions\n")
    if chosen.record:
        chosen.record.write_text(cases.whole(found), encoding="utf-8")
    return 1 if told else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
