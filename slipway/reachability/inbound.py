"""The last hop: network, mutual TLS and authorization of the workload called, for many callers at once.

Source: istio 1.29.1 pilot/pkg/networking/core/filterchain_options.go (which chains a mode and a protocol make) and
listener_inbound.go (ports without a Service meet the same modes on sniffing chains).
"""

import dataclasses
from typing import Protocol

from slipway.reachability import mutual_tls, paths, places, registry
from slipway.reachability.answers import Answer, Decider, Hop, Key, Outcome, Seen, Transport
from slipway.reachability.authorization import Applied, Authorization, Verdict
from slipway.reachability.callers import Callers, Some
from slipway.reachability.choices import Choice
from slipway.reachability.conditions import Arrival
from slipway.reachability.network import REFUSAL, NetworkPolicies
from slipway.reachability.objects import Mtls, Proxy, Workload
from slipway.reachability.objects import Protocol as Declared
from slipway.reachability.questions import Application
from slipway.reachability.registry import Port, Registry, Target
from slipway.reachability.request import Http, Request
from slipway.reachability.security_groups import SecurityGroups
from slipway.reachability.split import Split, answer, doubted, joined, possible, unknown
from slipway.reachability.walks import Walk
from slipway.reachability.world import Engine, World, selects

# Never captured inbound: SSH on machines apart, these are the agent's and Envoy's own ports.
# Source: istio 1.29.1 tools/istio-iptables/pkg/capture/run.go.
_UNCAPTURED = frozenset({15006, 15008, 15020, 15021, 15090})
UNREAD = "Envoy refuses the path of the request"


class Wire(Choice):
    """What is spoken on the connection to the workload."""

    MUTUAL_TLS = "mTLS of the mesh"
    TLS = "TLS, not of the mesh"
    PLAINTEXT = "plaintext"


class Way(Choice):
    """What carried the request there: it shapes what the client sees of a refusal."""

    DIRECT = "direct"
    TCP_PROXY = "TCP through a proxy"
    HTTP_PROXY = "HTTP through a proxy"


_TRANSPORT = {Wire.MUTUAL_TLS: Transport.MUTUAL_TLS, Wire.TLS: Transport.TLS, Wire.PLAINTEXT: Transport.PLAINTEXT}


def closed(way: Way) -> Seen:
    """Return what a client sees when the connection to the workload is closed."""
    return Seen.UNAVAILABLE_503 if way is Way.HTTP_PROXY else Seen.RESET


def unreadable(request: Request) -> Seen:
    """Return what a client sees where a proxy gets no HTTP, and reads that: Envoy's 400, which is no TLS."""
    return Seen.RESET if request.application is Application.TLS else Seen.OTHER_STATUS


def unreachable(way: Way, direct: Seen) -> Seen:
    """Return what a client sees when there is no connection: ``direct`` when nothing stands between."""
    return direct if way is Way.DIRECT else closed(way)


def unheard(target: Target, way: Way) -> Answer:
    """Return what comes of a call to a port of a name whose endpoints are said to listen at another one."""
    reason = f"nobody leads from port {target.port} to where the endpoints of the name listen"
    return answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=unreachable(way, Seen.REFUSED))


class AtGateway(Protocol):
    """What a gateway makes of a request; the module of gateways has it, which needs this one."""

    def arrive(
        self, inbound: "Inbound", index: int, port: int, *, wire: Wire, way: Way, request: Request, mask: int
    ) -> Split:
        """Return what happens to the callers of ``mask`` at a gateway and behind it."""
        ...

    def listens(self, index: int, port: int, *, wire: Wire, request: Request) -> bool:
        """Return whether a server of a gateway takes such a connection."""
        ...

    def passes(self, index: int, port: int, host: str) -> bool:
        """Return whether a gateway passes mutual TLS on to a service of this name."""
        ...


class _Passed:
    """Who of some callers gets through network rules: ``through`` has also those that may get through or not."""

    def __init__(self, mask: int) -> None:
        self.through = mask
        self._refused: Split = []
        self._doubtful: Split = []

    def filter(self, callers: int, through: Some, refusal: Answer) -> None:
        """Have rules decide about ``callers``: those that surely or possibly do not pass get ``refusal``."""
        if denied := callers & self.through & ~through.may:
            self._refused.append((denied, refusal))
            self.through &= ~denied
        if doubtful := callers & self.through & ~through.must:
            self._doubtful.append((doubtful, refusal))

    def after(self, split: Split) -> Split:
        """Return what comes of all callers, given what comes of those that got through."""
        for callers, refusal in self._doubtful:
            split = doubted(split, callers, refusal)
        return [*self._refused, *split]


