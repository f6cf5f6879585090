"""The gateways: names, identities, ports, and what their Helm releases install."""

from dataclasses import dataclass

from policies.bundles import bundle, objects, overlay
from slipway.mesh import azure_plan, model, names

ISTIO_NAMESPACE = "istio-system"
HTTP_PORT = 80
HTTPS_PORT = 443
EGRESS_PORT = 8443
CONTROL_PLANE_PORT = 15012
GATEWAY_LABEL = "slipway.dev/gateway"
# The label makes the gateway's Service the way into the network of pods, and the variable leaves machines out of what
# it leads to. Source: istio/istio 1.29.1 manifests/charts/gateway, `networkGateway`, without its port of the webhook.
_NETWORK = {overlay.NETWORK_LABEL: names.NETWORK_OF_PODS}
_VIEW = {"ISTIO_META_REQUESTED_NETWORK_VIEW": names.NETWORK_OF_PODS}
_AZURE = "service.beta.kubernetes.io/azure-load-balancer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway: the Helm release is also the name of its Service and ServiceAccount.

    Source: istio/istio 1.29.1 manifests/charts/gateway/templates/_helpers.tpl.
    """

    release: str
    namespace: str

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its pods that the chart makes from the release's name."""
        return {"app": self.release, "istio": self.release.removeprefix("istio-")}

    @property
    def selector(self) -> dict[str, str]:
        """What Gateway objects and policies select its pods by."""
        return {"istio": self.labels["istio"]}

    @property
    def host(self) -> str:
        """Its Service."""
        return f"{self.release}.{self.namespace}.svc.cluster.local"

    def principal(self, trust_domain: str) -> str:
        """Return its identity as AuthorizationPolicies write it."""
        return f"{trust_domain}/ns/{self.namespace}/sa/{self.release}"


INGRESS = Gateway(release="istio-ingressgateway", namespace="istio-ingress")
EGRESS = Gateway(release="istio-egressgateway", namespace="istio-egress")
EAST_WEST = Gateway(release="istio-eastwestgateway", namespace=ISTIO_NAMESPACE)


def egress_is_used(mesh: model.Mesh) -> bool:
    """Whether any service calls an outside host."""
    return any(item.external_calls for item in mesh.services)


def needed(mesh: model.Mesh) -> tuple[Gateway, ...]:
    """Return the gateways that the declaration needs, in the order ingress, egress, east-west."""
    wanted = ((INGRESS, mesh.ingress), (EGRESS, egress_is_used(mesh)), (EAST_WEST, mesh.machines))
    return tuple(gateway for gateway, reason in wanted if reason)


def clause(mesh: model.Mesh, gateway: Gateway) -> str:
    """Return the section of the declaration because of which ``gateway`` exists."""
    sections = {INGRESS: ("ingress", mesh.ingress), EGRESS: ("external", mesh.externals)}
    section, items = sections.get(gateway, ("machines", mesh.machines))
    return objects.section_clause(items, section)


def own_namespaces(mesh: model.Mesh) -> dict[str, str]:
    """Return the namespaces that hold nothing but a gateway of ours, each with where it was declared."""
    return {item.namespace: clause(mesh, item) for item in needed(mesh) if item.namespace != ISTIO_NAMESPACE}


def _port(name: str, number: int) -> bundle.GatewayPort:
    return bundle.GatewayPort(name=name, port=number, target_port=number)


def _ports(mesh: model.Mesh, gateway: Gateway) -> tuple[bundle.GatewayPort, ...]:
    if gateway == EGRESS:
        return (_port("tls", EGRESS_PORT),)
    if gateway == EAST_WEST:
        apart = [_port("tls", overlay.PASSTHROUGH_PORT)] if overlay.is_apart(mesh) else []
        traces = [_port("tls-traces", overlay.TRACES_PORT)] if overlay.traced(mesh) else []
        return (_port("tls-istiod", CONTROL_PLANE_PORT), *apart, *traces)
    redirected = any(host.redirect_http for host in mesh.ingress)
    return (*((_port("http2", HTTP_PORT),) if redirected else ()), _port("https", HTTPS_PORT))


def _annotations(mesh: model.Mesh, gateway: Gateway, address: str) -> dict[str, str]:
    """Return what Azure's load balancers are told: that they are internal, their subnet and the address in it.

    Source: AKS documentation, internal-lb and configure-load-balancer-standard: the annotation replaces the Service's
    deprecated ``loadBalancerIP``; without a subnet the address would have to be one of the nodes'.
    """
    if mesh.platform is not model.PlatformKind.AZURE or (gateway == EGRESS and not address):
        return {}
    return {
        f"{_AZURE}-internal": "true",
        f"{_AZURE}-internal-subnet": azure_plan.LOAD_BALANCERS,
        f"{_AZURE}-ipv4": address,
    }


def _address(mesh: model.Mesh, gateway: Gateway) -> str:
    """Return a gateway's load balancer address; empty for the egress gateway while machines reach its pods."""
    egress = mesh.network.egress if overlay.sends_out(mesh) else ""
    return {INGRESS: mesh.network.ingress, EAST_WEST: mesh.network.control_plane, EGRESS: egress}[gateway]


def _deployment(mesh: model.Mesh, gateway: Gateway) -> bundle.GatewayDeployment:
    address = _address(mesh, gateway)
    annotations = _annotations(mesh, gateway, address)
    is_between = gateway == EAST_WEST and overlay.is_apart(mesh)
    return bundle.GatewayDeployment(
        release=gateway.release,
        namespace=gateway.namespace,
        labels={**gateway.labels, GATEWAY_LABEL: gateway.release, **(_NETWORK if is_between else {})},
        service_type="ClusterIP" if gateway == EGRESS and not address else "LoadBalancer",
        ports=_ports(mesh, gateway),
        load_balancer_ip="" if annotations else address,
        service_annotations=annotations,
        environment=_VIEW if is_between else {},
    )


def emit_gateways(mesh: model.Mesh) -> tuple[bundle.GatewayDeployment, ...]:
    """Return the gateways to install.

    Envoy listens on the same ports as the Service: the chart sets the sysctl that lets it bind low ones. The status
    port 15021 is left out of the Services, so it is not reachable from outside.
    Source: istio/istio 1.29.1 manifests/charts/gateway/templates/deployment.yaml.
    """
    return tuple(_deployment(mesh, gateway) for gateway in needed(mesh))


def emit_apart(mesh: model.Mesh) -> bundle.Apart | None:
    """Return what keeps networks apart and load balancers for machines to machines; None where there is one network.

    Source: istio/istio 1.29.1 pilot/pkg/serviceregistry/kube/controller/network.go, `setNetworkFromNamespace`.
    """
    if not overlay.is_apart(mesh):
        return None
    return bundle.Apart(system_labels=dict(_NETWORK), source_ranges=(mesh.network.machines,))
