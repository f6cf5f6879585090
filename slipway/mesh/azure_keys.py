"""The keys below ``azure`` in ``<environment>.yaml``."""

from slipway.mesh import azure, azure_values, values
from slipway.mesh.mesh_keys import CIDR
from slipway.mesh.shape import Choice, Field, Flag, ListOf, Record, Text, Whole

SIZE = Text(noun="the size of a machine", parse=azure_values.parse_size, schema={"pattern": "^Standard_[A-Z]+[0-9]"})
ZONE = Choice(noun="an availability zone", values=("1", "2", "3"))
_NODES = Whole(noun="a number of nodes", minimum=1, maximum=1000)


def _pool(noun: str, default: azure.Pool) -> Record:
    return Record(
        noun=noun,
        fields=(
            Field(key="size", shape=SIZE, doc=f"the nodes' size; default: {default.size}"),
            Field(key="minimum", shape=_NODES, doc=f"nodes at least; default: {default.minimum}"),
            Field(key="maximum", shape=_NODES, doc=f"nodes at most; default: {default.maximum}"),
        ),
    )


# Sizes with a local disk that holds the node's system: ephemeral disks are faster and cost nothing. Three nodes put
# one into each zone. Source: AKS documentation, cluster-configuration, "Ephemeral OS".
POOLS = azure.Pools(
    system=azure.Pool(size="Standard_D4ds_v5", minimum=3, maximum=5),
    workloads=azure.Pool(size="Standard_D4ds_v5", minimum=3, maximum=10),
    gateways=azure.Pool(size="Standard_D4ds_v5", minimum=3, maximum=6),
)
MACHINE_SIZE = "Standard_D2s_v5"  # two processors, 8 GiB, with Trusted Launch
DATABASE_DISK_GIB = 64  # the smallest Premium disk with 240 IO/s. Source: Azure documentation, disks-types, P6
MAINTENANCE = azure.Maintenance(day=azure.Day.SUNDAY, hour=2)
# Python and nothing else of use. Source: Microsoft Artifact Registry, azurelinux/base/python.
RELAY_IMAGE = "mcr.microsoft.com/azurelinux/base/python:3.12"

