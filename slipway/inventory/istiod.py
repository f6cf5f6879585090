"""The mesh configuration of each revision, as its istiod puts it together from ConfigMaps."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway.manifests import plain, yaml_reader
from slipway.manifests.manifest import Manifest

NAMESPACE = "istio-system"
CONFIG_MAP = ("v1", "ConfigMap")
DEPLOYMENT = ("apps/v1", "Deployment")
WEBHOOK = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")
_KEY = "mesh"
_NAME = "istio"
_DEFAULT = "default"
_REVISION_LABEL = "istio.io/rev"
_TAG_LABEL = "istio.io/tag"
_INJECTION_LABEL = "istio-injection"
_SHARED = "SHARED_MESH_CONFIG"


def mesh_configs(items: Iterable[Manifest]) -> dict[str, Mapping[str, Any]]:
    """Return the settings by revision: those of its ConfigMap over those that its istiod shares with others.

    Raises DiagnosticsError for a ConfigMap that is not YAML.
    Source: istio/istio 1.29.1 pilot/pkg/bootstrap/mesh.go, `getMeshConfigMapName`, `toSources`.
    """
    known = list(items)
    texts = {item.name: text for item in known if (text := _text(item)) is not None}
    shared = {revision: name for item in known for revision, name in _shared(item)}
    found: dict[str, Mapping[str, Any]] = {}
    for name, text in texts.items():
        if not (name == _NAME or name.startswith(f"{_NAME}-")) or name in shared.values():
            continue
        revision = name.removeprefix(_NAME).removeprefix("-") or _DEFAULT
        below = texts.get(shared.get(revision, ""))
        found[revision] = merged(_settings(shared[revision], below) if below else {}, _settings(name, text))
    return found


def revisions_in_use(items: Iterable[Manifest]) -> frozenset[str]:
    """Return the revisions whose sidecars namespaces and pods ask for; tags are resolved as far as they are known.

    Source: istio/istio 1.29.1 istioctl/pkg/tag/generate.go, the webhook of a tag has its revision as a label.
    """
    known = list(items)
    tags = {
        item.labels[_TAG_LABEL]: item.labels[_REVISION_LABEL]
        for item in known
        if item.kind == WEBHOOK[1] and _TAG_LABEL in item.labels and _REVISION_LABEL in item.labels
    }
    asked = {_asked(item) for item in known if item.kind in ("Namespace", "Pod")}
    return frozenset(tags.get(name, name) for name in asked if name)


def _asked(item: Manifest) -> str:
    if item.kind == "Namespace" and item.labels.get(_INJECTION_LABEL) == "enabled":
        return _DEFAULT
    return item.labels.get(_REVISION_LABEL, "")


def config_map(revision: str) -> str:
    """Return the name of a revision's ConfigMap. Source: istio/istio 1.29.1 pilot/pkg/bootstrap/mesh.go."""
    return _NAME if revision == _DEFAULT else f"{_NAME}-{revision}"


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return one configuration over another: fields replace each other, but for those that Istio joins.

    Source: istio/istio 1.29.1 pkg/config/mesh/mesh.go, `ApplyMeshConfig`.
    """
    found = {**below, **above}
    config = {**(below.get("defaultConfig") or {}), **(above.get("defaultConfig") or {})}
    metadata = [(item.get("defaultConfig") or {}).get("proxyMetadata") or {} for item in (below, above)]
    if any(metadata):
        config["proxyMetadata"] = {**metadata[0], **metadata[1]}
    if config:
        found["defaultConfig"] = config
    providers = {item.get("name"): item for side in (below, above) for item in side.get("extensionProviders") or ()}
    if providers:
        found["extensionProviders"] = list(providers.values())
    aliases = {name for side in (below, above) for name in side.get("trustDomainAliases") or ()}
    if aliases:
        found["trustDomainAliases"] = sorted(aliases)
    return found


def _text(item: Manifest) -> str | None:
    if (item.api_version, item.kind) != CONFIG_MAP or item.namespace != NAMESPACE:
        return None
    text = (item.body.get("data") or {}).get(_KEY)
    return text if isinstance(text, str) else None


def _settings(name: str, text: str) -> Mapping[str, Any]:
    found = plain.to_plain(yaml_reader.read(text, file=f"ConfigMap {NAMESPACE}/{name}"))
    return found if isinstance(found, Mapping) else {}


def _shared(item: Manifest) -> Iterable[tuple[str, str]]:
    """Return the revision of an istiod and the ConfigMap that it shares with others, where it has one."""
    if item.kind != "Deployment" or item.namespace != NAMESPACE or _REVISION_LABEL not in item.labels:
        return
    template = (item.body.get("spec") or {}).get("template") or {}
    for container in (template.get("spec") or {}).get("containers") or ():
        for variable in container.get("env") or ():
            if variable.get("name") == _SHARED and variable.get("value"):
                yield item.labels[_REVISION_LABEL], variable["value"]
