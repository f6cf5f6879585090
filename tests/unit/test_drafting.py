"""Drafts of declarations: a folder per case with a cluster and an access log, and the files that they become."""

import datetime
import itertools
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import compiler
from slipway import cli
from slipway.cli import clusters
from slipway.diagnostics import Level, render
from slipway.inventory import comparing, facts, reading
from slipway.inventory.drafting import access_log, draft, paths
from slipway.manifests import kubernetes_reader
from slipway.manifests.manifest import Manifest
from slipway.mesh import loader, model, requests
from slipway.world.kubernetes_fake import FakeKubernetes

CASES = Path(__file__).parents[1] / "cases/drafts"
TODAY = datetime.date(2026, 11, 21)


def _loaded(found: draft.Draft) -> model.Mesh:
    sources = [loader.Source(file="mesh.yaml", text=found.mesh)]
    examined = loader.examine(
        sources, loader.Source(file="env.yaml", text=found.environment), environment_name="env", today=TODAY
    )
    assert not examined.diagnostics, found.mesh + render.text(examined.diagnostics)
    return examined.resolved()


def _case(name: str) -> tuple[tuple[Manifest, ...], access_log.Log]:
    folder = CASES / name
    objects = kubernetes_reader.read_manifests((folder / "cluster.yaml").read_bytes(), file="cluster.yaml")
    return objects, access_log.read((folder / "access.log").read_text())


def _told(found: draft.Draft) -> str:
    notes = [f"{item.verdict.value}: {item.kind} {item.namespace}/{item.name}: {item.reason}" for item in found.notes]
    return "".join(f"{line}\n" for line in [*notes, *(f"not placed: {item}" for item in found.remarks)])


@pytest.mark.parametrize("name", sorted(item.name for item in CASES.iterdir()))
def test_a_cluster_becomes_the_draft_that_is_written_down(name, refresh_golden):
    objects, log = _case(name)
    found = draft.draft(reading.read(objects), log, mesh="shop")
    texts = {"mesh.yaml": found.mesh, "env.yaml": found.environment, "told.txt": _told(found)}
    if refresh_golden:
        for file, text in texts.items():
            (CASES / name / file).write_text(text)
    assert texts == {file: (CASES / name / file).read_text() for file in texts}
    assert {item.name for item in (CASES / name).iterdir()} == {*texts, "cluster.yaml", "access.log"}


def test_a_draft_is_right_compiles_and_fits_its_cluster_but_for_what_it_says():
    objects, log = _case("shop")
    found = draft.draft(reading.read(objects), log, mesh="shop")
    mesh = _loaded(found)
    assert compiler.compile_bundle(mesh).manifests
    errors = [item for item in comparing.compare(mesh, reading.read(objects)) if item.level is Level.ERROR]
    told = {(item.code, item.path) for item in errors}
    assert {path for code, path in told if code == "MESH0602"} == {
        f"services.{name}.workload.serviceAccount" for name in ("reports", "shop-mailer")
    }
    assert {code for code, _ in told} <= {"MESH0602", "MESH0604"}


def test_the_order_of_objects_and_lines_does_not_matter():
    objects, _ = _case("shop")
    lines = (CASES / "shop/access.log").read_text().splitlines()
    expected = None
    for seed in range(20):
        shuffled, said = list(objects), list(lines)
        for order in (shuffled, said):
            random.Random(seed).shuffle(order)  # noqa: S311 - nothing secret
        found = draft.draft(reading.read(shuffled), access_log.read("\n".join(said)), mesh="shop")
        expected = expected or found
        assert found == expected


def test_init_drafts_prints_and_passes_check(tmp_path, monkeypatch):
    objects, _ = _case("shop")
    fake = FakeKubernetes()
    for item in objects:
        fake.apply(item.to_dict())
    monkeypatch.setattr(clusters, "connect", lambda **_: fake)
    monkeypatch.chdir(tmp_path)
    log = str(CASES / "shop/access.log")
    done = CliRunner().invoke(cli.main, ["init", "prod", "--from-cluster", "--access-log", log])
    assert done.exit_code == 0, done.output
    assert "in the way: WorkloadEntry back-office/billing-vm: a machine is declared" in done.stdout
    assert (tmp_path / "stacks/mesh.yaml").read_text() == (CASES / "shop/mesh.yaml").read_text()
    done = CliRunner().invoke(cli.main, ["check", "prod"])
    assert done.exit_code == 0, done.output
    limited = CliRunner().invoke(cli.main, ["init", "other", "--access-log", log])
    assert limited.exit_code == 2