_POOLS = Record(
    noun="the node pools",
    fields=(
        Field(key="system", shape=_pool("the system pool", POOLS.system), doc="Kubernetes' own pods"),
        Field(key="workloads", shape=_pool("the workloads' pool", POOLS.workloads), doc="istiod and the teams' pods"),
        Field(
            key="gateways",
            shape=_pool("the gateways' pool", POOLS.gateways),
            doc="ingress, egress and east-west gateways: the only pods with a way out once egress is locked",
        ),
    ),
)
_MAINTENANCE = Record(
    noun="the maintenance window",
    fields=(
        Field(
            key="day",
            shape=Text(
                noun="a day of the week",
                parse=azure_values.parse_weekday,
                schema={"enum": [item.value for item in azure.Day]},
            ),
            doc=f"the day; default: {MAINTENANCE.day.value}",
        ),
        Field(
            key="hour",
            shape=Whole(noun="an hour", minimum=0, maximum=23),
            doc=f"the hour (UTC) in which the four hours begin; default: {MAINTENANCE.hour}",
        ),
    ),
)
SIDECAR = Record(
    noun="the sidecar's package",
    fields=(
        Field(
            key="url",
            shape=Text(
                noun="the address of a Debian package",
                parse=azure_values.parse_package_url,
                schema={"pattern": "^(https://|file:///)"},
            ),
            doc="`https://`, reached while egress is not locked, or `file:///` inside the image",
            required=True,
        ),
        Field(
            key="sha256",
            shape=Text(
                noun="a SHA-256 digest", parse=azure_values.parse_digest, schema={"pattern": "^[0-9a-f]{64}$"}
            ),
            doc="its digest; another file is not installed",
            required=True,
        ),
    ),
)
_MACHINE_IMAGE = Record(
    noun="what machines are made from",
    fields=(
        Field(
            key="image",
            shape=Text(noun="an image", parse=azure_values.parse_image),
            doc="`publisher:offer:sku:version`, or the id of a gallery image's version; Debian or Ubuntu",
            required=True,
        ),
        Field(key="sidecar", shape=SIDECAR, doc="the package `istio-sidecar` of Istio's version", required=True),
        Field(
            key="adminKey",
            shape=Text(noun="a public SSH key", parse=azure_values.parse_public_key, schema={"pattern": "^ssh-"}),
            doc="Azure wants one; SSH comes in only by a machine's `ssh`, else it is for the serial console",
            required=True,
        ),
    ),
)
AZURE = Record(
    noun="what the environment is on Azure",
    fields=(
        Field(
            key="region",
            shape=Text(noun="a region", parse=azure_values.parse_region, schema={"pattern": "^[a-z]+[0-9]?$"}),
            doc="where everything stands, as `westeurope`",
            required=True,
        ),
        Field(
            key="kubernetes",
            shape=Text(noun="a version", parse=azure_values.parse_minor, schema={"pattern": r"^1\.[0-9]{2}$"}),
            doc='the minor version, as `"1.34"`; patches come by themselves in the maintenance window',
            required=True,
        ),
        Field(
            key="istio",
            shape=Text(
                noun="a version", parse=azure_values.parse_version, schema={"pattern": r"^1\.[0-9]+\.[0-9]+$"}
            ),
            doc="Istio's version, where the revision does not say it; default: the revision with dots",
        ),
        Field(
            key="charts",
            shape=Text(noun="where charts are", parse=azure_values.parse_charts, schema={"minLength": 1}),
            doc="where Istio's charts `base`, `istiod` and `gateway` come from: `oci://HOST/PATH`, a repository "
            "`https://HOST/PATH`, or a folder relative to `Pulumi.yaml`; default: the project's own registry",
        ),
        Field(
            key="hub",
            shape=Text(
                noun="a registry of images",
                parse=azure_values.parse_hub,
                schema={"pattern": "^[a-z0-9.-]+(:[0-9]+)?/"},
            ),
            doc="where Istio's images come from, as `registry.example.com/istio`; default: docker.io/istio",
        ),
        Field(
            key="pods",
            shape=Choice(noun="a network of pods", values=tuple(item.value for item in azure.PodNetwork)),
            doc="`podSubnet`: machines reach pods; `overlay`: gateways only, fewer addresses; default: podSubnet",
        ),
        Field(
            key="api",
            shape=ListOf(noun="a list of networks", item=CIDR, minimum=1),
            doc="networks from which the cluster's API is reached over the internet; default: none, it is private",
        ),
        Field(
            key="admins",
            shape=ListOf(
                noun="a list of groups",
                item=Text(noun="the object id of a group", parse=azure_values.parse_object_id),
                minimum=1,
            ),
            doc="Entra groups that administer the cluster, by object id; who runs Pulumi is in one of them",
            required=True,
        ),
        Field(
            key="zones",
            shape=ListOf(noun="a list of zones", item=ZONE),
            doc='availability zones; `[]` in a region that has none; default: ["1", "2", "3"]',
        ),
        Field(key="pools", shape=_POOLS, doc="the node pools; default: as below"),
        Field(key="maintenance", shape=_MAINTENANCE, doc="when AKS may update nodes and patches; default: as below"),
        Field(
            key="vault",
            shape=Text(noun="the name of a key vault", parse=azure_values.parse_vault, schema={"maxLength": 24}),
            doc="the key vault's name, unique in all of Azure; default: made of mesh, environment and region",
        ),
        Field(
            key="archive",
            shape=Text(
                noun="the name of a storage account", parse=azure_values.parse_archive, schema={"maxLength": 24}
            ),
            doc="the name of the storage account of databases' logs, unique in all of Azure; default: made of mesh, "
            "environment and region",
        ),
        Field(
            key="peers",
            shape=ListOf(noun="a list of networks", item=CIDR),
            doc="networks that this one is connected to, so that none overlaps; default: none",
        ),
        Field(
            key="options",
            shape=ListOf(
                noun="a list of options",
                item=Choice(noun="an option", values=tuple(item.value for item in azure.Option)),
            ),
            doc="Defender for Containers, Azure Policy, Container Insights, which cost extra; default: none",
        ),
        Field(
            key="keepData",
            shape=Flag(noun="keepData"),
            doc="whether databases are backed up and their logs archived, and disks, backups, archives and the key "
            "vault survive `pulumi destroy`; default: true",
        ),
        Field(
            key="relayImage",
            shape=Text(noun="a container image", parse=azure_values.parse_container_image),
            doc=f"an image with Python 3.9 for the relay of machines' tokens; default: {RELAY_IMAGE}",
        ),
        Field(
            key="stacks",
            shape=Choice(noun="a number of stacks", values=tuple(item.value for item in azure.Stacks)),
            doc="`two`: the stack `ENVIRONMENT-platform` makes what is Azure's, that of the environment what lies in "
            "the cluster, without any right to change Azure; default: one",
        ),
        Field(
            key="prices",
            shape=Text(noun="a file's path", parse=values.parse_file_path, schema={"minLength": 1}),
            doc="a list of prices for the monthly estimate, relative to this file; default: one of West Europe",
        ),
        Field(key="machines", shape=_MACHINE_IMAGE, doc="what machines are made from; required where there are any"),
    ),
)
