"""The real engine, real programs and the SDK against the stand-in."""

import base64
import json
import os
import signal
import time

import pytest
import stand_in_example as example
import stand_in_refusals as refusals
from pulumi.runtime import rpc

pytestmark = pytest.mark.engine


def declare(project, waves):
    """Let the program register these resources."""
    entries = [[[made.token, made.name, made.inputs] for made in wave] for wave in waves]
    (project.folder / "resources.json").write_text(json.dumps(entries))


def changed(*made):
    """Return the base with some of its resources exchanged for others of the same name."""
    others = {(item.token, item.name): item for item in made}
    return [others.get((item.token, item.name), item) for item in example.BASE]


def up(project, *arguments):
    return project.run("up", "--yes", "--skip-preview", *arguments)


def planned(project):
    """Return what a preview would do, by name and kind of step."""
    done = project.run("preview", "--json", "--show-secrets")
    assert done.returncode == 0, done.stdout[-6000:]
    return {(item["urn"].split("::")[-1], item["op"]): item for item in json.loads(done.stdout)["steps"]}


def kinds(steps):
    return {kind for _, kind in steps}


def kept(project):
    """Return what the state holds, by name."""
    document = json.loads(project.run("stack", "export").stdout)["deployment"]
    return {item["urn"].split("::")[-1]: item for item in document["resources"]}


def forget_all_but(project, names):
    """Let the state know only ``names``, as if someone else held the rest."""
    document = json.loads(project.run("stack", "export").stdout)
    resources = document["deployment"]["resources"]
    for item in resources:
        item.update(dependencies=[], propertyDependencies={})
    is_ours = {"pulumi:pulumi:Stack", "pulumi:providers:azure-native"}
    document["deployment"]["resources"] = [
        item for item in resources if item["type"] in is_ours or item["urn"].split("::")[-1] in names
    ]
    path = project.folder / "state.json"
    path.write_text(json.dumps(document))
    done = project.run("stack", "import", "--file", str(path))
    assert done.returncode == 0, done.stdout


def test_every_refusal_reaches_the_engine_and_the_rest_is_created(project):
    declared = project("declared")
    declare(declared, [*example.WAVES, [case.made for case in refusals.CREATES]])
    done = up(declared, "--continue-on-error")
    said = " ".join(done.stdout.split())
    assert not [case.made.name for case in refusals.CREATES if case.says not in said], done.stdout[-9000:]
    assert f"{len(example.BASE) + 1} created" in said, "the stack itself counts"

    declare(declared, example.WAVES)
    assert kinds(planned(declared)) == {"same"}

    declare(declared, [changed(*(case.made for case in refusals.CHANGES))])
    said = " ".join(up(declared, "--continue-on-error").stdout.split())
    assert not [case.says for case in refusals.CHANGES if case.says not in said], said[-9000:]

    names = {case.made.name for case in refusals.DELETES} & set(kept(declared))
    forget_all_but(declared, {"stshop", *names})
    said = " ".join(declared.run("destroy", "--yes", "--skip-preview", "--continue-on-error").stdout.split())
    wanted = [case.says for case in refusals.DELETES if case.made.name in names]
    assert not [says for says in ("ScopeLocked", *wanted) if says not in said], said[-9000:]
    assert " deleted " not in said


def test_mistyped_inputs_stop_a_preview_with_the_nearest_name(project):
    declared = project("declared")
    subnet = example.subnet("app", "10.0.1.0/24", delegations=[{"name": "x", "servicename": "y"}])
    declare(declared, [[subnet._replace(inputs={**subnet.inputs, "defaultOutboundAccess": "no"})]])
    done = declared.run("preview")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "unknown property `servicename` of `delegations[0]`; did you mean `serviceName`?" in said
    assert "`defaultOutboundAccess` must be true or false; found 'no'" in said