class Inbound:
    """Decides for one world and one list of callers; ``walk`` is that of the request under way."""

    def __init__(self, world: World, callers: Callers, known: Registry, gateways: AtGateway) -> None:
        self._world = world
        self.callers = callers
        self._registry = known
        self._gateways = gateways
        self._networks = NetworkPolicies(world, callers)
        self._facts: dict[tuple[int, int], tuple[tuple[mutual_tls.Mode, ...], Port, Key | None]] = {}
        self._applied: dict[tuple[Key, bool], Applied] = {}
        self._seen = _seen_by_machines(world, callers)
        self._groups = SecurityGroups(world, self._seen)
        self._authorization = Authorization(world, callers)
        self._at_machines = Authorization(world, self._seen)
        self.walk = Walk()

    def arrive(self, target: Target, wire: Wire, way: Way, request: Request, mask: int) -> Split:
        """Return what happens to the callers of ``mask`` on their way to an endpoint, and there."""
        if target.unheard:
            heard = dataclasses.replace(target, unheard=False)
            return doubted(self.arrive(heard, wire, way, request, mask), mask, unheard(target, way))
        barred = self._barred(target, way, mask)
        rest = mask & ~sum(callers for callers, _ in barred)
        return joined([*barred, *self._arrive(target, wire, way, request, rest)])

    def _barred(self, target: Target, way: Way, mask: int) -> Split:
        """Return the callers that have no way to the endpoint's address, or one that is not modelled."""
        if target.door is not None:
            others = mask & ~self.callers.machines
            reason = f"the load balancer {target.door.address} is modelled for machines only"
            return [(others, unknown(Hop.SOURCE_SIDECAR, reason))] if others else []
        machines = mask & self.callers.machines
        workload = None if target.workload is None else self._world.workloads[target.workload]
        if not machines or workload is None or workload.machine:
            return []
        if not self._world.pods_seen_as and not self._world.network_gateways.get(target.network):
            return []
        reason = "machines have no way to the addresses of pods"
        seen = unreachable(way, Seen.TIMEOUT)
        return [(machines, answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=seen, key=workload.key))]

    def _arrive(self, target: Target, wire: Wire, way: Way, request: Request, mask: int) -> Split:
        left = self._leave(target, way, mask)
        if not left.through or target.workload is None:
            return left.after([(left.through, _outside(wire))] if left.through else [])
        workload = self._world.workloads[target.workload]
        if target.door is not None and self._networks.isolates(workload):
            reason = f"network policies of {workload.key} decide about what comes by a gateway"
            return left.after([(left.through, unknown(Hop.DESTINATION_NETWORK_POLICY, reason))])
        entered = self._enter(workload, target, way, left.through)
        there: Split = []
        if entered.through:
            there = self.at_workload(
                target.workload, target.port, wire, way=way, request=request, mask=entered.through
            )
        return left.after(entered.after(there))

    def listens(self, target: Target, wire: Wire, request: Request) -> bool:
        """Return whether the gateway that an endpoint is takes such a connection."""
        assert target.workload is not None  # noqa: S101 - gateways are workloads
        self.walk.keep_alone()
        return self._gateways.listens(target.workload, target.port, wire=wire, request=request)

    def passes(self, target: Target, host: str) -> bool:
        """Return whether the gateway that an endpoint is passes mutual TLS on to a service of this name."""
        self.walk.keep_alone()
        return target.workload is not None and self._gateways.passes(target.workload, target.port, host)

    def _leave(self, target: Target, way: Way, mask: int) -> _Passed:
        """Return who gets out of its own network rules."""
        workload = None if target.workload is None else self._world.workloads[target.workload]
        place, port = self._place(target), target.port
        if target.door is not None:
            place, port = _placed(target.door.address), target.door.port
        passed = _Passed(mask)
        for passage in self._networks.out_of(workload, place, port, mask, led=target.led):
            refusal = self._isolated(passage.key, Hop.SOURCE_NETWORK_POLICY, way)
            passed.filter(passage.callers, passage.through, refusal)
        for machine, alone, through in self._groups.out_of(place, port, passed.through):
            passed.filter(alone, through, _guarded(machine, Hop.SOURCE_NSG, way))
        return passed

    def _place(self, target: Target) -> str:
        if _is_address(target.address) or target.workload is None:
            return _placed(target.address)
        return self._world.block_of(self._world.workloads[target.workload]) or places.NOWHERE

    def _enter(self, workload: Workload, target: Target, way: Way, mask: int) -> _Passed:
        """Return who gets into the network rules of the workload."""
        passed, port = _Passed(mask), target.port
        passage = self._networks.into(workload, self._place(target), port, mask, led=target.led)
        if passage is not None:
            passed.filter(mask, passage.through, self._isolated(passage.key, Hop.DESTINATION_NETWORK_POLICY, way))
        if workload.machine:
            through = self._groups.into(workload.name, port, passed.through)
            passed.filter(passed.through, through, _guarded(workload.name, Hop.DESTINATION_NSG, way))
        return passed

    def _isolated(self, key: Key, hop: Hop, way: Way) -> Answer:
        seen = unreachable(way, REFUSAL.get(self._world.engine, Seen.TIMEOUT))
        reason = f"no rule of the network policies ({key} among them) lets it through"
        if self._world.engine is Engine.UNKNOWN:
            reason += "; what enforces them is not known (--network-policies)"
        return answer(Outcome.DENIED, hop, reason, seen=seen, key=key)

    def at_workload(self, index: int, port: int, wire: Wire, *, way: Way, request: Request, mask: int) -> Split:
        """Return what proxy and application make of it, once packets reach the workload."""
        workload = self._world.workloads[index]
        if workload.proxy is Proxy.UNKNOWN:
            reason = f"{workload.key} is in ambient mode, behind the Gateway API, or has fields that are not modelled"
            return [(mask, unknown(Hop.DESTINATION_SIDECAR, reason, key=workload.key))]
        if workload.proxy is Proxy.NONE or not captured(workload, port):
            return [(mask, _unproxied(workload, wire, way, port))]
        if (found := self.opaque(workload)) is not None:
            reason = f"{found} changes the proxy of {workload.key} in ways that are not modelled"
            return [(mask, unknown(Hop.DESTINATION_SIDECAR, reason, key=found))]
        if workload.proxy is Proxy.GATEWAY:
            self.walk.keep_alone()
            return self._gateways.arrive(self, index, port, wire=wire, way=way, request=request, mask=mask)
        modes, known, sidecar = self._known(index, port)
        if known.doubt:
            return [(mask, unknown(Hop.DESTINATION_SIDECAR, known.doubt, key=sidecar))]
        splits = [
            self._chain(workload, port, mode, protocol=protocol, wire=wire, way=way, request=request, mask=mask)
            for mode in modes
            for protocol in known.protocols
        ]
        return possible(splits)

    def _known(self, index: int, port: int) -> tuple[tuple[mutual_tls.Mode, ...], Port, Key | None]:
        """Return the modes at a port, what its proxy knows of it, and the Sidecar of the workload."""
        found = self._facts.get((index, port))
        if found is None:
            workload = self._world.workloads[index]
            sidecar = registry.sidecar_of(self._world, workload)
            modes = mutual_tls.modes(self._world, workload, port)
            found = (modes, self._registry.port(index, port, sidecar), sidecar.key if sidecar else None)
            self._facts[index, port] = found
        return found

    def opaque(self, workload: Workload) -> Key | None:
        """Return an object that changes the workload's proxy in ways that are not modelled."""
        if not self._world.opaque:
            return None
        root = self._world.mesh.root_namespace
        for namespace in dict.fromkeys((root, workload.namespace)):
            for item in self._world.opaque_in.get(namespace, ()):
                if selects(item.selector, workload.labels):
                    return item.key
        return None

    def _chain(
        self,
        workload: Workload,
        port: int,
        mode: mutual_tls.Mode,
        *,
        protocol: Declared,
        wire: Wire,
        way: Way,
        request: Request,
        mask: int,
    ) -> Split:
        refusal = _refused(mode, protocol, wire, way, request)
        if refusal is not None:
            return [(mask, refusal)]
        read = _read(mode, request)
        return possible(
            [
                self._filters(workload, port, wire, way=way, request=read, mask=mask, tcp=tcp)
                for tcp in _chains(protocol, wire, way, request)
            ]
        )

    def _filters(
        self, workload: Workload, port: int, wire: Wire, *, way: Way, request: Request, mask: int, tcp: bool
    ) -> Split:
        """Return what authorization decides, on an HTTP chain or a TCP chain."""
        hop = Hop.DESTINATION_SIDECAR
        parts = self.authorized(workload, port, wire, request, mask, tcp=tcp, authenticated=wire is Wire.MUTUAL_TLS)
        http = None if tcp else request.http
        found = [(part, told(verdict, hop, wire, way, http)) for part, verdict in parts]
        if http is None:
            return found
        pathless = _pathless(http)
        self.walk.note(_pathless, _pathless, pathless)
        if not pathless:
            return found
        reason = "no route of the workload's proxy takes a path without a slash"
        lost = answer(Outcome.DENIED, hop, reason, seen=Seen.NOT_FOUND_404)
        return [(part, item if item.outcome is not Outcome.ALLOWED else lost) for part, item in found]

    def authorized(
        self,
        workload: Workload,
        port: int,
        wire: Wire,
        request: Request,
        mask: int,
        *,
        tcp: bool,
        authenticated: bool,
    ) -> list[tuple[int, Verdict]]:
        """Return what the authorization filters of a proxy decide."""
        http = None if tcp else request.http
        decider = self._at_machines if workload.machine else self._authorization
        applied = self._applied.get((workload.key, tcp))
        if applied is None:
            applied = decider.applied(workload, tcp=tcp)
            self._applied[workload.key, tcp] = applied

        addresses = workload.addresses or tuple(filter(None, [self._world.block_of(workload)]))
        sni = request.outer_sni if wire is not Wire.PLAINTEXT else ""

        def arrived(sent: Http | None) -> Arrival | None:
            path = paths.normalized(sent.path, self._world.mesh.normalization) if sent is not None else ""
            if path is None:
                return None
            return Arrival(
                port=port,
                authenticated=authenticated,
                http=sent,
                path=path,
                sni=sni,
                addresses=addresses,
                client_unknown=bool(request.forwarded),
            )

        arrival = arrived(http)
        if http is not None:
            place = (workload.key, port, wire)
            made = decider.made_of(applied, arrival)
            self.walk.note(place, lambda sent: decider.made_of(applied, arrived(sent)), made)
        if arrival is None:
            verdict = Verdict(outcome=Outcome.DENIED, object=None, rule=None, reason=UNREAD, unread=True)
            return [(mask, verdict)]
        return decider.decide(applied, arrival, mask)


