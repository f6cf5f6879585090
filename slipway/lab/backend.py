"""Pulumi's settings for one lab: its own backend and plugins, so that labs and other projects never mix."""

import json
import os
import socket
from pathlib import Path

from slipway.lab import instance as instances
from slipway.lab import programs

PASSPHRASE = "the-lab-keeps-no-secrets"  # noqa: S105
"""Every lab stack shares the salt in ``stacks/Pulumi.lab.yaml``; a test proves that its state holds no secret."""


def variables(instance: instances.Instance, *, path: str) -> dict[str, str]:
    """Return the variables with which plain ``pulumi`` works on the lab; ``path`` is the PATH to extend.

    Needs the program groups `pulumi` and `kubernetes`; raises ProgramsUnavailable where they were never built.
    """
    found = programs.require(["pulumi", "kubernetes"])
    binaries = [str(found[name].bin) for name in ("pulumi", "kubernetes")]
    return {
        "KUBECONFIG": str(instance.kubeconfig),
        "PATH": os.pathsep.join([*binaries, path]),
        "PULUMI_BACKEND_URL": f"file://{_backend(instance)}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(instance.state / "pulumi" / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def prepare(instance: instances.Instance) -> list[str]:
    """Make the backend's folders and link the plugins; repeating it changes nothing.

    Returns a sentence for each lock that a killed process had left there.
    """
    _backend(instance).mkdir(mode=0o700, parents=True, exist_ok=True)
    home = instance.state / "pulumi" / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    provider = programs.require(["pulumi-resource-kubernetes"])["pulumi-resource-kubernetes"]
    programs.link_plugins(provider, pulumi_home=home)
    return _release(instance)


def _release(instance: instances.Instance) -> list[str]:
    """Remove the locks of Pulumi processes of this computer that were killed: nobody would give them back.

    Source: pulumi 3 pkg/backend/diy/lock.go, lockContent: a lock names process and host. What cannot be read is left.
    """
    found: list[str] = []
    for path in (_backend(instance) / ".pulumi" / "locks").glob("**/*.json"):
        try:
            lock = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # given back just now, or written just now
        if lock.get("hostname") == socket.gethostname() and not Path(f"/proc/{lock.get('pid')}").exists():
            path.unlink(missing_ok=True)
            found.append(f"removed the lock of a stack: the Pulumi process {lock['pid']} that held it has ended")
    return found


def _backend(instance: instances.Instance) -> Path:
    return instance.state / "pulumi" / "backend"
