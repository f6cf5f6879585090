"""A machine that others booted, with PostgreSQL and a client, and what its survey says."""

import dataclasses
from typing import Any

import bundle_example
from machine_example import GUARD, PACKAGE

from slipway.machines import arguments, onboarding
from slipway.manifests import guard
from slipway.mesh import model

OPEN = dataclasses.replace(
    GUARD,
    machine="db-vm",
    other_inbound=guard.Inbound.OPEN,
    outbound=guard.Outbound.OPEN,
    captured_ports=(),
    administration=(guard.Reach(cidr="10.20.9.0/24", ports=(22,)),),
)


def machine_arguments(policy=OPEN, **changes: Any):
    found = arguments.of(
        bundle_example.example(),
        machine="db-vm",
        guard_policy=policy,
        token=None,
        package=PACKAGE,
        team_cloud_config="",
    )
    ssh = model.Administration(source="10.20.9.0/24", port=22)
    changes = {"database": None, "ssh": ssh, **changes}
    return dataclasses.replace(found, machine=dataclasses.replace(found.machine, **changes))


def kit(**changes: Any):
    return onboarding.kit(machine_arguments(**changes))


def facts(**changes: Any) -> dict[str, Any]:
    """Return the survey of a machine with which all is well, with ``changes``."""
    known = {
        "system": {"id": "debian", "version": "12", "architecture": "amd64"},
        "systemd": 252,
        "missing": [],
        "clock_s": 0.0,
        "addresses": ["127.0.0.1", "10.60.2.12"],
        "listening": [
            {"protocol": "tcp", "address": "10.60.2.12", "port": 5432, "program": "postgres"},
            {"protocol": "tcp", "address": "10.60.2.12", "port": 22, "program": "sshd"},
        ],
        "connections": [{"port": 5432, "remote": "10.60.2.99", "remote_port": port} for port in (40000, 40001)],
        "accounts": {"user": "", "group": "", "user_number": "", "group_number": ""},
        "units": [],
        "interfaces": ["eth0", "lo"],
        "tables": [],
        "legacy_tables": [],
        "disk_free_mib": 4000,
        "resolver": {"kind": "plain", "servers": ["168.63.129.16"]},
        "control_plane": "",
        "refusals": {},
        "ssh": "10.20.9.4 50000 10.60.2.12 22",
        "ready": True,
        "stage": "",
        "digest": "",
    }
    return known | changes
