"""The example of `stacks/`, resolved by hand: compiler tests do not depend on the loader."""

import dataclasses
from typing import Any

from slipway.diagnostics import Span
from slipway.mesh import model

MESH_SPAN = Span(file="stacks/mesh.yaml", line=1, column=1)
LAB_SPAN = Span(file="stacks/lab.yaml", line=1, column=1)


def http_port(number, *, name="http", service_port=None):
    return model.Port(
        name=name,
        protocol=model.Protocol.HTTP,
        number=number,
        service_port=service_port or number,
        span=MESH_SPAN,
    )


def tcp_port(number, *, name="postgres", protocol=model.Protocol.POSTGRES):
    return model.Port(name=name, protocol=protocol, number=number, service_port=number, span=MESH_SPAN)


def call(service, port, *requests: tuple[str, str]):
    http = tuple(model.HttpMatch(method=method, path=path) for method, path in requests)
    return model.ServiceCall(service=service, port=port, http=http, span=MESH_SPAN)


def service(name, namespace, *, ports, calls=(), externals=(), machines=(), cluster=True, names=()):
    workload = model.Workload(labels=(("app", name),), service_account=name, service=name) if cluster else None
    return model.Service(
        name=name,
        namespace=namespace,
        ports=tuple(ports),
        service_calls=tuple(calls),
        external_calls=tuple(model.ExternalCall(external=item, span=MESH_SPAN) for item in externals),
        workload=workload,
        machines=tuple(machines),
        names=tuple(names),
        span=MESH_SPAN,
    )


def machine(name, namespace, address, services, *, database=None):
    return model.Machine(
        name=name,
        namespace=namespace,
        service_account=name,
        address=address,
        services=tuple(services),
        cloud_config="",
        database=database,
        span=LAB_SPAN,
    )


NETWORK = model.Network(
    pods="10.61.0.0/16",
    services="10.62.0.0/16",
    nodes="10.60.1.0/24",
    machines="10.60.2.0/24",
    resolver="168.63.129.16",
    metadata="169.254.169.254",
    vault="10.60.0.4",
    control_plane="10.60.1.101",
    ingress="10.60.1.100",
)

PHASES = model.Phases(
    mtls=model.MtlsMode.STRICT,
    mtls_exceptions=(),
    egress=model.EgressMode.LOCKED,
    authorization=model.AuthorizationMode.ENFORCED,
    authorization_exceptions=(),
)


def example(**changes: Any):
    mesh = model.Mesh(
        name="shop",
        environment="lab",
        platform=model.PlatformKind.LAB,
        trust_domain="cluster.local",
        revision="1-29-1",
        services=(
            service(
                "billing",
                "back-office",
                ports=[http_port(9090)],
                calls=[call("orders-db", "postgres")],
                machines=["billing-vm"],
                cluster=False,
                names=["billing.corp.local"],
            ),
            service(
                "orders",
                "shop",
                ports=[http_port(8080)],
                calls=[call("billing", "http", ("POST", "/invoices")), call("orders-db", "postgres")],
            ),
            service("orders-db", "data", ports=[tcp_port(5432)], machines=["db-vm"], cluster=False),
            service(
                "storefront",
                "shop",
                ports=[http_port(8080)],
                calls=[call("orders", "http", ("GET", "/api/orders/*"), ("POST", "/api/orders"))],
                externals=["payments"],
            ),
        ),
        externals=(model.ExternalHost(name="payments", host="payments.example.com", port=443, span=MESH_SPAN),),
        ingress=(
            model.IngressHost(
                name="shop",
                host="shop.example.com",
                certificate="shop-example-com",
                redirect_http=True,
                routes=(model.IngressRoute(prefix="/", service="storefront", port="http"),),
                span=MESH_SPAN,
            ),
        ),
        tracing=model.Tracing(sample_percent=100.0, service="zipkin", namespace="observability", port=9411),
        machines=(
            machine("billing-vm", "back-office", "10.60.2.11", ["billing"]),
            machine(
                "db-vm",
                "data",
                "10.60.2.12",
                ["orders-db"],
                database=model.Database(name="shop", users=("billing", "orders")),
            ),
        ),
        network=NETWORK,
        phases=PHASES,
    )
    return dataclasses.replace(mesh, **changes)


def with_phases(**changes: Any):
    return example(phases=dataclasses.replace(PHASES, **changes))
