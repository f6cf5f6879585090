"""What a lab machine is: its inputs as plain JSON, in the state folder from before it exists until it is gone."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from slipway.lab import instance as instances
from slipway.lab import texts
from slipway.manifests import canonical
from slipway.manifests import nsg as security

_FILE = "machine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """The inputs of a machine.

    ``address`` is its IPv4 address on the fabric, ``user_data`` what cloud-init gets, ``names`` are names of the
    platform's resolver with their addresses, ``nsg`` the declared rules at its interface. The machine's identity may
    read the token of ``service_account`` in ``namespace``. ``database``: PostgreSQL has to be up before the machine
    counts as ready. ``data_disk`` is a file of this computer that the machine has as its first data disk, or empty.
    ``foreign``: its user-data is somebody else's, so nothing of Slipway's is expected on it.
    """

    name: str
    address: str
    user_data: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    nsg: tuple[security.NsgRule, ...] = ()
    namespace: str
    service_account: str
    database: bool = False
    data_disk: str = ""
    foreign: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the inputs as plain JSON values."""
        known = dataclasses.asdict(self)
        known["names"] = dict(sorted(self.names.items()))
        known["nsg"] = [canonical.rule_to_plain(rule) for rule in self.nsg]
        return known

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> Self:
        """Return the inputs that :meth:`to_json` wrote."""
        values = dict(known)
        values["names"] = dict(values["names"])
        values["nsg"] = tuple(canonical.rule_from_plain(rule) for rule in values["nsg"])
        return cls(**values)


def folder(instance: instances.Instance, name: str) -> Path:
    """Return the folder of everything that belongs to one machine."""
    return instance.state / "machines" / name


def names(instance: instances.Instance) -> tuple[str, ...]:
    """Return the machines that exist or were being made, sorted."""
    root = instance.state / "machines"
    return tuple(sorted(path.parent.name for path in root.glob(f"*/{_FILE}"))) if root.is_dir() else ()


def write(instance: instances.Instance, spec: MachineSpec) -> None:
    """Keep the inputs of a machine."""
    path = folder(instance, spec.name) / _FILE
    texts.write(path, json.dumps(spec.to_json(), indent=2) + "\n", mode=texts.PRIVATE_MODE)


def read(instance: instances.Instance, name: str) -> MachineSpec | None:
    """Return the inputs of a machine, or nothing when there is none of that name."""
    path = folder(instance, name) / _FILE
    if not path.exists():
        return None
    return MachineSpec.from_json(json.loads(path.read_text(encoding="utf-8")))


def remove(instance: instances.Instance, name: str) -> None:
    """Remove everything that belongs to a machine, its record last."""
    root = folder(instance, name)
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name != _FILE:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (root / _FILE).unlink(missing_ok=True)
    if root.is_dir():
        root.rmdir()
