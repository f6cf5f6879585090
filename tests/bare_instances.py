"""Instances of the lab that tests put together piece by piece, without a cluster."""

import shutil

from slipway.lab import cgroups, network
from slipway.lab import instance as instances
from slipway.lab.machines import api


def remove(instance: instances.Instance) -> None:
    """Leave nothing of the instance."""
    api.destroy(instance)
    network.destroy(instance)
    cgroups.remove(instance.cgroup)
    shutil.rmtree(instance.state, ignore_errors=True)