def _seen_by_machines(world: World, callers: Callers) -> Callers:
    """Return the callers as machines see them: pods by the nodes' addresses, where they have no way to pods' own."""
    if not world.pods_seen_as and not world.network_gateways:
        return callers
    found = [
        item if item.workload is None or item.machine else dataclasses.replace(item, addresses=())
        for item in callers.list
    ]
    return Callers(found, pod_network=world.pods_seen_as)


def _pathless(http: Http) -> bool:
    """Return whether a request is about the server as a whole. Source: RFC 9112, 3.2.4, asterisk-form."""
    return http.path == "*"


def told(verdict: Verdict, hop: Hop, wire: Wire, way: Way, http: Http | None) -> Answer:
    """Return a verdict as an answer."""
    denied = Seen.FORBIDDEN_403 if http is not None else closed(way)
    if verdict.unread:
        denied = Seen.OTHER_STATUS  # 400
    seen = {Outcome.ALLOWED: Seen.ANSWER, Outcome.DENIED: denied}.get(verdict.outcome, Seen.UNKNOWN)
    transport = _TRANSPORT[wire]
    who = "with the caller's identity" if wire is Wire.MUTUAL_TLS else "without any identity of the caller"
    return Answer(
        outcome=verdict.outcome,
        seen=seen,
        decided_by=Decider(hop=hop, object=verdict.object, rule=verdict.rule),
        reasons=(f"it arrives over {wire.value}, {who}", verdict.reason),
        transport=transport,
    )


