"""Metadata and key vault: who gets what, and who does not."""

import json

import pytest

from slipway.lab import identity_server as server
from slipway.lab import instance as instances
from slipway.lab import platform

TOKEN = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
SECRET = "/secrets/billing-vm-istio?api-version=7.4"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def identities(tmp_path, clock):
    instance = instances.Instance(name="lab", state=tmp_path, cache=tmp_path)
    for name, address in (("billing-vm", "10.60.2.11"), ("db-vm", "10.60.2.12")):
        platform.register_machine(instance, name, address=address, namespace="shop", service_account=name)
    return server.Identities(tmp_path / "platform" / "machines", clock)


def token_of(identities, address="10.60.2.11"):
    return server.metadata(identities, address=address, path=TOKEN, marked=True).body["access_token"]


def ask_vault(identities, path=SECRET, authorization=None):
    return server.vault(
        identities, path=path, authorization=authorization or "", value=lambda item: f"of {item.name}"
    )


def test_a_machine_reads_its_own_secret(identities):
    answer = ask_vault(identities, authorization=f"Bearer {token_of(identities)}")
    assert (answer.status, answer.body["value"]) == (200, "of billing-vm")


def test_and_no_other_one(identities):
    path = "/secrets/db-vm-istio?api-version=7.4"
    answer = ask_vault(identities, path=path, authorization=f"Bearer {token_of(identities)}")
    assert answer.status == 403
    assert "value" not in answer.body


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer wrong", "Basic abc", "bearer"])
def test_without_a_token_of_ours_nothing_is_told(identities, authorization):
    assert ask_vault(identities, authorization=authorization).status == 401


def test_a_token_ends_with_its_time_and_with_its_machine(identities, clock, tmp_path):
    token = token_of(identities)
    clock.now += server.ACCESS_TOKEN_LIFETIME_S - 1
    assert ask_vault(identities, authorization=f"Bearer {token}").status == 200
    clock.now += 1
    assert ask_vault(identities, authorization=f"Bearer {token}").status == 401
    fresh = token_of(identities)
    platform.unregister_machine(instances.Instance(name="lab", state=tmp_path, cache=tmp_path), "billing-vm")
    assert ask_vault(identities, authorization=f"Bearer {fresh}").status == 401


@pytest.mark.parametrize(
    ("address", "path", "marked", "status"),
    [
        ("10.60.2.99", TOKEN, True, 400),  # nobody's address
        ("10.61.0.7", TOKEN, True, 400),  # a pod
        ("10.60.2.11", TOKEN, False, 400),  # without the header that a forged request cannot set
        ("10.60.2.11", TOKEN.replace("api-version=2018-02-01&", ""), True, 400),
        ("10.60.2.11", TOKEN.replace("vault.azure.net", "management.azure.com"), True, 400),
        ("10.60.2.11", "/metadata/other?api-version=1", True, 404),
        ("10.60.2.11", "/metadata/instance/compute?api-version=2021-02-01", True, 200),
    ],
)
def test_metadata_answers_the_machine_alone(identities, address, path, marked, status):
    answer = server.metadata(identities, address=address, path=path, marked=marked)
    assert answer.status == status
    assert "access_token" not in answer.body


@pytest.mark.parametrize("path", ["/keys/x?api-version=7.4", "/secrets?api-version=7.4", "/?api-version=7.4"])
def test_the_vault_has_secrets_only(identities, path):
    assert ask_vault(identities, path=path, authorization=f"Bearer {token_of(identities)}").status == 404


def test_tokens_are_not_kept(identities):
    token = token_of(identities)
    assert token not in repr(vars(identities))


def test_names_of_owners_live_side_by_side(tmp_path):
    instance = instances.Instance(name="lab", state=tmp_path, cache=tmp_path)
    platform.set_names(instance, "billing-vm", {"billing.corp.local": "10.60.2.11"})
    platform.set_names(instance, "db-vm", {"db.corp.local": "10.60.2.12"})
    platform.set_names(instance, "billing-vm", {"billing.corp.local": "10.60.2.13"})
    hosts = (tmp_path / "platform" / "hosts").read_text()
    assert hosts == "10.60.2.13 billing.corp.local\n10.60.2.12 db.corp.local\n"
    platform.set_names(instance, "billing-vm", {})
    assert json.loads((tmp_path / "platform" / "names.json").read_text()) == {
        "db-vm": {"db.corp.local": "10.60.2.12"}
    }
