"""The lab's keys: who signs what, for whom, and that a second run changes nothing."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509 import oid

from slipway.lab import certificates, kubernetes
from slipway.lab import instance as instances


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    instance = instances.Instance(name="lab", state=folder / "state", cache=folder / "cache")
    certificates.ensure(instance)
    return instance


def load(instance, name):
    return x509.load_pem_x509_certificate(certificates.certificate_path(instance, name).read_bytes())


def test_every_certificate_is_signed_by_its_authority(made):
    for request in (*certificates.cluster_requests(), *certificates.public_requests()):
        certificate = load(made, request.name)
        certificate.verify_directly_issued_by(load(made, request.authority))
        groups = {item.value for item in certificate.subject.get_attributes_for_oid(oid.NameOID.ORGANIZATION_NAME)}
        assert groups == set(request.groups)


def test_the_api_server_is_known_by_every_address_that_reaches_it(made):
    names = load(made, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = set(map(str, names.get_values_for_type(x509.IPAddress)))
    assert {"127.0.0.1", instances.NODE_ADDRESS, instances.KUBERNETES_SERVICE_ADDRESS} <= addresses
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_keys_are_their_owners_alone(made):
    folder = made.state / "certificates"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}


def test_a_second_run_changes_nothing(made):
    before = {path.name: path.read_bytes() for path in (made.state / "certificates").iterdir()}
    certificates.ensure(made)
    assert {path.name: path.read_bytes() for path in (made.state / "certificates").iterdir()} == before


def test_what_was_cut_off_is_made_anew(tmp_path):
    instance = instances.Instance(name="lab", state=tmp_path / "state", cache=tmp_path / "cache")
    certificates.ensure(instance)
    kept = load(instance, "apiserver")
    certificates.key_path(instance, "admin").unlink()
    certificates.key_path(instance, "scheduler").write_bytes(certificates.key_path(instance, "kubelet").read_bytes())
    certificates.ensure(instance)
    assert load(instance, "apiserver") == kept
    for name in ("admin", "scheduler"):
        assert certificates._is_current(certificates.certificate_path(instance, name), issuer=None)


def test_a_new_authority_signs_everything_again(tmp_path):
    instance = instances.Instance(name="lab", state=tmp_path / "state", cache=tmp_path / "cache")
    certificates.ensure(instance)
    certificates.certificate_path(instance, certificates.CLUSTER).unlink()
    certificates.ensure(instance)
    load(instance, "kubelet").verify_directly_issued_by(load(instance, certificates.CLUSTER))


def test_a_public_certificate_carries_its_names_and_its_key_stays_in_memory(made):
    before = sorted(path.name for path in (made.state / "certificates").iterdir())
    pair = certificates.issue_public(made, ["shop.example.com", "10.60.1.100"])
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    certificate.verify_directly_issued_by(load(made, certificates.PUBLIC))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop.example.com"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.60.1.100")]
    assert sorted(path.name for path in (made.state / "certificates").iterdir()) == before


def test_without_a_lab_there_is_no_authority(tmp_path):
    instance = instances.Instance(name="lab", state=tmp_path, cache=tmp_path)
    with pytest.raises(instances.LabError, match="run `slipway lab up` first"):
        certificates.issue_public(instance, ["a.example"])


def test_kubeconfigs_differ_in_user_and_door(made):
    found = kubernetes.kubeconfigs(made, 4711)
    assert "https://127.0.0.1:4711" in found["kubeconfig"]
    assert all("https://10.60.1.10:6443" in text for path, text in found.items() if path != "kubeconfig")
    assert len(set(found.values())) == len(found)
