"""Manifests and rules as text: the same values always give the same bytes."""

import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from slipway.manifests import scalars
from slipway.manifests.manifest import Manifest
from slipway.manifests.nsg import Access, Direction, NsgRule, Protocol

_UNLIMITED = 2**31 - 1
_NEVER_QUOTED = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")


class _Dumper(yaml.CSafeDumper):
    """Writes text so that YAML 1.1 and YAML 1.2 read the same, and never an alias.

    Always libyaml's emitter: the one in Python breaks lines elsewhere, and bytes must not depend on the machine.
    """

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


@functools.lru_cache(maxsize=100_000)
def _style(text: str) -> str | None:
    """Return how a text is written; keys and labels come again in every object."""
    if "\n" in text:
        return "|"
    return None if _NEVER_QUOTED.fullmatch(text) and _is_text_everywhere(text) else '"'


def _is_text_everywhere(text: str) -> bool:
    readings = (scalars.resolve(text), scalars.resolve_for_kubernetes(text))
    return all(isinstance(reading, str) for reading in readings) and scalars.ambiguity(text) is None


_Dumper.add_representer(str, _represent_text)


def manifests_to_yaml(manifests: Iterable[Manifest]) -> str:
    """Return manifests as YAML documents, sorted by kind, namespace and name.

    Raises ValueError when two of them have one key or a value is no plain dict, list, text, number or boolean.
    """
    return "".join(f"---\n{_yaml(item.to_dict())}" for item in _sorted(manifests))


def manifests_to_json(manifests: Iterable[Manifest]) -> str:
    """Return manifests as a JSON list, sorted by kind, namespace and name. Raises as :func:`manifests_to_yaml`."""
    return _json([item.to_dict() for item in _sorted(manifests)])


def rules_to_json(rules: Mapping[str, Sequence[NsgRule]]) -> str:
    """Return NSG rules as a JSON map from machine to rules, sorted by machine, direction and priority."""
    return _json(_plain_rules(rules))


def rules_to_yaml(rules: Mapping[str, Sequence[NsgRule]]) -> str:
    """Return NSG rules as a YAML map from machine to rules, sorted by machine, direction and priority."""
    return _yaml(_plain_rules(rules))


def values_to_yaml(values: Mapping[str, Any]) -> str:
    """Return values of a chart as YAML, keys sorted."""
    return _yaml(values)


def _sorted(manifests: Iterable[Manifest]) -> list[Manifest]:
    found = sorted(manifests, key=lambda item: (item.key, item.api_version))
    for first, second in itertools.pairwise(found):
        if first.key == second.key and _group(first) == _group(second):
            raise ValueError(f"two manifests are {first.kind} {first.namespace}/{first.name}")
    return found


def _group(manifest: Manifest) -> str:
    return manifest.api_version.rpartition("/")[0]


def _plain_rules(rules: Mapping[str, Sequence[NsgRule]]) -> dict[str, list[dict[str, Any]]]:
    ordered = {
        machine: sorted(found, key=lambda rule: (rule.direction.value, rule.priority, rule.name))
        for machine, found in sorted(rules.items())
    }
    return {machine: [rule_to_plain(rule) for rule in found] for machine, found in ordered.items()}


def rule_to_plain(rule: NsgRule) -> dict[str, Any]:
    """Return one rule as plain JSON values."""
    return {
        "name": rule.name,
        "priority": rule.priority,
        "direction": rule.direction.value,
        "access": rule.access.value,
        "protocol": rule.protocol.value,
        "remote": list(rule.remote),
        "ports": list(rule.ports),
        "description": rule.description,
    }


def rule_from_plain(known: Mapping[str, Any]) -> NsgRule:
    """Return the rule that :func:`rule_to_plain` gave; numbers may arrive as floats, as Pulumi has it."""
    return NsgRule(
        name=known["name"],
        priority=int(known["priority"]),
        direction=Direction(known["direction"]),
        access=Access(known["access"]),
        protocol=Protocol(known["protocol"]),
        remote=tuple(known["remote"]),
        ports=tuple(known["ports"]),
        description=known["description"],
    )


def _json(value: Any, *, indent: int | None = 2) -> str:
    try:
        return json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    except TypeError as error:
        raise ValueError(str(error)) from error


def _yaml(value: Any) -> str:
    # Tuples become lists, and what has no place in a manifest is refused. Only without indent is this done in C.
    plain = json.loads(_json(value, indent=None))
    return yaml.dump(
        plain, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=_UNLIMITED, default_flow_style=False
    )
