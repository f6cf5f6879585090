"""Debian packages of the lab."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from slipway.lab.programs import catalogue
from slipway.lab.programs.model import DebianPackage, ProgramsUnavailable
from slipway.world import process

APT_TIMEOUT_S = 1800.0
QUERY_TIMEOUT_S = 30.0
LISTS = Path("/var/lib/apt/lists")
POLICY = Path("/usr/sbin/policy-rc.d")
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
SUBJECT = "Debian packages"


def debian_packages() -> tuple[str, ...]:
    """Name every Debian package that the lab needs, installed or not."""
    return tuple(package.name for package in catalogue.load().debian)


def missing_debian_packages() -> tuple[str, ...]:
    """Name those that are not installed and whose command, where another package may bring it, is not on PATH."""
    installed = _installed(package.name for package in catalogue.load().debian)
    return tuple(package.name for package in catalogue.load().debian if not _satisfied(package, installed))


def install_debian_packages(report: Callable[[str], None]) -> tuple[str, ...]:
    """Install what is missing and return its names; ``report`` takes a line before each thing that is done.

    Daemons are not started. Raises :class:`ProgramsUnavailable`, before anything is changed, without root or on a
    system without apt, and :class:`process.CommandFailed` when apt fails.
    """
    wanted = missing_debian_packages()
    if not wanted:
        return ()
    refusal = refuse(wanted, is_root=os.geteuid() == 0, has_apt=shutil.which("apt-get") is not None)
    if refusal is not None:
        raise ProgramsUnavailable({SUBJECT: refusal})
    if not any(LISTS.glob("*_Packages*")):
        report("apt-get update: this machine has no package lists")
        _apt("apt-get", "update")
    report(f"apt-get install: {' '.join(wanted)}")
    with _daemons_kept_down():
        _install(wanted, report=report)
    return wanted


def refuse(wanted: Sequence[str], *, is_root: bool, has_apt: bool) -> str | None:
    """Return why ``wanted`` cannot be installed here and what to do about it, or ``None`` if it can be."""
    names = " ".join(wanted)
    if not has_apt:
        return f"no apt-get here; the lab runs on Debian or a derivative and needs: {names}"
    if not is_root:
        return f"not root; run: sudo apt-get install --no-install-recommends {names}"
    return None


def parse_installed(listing: str) -> frozenset[str]:
    """Read lines of ``name<TAB>status`` as dpkg-query prints them; only a complete installation counts.

    Source: dpkg-query(1), ``${db:Status-Abbrev}``: desired state, state, error flag or blank.
    """
    rows = (line.split("\t") for line in listing.splitlines() if "\t" in line)
    return frozenset(name for name, status in rows if status[1:3] == "i ")


def _installed(names: Iterable[str]) -> frozenset[str]:
    if shutil.which("dpkg-query") is None:
        return frozenset()
    query = ["dpkg-query", "--show", "--showformat", "${Package}\t${db:Status-Abbrev}\n", *names]
    # The exit status is 1 as soon as one of the names is unknown; the others are printed all the same.
    return parse_installed(process.run(query, timeout_s=QUERY_TIMEOUT_S, check=False).stdout)


def _satisfied(package: DebianPackage, installed: frozenset[str]) -> bool:
    return package.name in installed or (package.command is not None and shutil.which(package.command) is not None)


def _install(wanted: Sequence[str], *, report: Callable[[str], None]) -> None:
    try:
        _apt(*INSTALL, *wanted)
    except process.CommandFailed:
        report("apt-get update: the package lists may be too old")
        _apt("apt-get", "update")
        _apt(*INSTALL, *wanted)


def _apt(*argv: str) -> None:
    process.run(argv, timeout_s=APT_TIMEOUT_S, env={"DEBIAN_FRONTEND": "noninteractive"})


@contextmanager
def _daemons_kept_down() -> Generator[None]:
    """Keep installed daemons from starting, unless the machine has a policy of its own.

    Source: Debian's invoke-rc.d(8): status 101 of policy-rc.d means "action not allowed".
    """
    if POLICY.exists():
        yield
        return
    with tempfile.NamedTemporaryFile("w", dir=POLICY.parent, delete=False) as draft:
        draft.write("#!/bin/sh\nexit 101\n")
    Path(draft.name).chmod(0o755)
    Path(draft.name).rename(POLICY)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
