"""What the program takes out of its own stack's last state, and what it tells."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, Never

import pytest
from pulumi.runtime import mocks, rpc, settings

from components import access_preview, environment, previewed
from policies.bundles import compiler, surroundings
from slipway.mesh import loader
from slipway.world import files

STACKS = Path(__file__).parents[2] / "stacks"
CANARY = "canary-that-nobody-may-see"


def _load(change=("", "")) -> Any:
    sources = files.read_sources(STACKS, "lab")
    text = sources.mesh[0].text
    text = text.decode() if isinstance(text, bytes) else text
    source = loader.Source(file="stacks/mesh.yaml", text=text.replace(*change))
    mesh = loader.load([source], sources.environment, environment_name="lab")
    return mesh, compiler.compile_bundle(mesh)


def _token(manifest) -> str:
    version = manifest.api_version if "/" in manifest.api_version else f"core/{manifest.api_version}"
    return f"kubernetes:{version}:{manifest.kind}"


def _state(mesh, bundle) -> dict[str, Any]:
    """Return the outputs of an applied bundle by URN, as the engine gives them."""
    found = {
        f"urn::{'/'.join(item.key)}": {"type": _token(item), "outputs": {**item.to_dict(), "__fieldManager": "x"}}
        for item in bundle.manifests
    }
    text = surroundings.emit_surroundings(mesh, bundle).to_json()
    return {**found, "urn::lab": {"type": environment.TYPE, "outputs": {environment.ACCESS: text}}}


class _Engine(mocks.Mocks):
    """Answers with a state, and keeps what was asked."""

    def __init__(self, state) -> None:
        self.state = state
        self.asked: list[str] = []

    def new_resource(self, args) -> Never:
        raise AssertionError(f"{args.name} is registered")

    def call(self, args) -> dict[str, Any]:
        assert args.token == "pulumi:pulumi:readStackResourceOutputs"
        self.asked.append(args.args["stackName"])
        return {"name": "x", "outputs": self.state}


@pytest.fixture
def loop():
    """Return an event loop that pulumi finds, and that is closed afterwards."""
    found = asyncio.new_event_loop()
    asyncio.set_event_loop(found)
    yield found
    asyncio.set_event_loop(None)
    found.close()


@pytest.fixture
def tell(loop, caplog, monkeypatch, tmp_path):
    """Return a function that tells the difference from a state, and gives back what was logged."""

    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))

    def run(state, mesh, bundle, *, file=None, dry_run=True) -> list[str]:
        engine = _Engine(state)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            # As mocks.set_mocks does, but without a root resource, which would outlive this test.
            known = {"project": "slipway", "stack": "lab", "organization": "organization", "dry_run": dry_run}
            monitor = mocks.MockMonitor(engine)
            settings.configure(mocks.MockSettings(monitor=monitor, engine=mocks.MockEngine(None), **known))
            access_preview.tell(mesh, bundle, file=file)
            while tasks := asyncio.all_tasks(loop):
                loop.run_until_complete(asyncio.gather(*tasks))
        assert engine.asked == ["organization/slipway/lab"]
        return [record.getMessage() for record in caplog.records if record.name == "root"]

    return run


def test_the_state_that_was_compiled_is_no_change(tell):
    mesh, bundle = _load()
    assert tell(_state(mesh, bundle), mesh, bundle) == ["no call is gained, lost or changed"]


def test_an_update_says_again_only_what_its_preview_did_not_say(tell, monkeypatch, tmp_path):
    changed = _load(("POST /invoices", "POST /bills"))
    state = _state(*_load())
    whole = tell(state, *changed)
    assert len(whole[0].splitlines()) > 3
    assert tell(state, *changed, dry_run=False) == [
        "as the preview said: calls gained: 1, lost: 1, changed in kind: 0"
    ]
    assert tell(state, *changed, dry_run=False) == whole
    tell(state, *changed)
    other = tell(state, *_load(("      - {external: payments}\n", "")), dry_run=False)
    assert other[0].startswith("calls gained: 0, lost: 1")
    tell(state, *changed)
    monkeypatch.setattr(previewed, "LONGEST_S", 0)
    assert tell(state, *changed, dry_run=False) == whole
    (tmp_path / "file").touch()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "file"))
    assert whole == tell(state, *changed)


def test_an_empty_state_gains_everything(tell):
    told = tell({}, *_load())[0].splitlines()
    assert told[0] == "calls gained: 7, lost: 0, changed in kind: 0"


def test_objects_without_their_surroundings_gain_nothing_for_sure(tell, tmp_path):
    mesh, bundle = _load()
    state = _state(mesh, bundle)
    del state["urn::lab"]["outputs"][environment.ACCESS]
    warning, told = tell(state, mesh, bundle)
    assert warning.startswith("who reached whom before is not known, so every call is shown as it will be")
    assert told.startswith("calls allowed afterwards: 7; which of them are new is not known\n")
    assert "gained" not in told
    assert "  allowed: shop/orders -> billing.back-office.svc.cluster.local:9090" in told
    file = tmp_path / "access.json"
    tell(state, mesh, bundle, file=str(file))
    written = json.loads(file.read_text())
    assert written["unknown"] == warning
    assert len(written["allowed"]) > 5
    assert "gained" not in written
    assert "**allowed**" in written["markdown"]


def test_an_interrupted_first_update_that_made_nothing_is_a_new_stack(tell):
    mesh, bundle = _load()
    told = tell({"urn::lab": {"type": environment.TYPE, "outputs": {}}}, mesh, bundle)
    assert told[0].startswith("calls gained: 7, lost: 0")


def test_one_changed_path_is_one_gained_and_one_lost(tell):
    before = _load()
    told = tell(_state(*before), *_load(("POST /invoices", "POST /bills")))[0].splitlines()
    assert told[0] == "calls gained: 1, lost: 1, changed in kind: 0"
    assert [line.split()[-1] for line in told if line.startswith("  ") and line[2] != " "] == ["/bills", "/invoices"]


def test_a_service_that_is_gone_loses_its_calls(tell):
    before = _load()
    told = tell(_state(*before), *_load(("      - {external: payments}\n", "")))[0]
    assert "lost: shop/storefront -> payments.example.com:443" in told
    assert "calls gained: 0, lost: 1" in told


def test_an_object_that_the_cluster_lost_is_missing_before(tell):
    mesh, bundle = _load()
    state = _state(mesh, bundle)
    del state["urn::AuthorizationPolicy/shop/orders.pods"]
    told = tell(state, mesh, bundle)[0]
    assert told.startswith("calls gained: 2, lost: 0, changed in kind: 0")


def test_numbers_of_a_state_are_whole_again(loop):
    mesh, bundle = _load()
    struct = loop.run_until_complete(rpc.serialize_properties(_state(mesh, bundle), {}))
    found = {item.key: item for item in access_preview.kept(struct.items()).objects}
    for item in bundle.of("Service"):
        assert found[item.key] == item
        assert all(type(port["port"]) is int for port in found[item.key].body["spec"]["ports"])


def test_only_kinds_that_decide_are_kept(loop):
    mesh, bundle = _load()
    struct = loop.run_until_complete(rpc.serialize_properties(_state(mesh, bundle), {}))
    kinds = {item.kind for item in access_preview.kept(struct.items()).objects}
    assert kinds >= {"AuthorizationPolicy", "Namespace", "Service", "Sidecar", "WorkloadEntry"}
    assert not kinds & {"ServiceAccount", "Telemetry", "WorkloadGroup", "Secret"}


def test_an_object_with_a_secret_is_withheld_and_named(tell, tmp_path):
    mesh, bundle = _load()
    state = _state(mesh, bundle)
    secret = {rpc._special_sig_key: rpc._special_secret_sig, "value": CANARY}
    rules = [{"when": [{"key": "request.headers[x]", "values": [secret]}]}]
    policy = bundle.of("AuthorizationPolicy")[0]
    body = {**policy.to_dict(), "metadata": {"name": "other", "namespace": "shop"}, "spec": {"rules": rules}}
    state["urn::other"] = {"type": _token(policy), "outputs": body}
    state["urn::secret"] = {"type": "kubernetes:core/v1:Secret", "outputs": {"data": {"a": secret}}}
    file = tmp_path / "access.json"
    told = tell(state, mesh, bundle, file=str(file))
    assert told == ["left out of the access difference, for they hold secrets: other"]
    assert CANARY not in file.read_text()
    assert json.loads(file.read_text())["text"] == "no call is gained, lost or changed\n"


def test_a_state_that_cannot_be_read_is_a_warning(tell, tmp_path):
    mesh, bundle = _load()
    state = _state(mesh, bundle)
    state["urn::AuthorizationPolicy/shop/orders.pods"]["outputs"]["spec"]["rules"] = "none"
    told = tell(state, mesh, bundle)
    assert told[0].startswith("who reached whom before is not known, so no difference is shown")
    assert "the field has to be a list" in told[0]
    file = tmp_path / "access.json"
    tell(state, mesh, bundle, file=str(file))
    assert "the field has to be a list" in json.loads(file.read_text())["unknown"]