LABELS = st.dictionaries(
    st.sampled_from(["app", "tier", "no"]), st.sampled_from(["a", "b", "yes", "1.0"]), max_size=2
)
NAMES = st.sampled_from(["a", "b", "shop", "9lives", "x.y", "z" * 63])
PORTS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["http", "grpc", "web", "sql", "tcp-1", "http-2"]),
            "port": st.sampled_from([80, 443, 5432, 8080, 15014, 50051]),
            "targetPort": st.sampled_from([8080, "main", 5432]),
        }
    ),
    max_size=3,
    unique_by=(lambda port: port["port"], lambda port: port["name"]),
)


@st.composite
def clusters_of_anything(drawn):
    objects = []
    for index, (kind, namespace, name, labels, account, ports) in enumerate(
        drawn(
            st.lists(
                st.tuples(
                    st.sampled_from(["Deployment", "Service", "Pod"]),
                    st.sampled_from(["shop", "a", "kube-system"]),
                    NAMES,
                    LABELS,
                    st.sampled_from(["default", "a", "b", "sa.one"]),
                    PORTS,
                ),
                max_size=8,
            )
        )
    ):
        pod = {"serviceAccountName": account, "containers": [{"name": "app"}]}
        metadata = {"labels": labels}
        spec = {"Deployment": {"template": {"metadata": metadata, "spec": pod}}, "Pod": pod}.get(
            kind, {"selector": labels, "ports": ports}
        )
        api_version = "apps/v1" if kind == "Deployment" else "v1"
        objects.append(
            Manifest(
                api_version=api_version,
                kind=kind,
                namespace=namespace,
                name=name if kind == "Service" else f"{name}-{index}",
                labels=labels if kind == "Pod" else {},
                body={"spec": spec},
            )
        )
    unique = {item.key: item for item in objects}
    return tuple(unique.values())


@settings(max_examples=200)
@given(clusters_of_anything())
def test_every_draft_passes_check(objects):
    found = draft.draft(reading.read(objects), access_log.read(""), mesh="shop")
    compiler.compile_bundle(_loaded(found))


SEGMENTS = st.sampled_from(["api", "orders", "17", "18", "19", "20", "", "..", "a%20b", "x*y", "report-2026", "{id}"])
METHODS = st.sampled_from(["GET", "POST", "PURGE"])


@settings(max_examples=300)
@given(
    st.sets(st.tuples(METHODS, st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts))), max_size=12)
)
def test_clauses_hold_every_request_or_say_that_they_do_not(seen):
    said, unsaid = paths.clauses(seen)
    matches = [requests.to_match(requests.parse(clause)) for clause in said]
    for method, path in seen:
        held = any(match.method == method and _matches(match.path, path) for match in matches)
        assert held or any(_matches(item.partition(" ")[2], path) for item in unsaid)
    assert not any(match.path.endswith("/*") or match.path == "*" for match in matches)


def _matches(pattern: str, path: str) -> bool:
    parts = [re.escape(part) if part != "{*}" else "[^/]+" for part in pattern.split("/")]
    return re.fullmatch("/".join(parts), path) is not None


def test_many_words_in_one_place_are_values():
    words = ["red", "green", "blue", "white"]
    assert paths.clauses(("GET", f"/colours/{word}/mix") for word in words[:3])[0] == (
        *sorted(f"GET /colours/{word}/mix" for word in words[:3]),
    )
    assert paths.clauses(("GET", f"/colours/{word}/mix") for word in words)[0] == ("GET /colours/{*}/mix",)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"a": 1}', '{"upstream_cluster": "inbound|80||"}', "x" * 10000, '"' * 99, "{" * 500]
)
def test_a_line_that_is_no_access_log_is_counted_and_passed_over(line):
    found = access_log.read(f"{line}\n")
    assert not found.seen
    assert sum(found.passed_over.values()) == 1


def test_networks_of_a_plan_never_overlap():
    pods = [["10.0.0.1"], ["10.0.0.1", "10.200.0.1"], ["10.1.0.1", "fd00::1"], []]
    nodes = [[], ["10.0.0.2"], ["10.0.0.1", "10.1.0.9"], ["198.51.100.7"]]
    for one, other in itertools.product(pods, nodes):
        workload = facts.Workload(
            kind="Pod", namespace="shop", name="a", labels={"app": "a"}, service_account="a", addresses=tuple(one)
        )
        found = facts.Facts(workloads=(workload,), nodes=tuple(other))
        _loaded(draft.draft(found, access_log.read(""), mesh="shop"))
