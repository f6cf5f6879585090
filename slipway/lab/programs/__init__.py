"""The programs that the lab runs, in the pinned versions: found on the machine, cached, or built from source.

>>> from slipway.lab import programs
>>> found = programs.ensure(["kubernetes", "istio", "envoy"], report=print)  # doctest: +SKIP
>>> found["kubernetes"].bin / "kube-apiserver"  # doctest: +SKIP
"""

from slipway.lab.programs.debian import debian_packages, install_debian_packages, missing_debian_packages
from slipway.lab.programs.model import Origin, Program, ProgramsUnavailable, Progress, Report, Step
from slipway.lab.programs.plugins import link_plugins
from slipway.lab.programs.ready import ensure, known, missing, require

__all__ = [
    "Origin",
    "Program",
    "ProgramsUnavailable",
    "Progress",
    "Report",
    "Step",
    "debian_packages",
    "ensure",
    "install_debian_packages",
    "known",
    "link_plugins",
    "missing",
    "missing_debian_packages",
    "require",
]
