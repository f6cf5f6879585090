"""Pulumi's settings for one lab: its own backend and plugins, so that labs and other projects never mix."""

import os
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


def prepare(instance: instances.Instance) -> None:
    """Make the backend's folders and link the plugins; repeating it changes nothing."""
    _backend(instance).mkdir(mode=0o700, parents=True, exist_ok=True)
    home = instance.state / "pulumi" / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    provider = programs.require(["pulumi-resource-kubernetes"])["pulumi-resource-kubernetes"]
    programs.link_plugins(provider, pulumi_home=home)


def _backend(instance: instances.Instance) -> Path:
    return instance.state / "pulumi" / "backend"
