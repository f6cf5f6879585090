"""What Azure gives its machines: DNS on 168.63.129.16, an identity on 169.254.169.254, secrets in a key vault."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from slipway.lab import certificates, network, supervision, texts
from slipway.lab import instance as instances
from slipway.lab.programs.model import Program

_BUILT_IN = "lab"
_LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine as its platform knows it: the ``address`` proves who asks, the account is its identity."""

    name: str
    address: str
    namespace: str
    service_account: str


def prepare(instance: instances.Instance) -> None:
    """Attach the host and write the configuration of the resolver; names that machines handed in are kept."""
    alone = (instances.RESOLVER_ADDRESS, instances.METADATA_ADDRESS)
    addresses = [
        instances.on_fabric(instances.PLATFORM_ADDRESS),
        instances.on_fabric(instances.VAULT_ADDRESS),
        *(f"{address}/32" for address in alone),
    ]
    network.attach(instance, instances.PLATFORM, addresses, default_via=instances.INTERNET_ADDRESS)
    set_names(instance, _BUILT_IN, {**instances.INTERNET_NAMES, instances.VAULT_HOST: instances.VAULT_ADDRESS})
    known = {"names": _folder(instance) / "hosts"}
    texts.write(_folder(instance) / "Corefile", texts.render("platform.Corefile.j2", known))
    (_folder(instance) / "machines").mkdir(parents=True, exist_ok=True)


def services(instance: instances.Instance, *, coredns: Program) -> tuple[supervision.Service, ...]:
    """Return the programs of the platform."""
    resolver = supervision.Service(
        name="platform-dns",
        host=instances.PLATFORM,
        argv=(str(coredns.bin / "coredns"), "-quiet", "-conf", str(_folder(instance) / "Corefile")),
        reads=(_folder(instance) / "Corefile",),
    )
    identity = supervision.Service(
        name="platform-identity",
        host=instances.PLATFORM,
        argv=supervision.python_module(
            "slipway.lab.identity_server",
            str(_folder(instance) / "machines"),
            str(instance.state / "kubeconfigs" / "platform"),
            str(certificates.certificate_path(instance, "vault")),
            str(certificates.key_path(instance, "vault")),
        ),
        reads=(certificates.certificate_path(instance, "vault"), instance.state / "kubeconfigs" / "platform"),
    )
    return (resolver, identity)


def set_names(instance: instances.Instance, owner: str, names: Mapping[str, str]) -> None:
    """Make the resolver answer ``names`` (name to IPv4 address) for ``owner``, in place of what it had handed in.

    An empty mapping takes the owner's names back. The resolver sees a change within two seconds.
    """
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock", timeout=_LOCK_TIMEOUT_S):
        path = folder / "names.json"
        known: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known.pop(owner, None)
        if names:
            known[owner] = dict(names)
        texts.write(path, json.dumps(known, indent=1, sort_keys=True) + "\n")
        lines = [
            f"{address} {name}\n" for _, handed in sorted(known.items()) for name, address in sorted(handed.items())
        ]
        texts.write(folder / "hosts", "".join(lines))


def register_machine(
    instance: instances.Instance, name: str, *, address: str, namespace: str, service_account: str
) -> None:
    """Give the machine with ``address`` its identity: it alone may read the secret `<name>-istio`."""
    machine = Machine(name=name, address=address, namespace=namespace, service_account=service_account)
    texts.write(_machine_file(instance, name), json.dumps(asdict(machine), indent=1) + "\n")


def unregister_machine(instance: instances.Instance, name: str) -> None:
    """Take the machine's identity back. One that has none is fine."""
    _machine_file(instance, name).unlink(missing_ok=True)


def registered(folder: Path) -> dict[str, Machine]:
    """Return the machines of a folder of registrations, by address."""
    found = [Machine(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    return {machine.address: machine for machine in found}


def _machine_file(instance: instances.Instance, name: str) -> Path:
    return _folder(instance) / "machines" / f"{name}.json"


def _folder(instance: instances.Instance) -> Path:
    return instance.state / "platform"
