"""The Debian package `istio-sidecar`, made from Istio's own packaging files, pilot-agent and Envoy.

Source: istio 1.29.1, tools/packaging/packaging.mk: what goes where, what it depends on, the script after installing.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import filelock

from slipway.lab import programs
from slipway.lab.machines import reports
from slipway.world import process

NAME = "istio-sidecar.deb"
RECIPE = 2  # raised whenever what this module puts into the package changes
_FILES = {  # in the packaging folder -> on the machine, with mode
    "istio-start.sh": ("usr/local/bin/istio-start.sh", 0o755),
    "istio.service": ("lib/systemd/system/istio.service", 0o644),
    "sidecar.env": ("var/lib/istio/envoy/sidecar.env", 0o644),
    "envoy_bootstrap.json": ("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", 0o644),
}
_CONTROL = """\
Package: istio-sidecar
Version: {version}
Architecture: {architecture}
Maintainer: istio@istio.io
Section: default
Priority: extra
Homepage: http://istio.io
Depends: iproute2, iptables, sudo, hostname
Description: Istio Sidecar
"""
_CONFFILES = "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json\n/var/lib/istio/envoy/sidecar.env\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPackage:
    """The built package: its ``path`` on this computer and the ``sha256`` of the file in hex."""

    path: Path
    sha256: str


def ensure(cache: Path, report: reports.Report) -> SidecarPackage:
    """Return the package, building it where it is missing. The same programs give the same bytes.

    Raises :class:`slipway.world.process.CommandFailed`, and ProgramsUnavailable without `istio` and `envoy`.
    """
    ready = programs.require(["istio", "envoy"])
    istio, envoy = ready["istio"], ready["envoy"]
    sources = {
        **{istio.share / "packaging" / name: place for name, place in _FILES.items()},
        istio.bin / "pilot-agent": ("usr/local/bin/pilot-agent", 0o2755),
        envoy.bin / "envoy": ("usr/local/bin/envoy", 0o2755),
    }
    after = istio.share / "packaging" / "postinst.sh"
    architecture = process.run(["dpkg", "--print-architecture"], timeout_s=20).stdout.strip()
    control = _CONTROL.format(version=istio.version, architecture=architecture)
    # The programs' folders are named by content, so their paths stand for what is in them.
    facts = [RECIPE, control, sorted((str(path), place) for path, place in sources.items()), str(after)]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    target = cache / "machines" / f"sidecar-{digest[:16]}" / NAME
    if not target.exists():
        target.parent.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(target.parent.parent / "sidecar.lock", timeout=300):
            if not target.exists():
                report("sidecar package: building")
                _build(target, sources=sources, control=control, after=after)
    return SidecarPackage(path=target, sha256=_sha256(target))


def _build(target: Path, *, sources: dict[Path, tuple[str, int]], control: str, after: Path) -> None:
    tree = target.parent.with_name(f".{target.parent.name}.building")
    shutil.rmtree(tree, ignore_errors=True)
    for source, (place, mode) in sources.items():
        path = tree / place
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(mode)
    about = tree / "DEBIAN"
    about.mkdir(mode=0o755)
    (about / "control").write_text(control)
    (about / "conffiles").write_text(_CONFFILES)
    shutil.copyfile(after, about / "postinst")
    (about / "postinst").chmod(0o755)
    for path in (tree, *tree.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    # Uncompressed: it is installed on this computer only, and unpacking is part of a machine's first boot.
    argv = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(partial)]
    process.run(argv, timeout_s=300, env={"SOURCE_DATE_EPOCH": "0"})
    partial.rename(target)
    shutil.rmtree(tree)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
