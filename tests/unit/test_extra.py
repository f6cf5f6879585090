"""Objects written by hand in `stacks/extra`: part of the bundle, of every answer, and of every check."""

import datetime
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import bundle, compiler
from slipway import cli
from slipway.cli import extras
from slipway.diagnostics import DiagnosticsError
from slipway.manifests import canonical
from slipway.mesh import loader, model
from slipway.world import files

CASE = Path(__file__).parents[1] / "cases/extra/shop"
TODAY = datetime.date(2026, 11, 21)


def _mesh(folder: Path = CASE, *, hand_written: bool = True) -> model.Mesh:
    sources = files.read_sources(folder, "env")
    extra_files = sources.extra if hand_written else ()
    return loader.load(
        sources.mesh, sources.environment, environment_name="env", today=TODAY, extra_files=extra_files
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a checkout with the case as its declaration, which is the working directory."""
    shutil.copytree(CASE, tmp_path / "stacks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli.main, list(arguments))
    assert done.exit_code == code, done.output
    return done


def test_hand_written_objects_are_marked_and_stand_beside_ours(monkeypatch, refresh_golden):
    monkeypatch.chdir(CASE)
    sources = files.read_sources(Path(), "env")
    mesh = loader.load(
        sources.mesh, sources.environment, environment_name="env", today=TODAY, extra_files=sources.extra
    )
    text = canonical.manifests_to_yaml(compiler.compile_part(mesh, "extra"))
    expected = CASE / "manifests.yaml"
    if refresh_golden:
        expected.write_text(text)
    assert text == expected.read_text()
    extras.stop_on_mistakes(mesh, today=TODAY)
    ours = compiler.compile_bundle(_mesh(hand_written=False)).manifests
    both = compiler.compile_bundle(mesh).manifests
    assert {item.key for item in both} - {item.key for item in ours} == {item.manifest.key for item in mesh.extra}


def test_what_refuses_stands_before_what_allows():
    stages = {item.name: bundle.stage_of(item) for item in compiler.compile_part(_mesh(), "extra")}
    assert stages["orders-no-web-writes"] is bundle.Stage.DENY
    assert stages["orders-audit"] is bundle.Stage.ALLOW
    assert stages["everywhere"] is bundle.Stage.DENY


def test_answers_name_the_hand_written_object_that_decides(checkout):
    allowed = _run("can-i", "env", "--from", "auditor", "--to", "shop/orders", "--method", "GET", "--path", "/audit")
    assert "AuthorizationPolicy shop/orders-audit" in allowed.stdout
    assert "stacks/extra/audit.yaml" in allowed.stdout
    asked = ("can-i", "env", "--from", "web", "--to", "orders", "--method", "GET", "--path", "/api/x")
    assert "AuthorizationPolicy shop/orders-no-web-writes" in _run(*asked, code=1).stdout
    (checkout / "stacks/extra/audit.yaml").unlink()
    assert "orders.pods" in _run(*asked).stdout


def test_the_difference_tells_what_a_hand_written_object_changes(checkout):
    _run("render", "env", "--out", "with")
    shutil.rmtree(checkout / "stacks/extra")
    done = _run("diff", "env", "env")
    assert "no call is gained" in done.stdout
    _run("render", "env", "--out", "without")
    assert (checkout / "with/extra.yaml").exists()
    assert not (checkout / "without/extra.yaml").exists()


def test_render_marks_and_orders_them(checkout):
    text = _run("render", "env", "--bundle", "extra", "--sync-waves").stdout
    marked = {item["metadata"]["name"]: item["metadata"] for item in yaml.safe_load_all(text)}
    assert {item["labels"]["app.kubernetes.io/part-of"] for item in marked.values()} == {"shop-extra"}
    wave = "argocd.argoproj.io/sync-wave"
    assert int(marked["orders-no-web-writes"]["annotations"][wave]) < int(marked["orders-audit"]["annotations"][wave])
    assert (
        "extra\tAuthorizationPolicy\tshop/orders-audit\tstacks/extra/audit.yaml"
        in _run("render", "env", "--show-origin").stdout.splitlines()
    )


@pytest.mark.parametrize(
    "command", [("check",), ("render",), ("matrix",), ("can-i", "--from", "web", "--to", "orders")]
)
def test_every_command_stops_at_a_broken_rule(checkout, command):
    (checkout / "stacks/extra/filter.yaml").write_text(
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\n"
        "metadata: {name: lua, namespace: shop}\nspec: {}\n"
    )
    done = _run(command[0], "env", *command[1:], code=2)
    assert "stacks/extra/filter.yaml:1:1: error MESH0705" in done.stderr


def test_a_field_of_a_wrong_type_is_told_with_its_object(checkout):
    path = checkout / "stacks/extra/audit.yaml"
    path.write_text(path.read_text().replace("paths: [/audit]", "paths: /audit"))
    done = _run("check", "env", code=2)
    assert "MESH0501" in done.stderr
    assert "orders-audit" in done.stderr


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("spec: {selector: {matchLabels: {app: orders}}, rules: }", "spec.rules"),
        ("spec: {selector: , action: DENY, rules: [{}]}", "spec.selector"),
        ("spec: {action: DENY, rules: [null]}", "spec.rules[0]"),
        ("spec: {action: DENY, rules: [{from: ~}]}", "spec.rules[0].from"),
        ("spec:", "spec"),
    ],
)
def test_y5_a_field_with_nothing_in_it_is_neither_absent_nor_empty(checkout, spec, path):
    head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: mine, namespace: shop}\n"
    (checkout / "stacks/extra/mine.yaml").write_text(f"{head}{spec}\n")
    told = _run("check", "env", code=2).stderr
    assert "MESH0203" in told
    assert f"at:    {path}\n" in told


def test_a_file_with_another_ending_is_not_left_out_in_silence(checkout):
    (checkout / "stacks/extra/late.yml").write_text("{}\n")
    assert "stacks/extra/late.yml:1:1: error MESH0221" in _run("check", "env", code=2).stderr


WORDS = st.sampled_from(
    ["", "{", "kind: [", "\t", "~", "- 1", "1", "kind: List\nitems: 3", "a: &a [*a]", "\0", "---\n---"]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=8), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["selector", "matchLabels", "app", "rules", "hosts", "exportTo", "gateways", "labels"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["AuthorizationPolicy", "PeerAuthentication", "Sidecar", "VirtualService", "WorkloadEntry", "X"]
)


@settings(max_examples=150)
@given(WORDS, KINDS, VALUES, st.sampled_from(["shop", "theirs", "istio-system", None]))
def test_nothing_written_by_hand_ends_in_a_traceback(words, kind, spec, namespace):
    document = {
        "apiVersion": "security.istio.io/v1" if kind.endswith(("Policy", "ication")) else "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": "a", **({"namespace": namespace} if namespace else {})},
        "spec": spec,
    }
    sources = files.read_sources(CASE, "env")
    for text in (words, yaml.safe_dump(document, allow_unicode=True)):
        try:
            mesh = loader.load(
                sources.mesh,
                sources.environment,
                environment_name="env",
                extra_files=[loader.Source(file="extra.yaml", text=text)],
            )
            extras.stop_on_mistakes(mesh, today=TODAY)
            compiler.compile_bundle(mesh)
        except DiagnosticsError as error:
            assert error.diagnostics  # noqa: PT017 - whatever it is, it is told
