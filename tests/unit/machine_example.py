"""Arguments of the example's two machines, for tests of what they are given."""

import dataclasses
from typing import Any

import bundle_example

from slipway.machines import arguments
from slipway.manifests import guard

TEAM = "#cloud-config\nruncmd:\n  - [systemctl, enable, --now, billing.service]\n"
GUARD = guard.GuardPolicy(
    machine="billing-vm",
    captured_ports=(9090,),
    other_inbound=guard.Inbound.REFUSED,
    outbound=guard.Outbound.DECLARED,
    mesh=(guard.Reach(cidr="10.60.1.101/32", ports=(15012,)), guard.Reach(cidr="10.61.0.0/16", ports=(8443, 9411))),
    resolver="168.63.129.16",
    metadata="169.254.169.254",
    vault="10.60.0.4",
)
TOKEN = arguments.TokenSource(
    metadata_url="http://169.254.169.254",
    resource="https://vault.azure.net",
    client_id="",
    vault_url="https://vault.lab.internal",
    secret="billing-vm-istio",
)
PACKAGE = arguments.SidecarPackage(url="file:///opt/packages/istio-sidecar.deb", sha256="ab" * 32)


def guarded(**changes: Any):
    return dataclasses.replace(GUARD, **changes)


ARCHIVE = arguments.Archive(
    metadata_url="http://169.254.169.254",
    resource="https://storage.azure.com",
    client_id="",
    url="https://walshop.blob.core.windows.net/db-vm-log",
)


def made(name="billing-vm", *, team=TEAM, guard_policy=GUARD, archive=None):
    return arguments.of(
        bundle_example.example(),
        machine=name,
        guard_policy=guard_policy,
        token=TOKEN,
        package=PACKAGE,
        team_cloud_config=team,
        archive=archive,
    )
