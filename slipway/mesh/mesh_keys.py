"""The keys of ``mesh.yaml``, described once: reading, suggestions and the JSON schema derive from this table."""

from slipway.mesh import expiry, model, names, requests, tokens, traffic_keys, values
from slipway.mesh.shape import Choice, Day, Either, Field, Flag, ListOf, MapOf, Number, Record, Text, Whole

LABEL_SCHEMA = {"pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
LABEL = Text(noun="a name", parse=names.parse_label, schema=LABEL_SCHEMA)
SERVICE = Text(noun="the name of a service", parse=names.parse_service, schema=LABEL_SCHEMA)
NAMESPACE = Text(noun="the name of a namespace", parse=names.parse_label, schema=LABEL_SCHEMA)
OWN_NAMESPACE = Text(noun="the name of a namespace", parse=names.parse_own_namespace, schema=LABEL_SCHEMA)
SERVICE_ACCOUNT = Text(
    noun="the name of a ServiceAccount",
    parse=names.parse_service_account,
    schema={"pattern": "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"},
)
SUBDOMAIN = Text(
    noun="a name", parse=names.parse_subdomain, schema={"pattern": "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"}
)
HOST = Text(noun="a host name", parse=values.parse_host, schema={"minLength": 1, "maxLength": 254})
OUTSIDE_HOST = Text(noun="a host name", parse=values.parse_outside_host, schema={"minLength": 1, "maxLength": 254})
ADDRESS = Text(noun="an IPv4 address", parse=values.parse_address, schema={"format": "ipv4"})
ISSUER = Text(noun="an issuer or audience", parse=tokens.parse_name, schema={"minLength": 1, "maxLength": 512})
JWKS = Text(noun="a JSON Web Key Set", parse=tokens.parse_jwks)
HTTPS_URL = Text(noun="an https URL", parse=tokens.parse_url, schema={"pattern": "^https://"})
PORT_NAME = Text(noun="the name of a port", parse=values.parse_port_name, schema={"pattern": "^[a-z0-9-]{1,15}$"})
REQUEST = Text(noun="a request", parse=requests.parse, schema={"pattern": "^[A-Z*]+ (\\*|/.*)$"})
GRPC_METHOD = Text(
    noun="a gRPC method",
    parse=requests.parse_grpc,
    schema={"pattern": "^[A-Za-z_][A-Za-z0-9_.]*/([A-Za-z0-9_]+|\\*)$"},
)
HEADER = Text(noun="the name of a header", parse=values.parse_header, schema={"pattern": "^[!#-Z^-z|~-]{1,128}$"})
HEADER_VALUES = ListOf(
    noun="a list of values",
    item=Text(noun="the value of a header", parse=values.parse_header_value, schema={"minLength": 1}),
    minimum=1,
)
PREFIX = Text(noun="the prefix of a route", parse=requests.parse_prefix, schema={"pattern": "^/[^*?#]*$"})
OWNER = Text(noun="the name of a team", parse=names.parse_label, schema=LABEL_SCHEMA)
VERSION = Text(noun="a version", parse=values.parse_version, schema={"minLength": 1, "maxLength": 63})
LABEL_KEY = Text(noun="the key of a label", parse=values.parse_label_key)
LABEL_VALUE = Text(noun="the value of a label", parse=values.parse_label_value, schema={"maxLength": 63})
PORT = Whole(noun="a port", minimum=1, maximum=65535, parse=values.parse_port)
TARGET_PORT = Whole(noun="a port", minimum=1, maximum=65535)
OUTSIDE_PORT = Whole(noun="a port", minimum=1, maximum=65535, parse=values.parse_outside_port)
PROTOCOL = Choice(noun="a protocol", values=tuple(item.value for item in model.Protocol))

CIDR = Text(noun="an IPv4 network", parse=values.parse_network, schema={"pattern": "^[0-9.]+/[0-9]{1,2}$"})
DAY = Day(noun="a day", parse=expiry.parse)
RUNS_ON = ListOf(noun="a list of machines", item=LABEL, minimum=1)

PORT_ENTRY = Record(
    noun="a port",
    fields=(
        Field(key="port", shape=PORT, doc="the port on which the workload listens", required=True),
        Field(key="service", shape=PORT, doc="the port that callers use; default: the workload's port"),
        Field(key="protocol", shape=PROTOCOL, doc="the protocol; default: the port's name"),
    ),
)
CALL = Record(
    noun="a call",
    fields=(
        Field(key="service", shape=SERVICE, doc="the declared service that is called; either this or `external`"),
        Field(key="external", shape=LABEL, doc="the outside host that is called, by its logical name"),
        Field(key="port", shape=PORT_NAME, doc="the name of the called port; default: the only one that fits"),
        Field(
            key="http",
            shape=ListOf(noun="a list of requests", item=REQUEST, minimum=1),
            doc="the allowed requests as `METHOD /path`; default: every request",
        ),
        Field(
            key="grpc",
            shape=ListOf(noun="a list of gRPC methods", item=GRPC_METHOD, minimum=1),
            doc="the allowed methods as `package.Service/Method`; default: every request",
        ),
        Field(
            key="headers",
            shape=MapOf(noun="a map of headers", key=HEADER, value=HEADER_VALUES, minimum=1),
            doc="values of which each of these headers must have one; default: any",
        ),
    ),
)
WORKLOAD = Record(
    noun="a workload",
    fields=(
        Field(
            key="labels",
            shape=MapOf(noun="a map of labels", key=LABEL_KEY, value=LABEL_VALUE, minimum=1),
            doc="labels that select the pods; default: `app` with the service's name",
        ),
        Field(
            key="serviceAccount", shape=SERVICE_ACCOUNT, doc="the pods' ServiceAccount; default: the service's name"
        ),
        Field(key="service", shape=SERVICE, doc="the Kubernetes Service; default: the service's name"),
    ),
)
SERVICE_ENTRY = Record(
    noun="a service",
    fields=(
        Field(
            key="namespace",
            shape=OWN_NAMESPACE,
            doc="the Kubernetes namespace of its workloads; default: the file's `namespace`",
        ),
        Field(key="owner", shape=OWNER, doc="the team that answers for it; default: the file's `owner`"),
        Field(
            key="ports",
            shape=MapOf(noun="a map of ports", key=PORT_NAME, value=Either(short=PORT, long=PORT_ENTRY)),
            doc="ports by protocol, or by a name with `protocol` stated; default: none, it only calls others",
        ),
        Field(
            key="calls",
            shape=ListOf(noun="a list of calls", item=CALL),
            doc="whom the service may call; everything else is refused; default: nobody",
        ),
        Field(
            key="runsOn",
            shape=RUNS_ON,
            doc="machines of the environment, and `cluster` for pods; default: `[cluster]`",
        ),
        Field(
            key="names",
            shape=ListOf(noun="a list of host names", item=HOST),
            doc="host names by which applications call the service today, kept working; default: none",
        ),
        Field(key="workload", shape=WORKLOAD, doc="how the service's pods are found; default: by its name"),
        Field(
            key="versions",
            shape=ListOf(noun="a list of versions", item=VERSION, minimum=1),
            doc="values of its pods' label `version`, for `weights` of the environment; default: not told apart",
        ),
        *traffic_keys.TRAFFIC,
        Field(
            key="sidecar",
            shape=Choice(noun="the sidecar", values=("none",)),
            doc="`none` for a caller that has none yet; it only calls, by plaintext; default: it has one",
        ),
        Field(key="from", shape=CIDR, doc="the network that a caller without a sidecar comes from; needed with it"),
        Field(key="until", shape=DAY, doc="the last day on which that is in order; needed with `sidecar: none`"),
    ),
)
ORIGINATION = Record(
    noun="the TLS origination",
    fields=(
        Field(key="port", shape=TARGET_PORT, doc="the host's TLS port; default: 443"),
        Field(
            key="certificate",
            shape=SUBDOMAIN,
            doc="a secret in the egress gateway's namespace: client certificate, key and `ca.crt`; default: none",
        ),
        Field(
            key="authority",
            shape=SUBDOMAIN,
            doc="a secret with the one authority (`ca.crt`) that is trusted there; default: the public ones",
        ),
    ),
)
EXTERNAL_ENTRY = Record(
    noun="an outside host",
    fields=(
        Field(
            key="host",
            shape=OUTSIDE_HOST,
            doc="the host's name in DNS and SNI, or `*.example.com`; may come from the environment's `hosts`",
        ),
        Field(
            key="protocol",
            shape=Choice(noun="a protocol", values=tuple(item.value for item in model.ExternalProtocol)),
            doc="what callers speak: `tls` of their own, plain `http`, `tcp` for the rest; default: tls",
        ),
        Field(key="port", shape=OUTSIDE_PORT, doc="the port that callers use; default: 443, with `http` 80"),
        Field(
            key="addresses",
            shape=ListOf(noun="a list of addresses", item=ADDRESS, minimum=1),
            doc="the host's addresses; needed with `tcp`, where nothing else tells hosts apart",
        ),
        Field(
            key="servedBy",
            shape=HOST,
            doc="the one host that answers for every name of a wildcard; needed with one",
        ),
        Field(
            key="originateTls",
            shape=Either(short=Flag(noun="`true`"), long=ORIGINATION),
            doc="the egress gateway makes verified TLS of the callers' plain HTTP; with `http`; default: false",
        ),
    ),
)
ROUTE = Record(
    noun="a route",
    fields=(
        Field(key="service", shape=SERVICE, doc="the service that answers", required=True),
        Field(key="port", shape=PORT_NAME, doc="the name of its port; default: its only HTTP port"),
    ),
)
END_USER = Record(
    noun="the end user's token",
    fields=(
        Field(key="issuer", shape=ISSUER, doc="who issues the tokens, as their claim `iss` says", required=True),
        Field(
            key="audiences",
            shape=ListOf(noun="a list of audiences", item=ISSUER, minimum=1),
            doc="claims `aud` of which a token needs one; default: any",
        ),
        Field(key="jwks", shape=JWKS, doc="the issuer's public keys as JSON; either this or `jwksUri`"),
        Field(key="jwksUri", shape=HTTPS_URL, doc="where istiod fetches the public keys"),
    ),
)
INGRESS_ENTRY = Record(
    noun="an ingress host",
    fields=(
        Field(key="host", shape=HOST, doc="the host that is served; may come from the environment's `hosts`"),
        Field(
            key="routes",
            shape=MapOf(noun="a map of routes", key=PREFIX, value=Either(short=SERVICE, long=ROUTE), minimum=1),
            doc="services by path prefix; the longest prefix wins",
            required=True,
        ),
        Field(
            key="redirectHttp", shape=Flag(noun="the redirect"), doc="answer port 80 with a redirect; default: true"
        ),
        Field(
            key="certificate",
            shape=SUBDOMAIN,
            doc="the TLS secret in the gateway's namespace; default: the host with `-` for its dots",
        ),
        Field(
            key="tls",
            shape=Choice(noun="a TLS mode", values=tuple(item.value for item in model.IngressTls)),
            doc="whether the gateway ends TLS, and asks clients for a certificate; default: terminate",
        ),
        Field(
            key="clientAuthority",
            shape=SUBDOMAIN,
            doc="the secret in the gateway's namespace with the authority of clients; needed with the mutual modes",
        ),
        Field(
            key="hstsSeconds",
            shape=Whole(noun="a number of seconds", minimum=0, maximum=63_072_000),
            doc="how long browsers use nothing but TLS for this host (Strict-Transport-Security); default: not told",
        ),
        Field(key="endUser", shape=END_USER, doc="the JWT that every request has to show; default: none"),
    ),
)
ZIPKIN = Record(
    noun="a Zipkin server",
    fields=(
        Field(
            key="samplePercent",
            shape=Number(noun="a percentage", minimum=0, maximum=100),
            doc="share of requests that are traced, 0 to 100; default: 1, as Istio's own",
        ),
        Field(key="service", shape=SERVICE, doc="its Kubernetes Service; default: zipkin"),
        Field(key="namespace", shape=NAMESPACE, doc="the Service's namespace; default: observability"),
        Field(key="port", shape=OUTSIDE_PORT, doc="the Service's port; default: 9411"),
    ),
)
TRACING = Record(
    noun="the tracing", fields=(Field(key="zipkin", shape=ZIPKIN, doc="where spans are sent", required=True),)
)
SERVICES = MapOf(noun="a map of services", key=SERVICE, value=SERVICE_ENTRY)
FILE = Record(
    noun="the file",
    fields=(
        Field(key="owner", shape=OWNER, doc="the team that answers for this file's services; default: nobody's name"),
        Field(key="namespace", shape=OWN_NAMESPACE, doc="the namespace of this file's services that state none"),
    ),
)
MESH = Record(
    noun="the mesh",
    fields=(
        *FILE.fields,
        Field(key="mesh", shape=LABEL, doc="the name of the mesh", required=True),
        Field(key="services", shape=SERVICES, doc="every service by its name", required=True),
        Field(
            key="external",
            shape=MapOf(noun="a map of outside hosts", key=LABEL, value=EXTERNAL_ENTRY),
            doc="outside hosts by logical name, called through the egress gateway; default: none",
        ),
        Field(
            key="ingress",
            shape=MapOf(noun="a map of ingress hosts", key=LABEL, value=INGRESS_ENTRY),
            doc="hosts that the ingress gateway serves, by logical name; default: none",
        ),
        Field(key="tracing", shape=TRACING, doc="where traces go; default: nowhere"),
    ),
)
