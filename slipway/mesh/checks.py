"""What must hold between the parts of a declaration."""

import collections
import ipaddress
import itertools
from collections.abc import Iterable

from slipway.diagnostics import Collector, Span, catalogue, wording
from slipway.mesh import azure_checks, model, outside, plain_callers
from slipway.mesh.reading import Found

_PLAN_NETWORKS = ("pods", "services", "nodes", "machines", "infrastructure")
_PLAN_ADDRESSES = ("resolver", "metadata", "vault", "archive", "control_plane", "ingress", "egress")


def check(mesh: model.Mesh, *, declared: Found, positions: Found, collector: Collector) -> None:
    """Report what single values cannot show: shared identities, pods, hosts and addresses."""
    _check_identities(mesh, collector)
    _check_selectors(mesh, collector)
    _check_hosts(mesh, declared, collector)
    _check_logical_names(declared, positions, collector)
    _check_addresses(mesh, positions, collector)
    _check_networks(mesh, positions, collector)
    _check_way_out(mesh, positions, collector)
    _check_localities(mesh, positions, collector)
    outside.check_addresses(mesh, declared.entries("external"), collector)
    azure_checks.check(mesh, positions=positions, collector=collector)
    plain_callers.check_networks(mesh, declared.entries("services"), collector)


def _check_identities(mesh: model.Mesh, collector: Collector) -> None:
    owners: dict[tuple[str, str], model.Service] = {}
    for service in mesh.services:
        accounts = list(service.machines)
        if service.workload is not None:
            accounts.append(service.workload.service_account)
        for account in accounts:
            first = owners.setdefault((service.namespace, account), service)
            shared_machine = first is not service and account in {*first.machines} & {*service.machines}
            if (first is not service and not shared_machine) or accounts.count(account) > 1:
                _shared_identity(first, service, account, collector)


def _shared_identity(first: model.Service, second: model.Service, account: str, collector: Collector) -> None:
    others = "its own pods and machine" if first is second else wording.quoted(first.name)
    identity = wording.quoted(f"{second.namespace}/{account}")
    sentence = (
        f"{wording.quoted(second.name)} shares the identity {identity} with {others}; nothing could tell them apart"
    )
    hint = "state another ServiceAccount (`workload: {serviceAccount: ...}`), or rename the machine"
    collector.report(
        catalogue.SHARED_IDENTITY,
        sentence,
        span=second.span,
        path=f"services.{second.name}",
        found=account,
        hint=hint,
        related=[] if first is second else [first.span],
    )


def _check_selectors(mesh: model.Mesh, collector: Collector) -> None:
    """Report label sets that hold all of another's labels: every pod of the one is a pod of the other too."""
    selectors = {
        item.name: frozenset({("", item.namespace), *item.workload.labels})
        for item in mesh.services
        if item.workload is not None
    }
    frequency = collections.Counter(itertools.chain.from_iterable(selectors.values()))
    by_rarest: dict[tuple[str, str], list[str]] = {}
    for name, labels in selectors.items():
        by_rarest.setdefault(min(labels, key=lambda label: (frequency[label], label)), []).append(name)
    for name, labels in selectors.items():
        for other in itertools.chain.from_iterable(by_rarest.get(label, ()) for label in labels):
            if selectors[other] < labels or (selectors[other] == labels and other < name):
                _shared_pods(mesh.service(other), mesh.service(name), collector)


def _shared_pods(first: model.Service, second: model.Service, collector: Collector) -> None:
    sentence = f"every pod of {wording.quoted(second.name)} is selected by {wording.quoted(first.name)} as well"
    hint = "give one label, as `app`, a value of its own in each (`workload: {labels: ...}`)"
    collector.report(
        catalogue.SHARED_WORKLOAD,
        sentence,
        span=second.span,
        path=f"services.{second.name}",
        hint=hint,
        related=[first.span],
    )


def _check_hosts(mesh: model.Mesh, declared: Found, collector: Collector) -> None:
    services = declared.entries("services")
    inside: list[tuple[str, Span, str]] = [
        (item.host, item.span, f"services.{item.name}") for item in mesh.services if item.namespace
    ]
    for item in mesh.services:
        inside += [(name.text, name.span, name.path) for name in services[item.name].list("names") if name.text]
    external = [(item.host, item.span, f"external.{item.name}") for item in mesh.externals if item.host]
    external += [
        (item.served_by, item.span, f"external.{item.name}.servedBy") for item in mesh.externals if item.served_by
    ]
    served = [(item.host, item.span, f"ingress.{item.name}") for item in mesh.ingress if item.host]
    _check_unique(inside + external, collector)
    _check_unique(served, collector)
    _check_wildcards(mesh, inside, collector)
    kubernetes = {item.host for item in mesh.services}
    for host, span, path in inside + external + served:
        if host not in kubernetes and host.endswith((".cluster.local", ".svc")):
            sentence = f"{wording.quoted(host)} is a name that Kubernetes gives to Services"
            hint = "leave it out: a service has that name already"
            collector.report(catalogue.HOST, sentence, span=span, path=path, found=host, hint=hint)


