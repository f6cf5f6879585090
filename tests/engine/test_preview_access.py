"""The calls that an update gains and loses, in previews by the real engine, over a state as an update leaves it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import access_example
import pytest
from access_example import CALLED, CHANGED

from components import environment
from policies.bundles import compiler, surroundings
from slipway.mesh import loader
from slipway.world import files

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
CANARY = "canary-that-nobody-may-see"
# How a secret stands in an exported state. Source: pulumi 3.258 sdk/go/common/resource/sig.go.
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(CANARY)}
PROVIDER_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_PLANNED: list[dict] = []  # the steps of the example's first preview, which every test can start from


def _around() -> str:
    sources = files.read_sources(ROOT / "stacks", "lab")
    mesh = loader.load(sources.mesh, sources.environment, environment_name="lab")
    return surroundings.emit_surroundings(mesh, compiler.compile_bundle(mesh)).to_json()


def _resource(planned, outputs) -> dict:
    """Return a planned resource as a state holds it once it exists."""
    known = {key: value for key, value in planned.items() if key not in {"sourcePosition", "stackTrace"}}
    if known["type"] == environment.TYPE:
        return {**known, "outputs": outputs}
    if known["type"] == "pulumi:pulumi:Stack":
        return {**known, "outputs": {"token": SECRET}}
    if not known["custom"]:
        return known
    name = PROVIDER_ID if ":providers:" in known["type"] else known["urn"].rpartition("::")[2]
    return {**known, "id": name, "outputs": {**known["inputs"], "__fieldManager": "slipway", "status": {}}}


def _with_secrets(resources) -> list[dict]:
    """Return further resources that hold a secret: one of a kind that is read, one of a kind that is not."""
    model = next(item for item in resources if item["urn"].endswith("AuthorizationPolicy/shop/orders.pods"))
    metadata = {"name": "other", "namespace": "shop"}
    rules = [{"when": [{"key": "request.headers[x-token]", "values": [SECRET]}]}]
    policy = {**model["outputs"], "metadata": metadata, "spec": {"rules": rules}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"token": SECRET}}
    head = {"custom": True, "provider": model["provider"], "inputs": {}, "id": "shop/other"}
    return [
        {
            **head,
            "type": kind,
            "urn": f"urn:pulumi:lab::slipway::{kind}::{body['kind']}/shop/other",
            "outputs": body,
        }
        for kind, body in ((model["type"], policy), ("kubernetes:core/v1:Secret", secret))
    ]


@pytest.fixture
def applied(engine):
    """Give the stack the state that an update of the example leaves, with secrets in it; return the engine."""
    return _applied(engine, known={environment.ACCESS: _around()})


def _applied(engine, *, known) -> Any:
    """Give the stack such a state; ``known`` are the outputs of the environment."""
    if not _PLANNED:
        _PLANNED.extend(json.loads(engine("preview", "--json").stdout)["steps"])
    # The lab's own provider is not told in a plan, and nothing depends on its resources.
    planned = [step["newState"] for step in _PLANNED if "pulumi-python" not in step["newState"]["type"]]
    resources = [_resource(item, known) for item in planned]
    for item in resources:
        if "provider" in item:
            item["provider"] = f"{item['provider'].rpartition('::')[0]}::{PROVIDER_ID}"
    deployment = json.loads(engine("stack", "export").stdout)
    deployment["deployment"]["resources"] = [*resources, *_with_secrets(resources)]
    path = engine.project / "state.json"
    path.write_text(json.dumps(deployment))
    imported = engine("stack", "import", "--file", str(path))
    assert imported.returncode == 0, imported.stderr
    path.unlink()
    return engine


def test_a_first_preview_gains_everything(engine):
    told = access_example.told(engine("preview").stdout)
    assert told[0] == "calls gained: 7, lost: 0, changed in kind: 0"
    assert f"  gained: shop/orders -> {CALLED} POST /invoices" in told
    assert "  gained: (outside) -> shop.example.com:443 *" in told


def test_one_changed_path_is_exactly_what_is_shown_and_no_secret_is(applied):
    assert applied("stack", "export", "--show-secrets").stdout.count(CANARY) == 3
    same = applied("preview", "--diff")
    told = same.stdout + same.stderr
    assert "no call is gained, lost or changed" in told
    assert "left out of the access difference, for they hold secrets: AuthorizationPolicy/shop/other" in told
    assert CANARY not in told
    access_example.change(applied.project)
    changed = applied("preview")
    assert access_example.told(changed.stdout) == CHANGED
    assert CANARY not in changed.stdout + changed.stderr


def test_a_stack_of_before_this_was_kept_gains_nothing_for_sure(engine, slipway):
    _applied(engine, known={"revision": "1-29-1"})
    done = engine("preview")
    assert "who reached whom before is not known, so every call is shown as it will be" in done.stdout + done.stderr
    assert "calls allowed afterwards: 7; which of them are new is not known" in done.stdout
    assert "gained" not in done.stdout
    done = slipway("preview", "lab", "--fail-on", "lost", "--json")
    assert done.returncode == 3
    assert list(json.loads(done.stdout)) == ["allowed"]
    assert "error: who reached whom before is not known" in done.stderr


def test_up_says_it_once_and_without_a_preview_it_says_it_too(engine):
    program = engine.project / "__main__.py"
    build = "platforms.build(mesh, stack=stack, bundle=bundle, folder=STACKS, lab_instance=instance)"
    assert build in program.read_text()
    program.write_text(program.read_text().replace(build, "{'platforms': platforms.__name__, 'instance': instance}"))
    line = "  gained: (outside) -> shop.example.com:443 *"
    both = engine("up", "--yes")
    assert both.returncode == 0, both.stdout + both.stderr
    assert both.stdout.count(line) == 1
    assert "as the preview said: calls gained: 7, lost: 0, changed in kind: 0" in both.stdout
    alone = engine("up", "--yes", "--skip-preview")
    assert alone.stdout.count(line) == 1
    assert "as the preview said" not in alone.stdout
    engine("preview")
    access_example.change(engine.project)
    changed = engine("up", "--yes", "--skip-preview")
    assert changed.stdout.count(line) == 1
    assert "as the preview said" not in changed.stdout


@pytest.fixture
def slipway(engine):
    """Return a function that runs the command line in the project."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(Path(sys.executable).with_name("slipway")), *arguments],
            cwd=engine.project,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


def test_the_command_prints_the_difference_and_gates_on_it(applied, slipway):
    assert slipway("preview", "lab", "--fail-on", "any", "--json").returncode == 0
    access_example.change(applied.project)
    page = applied.project / "access.md"
    done = slipway("preview", "lab", "--fail-on", "lost", "--markdown", str(page))
    assert done.returncode == 3, done.stderr
    assert [line for line in done.stdout.splitlines() if not line.startswith("    ")] == CHANGED
    assert "Resources:" in done.stderr
    assert "--fail-on lost: calls are lost" in done.stderr
    assert page.read_text().startswith("### Access in lab\n\ncalls gained: 1, lost: 1, changed in kind: 0\n")
    assert CANARY not in done.stdout + done.stderr + page.read_text()


def test_the_command_ends_as_every_other(engine, slipway):
    assert slipway("preview", "labb").returncode == 2
    assert slipway("preview", "lab", "--markdown", "nowhere/access.md").returncode == 2
    assert slipway("preview", "lab", "--markdown", "-", "--json").returncode == 2
    (engine.project / "__main__.py").write_text("raise RuntimeError('the program fails')\n")
    assert slipway("preview", "lab").returncode == 1
