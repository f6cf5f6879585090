"""The cloud-config that a machine's team wrote: its first line, and what in it runs as the sidecar's user.

It is looked through line by line and not parsed: cloud-init reads more of YAML than the declaration does, and units
and scripts stand in it as texts.
"""

import re
from collections.abc import Iterator

from slipway.diagnostics import Collector, Span, catalogue, wording
from slipway.mesh import model

FIRST_LINE = "#cloud-config"
SIDECAR_USER = 1337  # Source: istio.io, ops/deployment/application-requirements: the sidecar's user and group.
_WHO = r"(?:1337|istio-proxy)\b"
_SIDECAR = (
    # Source: cloud-init documentation, "Users and groups".
    re.compile(rf"\buid:\s*[\"']?{_WHO}"),
    re.compile(rf"\bprimary_group:\s*[\"']?{_WHO}"),
    # Source: systemd.exec(5).
    re.compile(rf"(?<![A-Za-z])(?:User|Group)=\s*{_WHO}"),
    # Source: useradd(8), groupadd(8), usermod(8), groupmod(8).
    re.compile(r"\b(?:user|group)(?:add|mod)\b.*(?:--?uid|--?gid|-u|-g)[\s,=\"']*1337\b"),
)


def check(text: str, *, file: str, machine: model.Machine, collector: Collector) -> None:
    """Report a text that cloud-init would not take for a cloud-config (MESH0332), and what runs past the sidecar.

    Source of the latter (MESH0610): istio/istio 1.29.1 tools/istio-iptables/pkg/capture/run.go: packets of the
    proxy's user and of its group return from the capture; the machine's guard takes them for the sidecar's.
    """
    path = f"machines.{machine.name}.cloudConfig"
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != FIRST_LINE:
        first = lines[0] if lines else ""
        collector.report(
            catalogue.CLOUD_CONFIG,
            f"the first line of a cloud-config is `{FIRST_LINE}`; cloud-init would not read this file",
            span=Span(file=file, line=1, column=1),
            path=path,
            found=first,
            hint=f"write `{FIRST_LINE}` as the first line",
        )
    for number, match in _past_sidecar(lines):
        collector.report(
            catalogue.PROXY_USER,
            f"something on {wording.quoted(machine.name)} runs as the sidecar's user or group {SIDECAR_USER}, "
            "whose packets are not captured: they leave in plaintext, without an identity",
            span=Span(file=file, line=number, column=match.start() + 1),
            path=path,
            found=match[0].strip(),
            hint="give the service a user and group of its own",
        )


def _past_sidecar(lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """Return the lines that name the sidecar's user, comments left out, each once."""
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("#"):
            continue
        found = next((match for pattern in _SIDECAR if (match := pattern.search(line))), None)
        if found is not None:
            yield number, found
