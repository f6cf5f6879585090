"""Canonical output and its way back."""

import contextlib
import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slipway.diagnostics import DiagnosticsError
from slipway.manifests import canonical, kubernetes_reader, nsg
from slipway.manifests.manifest import Manifest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.sampled_from(
    ["y", "on", "NO", "010", "1.30", "1_0", "22:22", "0x1f", "~", "", "2027-06-30", "<<", "=", "a: b", " x"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | AWKWARD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | AWKWARD, inner, max_size=3),
    max_leaves=8,
)


def _manifest(name="orders", **body: Any) -> Manifest:
    return Manifest(api_version="v1", kind="ConfigMap", name=name, namespace="shop", body=body)


@given(VALUES)
def test_yaml_reads_back_to_the_same_values(value):
    text = canonical.manifests_to_yaml([_manifest(data=value)])
    assert yaml.safe_load(text)["data"] == value


@given(st.dictionaries(AWKWARD, AWKWARD, max_size=4))
def test_texts_stay_texts_for_kubectl_and_for_this_reader(labels):
    manifest = Manifest(api_version="v1", kind="Pod", name="y", namespace="on", labels=labels, body={"spec": labels})
    assert kubernetes_reader.read_manifests(canonical.manifests_to_yaml([manifest]), file="f") == (manifest,)


def test_order_of_input_does_not_matter():
    manifests = [_manifest(name, data={"b": 1, "a": {"d": 2, "c": 3}}) for name in "edcba"]
    manifests.append(Manifest(api_version="v1", kind="Namespace", name="shop", labels={"z": "1", "a": "2"}))
    shuffled = random.Random(1).sample(manifests, len(manifests))  # noqa: S311 - order, not secrets
    assert canonical.manifests_to_yaml(manifests) == canonical.manifests_to_yaml(shuffled)
    assert canonical.manifests_to_json(manifests) == canonical.manifests_to_json(shuffled)
    names = [item["metadata"]["name"] for item in json.loads(canonical.manifests_to_json(shuffled))]
    assert names == ["a", "b", "c", "d", "e", "shop"]


def test_two_objects_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two manifests are ConfigMap shop/orders"):
        canonical.manifests_to_yaml([_manifest(), _manifest(data={})])


def test_one_kind_of_two_groups_is_two_objects():
    groups = ("networking.istio.io/v1", "gateway.networking.k8s.io/v1")
    gateways = [Manifest(api_version=group, kind="Gateway", name="shop", namespace="shop") for group in groups]
    assert canonical.manifests_to_yaml(gateways) == canonical.manifests_to_yaml(gateways[::-1])


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), b"x"])
def test_what_no_manifest_holds_is_refused(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical.manifests_to_yaml([_manifest(data=value)])


def test_lists_and_lines_are_readable():
    text = canonical.manifests_to_yaml([_manifest(data={"run": "#!/bin/sh\nexit 0\n"}, list=[("a",), {}])])
    assert "  run: |\n    #!/bin/sh\n    exit 0\n" in text
    assert "list:\n- - a\n- {}\n" in text


def _rule(name: str, priority: int, direction: nsg.Direction) -> nsg.NsgRule:
    return nsg.NsgRule(
        name=name,
        priority=priority,
        direction=direction,
        access=nsg.Access.ALLOW,
        protocol=nsg.Protocol.TCP,
        remote=("10.61.0.0/16",),
        ports=("5432",),
    )


def test_rules_are_sorted_by_machine_direction_and_priority():
    rules = {
        "db-vm": [_rule("b", 200, nsg.Direction.INBOUND), _rule("a", 100, nsg.Direction.INBOUND)],
        "billing-vm": [_rule("d", 100, nsg.Direction.OUTBOUND), _rule("c", 100, nsg.Direction.INBOUND)],
    }
    found = json.loads(canonical.rules_to_json(rules))
    assert list(found) == ["billing-vm", "db-vm"]
    assert [[rule["name"] for rule in item] for item in found.values()] == [["c", "d"], ["a", "b"]]
    assert yaml.safe_load(canonical.rules_to_yaml(rules)) == found


def test_lists_of_objects_and_empty_documents():
    text = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: x, creationTimestamp: null}}
- {apiVersion: v1, kind: Secret, metadata: {name: a, namespace: shop}, data: {mode: 0644}}
---
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: , annotations: {a: "1"}}
spec: {enabled: on}
"""
    found = kubernetes_reader.read_manifests(text, file="f")
    assert [item.key for item in found] == [("Namespace", "", "shop"), ("Secret", "shop", "a"), ("Pod", "", "web")]
    assert found[1].body == {"data": {"mode": 0o644}}
    assert found[2].body == {"spec": {"enabled": True}}


@given(
    st.binary(max_size=100)
    | st.recursive(
        AWKWARD | st.sampled_from(["v1", "Pod", "List"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["apiVersion", "kind", "metadata", "items", "name", "labels"]), inner, max_size=5
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_is_read_or_refused(data):
    with contextlib.suppress(DiagnosticsError):
        kubernetes_reader.read_manifests(data, file="f")
