"""Where Istio's charts and images come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_kubernetes.helm import v3 as helm

OFFICIAL_CHARTS = "oci://ghcr.io/istio/release/charts"
"""Source: Istio 1.31 upgrade notes: charts moved to blob.istio.io and ghcr.io, older hosts are gone."""
OFFICIAL_HUB = "docker.io/istio"
_REPOSITORY = "https://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """A source of Istio's charts and the values that only this source needs.

    ``location`` is an OCI reference (``oci://``), the address of a chart repository (``https://``) or a folder that
    holds ``base``, ``istiod`` and ``gateway``; ``version`` is the chart's version and empty for a folder; ``hub`` and
    ``tag`` name the images; ``istiod_values`` and ``gateway_values`` are merged over Slipway's own (a small machine
    asks for less memory, for example).
    """

    location: str = OFFICIAL_CHARTS
    version: str
    hub: str = OFFICIAL_HUB
    tag: str
    istiod_values: Mapping[str, Any] = field(default_factory=dict)
    gateway_values: Mapping[str, Any] = field(default_factory=dict)

    def chart(self, name: str) -> dict[str, Any]:
        """Return the arguments by which a Release finds one chart: in a repository it has a name only.

        Source: pulumi-kubernetes 4.34, helm.v3.Release, "Local Chart Directory", "Repository Chart" and OCI charts.
        """
        location = self.location.rstrip("/")
        version = self.version or None
        if location.startswith(_REPOSITORY):
            return {"chart": name, "version": version, "repository_opts": helm.RepositoryOptsArgs(repo=location)}
        return {"chart": f"{location}/{name}", "version": version}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on top: maps merge key by key, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        mine = result.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            result[key] = merged(mine, value)
        else:
            result[key] = value
    return result