def _check_wildcards(mesh: model.Mesh, inside: Iterable[tuple[str, Span, str]], collector: Collector) -> None:
    wildcards = [item for item in mesh.externals if item.host.startswith("*.")]
    for host, span, _ in inside if wildcards else ():
        for item in wildcards:
            if host.endswith(item.host[1:]):
                sentence = (
                    f"the wildcard {wording.quoted(item.host)} holds {wording.quoted(host)}, which is in the mesh"
                )
                collector.report(
                    catalogue.DUPLICATE_HOST,
                    sentence,
                    span=item.span,
                    path=f"external.{item.name}",
                    found=item.host,
                    hint="declare the outside hosts one by one",
                    related=[span],
                )


def _check_unique(hosts: Iterable[tuple[str, Span, str]], collector: Collector) -> None:
    owners: dict[str, Span] = {}
    for host, span, path in hosts:
        first = owners.setdefault(host, span)
        if first is not span:
            sentence = f"the host {wording.quoted(host)} has two owners; the other one stands in {first}"
            collector.report(
                catalogue.DUPLICATE_HOST,
                sentence,
                span=span,
                path=path,
                found=host,
                hint="declare it once",
                related=[first],
            )


def _check_logical_names(declared: Found, positions: Found, collector: Collector) -> None:
    externals, ingress = declared.entries("external"), declared.entries("ingress")
    known = {*externals, *ingress}
    for name, found in positions.entries("hosts").items():
        if name in externals and name in ingress:
            sentence = (
                f"{wording.quoted(name)} is both an outside host and an ingress host; which one is meant is unclear"
            )
            hint = "rename one of the two"
        elif name not in known:
            near = collector.nearest(name, known)
            sentence = f"no outside host and no ingress host has the logical name {wording.quoted(name)}"
            hint = f"did you mean {wording.quoted(near)}?" if near else f"declared: {wording.listed(known)}"
        else:
            continue
        collector.report(
            catalogue.UNKNOWN_HOST_NAME, sentence, span=found.key, path=found.path, found=name, hint=hint
        )


def _check_addresses(mesh: model.Mesh, positions: Found, collector: Collector) -> None:
    plan = {name: str(getattr(mesh.network, name)) for name in _PLAN_ADDRESSES}
    taken = {address: f"the platform's `{name}`" for name, address in plan.items() if address}
    for name, found in sorted(positions.entries("machines").items()):
        address = found.get("address")
        if address is None or not address.text:
            continue
        owner = taken.setdefault(address.text, f"the machine `{name}`")
        if owner != f"the machine `{name}`":
            sentence = f"the address {wording.quoted(address.text)} belongs to {owner} already"
            hint = "choose another one in the network of machines"
            collector.report(
                catalogue.ADDRESS_TAKEN, sentence, span=address.span, path=address.path, found=address.raw, hint=hint
            )
        machines = mesh.network.machines
        if machines and not _is_host_of(address.text, machines):
            shown = wording.quoted(address.text)
            sentence = f"the address {shown} is not one of a host in the network of machines, `{machines}`"
            hint = f"choose an address in `{machines}`, or state `network: {{machines: ...}}`"
            collector.report(
                catalogue.ADDRESS_OUTSIDE,
                sentence,
                span=address.span,
                path=address.path,
                found=address.raw,
                hint=hint,
            )


def _is_host_of(address: str, network: str) -> bool:
    block, host = ipaddress.IPv4Network(network), ipaddress.IPv4Address(address)
    return host in block and host not in {block.network_address, block.broadcast_address}


def _check_networks(mesh: model.Mesh, positions: Found, collector: Collector) -> None:
    stated = positions.get("network") or positions
    plan = [(name, str(getattr(mesh.network, name))) for name in _PLAN_NETWORKS]
    for (first, one), (second, other) in itertools.combinations(plan, 2):
        if one and other and ipaddress.ip_network(one).overlaps(ipaddress.ip_network(other)):
            place = stated.get(second) or stated.get(first) or stated
            sentence = f"the networks of {first} and {second} overlap: `{one}` and `{other}`"
            hint = "choose networks that have no address in common"
            collector.report(
                catalogue.NETWORKS_OVERLAP,
                sentence,
                span=place.span,
                path=place.path or "network",
                found=other,
                hint=hint,
            )


def _check_way_out(mesh: model.Mesh, positions: Found, collector: Collector) -> None:
    """Report an overlay whose machines call outside hosts and have no address of the egress gateway."""
    callers = [item.name for item in mesh.services if item.machines and item.external_calls]
    if not callers or not mesh.network.overlay or mesh.network.egress or mesh.platform is model.PlatformKind.AZURE:
        return
    place = positions.get("network") or positions
    sentence = f"the machines of {wording.listed(callers)} call outside hosts, and pods are in an overlay"
    hint = "add `network: {egress: ...}`, the internal load balancer's address for the egress gateway"
    collector.report(catalogue.MISSING_KEY, sentence, span=place.key, path="network.egress", hint=hint)


def _check_localities(mesh: model.Mesh, positions: Found, collector: Collector) -> None:
    machines = positions.entries("machines")
    for service in mesh.services:
        balance = service.traffic.balance
        for name in service.machines if balance is not None and balance.locality else ():
            if name in machines and machines[name].get("locality") is None and not mesh.machine(name).locality:
                sentence = (
                    f"{wording.quoted(service.name)} prefers near endpoints, and nothing says where "
                    f"the machine {wording.quoted(name)} is"
                )
                collector.report(
                    catalogue.MISSING_KEY,
                    sentence,
                    span=machines[name].key,
                    path=machines[name].path,
                    hint="add `locality: region/zone`, as the nodes are labelled",
                    related=[service.span],
                )
