"""The image that every machine boots from: built once, from the package sources that this computer uses itself.

It is the same distribution release as this computer, with what an Azure marketplace image has and PostgreSQL for
the database machine; nothing in it is ours beside the settings that a container needs.
"""

import hashlib
import json
import shutil
from pathlib import Path

import filelock

from slipway.lab import instance as instances
from slipway.lab.machines import reports
from slipway.world import process

# minbase has no init; installing the larger ones by --include fails, so they follow with apt.
FIRST_PACKAGES = ("ca-certificates", "systemd", "systemd-sysv")
PACKAGES = (
    "cloud-init",
    "curl",
    "iproute2",
    "iptables",
    "nftables",
    "openssh-server",
    "postgresql",
    "procps",
    "python3",
    "sudo",
    "udev",
)
RECIPE = 3  # raised whenever what this module does to the image changes
_BOOTSTRAP_TIMEOUT_S = 900.0
_INSTALL_TIMEOUT_S = 900.0
_LOCK_TIMEOUT_S = 1800.0
# Useless or harmful in a container; a machine on Azure has them.
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "cloud-init-hotplugd.socket",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "systemd-logind.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
)
_CLOUD_SETTINGS = """\
# Settings of the lab's image: where the seed is, and what a container cannot do.
datasource_list: [NoCloud, None]
network: {config: disabled}
growpart: {mode: 'off'}
resize_rootfs: false
users: []
apt: {preserve_sources_list: true}
locale: C.UTF-8
ssh_genkeytypes: []
"""
# Debian's name for the unit that brings the network up: cloud-init waits for it, and it waits for the guard, as on a
# machine of its own. The lab writes what it does (see disk.py).
_NETWORK_UNIT = """\
[Unit]
Description=Bring up the network as the lab laid it out
DefaultDependencies=no
Wants=network.target
After=network-pre.target local-fs.target
Before=network.target network-online.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip -batch /etc/lab-network

[Install]
WantedBy=sysinit.target
"""
_JOURNAL_SETTINGS = "[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRateLimitIntervalSec=0\n"
_INSTALL = """\
set -eu
mount -t proc proc /proc
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q install --yes --no-install-recommends "$@"
systemctl disable postgresql.service ssh.service
rm -f /etc/ssh/ssh_host_*
systemctl enable networking.service
rm -f /etc/ssl/private/ssl-cert-snakeoil.key
systemctl mask {masked}
apt-get clean
rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /etc/apt/sources.list /etc/apt/apt.conf.d/90slipway \
    /usr/share/doc/* /usr/share/man/* /usr/share/info/* /var/log/*.log /var/log/apt /var/cache/debconf/*-old \
    /var/lib/dbus/machine-id
mkdir -p /var/log/journal
: > /etc/machine-id
umount /proc
"""


def folder(cache: Path) -> Path:
    """Return where the image is, or will be, in the cache: the name holds what it is made of."""
    facts = {
        "distribution": _distribution(),
        "packages": [*FIRST_PACKAGES, *PACKAGES],
        "recipe": RECIPE,
        "settings": [_CLOUD_SETTINGS, _JOURNAL_SETTINGS, _NETWORK_UNIT, _INSTALL, *_MASKED],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache / "machines" / f"base-{digest[:16]}"


def is_ready(cache: Path) -> bool:
    """Say whether the image is there; a build that was cut off does not count."""
    return folder(cache).is_dir()


def ensure(cache: Path, report: reports.Report) -> Path:
    """Return the folder of the image, building it where it is missing (about two minutes).

    A build that is cut off leaves nothing that counts: it happens beside its place and is renamed when done, and
    packages that were downloaded are used again. Raises :class:`LabError` or
    :class:`slipway.world.process.CommandFailed`.
    """
    target = folder(cache)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(target.parent / "base.lock", timeout=_LOCK_TIMEOUT_S):
        if not target.is_dir():
            _build(target, report)
    return target


def _build(target: Path, report: reports.Report) -> None:
    building = target.with_name(f".{target.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    downloads = target.parent / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    release = _distribution()["release"]
    sources = _package_sources(release)
    mirror = next(uri for uri, suite, _ in sources if suite == release)
    report("machine image: base system (about a minute)")
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(FIRST_PACKAGES)}", f"--cache-dir={downloads}"]
    _isolated([*argv, release, str(building), mirror], timeout_s=_BOOTSTRAP_TIMEOUT_S)
    report("machine image: cloud-init, PostgreSQL and tools (about half a minute)")
    _write_settings(building, sources)
    script = _INSTALL.format(masked=" ".join(_MASKED))
    argv = ["chroot", str(building), "/bin/sh", "-c", script, "sh", *PACKAGES]
    _isolated(argv, timeout_s=_INSTALL_TIMEOUT_S)
    building.rename(target)
    report("machine image: done")


def _write_settings(root: Path, sources: list[tuple[str, str, str]]) -> None:
    lines = "".join(f"deb {uri} {suite} {component}\n" for uri, suite, component in sources)
    (root / "etc/apt/sources.list").write_text(lines)
    proxies = process.run(["apt-config", "dump", "Acquire"], timeout_s=20).stdout.splitlines()
    proxies = [line for line in proxies if "Proxy" in line]
    (root / "etc/apt/apt.conf.d/90slipway").write_text("\n".join((*proxies, 'Acquire::Languages "none";', "")))
    # Speed: a build that is cut off is thrown away as a whole.
    (root / "etc/dpkg/dpkg.cfg.d/slipway").write_text("force-unsafe-io\n")
    for path, text in (
        ("etc/cloud/cloud.cfg.d/99-lab.cfg", _CLOUD_SETTINGS),
        ("etc/systemd/journald.conf.d/lab.conf", _JOURNAL_SETTINGS),
        ("etc/systemd/system/networking.service", _NETWORK_UNIT),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _isolated(argv: list[str], *, timeout_s: float) -> None:
    """Run in a mount namespace of its own: what it mounts is gone with it, however it ends."""
    process.run(["unshare", "--mount", "--propagation", "private", "--", *argv], timeout_s=timeout_s)


def _distribution() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    release = known.get("VERSION_CODENAME", "").strip('"')
    if not release:
        message = "the lab's machines need a Debian or Ubuntu release with a code name, and /etc/os-release has none"
        raise instances.LabError(message)
    architecture = process.run(["dpkg", "--print-architecture"], timeout_s=20).stdout.strip()
    return {"id": known.get("ID", "").strip('"'), "release": release, "architecture": architecture}


def _package_sources(release: str) -> list[tuple[str, str, str]]:
    """Return this computer's own package sources for its release: address, suite, component."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    lines = process.run(argv, timeout_s=20).stdout.splitlines()
    found = sorted({tuple(line.split()) for line in lines if len(line.split()) == 3})  # noqa: PLR2004 - the format's
    chosen = [
        (uri, suite, component)
        for uri, suite, component in found
        if component in {"main", "universe"} and (suite == release or suite.startswith(f"{release}-"))
    ]
    if not any(suite == release for _, suite, _ in chosen):
        message = (
            f"apt on this computer has no package source for {release} main, from which the machines' image is "
            "installed; add one to /etc/apt/sources.list.d and run apt-get update"
        )
        raise instances.LabError(message)
    return chosen
