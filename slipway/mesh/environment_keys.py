"""The keys of ``<environment>.yaml``, described once as in `slipway.mesh.mesh_keys`."""

from slipway.mesh import azure_keys, model, names, values
from slipway.mesh.mesh_keys import (
    ADDRESS,
    CIDR,
    DAY,
    LABEL,
    LABEL_SCHEMA,
    LABEL_VALUE,
    OUTSIDE_HOST,
    OWNER,
    PORT,
    RUNS_ON,
    SERVICE,
    SUBDOMAIN,
)
from slipway.mesh.shape import Choice, Either, Field, ListOf, MapOf, Record, Text, Whole
from slipway.mesh.traffic_keys import PERCENT

ROUTED, OVERLAY = "routed", "overlay"  # how machines stand to pods' addresses
IDENTIFIER = Text(
    noun="a name in the database", parse=values.parse_identifier, schema={"pattern": "^[a-z_][a-z0-9_-]{0,62}$"}
)
FILE_PATH = Text(noun="a file's path", parse=values.parse_file_path, schema={"minLength": 1})
REVISION = Text(
    noun="a revision", parse=names.parse_revision, schema={"pattern": "^[a-z0-9]([a-z0-9-]{0,54}[a-z0-9])?$"}
)
MACHINE_NAME = Text(noun="the name of a machine", parse=names.parse_machine, schema=LABEL_SCHEMA)
WEIGHTS = MapOf(noun="a map of percentages", key=LABEL_VALUE, value=PERCENT, minimum=1)
LOCALITY = Text(
    noun="a region and zone", parse=values.parse_locality, schema={"pattern": "^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$"}
)
EXCEPTION = Record(
    noun="an exception with an end",
    fields=(
        Field(key="name", shape=LABEL, doc="the service or namespace", required=True),
        Field(key="owner", shape=OWNER, doc="the team that answers for it", required=True),
        Field(key="until", shape=DAY, doc="its last day; after it the declaration is refused", required=True),
    ),
)
EXCEPTIONS = ListOf(noun="a list of services and namespaces", item=Either(short=LABEL, long=EXCEPTION))

DATABASE = Record(
    noun="a database",
    fields=(
        Field(key="name", shape=IDENTIFIER, doc="the PostgreSQL database", required=True),
        Field(
            key="users",
            shape=ListOf(noun="a list of roles", item=IDENTIFIER),
            doc="roles that may log in",
            required=True,
        ),
    ),
)
SSH = Record(
    noun="who may log in",
    fields=(
        Field(key="from", shape=CIDR, doc="the network from which SSH connections come: a bastion's", required=True),
        Field(key="port", shape=PORT, doc="the port on which sshd listens; default: 22"),
    ),
)
MACHINE = Record(
    noun="a machine",
    fields=(
        Field(key="address", shape=ADDRESS, doc="its static IPv4 address in the network of machines", required=True),
        Field(
            key="cloudConfig",
            shape=FILE_PATH,
            doc="the cloud-config that its team wrote, relative to this file; default: none",
        ),
        Field(
            key="locality",
            shape=LOCALITY,
            doc="its region, or `region/zone`, as nodes are labelled, for `balance: {locality: true}`; default: none",
        ),
        Field(key="database", shape=DATABASE, doc="a PostgreSQL server on it; default: none"),
        Field(
            key="ssh",
            shape=Either(short=CIDR, long=SSH),
            doc="who may log in to it by SSH, past the sidecar; default: nobody",
        ),
        Field(key="size", shape=azure_keys.SIZE, doc=f"Azure: its size; default: {azure_keys.MACHINE_SIZE}"),
        Field(
            key="zone", shape=azure_keys.ZONE, doc="Azure: its availability zone; default: the first of `azure.zones`"
        ),
        Field(
            key="diskGib",
            shape=Whole(noun="a size in GiB", minimum=4, maximum=32767),
            doc="Azure: a data disk in GiB, on which a database lives; default: 64 for a database, none else",
        ),
    ),
)


def _position(noun: str, mode: type[model.MtlsMode | model.AuthorizationMode]) -> Either:
    positions = tuple(item.value for item in mode)
    choice = Choice(noun=noun, values=positions)
    exceptions = tuple(
        Field(
            key=item, shape=EXCEPTIONS, doc=f"services and namespaces that stand at `{item}` instead; default: none"
        )
        for item in positions
    )
    default = Field(key="default", shape=choice, doc="the position of all that is not an exception", required=True)
    return Either(short=choice, long=Record(noun=f"{noun} with exceptions", fields=(default, *exceptions)))


