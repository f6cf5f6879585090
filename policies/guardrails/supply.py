"""Rules about what is installed and what it carries: pinned charts, living hosts, no secrets in plain inputs."""

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from policies.guardrails.rule import Resource, ResourceRule, section

# Source: Istio 1.31 release notes: nothing is published there any more.
DEAD_HOSTS = ("gcr.io/istio-release", "registry.istio.io", "istio-release.storage.googleapis.com")
_FLOATING = re.compile(r"[*^~<>= ]|latest")
_SECRETS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."), "a token"),
    (re.compile(r"\bAccountKey=[A-Za-z0-9+/=]{20,}"), "a storage key"),
)


def _texts(value: Any, path: str = "") -> Iterable[tuple[str, str]]:
    """Yield every text below ``value`` with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _texts(item, f"{path}[{index}]")


def _pinned(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield charts that may be another one tomorrow; a folder of the checkout is what it is."""
    if resource.kind != "Release":
        return
    chart, version = str(resource.inputs.get("chart", "")), str(resource.inputs.get("version") or "")
    remote = chart.startswith("oci://") or bool(section(resource.inputs, "repositoryOpts").get("repo"))
    if remote and (not version or _FLOATING.search(version)):
        yield f"installs the chart `{chart}` in {f'the version `{version}`' if version else 'no version'}; pin one"


def _living_hosts(resource: Resource, _today: datetime.date) -> Iterable[str]:
    for path, text in _texts(resource.inputs) if resource.kind == "Release" else ():
        if dead := next((item for item in DEAD_HOSTS if item in text), None):
            yield f"`{path}` names `{dead}`, where nothing is published any more"


def _no_secrets(resource: Resource, _today: datetime.date) -> Iterable[str]:
    """Yield secrets in inputs that end up readable in the state; the content is not repeated."""
    if resource.type == "kubernetes:core/v1:Secret":
        return
    for path, text in _texts(resource.inputs):
        if what := next((name for pattern, name in _SECRETS if pattern.search(text)), None):
            yield f"`{path}` holds {what} in plain text"


RULES = (
    ResourceRule(name="charts-are-pinned", description="A chart has one exact version.", check=_pinned),
    ResourceRule(name="hosts-are-alive", description="Nothing comes from where nothing is.", check=_living_hosts),
    ResourceRule(
        name="no-secrets-in-plain-inputs",
        description="Keys and tokens are no plain inputs: they would stand in the state.",
        check=_no_secrets,
    ),
)