def test_a_program_lives_on_the_stand_in_as_on_azure(project, stand_in):
    small = project("small", group="rg-small", vault="kv-small")
    first = planned(small)
    assert kinds(first) == {"create"}
    assert first["aks", "create"]["newState"]["inputs"]["agentPoolProfiles"][0]["vnetSubnetID"] == rpc.UNKNOWN
    assert first["cluster-network", "create"]["newState"]["inputs"]["principalId"] == rpc.UNKNOWN

    stand_in.inject(
        {"on": "create", "do": "partial", "type": "keyvault:Secret", "code": "Conflict"},
        {"on": "create", "do": "throttle", "type": "network:VirtualNetwork", "times": 4},
    )
    said = up(small, "--continue-on-error").stdout
    assert "Conflict" in said
    assert "TooManyRequests" in said
    assert kept(small)["token"]["initErrors"]
    done = up(small)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "initErrors" not in kept(small)["token"]

    assert kinds(planned(small)) == {"same"}
    assert "canary-of-the-vault" not in json.dumps(kept(small))
    outputs = json.loads(small.run("stack", "output", "--json", "--show-secrets").stdout)
    assert outputs["subnet"].endswith("/virtualNetworks/" + kept(small)["vnet"]["outputs"]["name"] + "/subnets/nodes")
    assert outputs["identities"] == [kept(small)["cluster"]["id"]]
    assert outputs["uri"] == "https://kv-small.vault.azure.net/"
    assert b"kubelogin" in base64.b64decode(outputs["kubeconfig"])
    refreshed = small.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert refreshed.returncode == 0, refreshed.stdout[-3000:]


def test_what_is_replaced_and_what_a_deleted_vault_keeps(project, stand_in):
    small = project("small", group="rg-moved", vault="kv-moved")
    assert up(small).returncode == 0
    small.run("config", "set", "tier", "prod")
    small.run("config", "set", "dns", "other")
    replaced = {
        name: step["replaceReasons"] for (name, _), step in planned(small).items() if step.get("replaceReasons")
    }
    assert replaced == {"aks": ["dnsPrefix"]}

    stand_in.inject({"on": "delete", "do": "refuse", "type": "network:Subnet", "code": "AnotherOperationInProgress"})
    refused = small.run("destroy", "--yes", "--skip-preview")
    assert refused.returncode != 0
    assert "AnotherOperationInProgress" in refused.stdout
    destroyed = small.run("destroy", "--yes", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout[-3000:]
    assert not [key for key in stand_in.records() if "/resourcegroups/rg-moved" in key]
    assert "a vault kv-moved exists in deleted state" in up(small).stdout


def wait_for_only(project, pending, done):
    """Wait until the engine has written that ``done`` is made and only ``pending`` is under way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.1)
        found = list(project.backend.rglob("stacks/**/test.json"))
        if not found or not (text := found[0].read_text()).endswith("}"):
            continue
        latest = json.loads(text)["checkpoint"]["latest"]
        under_way = [item["resource"]["urn"].split("::")[-1] for item in latest.get("pending_operations", [])]
        if under_way == [pending] and {item["urn"].split("::")[-1] for item in latest["resources"]} >= done:
            return
    pytest.fail(f"{pending} was never the only one under way")


def test_a_killed_update_leaves_what_azure_goes_on_to_make(project, stand_in):
    small = project("small", group="rg-killed", vault="kv-killed")
    stand_in.inject({"on": "create", "do": "slow", "type": "managedidentity:*", "seconds": 90})
    child = small.start("up", "--yes", "--skip-preview")
    wait_for_only(small, "cluster", {"rg", "vnet", "nodes", "vault", "token"})
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    wanted = example.rid("Microsoft.ManagedIdentity/userAssignedIdentities", "id-cluster", group="rg-killed")
    assert small.run("cancel", "--yes").returncode == 0
    assert kept(small).keys().isdisjoint({"cluster"})
    assert small.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates").returncode == 0
    kind = "azure-native:managedidentity:UserAssignedIdentity"
    adopt = ["--yes", "--skip-preview", "--generate-code=false", "--protect=false"]
    adopted = small.run("import", kind, "cluster", wanted, *adopt)
    assert adopted.returncode == 0, adopted.stdout[-3000:]
    assert "warning" not in adopted.stdout
    assert kept(small)["cluster"]["id"] == wanted
    done = up(small)
    assert done.returncode == 0, done.stdout[-3000:]
    destroyed = small.run("destroy", "--yes", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout[-3000:]
    assert not [key for key in stand_in.records() if "/resourcegroups/rg-killed" in key]
