"""Ways to break a running lab, one mechanism each, undone at the end whatever happens in between."""

import contextlib
import copy
from collections.abc import Callable, Generator, Iterable
from unittest import mock

from slipway.lab import ingress_certificate
from slipway.lab.machines import api, firewall, record
from slipway.mesh import model
from slipway.world import kubernetes

NETWORKING = "networking.istio.io/v1"
POLICY = kubernetes.Kind(api_version="security.istio.io/v1", kind="AuthorizationPolicy")
MUTUAL_TLS = kubernetes.Kind(api_version="security.istio.io/v1", kind="PeerAuthentication")
NETWORK_POLICY = kubernetes.Kind(api_version="networking.k8s.io/v1", kind="NetworkPolicy")
GATEWAY = kubernetes.Kind(api_version=NETWORKING, kind="Gateway")
SERVICE_ENTRY = kubernetes.Kind(api_version=NETWORKING, kind="ServiceEntry")
VIRTUAL_SERVICE = kubernetes.Kind(api_version=NETWORKING, kind="VirtualService")
DESTINATION_RULE = kubernetes.Kind(api_version=NETWORKING, kind="DestinationRule")
TELEMETRY = kubernetes.Kind(api_version="telemetry.istio.io/v1", kind="Telemetry")
SECRET = kubernetes.Kind(api_version="v1", kind="Secret")
_MANAGER = "breaker"
_KEPT = ("name", "namespace", "labels", "annotations")


Breaker = Callable[["Broken"], contextlib.AbstractContextManager[None]]


class Broken:
    """A lab whose parts can be taken away for the length of a block."""

    def __init__(self, lab) -> None:
        self.instance, self.mesh, self.cluster = lab.instance, lab.mesh, lab.cluster

    @contextlib.contextmanager
    def without(self, bodies: Iterable[kubernetes.Object]) -> Generator[None]:
        """Delete objects."""
        taken = list(bodies)
        assert taken, "there is nothing to take away"
        with contextlib.ExitStack() as undo:
            for body in taken:
                undo.callback(self._restore, body)
                self._delete(body)
            yield

    @contextlib.contextmanager
    def changed(self, bodies: Iterable[kubernetes.Object], change: Callable[[dict], None]) -> Generator[None]:
        """Replace objects by others with a changed spec (or data)."""
        with self.without(bodies) as _, contextlib.ExitStack() as undo:
            for body in list(bodies):
                other = _plain(body)
                change(other)
                undo.callback(self._delete, other)
                self.cluster.apply(other, manager=_MANAGER)
            yield

    @contextlib.contextmanager
    def added(self, *bodies: kubernetes.Object) -> Generator[None]:
        """Add objects."""
        with contextlib.ExitStack() as undo:
            for body in bodies:
                undo.callback(self._delete, body)
                self.cluster.apply(body, manager=_MANAGER)
            yield

    def found(self, kind: kubernetes.Kind, *namespaces: str) -> list[kubernetes.Object]:
        """Return Slipway's objects of a kind."""
        label = "app.kubernetes.io/managed-by=slipway"
        return [body for place in namespaces for body in self.cluster.list(kind, namespace=place, labels=label)]

    @contextlib.contextmanager
    def on_machines(self, breaks: list[str], heals: list[str]) -> Generator[None]:
        """Run one command on every machine, and another one afterwards."""
        with contextlib.ExitStack() as undo:
            for machine in self.mesh.machines:
                undo.callback(self._run, machine, heals)
                self._run(machine, breaks)
            yield

    @contextlib.contextmanager
    def without_security_groups(self) -> Generator[None]:
        """Take the machines' network security groups away; a reboot does not bring them back."""
        with contextlib.ExitStack() as undo:
            for machine in self.mesh.machines:
                spec = record.read(self.instance, machine.name)
                assert spec is not None
                undo.callback(firewall.apply, self.instance, spec)
                firewall.remove(self.instance, machine.name)
            with mock.patch.object(firewall, "apply"):
                yield

    def _run(self, machine: model.Machine, argv: list[str]) -> None:
        api.execute(self.instance, machine.name, argv, timeout_s=30)

    def _delete(self, body: kubernetes.Object) -> None:
        metadata = body["metadata"]
        kind = kubernetes.Kind(api_version=body["apiVersion"], kind=body["kind"])
        self.cluster.delete(kind, metadata["name"], namespace=metadata["namespace"])

    def _restore(self, body: kubernetes.Object) -> None:
        self.cluster.apply(_plain(body), manager=body["metadata"]["managedFields"][0]["manager"])


def _plain(body: kubernetes.Object) -> kubernetes.Object:
    found = copy.deepcopy(body)
    found["metadata"] = {key: value for key, value in body["metadata"].items() if key in _KEPT}
    found.pop("status", None)
    return found


def _object(kind: kubernetes.Kind, namespace: str, spec: dict) -> kubernetes.Object:
    metadata = {"name": "breaker", "namespace": namespace}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}


def nobody_allowed(lab: Broken):
    """Leave the deny-all policies alone in place."""
    policies = lab.found(POLICY, *lab.mesh.namespaces, "istio-ingress", "istio-egress")
    return lab.without(body for body in policies if "rules" in body["spec"])


def everybody_allowed(lab: Broken):
    """Allow every request to services and to the egress gateway."""
    return lab.added(*(_object(POLICY, place, {"rules": [{}]}) for place in (*lab.mesh.namespaces, "istio-egress")))


