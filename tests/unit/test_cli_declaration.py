"""The commands that only read and write declarations, as a user types them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from slipway import cli
from slipway.cli import counting

ROOT = Path(__file__).parents[2]
RUNNER = CliRunner()


def _run(*arguments: str, code=0) -> str:
    done = RUNNER.invoke(cli.main, list(arguments))
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return an empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_init_writes_is_right_and_stays_when_it_is_there(checkout):
    _run("init", "prod", "--mesh", "bank")
    assert "2 services" in _run("check", "prod")
    mesh = checkout / "stacks/mesh.yaml"
    mesh.write_text(mesh.read_text() + "# mine\n")
    _run("init", "prod", "--mesh", "other")
    assert mesh.read_text().endswith("# mine\n")
    assert "mesh: bank" in mesh.read_text()


def test_what_init_writes_for_azure_is_right(checkout):
    _run("init", "prod", "--mesh", "bank", "--platform", "azure")
    assert "2 services" in _run("check", "prod")
    assert "platform: azure" in (checkout / "stacks/prod.yaml").read_text()


def test_what_init_writes_for_a_cluster_that_is_there_is_right_and_renders(checkout):
    _run("init", "prod", "--mesh", "bank", "--platform", "existing")
    assert "2 services" in _run("check", "prod")
    path = checkout / "stacks/prod.yaml"
    positions = {"permissive": "strict", "egress: open": "egress: locked", "off": "enforced"}
    text = path.read_text()
    for before, after in positions.items():
        text = text.replace(before, after, 1)
    path.write_text(text)
    mesh = checkout / "stacks/mesh.yaml"
    declared = mesh.read_text().replace("# - {external", "- {external").replace("# external:\n#", "external:\n ")
    mesh.write_text(declared)
    policies = [item for item in yaml.safe_load_all(_run("render", "prod")) if item["kind"] == "NetworkPolicy"]
    (gateway,) = [item for item in policies if item["metadata"]["namespace"] == "istio-egress"]
    outside = gateway["spec"]["egress"][-1]["to"][0]["ipBlock"]
    assert outside["except"] == ["10.20.2.0/24", "10.20.8.0/21", "10.21.0.0/16", "169.254.0.0/16"]
    mesh.write_text(mesh.read_text().replace("# ingress:\n#  ", "ingress:\n  "))
    assert "needs `ingress`" in RUNNER.invoke(cli.main, ["check", "prod"]).output


def test_init_refuses_names_that_are_none(checkout):
    _run("init", "../prod", code=2)
    assert list(checkout.iterdir()) == []


def test_mistakes_as_sarif_have_a_rule_and_a_place(checkout):
    _run("init", "prod")
    path = checkout / "stacks/mesh.yaml"
    path.write_text(path.read_text().replace("service: api", "service: ap"))
    log = json.loads(_run("check", "prod", "--sarif", code=2))
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "MESH0206"
    assert result["ruleId"] in {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    region = result["locations"][0]["physicalLocation"]["region"]
    line = path.read_text().splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 :].startswith("ap,")


def test_bundles_are_files_of_their_own_that_can_be_pruned(checkout):
    (checkout / "stacks").symlink_to(ROOT / "stacks")
    _run("render", "lab", "--out", "out", "--sync-waves")
    _run("render", "lab", "--bundle", "egress", "--out", "alone")
    parts = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in Path("out").iterdir()}
    marked = {item["metadata"]["labels"]["app.kubernetes.io/part-of"] for item in parts["egress"]}
    assert marked == {"shop-egress"}
    assert [path.name for path in Path("alone").iterdir()] == ["egress.yaml"]
    whole = list(yaml.safe_load_all(_run("render", "lab")))
    assert len(whole) == sum(map(len, parts.values()))
    waves = {item["kind"]: item["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for item in parts["mtls"]}
    assert waves == {"PeerAuthentication": "3"}


def test_a_bundle_that_became_empty_is_removed_and_a_foreign_file_is_not(checkout):
    _run("init", "prod")
    Path("out").mkdir()
    Path("out/scope.yaml").write_text("# Written by `slipway render`; the next one overwrites it.\n---\n")
    _run("render", "prod", "--bundle", "scope", "--out", "out")
    assert list(Path("out").iterdir()) == []
    Path("out/mtls.yaml").write_text("kind: Mine\n")
    _run("render", "prod", "--bundle", "mtls", "--out", "out", code=1)
    assert Path("out/mtls.yaml").read_text() == "kind: Mine\n"


def test_every_object_tells_its_origin(checkout):
    (checkout / "stacks").symlink_to(ROOT / "stacks")
    lines = _run("render", "lab", "--show-origin").splitlines()
    assert len(lines) == len(list(yaml.safe_load_all(_run("render", "lab"))))
    assert "egress\tServiceEntry\tistio-egress/payments\tstacks/mesh.yaml external.payments" in lines


def test_an_unknown_bundle_is_named_with_the_known_ones(checkout):
    (checkout / "stacks").symlink_to(ROOT / "stacks")
    assert "egress" in RUNNER.invoke(cli.main, ["render", "lab", "--bundle", "egres"]).output


def test_the_example_is_twelve_times_shorter_than_what_it_becomes(checkout):
    (checkout / "stacks").symlink_to(ROOT / "stacks")
    told = _run("render", "lab", "--count").splitlines()
    counts = {what: int(count) for count, what in (line.split(maxsplit=1) for line in told[:-1])}
    objects = list(yaml.safe_load_all(_run("render", "lab")))
    assert counts["declared"] == counts["stacks/mesh.yaml"] + counts["stacks/lab.yaml"]
    assert counts["declared"] > 30
    assert sum(int(what.split("(")[1].split()[0]) for what in counts if "(" in what) == len(objects)
    assert counts["Kubernetes objects"] == sum(count for what, count in counts.items() if "(" in what)
    ratio = counts["Kubernetes objects"] / counts["declared"]
    assert told[-1].split()[0] == f"{ratio:.1f}x"
    assert ratio >= 12


def test_only_lines_that_somebody_writes_are_counted():
    assert counting.lines("# a comment\n\na: 1\n  # another\n---\n- b # with a comment\n") == 2


@pytest.mark.parametrize("command", [[], *([name] for name in sorted(cli._COMMANDS)), ["lab", "up"]])
def test_help_has_its_lines_as_they_were_written(command):
    said = _run(*command, "--help")
    assert "\\" not in said
    if command and command != ["lab"]:
        assert re.search(r"Examples?: .*slipway ", said)


@pytest.mark.parametrize("command", ["up", "preview"])
def test_pulumi_needs_its_project(checkout, command):
    _run("init", "prod")
    assert "holds no Pulumi.yaml" in RUNNER.invoke(cli.main, [command, "prod"]).output
    _run(command, "prod", code=2)