def _chains(protocol: Declared, wire: Wire, way: Way, request: Request) -> tuple[bool, ...]:
    """Return the kinds of filter chain (True for TCP) that may take the connection.

    Sniffing tells HTTP from the rest in plaintext. Over mutual TLS it goes by what the client's proxy says in ALPN,
    which depends on Istio's own build of Envoy.
    """
    if protocol is Declared.HTTP:
        return (False,)
    if protocol is not Declared.UNDECLARED or request.http is None:
        return (True,)
    if wire is Wire.MUTUAL_TLS:
        return (False, True) if way is Way.HTTP_PROXY else (True,)
    return (False,)


def _read(mode: mutual_tls.Mode, request: Request) -> Request:
    """Return a request as the proxy reads it: the server name of TLS only at ports that may take mutual TLS.

    Source: istio 1.29.1 pilot/pkg/networking/core/listener_inbound.go, populateListenerFilters, buildTLSInspector.
    """
    return request.carried("") if mode.mode is Mtls.DISABLE else request


def _refused(mode: mutual_tls.Mode, protocol: Declared, wire: Wire, way: Way, request: Request) -> Answer | None:
    """Return the answer when no filter chain takes the connection, or the one that does cannot read it."""
    hop, key = Hop.DESTINATION_SIDECAR, mode.object
    if mode.mode is Mtls.STRICT and wire is not Wire.MUTUAL_TLS:
        reason = f"the port takes mutual TLS only, and {wire.value} arrives"
        return answer(Outcome.DENIED, hop, reason, seen=closed(way), key=key)
    if mode.mode is Mtls.DISABLE and wire is Wire.MUTUAL_TLS:
        reason = "the port takes no mutual TLS, and the client's proxy speaks it"
        return answer(Outcome.DENIED, hop, reason, seen=closed(way), key=key)
    if protocol is Declared.HTTP and wire is Wire.TLS:
        reason = "the port is declared HTTP, and TLS arrives that is not of the mesh"
        return answer(Outcome.DENIED, hop, reason, seen=closed(way), key=key)
    if protocol is Declared.HTTP and request.http is None:
        reason = "the port is declared HTTP, and something else arrives"
        return answer(Outcome.DENIED, hop, reason, seen=unreadable(request))
    return None


