"""What is known of Azure and of versions that fit together, with the day on which it was read."""

import re

READ_ON = "2026-11-24"

# Source: Azure documentation, reliability/regions-list: regions without availability zones.
REGIONS_WITHOUT_ZONES = frozenset(
    {
        "australiacentral",
        "australiacentral2",
        "australiasoutheast",
        "brazilsoutheast",
        "canadaeast",
        "francesouth",
        "germanynorth",
        "jioindiacentral",
        "jioindiawest",
        "koreasouth",
        "northcentralus",
        "norwaywest",
        "southafricawest",
        "southindia",
        "swedensouth",
        "switzerlandwest",
        "uaecentral",
        "ukwest",
        "westcentralus",
        "westindia",
        "westus",
    }
)

# Source: Azure documentation, virtual-machines/trusted-launch, "Virtual machines sizes": A, Dv2, Dv3, Ev3 and the
# confidential families have no Trusted Launch; NP has none either.
WITHOUT_TRUSTED_LAUNCH = re.compile(r"Standard_(A\d+m?(_v2)?|[DE]\d+(-\d+)?_v[23]|(DC|EC|NP)\w+)")

# Source: AKS documentation, use-system-pools, "Limitations": at least 2 vCPUs (4 recommended) and no B-series.
UNFIT_FOR_SYSTEM_POOL = re.compile(r"Standard_(B\w+|[A-Z]+1[a-z]*(_v\d+)?)")

# Source: istio.io docs/releases/supported-releases, "Support status of Istio releases": first and last minor version
# of Kubernetes by Istio's own minor version.
KUBERNETES_OF_ISTIO = {"1.28": (30, 34), "1.29": (31, 35), "1.30": (32, 36)}

# Source: AKS documentation, azure-cni-overlay and configure-azure-cni: ranges that clusters must not use.
RESERVED_RANGES = ("169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24")
# Source: Azure documentation, virtual-network/ip-services/private-ip-addresses: four at the start, one at the end.
RESERVED_ADDRESSES = 5
FIRST_ADDRESS = 4
# Source: AKS documentation, concepts-network-azure-cni-pod-subnet: addresses are given to a node in batches of 16,
# and it asks for the next batch when fewer than 8 are free.
BATCH = 16
SPARE = 8
# Source: AKS documentation, azure-cni-overlay, "IP address planning": each node gets a /24.
OVERLAY_PREFIX = 24
