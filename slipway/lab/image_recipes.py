"""What goes into each of the lab's images."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway.lab import certificates, images
from slipway.lab import instance as instances
from slipway.lab.programs.model import Program
from slipway.world import process

ISTIO_USER = "1337"
_XTABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
_XTABLES_EXAMPLE = "libxt_statistic.so"  # the others that are used need no more libraries
_JAVA_LEFT_OUT = ("src.zip", "ct.sym", "jmods", "jfr")
_JAVA_LIBRARIES = ("server/libjvm.so", "libzip.so", "libnet.so", "libnio.so", "libjava.so", "libmanagement.so")
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")
_TIMEOUT_S = 30.0


def references(programs: Mapping[str, Program]) -> dict[str, str]:
    """Return the full name of each image by its short name."""
    istio = programs["istio"].version
    tags = {
        "pause": "1",
        "pilot": istio,
        "proxyv2": istio,
        "coredns": programs["coredns"].version,
        "zipkin": programs["zipkin"].version,
        "shop": programs["shop"].version,
    }
    return {name: f"{images.REPOSITORY}/{name}:{tag}" for name, tag in tags.items()}


def recipes(instance: instances.Instance, programs: Mapping[str, Program]) -> tuple[images.Image, ...]:
    """Return every image, those first that the cluster itself needs first.

    Raises :class:`LabError` naming a program of the computer that is missing.
    """
    tags = {name: reference.rsplit(":", 1)[1] for name, reference in references(programs).items()}
    return (
        _pause(tags["pause"]),
        _coredns(tags["coredns"], programs["coredns"]),
        _zipkin(tags["zipkin"], programs["zipkin"]),
        _pilot(tags["pilot"], programs["istio"]),
        _proxy(tags["proxyv2"], programs["istio"], programs["envoy"]),
        _shop(instance, tags["shop"], programs["shop"]),
    )


def _pause(tag: str) -> images.Image:
    sleep = _found("sleep", "coreutils")
    files = {"/pause": sleep, **_libraries([sleep])}
    return images.Image(name="pause", tag=tag, files=files, entrypoint=("/pause", "infinity"), user="65535")


def _coredns(tag: str, program: Program) -> images.Image:
    files = {"/coredns": program.bin / "coredns"}
    return images.Image(name="coredns", tag=tag, files=files, entrypoint=("/coredns",))


def _pilot(tag: str, istio: Program) -> images.Image:
    # Source: istio/istio 1.29.1 pilot/docker/Dockerfile.pilot
    files = {"/usr/local/bin/pilot-discovery": istio.bin / "pilot-discovery"}
    entrypoint = ("/usr/local/bin/pilot-discovery",)
    return images.Image(name="pilot", tag=tag, files=files, entrypoint=entrypoint, user=f"{ISTIO_USER}:{ISTIO_USER}")


def _proxy(tag: str, istio: Program, envoy: Program) -> images.Image:
    # Source: istio/istio 1.29.1 pilot/docker/Dockerfile.proxyv2; upstream Envoy needs the C library, and the init
    # container needs iptables with its extensions.
    xtables = _found("xtables-nft-multi", "iptables")
    extensions = _extensions(xtables)
    template = istio.share / "bootstrap" / "envoy_bootstrap_tmpl.json"
    files = {
        "/usr/local/bin/pilot-agent": istio.bin / "pilot-agent",
        "/usr/local/bin/envoy": envoy.bin / "envoy",
        "/usr/sbin/xtables-nft-multi": xtables,
        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": template,
        str(extensions): extensions,
        **_libraries([envoy.bin / "envoy", xtables, extensions / _XTABLES_EXAMPLE]),
    }
    return images.Image(
        name="proxyv2",
        tag=tag,
        files=files,
        texts={
            "/etc/passwd": f"root:x:0:0:root:/:/\nistio-proxy:x:{ISTIO_USER}:{ISTIO_USER}::/home/istio-proxy:/\n",
            "/etc/group": f"root:x:0:\nistio-proxy:x:{ISTIO_USER}:\n",
        },
        links={f"/usr/sbin/{name}": "xtables-nft-multi" for name in _XTABLES},
        entrypoint=("/usr/local/bin/pilot-agent",),
        environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def _zipkin(tag: str, program: Program) -> images.Image:
    home = _java_home()
    kept = [
        entry for entry in sorted((home / "lib").iterdir()) if entry.name not in _JAVA_LEFT_OUT and entry.exists()
    ]
    files = {
        "/java/bin/java": home / "bin" / "java",
        "/java/conf": home / "conf",
        **{f"/java/lib/{entry.name}": entry for entry in kept},
        **_libraries([home / "bin" / "java", *(home / "lib" / name for name in _JAVA_LIBRARIES)], below=home),
    }
    entrypoint = ("/java/bin/java",)
    # Unpacked it needs a quarter less processor time to start than as one file.
    archives = {"/zipkin": program.share / "zipkin.jar"}
    return images.Image(
        name="zipkin", tag=tag, files=files, archives=archives, entrypoint=entrypoint, user="1000:1000"
    )


def _shop(instance: instances.Instance, tag: str, program: Program) -> images.Image:
    files = {
        "/app": program.bin / "app",
        "/probe": program.bin / "probe",
        "/etc/ssl/certs/ca-certificates.crt": certificates.certificate_path(instance, certificates.PUBLIC),
    }
    return images.Image(name="shop", tag=tag, files=files, entrypoint=("/app",), user="1000:1000", local=True)


def _found(command: str, package: str) -> Path:
    path = shutil.which(command)
    if path is None:
        msg = f"{command} is not on PATH; install the Debian package {package}"
        raise instances.LabError(msg)
    return Path(path).resolve()


def _extensions(xtables: Path) -> Path:
    for line in process.run(["ldd", str(xtables)], timeout_s=_TIMEOUT_S).stdout.splitlines():
        if "libxtables" in line:
            folder = Path(line.split("=> ")[1].split()[0]).resolve().parent / "xtables"
            return Path("/usr") / folder.relative_to("/") if folder.parts[1] == "lib" else folder
    msg = f"{xtables} does not use libxtables; install the Debian package iptables"
    raise instances.LabError(msg)


def _java_home() -> Path:
    java = _found("java", "openjdk-17-jre-headless")
    home = java.parents[1]
    if not (home / "lib" / "server" / "libjvm.so").exists():
        msg = f"{java} is no Java runtime (no lib/server/libjvm.so in {home}); install openjdk-17-jre-headless"
        raise instances.LabError(msg)
    return home


def _libraries(programs: Sequence[Path], *, below: Path | None = None) -> dict[str, Path]:
    """Return the shared libraries of ``programs``, the loader included, by the path where the loader looks.

    Those under ``below`` come with their folder.
    """
    done = process.run(["ldd", *map(str, programs)], timeout_s=_TIMEOUT_S, check=False)
    found = {path: Path(path).resolve() for path in _LIBRARY.findall(done.stdout)}
    inside = None if below is None else below.resolve()
    return {path: source for path, source in found.items() if inside is None or not source.is_relative_to(inside)}