def _unproxied(workload: Workload, wire: Wire, way: Way, port: int) -> Answer:
    why = "it has no proxy" if workload.proxy is Proxy.NONE else f"its proxy does not take port {port}"
    if wire is Wire.MUTUAL_TLS:
        reason = f"mutual TLS arrives at {workload.key}, and {why}"
        return answer(Outcome.DENIED, Hop.DESTINATION, reason, seen=closed(way), key=workload.key)
    return _reached(wire, f"{workload.key} answers itself: {why}")


def _outside(wire: Wire) -> Answer:
    if wire is Wire.MUTUAL_TLS:
        reason = "mutual TLS of the mesh leaves it, and the objects do not say whether somebody there speaks it"
        return unknown(Hop.DESTINATION, reason)
    return _reached(wire, "nothing of the mesh stands before it")


def _reached(wire: Wire, reason: str) -> Answer:
    return answer(Outcome.ALLOWED, Hop.DESTINATION, reason, seen=Seen.ANSWER, transport=_TRANSPORT[wire])


def _guarded(machine: str, hop: Hop, way: Way) -> Answer:
    key = Key(kind="NetworkSecurityGroup", namespace="", name=machine)
    reason = f"no rule of the security group of {machine} lets it through"
    return answer(Outcome.DENIED, hop, reason, seen=unreachable(way, Seen.TIMEOUT), key=key)


def captured(workload: Workload, port: int) -> bool:
    """Return whether a workload's proxy takes inbound connections to a port."""
    capture = workload.capture
    if port in _UNCAPTURED or port in capture.excluded_inbound:
        return False
    return capture.included_inbound is None or port in capture.included_inbound


def _placed(address: str) -> str:
    """Return where an address is; what is only known by a name is on the internet."""
    return address if _is_address(address) else places.INTERNET


def _is_address(text: str) -> bool:
    return (bool(text) and all(part.isdigit() for part in text.split("."))) or ":" in text


def application_of(protocol: Declared) -> Application:
    """Return what a client speaks to a port that declares a protocol."""
    return {Declared.HTTP: Application.HTTP, Declared.TLS: Application.TLS}.get(protocol, Application.TCP)