def permissive(lab: Broken):
    """Take plaintext."""

    def change(body: dict) -> None:
        body["spec"]["mtls"] = {"mode": "PERMISSIVE"}

    return lab.changed(lab.found(MUTUAL_TLS, *lab.mesh.namespaces), change)


def wide_scopes(lab: Broken):
    """Let every sidecar know every service and send anywhere."""

    def change(body: dict) -> None:
        body["spec"]["egress"] = [{"hosts": ["*/*"]}]
        body["spec"]["outboundTrafficPolicy"] = {"mode": "ALLOW_ANY"}

    return lab.changed(lab.found(kubernetes.SIDECAR, *lab.mesh.namespaces), change)


def exported(lab: Broken):
    """Show the ways out through the gateway to every namespace."""

    def change(body: dict) -> None:
        body["spec"]["exportTo"] = ["*"]

    kinds = (SERVICE_ENTRY, VIRTUAL_SERVICE, DESTINATION_RULE)
    return lab.changed([body for kind in kinds for body in lab.found(kind, "istio-egress")], change)


def no_network_policies(lab: Broken):
    """Let pods send anywhere."""
    return lab.without(lab.found(NETWORK_POLICY, *lab.mesh.namespaces))


def no_guards(lab: Broken):
    """Unload the machines' guards."""
    gone = ["nft", "delete", "table", "inet", "slipway_guard"]
    return lab.on_machines(gone, ["systemctl", "reload", "slipway-guard.service"])


def no_security_groups(lab: Broken):
    """Open the network between machines and everybody."""
    return lab.without_security_groups()


def trusting_database(lab: Broken):
    """Let local processes into the database without any proof."""
    file = "/etc/slipway/pg_hba.conf"
    script = f"cp -p {file} {file}.kept && echo 'host all all 127.0.0.1/32 trust' >> {file}"
    reload = "systemctl reload postgresql@15-main"
    there = f"if [ -f {file} ]; then {{0}}; {reload}; fi"
    heals = f"mv {file}.kept {file}"
    return lab.on_machines(["sh", "-c", there.format(script)], ["sh", "-c", there.format(heals)])


def no_redirect(lab: Broken):
    """Serve plain HTTP instead of sending it to HTTPS."""

    def change(body: dict) -> None:
        for server in body["spec"]["servers"]:
            server.get("tls", {}).pop("httpsRedirect", None)

    return lab.changed(lab.found(GATEWAY, "istio-ingress"), change)


def any_ingress_host(lab: Broken):
    """Serve a host that nobody declared."""
    secret = lab.mesh.ingress[0].certificate
    server = {
        "port": {"number": 443, "name": "https-breaker", "protocol": "HTTPS"},
        "hosts": ["undeclared.example.com"],
        "tls": {"mode": "SIMPLE", "credentialName": secret},
    }
    return lab.added(
        _object(GATEWAY, "istio-ingress", {"selector": {"istio": "ingressgateway"}, "servers": [server]})
    )


def other_certificate(lab: Broken):
    """Hand out a certificate for another host."""

    @contextlib.contextmanager
    def swapped() -> Generator[None]:
        host = lab.mesh.ingress[0]
        names = {"secret": host.certificate, "namespace": "istio-ingress"}
        ingress_certificate.ensure(lab.instance.name, host="other.example.com", **names)
        try:
            yield
        finally:
            ingress_certificate.ensure(lab.instance.name, host=host.host, **names)

    return swapped()


def gateway_without_identity(lab: Broken):
    """Let anybody through the egress gateway by the name of the host alone."""

    def passthrough(body: dict) -> None:
        for server in body["spec"]["servers"]:
            server["tls"] = {"mode": "PASSTHROUGH"}

    def by_name(body: dict) -> None:
        spec = body["spec"]
        route = spec.pop("tcp")[0]
        gateway, host = spec["gateways"][1], spec["hosts"][0]
        match = {"gateways": [gateway], "port": route["match"][0]["port"], "sniHosts": [host]}
        spec["tls"].append({"match": [match], "route": route["route"]})

    @contextlib.contextmanager
    def opened() -> Generator[None]:
        with (
            lab.changed(lab.found(GATEWAY, "istio-egress"), passthrough),
            lab.changed(lab.found(VIRTUAL_SERVICE, "istio-egress"), by_name),
            everybody_allowed(lab),
        ):
            yield

    return opened()


def past_the_gateway(lab: Broken):
    """Send to the outside host directly."""

    @contextlib.contextmanager
    def direct() -> Generator[None]:
        with lab.without(lab.found(VIRTUAL_SERVICE, "istio-egress")), no_network_policies(lab):
            yield

    return direct()


def no_telemetry(lab: Broken):
    """Let machines tell no spans."""
    return lab.without(lab.found(TELEMETRY, *{machine.namespace for machine in lab.mesh.machines}))


def guards_that_do_nothing(lab: Broken):
    """Have the machines boot without a guard: the program that loads it does nothing."""
    program = "/usr/sbin/nft"
    breaks = f"mv {program} {program}.kept && ln -s /bin/true {program}"
    heals = f"mv {program}.kept {program} && systemctl restart slipway-guard.service"
    return lab.on_machines(["sh", "-c", breaks], ["sh", "-c", heals])


@contextlib.contextmanager
def all_of(lab: Broken, *breakers: Breaker) -> Generator[None]:
    """Break several things at once."""
    with contextlib.ExitStack() as stack:
        for breaker in breakers:
            stack.enter_context(breaker(lab))
        yield