MTLS = _position("a position of `mtls`", model.MtlsMode)
AUTHORIZATION = _position("a position of `authorization`", model.AuthorizationMode)
EGRESS = Choice(noun="a position of `egress`", values=tuple(item.value for item in model.EgressMode))
PHASE = Record(
    noun="the phase",
    fields=(
        Field(key="mtls", shape=MTLS, doc="whether plaintext is still accepted", required=True),
        Field(key="egress", shape=EGRESS, doc="whether undeclared outside hosts are still reached", required=True),
        Field(key="authorization", shape=AUTHORIZATION, doc="whether undeclared calls are refused", required=True),
    ),
)
NETWORK = Record(
    noun="the address plan",
    fields=(
        Field(key="pods", shape=CIDR, doc="pods' addresses"),
        Field(key="services", shape=CIDR, doc="Services' addresses"),
        Field(key="nodes", shape=CIDR, doc="nodes' addresses"),
        Field(key="machines", shape=CIDR, doc="machines' addresses"),
        Field(key="resolver", shape=ADDRESS, doc="the platform's DNS server, as machines see it"),
        Field(key="metadata", shape=ADDRESS, doc="the platform's metadata endpoint"),
        Field(key="vault", shape=ADDRESS, doc="the key vault from which machines take their token; default: none"),
        Field(key="controlPlane", shape=ADDRESS, doc="the load balancer by which machines reach istiod"),
        Field(key="ingress", shape=ADDRESS, doc="the ingress gateway"),
        Field(
            key="podNetwork",
            shape=Choice(noun="a network of pods", values=(ROUTED, OVERLAY)),
            doc="`routed`: machines reach pods' addresses; `overlay`: they do not, and see pods by the nodes' "
            "addresses; default: routed, and on Azure what `azure.pods` says",
        ),
        Field(
            key="egress",
            shape=ADDRESS,
            doc="overlay: the load balancer by which machines reach the egress gateway; nothing elsewhere",
        ),
        Field(
            key="infrastructure",
            shape=CIDR,
            doc="Azure: internal load balancers, private endpoints and the API server, a /25 or more; "
            "vault, controlPlane, ingress and egress get their addresses there",
        ),
    ),
)
ENVIRONMENT = Record(
    noun="the environment",
    fields=(
        Field(
            key="platform",
            shape=Choice(noun="a platform", values=tuple(item.value for item in model.PlatformKind)),
            doc="where the environment runs",
            required=True,
        ),
        Field(key="revision", shape=REVISION, doc="the Istio revision, as `1-29-1`", required=True),
        Field(key="phase", shape=PHASE, doc="the positions that runbooks move", required=True),
        Field(
            key="machines",
            shape=MapOf(noun="a map of machines", key=MACHINE_NAME, value=MACHINE),
            doc="virtual machines outside the cluster, by name; default: none",
        ),
        Field(
            key="hosts",
            shape=MapOf(noun="a map of host names", key=LABEL, value=OUTSIDE_HOST),
            doc="the host names of this environment behind logical names of `external` and `ingress`; default: none",
        ),
        Field(
            key="runsOn",
            shape=MapOf(noun="a map of services", key=SERVICE, value=RUNS_ON),
            doc="where services run here, instead of their own `runsOn`; default: as they say",
        ),
        Field(
            key="weights",
            shape=MapOf(noun="a map of services", key=SERVICE, value=WEIGHTS),
            doc="how requests are split between machines, `cluster` and versions; default: over all endpoints alike",
        ),
        Field(
            key="network",
            shape=NETWORK,
            doc="the address plan; default: the platform's own; existing: needed as far as machines and ingress are",
        ),
        Field(key="azure", shape=azure_keys.AZURE, doc="what it is on Azure; required there, nothing elsewhere"),
        Field(
            key="sidecar",
            shape=azure_keys.SIDECAR,
            doc="existing: the package `istio-sidecar` that `slipway onboard` installs on machines; default: none",
        ),
        Field(key="trustDomain", shape=SUBDOMAIN, doc="the trust domain; default: cluster.local"),
    ),
)
