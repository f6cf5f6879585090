"""A machine that was off for longer than its credentials live: what it has is worth nothing, what it fetches is."""

import base64
import datetime
import json
import time

import guarded_machine
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from slipway.lab import certificates, network
from slipway.lab.machines import api, readiness, record
from slipway.mesh import model

pytestmark = pytest.mark.lab
NAME = "billing-vm"
TOKEN = "/var/run/secrets/tokens/istio-token"
CERTIFICATE = "/etc/certs/cert-chain.pem"
SETTINGS = "/var/lib/istio/envoy/sidecar.env"  # the package's own file for overrides, read before Slipway's settings
LIFE_S = 8
CONNECTED_S = 60
CLOSED = "table ip away { chain away { type filter hook prerouting priority -300; ip daddr 10.60.0.4 drop; }; }"


@pytest.fixture
def lab(running_lab):
    """The machine with certificates that live for seconds; afterwards as it was."""
    instance = running_lab.instance
    api.ready(instance, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    shell(instance, f"echo SECRET_TTL={LIFE_S}s >> {SETTINGS}; systemctl restart istio.service")
    try:
        guarded_machine.wait_for(lambda: lives_for_s(instance) <= LIFE_S + 1)
        yield instance
    finally:
        shell(instance, f"sed -i /^SECRET_TTL=/d {SETTINGS}; systemctl restart istio.service")
        api.ready(instance, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)


def shell(lab, script):
    return api.execute(lab, NAME, ["/bin/sh", "-c", script], timeout_s=60).stdout


def certificate(lab):
    return x509.load_pem_x509_certificate(shell(lab, f"cat {CERTIFICATE}").encode())


def lives_for_s(lab):
    """Return for how long the machine's certificate is good, from now."""
    left = certificate(lab).not_valid_after_utc - datetime.datetime.now(tz=datetime.UTC)
    return left.total_seconds()


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def expired(lab, token):
    """Return the token as it is an hour after its life: signed by the cluster's own key, and worth nothing."""
    key = serialization.load_pem_private_key(
        certificates.key_path(lab, certificates.SERVICE_ACCOUNT_KEY).read_bytes(), password=None
    )
    known = claims(token)
    older = {name: known[name] - 7200 for name in ("exp", "iat", "nbf")}
    head, body = token.split(".")[0], encoded(json.dumps({**known, **older}).encode())
    pair = utils.decode_dss_signature(key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{body}.{encoded(b''.join(number.to_bytes(32, 'big') for number in pair))}"


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def missing(lab):
    return readiness.observe(lab, record.read(lab, NAME), readiness.Level.CONNECTED).missing


def test_off_for_longer_than_its_certificate_lives_it_rejoins_by_a_fresh_token_alone(lab, running_lab):
    """Egress is locked: nothing but the platform's metadata and key vault is left to a machine without a sidecar."""
    assert running_lab.mesh.phases.egress is model.EgressMode.LOCKED
    before = shell(lab, f"cat {TOKEN}")
    api.stop(lab, NAME)
    off_at = time.time()
    network.run(lab, "platform", ["nft", CLOSED], timeout_s=20)
    try:
        time.sleep(LIFE_S + 1)
        api.reboot(lab, NAME, print)
        assert lives_for_s(lab) < 0
        old = expired(lab, before)
        shell(lab, f"install -D -m 600 -o istio-proxy /dev/stdin {TOKEN} <<END\n{old}\nEND\n")
        script = "journalctl --boot --unit slipway-token.service --quiet | grep --max-count=1 'no token yet' || true"
        guarded_machine.wait_for(lambda: shell(lab, script) != "")
        assert missing(lab) == ("the sidecar is not ready",)
        assert lives_for_s(lab) < 0, "an expired token buys nothing"
    finally:
        network.run(lab, "platform", ["nft", "delete table ip away"], timeout_s=20)
    api.ready(lab, NAME, level=api.Level.CONNECTED, timeout_s=CONNECTED_S)
    assert claims(shell(lab, f"cat {TOKEN}"))["iat"] >= off_at + LIFE_S
    assert lives_for_s(lab) > 0
    report = running_lab.verify("--undisturbed", "--only", "billing")
    assert report["findings"]
    assert [line for line in report["findings"] if not line["passed"]] == []
