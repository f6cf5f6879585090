"""Whose mesh configuration holds, where a cluster or a folder has several revisions of Istio."""

import click
import pytest
import yaml

from slipway.cli import mesh_configs
from slipway.manifests.manifest import Manifest

CLOSED = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
OPEN = {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}


def config_map(name, settings, namespace="istio-system"):
    metadata = {"name": name, "namespace": namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": yaml.safe_dump(settings)}}
    return Manifest.from_dict(body)


def tag(name, revision):
    labels = {"istio.io/tag": name, "istio.io/rev": revision}
    return Manifest.from_dict(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"istio-revision-tag-{name}", "labels": labels},
        }
    )


def asking(name, revision="", labels=None):
    metadata = {"name": name, "labels": labels or {"istio.io/rev": revision}}
    return Manifest.from_dict({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


OLD, NEW, DEFAULT = config_map("istio-1-28", OPEN), config_map("istio-1-29", CLOSED), config_map("istio", OPEN)


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([], {}),
        ([NEW], CLOSED),
        ([OLD, NEW, asking("shop", "1-29")], CLOSED),
        ([OLD, NEW, asking("shop", "1-28")], OPEN),
        ([DEFAULT, NEW, asking("shop", labels={"istio-injection": "enabled"})], OPEN),
        ([OLD, NEW, asking("shop", "prod"), tag("prod", "1-29")], CLOSED),
        ([OLD, config_map("istio-1-29", OPEN), asking("shop", "1-28"), asking("blog", "1-29")], OPEN),
        ([config_map("istio", CLOSED, namespace="shop")], {}),
    ],
)
def test_it_is_that_of_the_revision_in_use(items, found):
    assert mesh_configs.of(items, revision="") == found
    assert mesh_configs.of(reversed(items), revision="") == found


@pytest.mark.parametrize("others", [(), (asking("shop", "1-28"), asking("blog", "1-29")), (asking("shop", "tag"),)])
def test_revisions_that_differ_in_what_decides_have_to_be_told_apart(others):
    with pytest.raises(click.UsageError) as caught:
        mesh_configs.of([NEW, OLD, *others], revision="")
    assert caught.value.message == (
        "the revisions 1-28 and 1-29 say different things about who reaches whom: registry only False and True; "
        "name the one that is meant with --istio-revision"
    )
    assert mesh_configs.of([NEW, OLD, *others], revision="1-29") == CLOSED


def test_settings_that_decide_nothing_may_differ():
    told = config_map("istio-1-28", {**CLOSED, "accessLogFile": "/dev/stdout"})
    assert mesh_configs.of([told, NEW], revision="")["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}


def test_a_revision_that_is_not_there():
    with pytest.raises(click.UsageError) as caught:
        mesh_configs.of([NEW, OLD], revision="1-30")
    assert caught.value.message == "there is no mesh configuration of revision '1-30'; there are: 1-28, 1-29"
    with pytest.raises(click.UsageError):
        mesh_configs.of([], revision="1-30")
