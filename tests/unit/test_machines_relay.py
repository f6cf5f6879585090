"""The relay of machines' tokens, run from its text as the pod runs it, against servers that answer as theirs do."""

import base64
import http.server
import importlib.resources
import ipaddress
import json
import ssl
import threading
import types
import urllib.parse

import pytest
from cryptography import x509

from slipway.lab import certificates

KEY = "-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n"
CHAIN = "".join(f"-----BEGIN CERTIFICATE-----\n{item}\n-----END CERTIFICATE-----\n" for item in "ab")
ROOT = "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"
MACHINES = [
    {"secret": "billing-vm-istio", "namespace": "back-office", "service_account": "billing-vm"},
    {"secret": "db-vm-istio", "namespace": "data", "service_account": "db-vm"},
]
CERTIFICATES = [{"secret": "shop-example-com", "namespace": "istio-ingress", "name": "shop-example-com"}]


class World:
    """The cluster's API, the identity platform and the key vault as one server; each can be told to refuse."""

    def __init__(self) -> None:
        self.vault = {"shop-example-com": KEY + CHAIN}
        self.applied: dict[str, dict] = {}
        self.refuses: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []

    def answer(self, method, path, body, token):
        parts = urllib.parse.urlsplit(path)
        self.asked.append((method, parts.path, token))
        if any(word in path for word in self.refuses):
            return 403, {"secret": "an error's body that nobody shall see"}
        if parts.path == "/tenant/oauth2/v2.0/token":
            form = dict(urllib.parse.parse_qsl(body))
            assert form["client_assertion"] == "federated"
            assert form["scope"] == "https://vault.azure.net/.default"
            return 200, {"access_token": "access"}
        if parts.path.startswith("/secrets/"):
            assert (token, parts.query) == ("access", "api-version=7.4")
            name = parts.path.split("/")[2]
            if method == "PUT":
                self.vault[name] = json.loads(body)["value"]
            return 200, {"value": self.vault[name]}
        assert token == "account"
        return 200, self._cluster(method, parts, body)

    def _cluster(self, method, parts, body) -> dict:
        words = parts.path.split("/")
        if parts.path.endswith("/token"):
            spec = json.loads(body)["spec"]
            assert spec == {"audiences": ["istio-ca"], "expirationSeconds": 3600}
            return {"status": {"token": f"token-of-{words[6]}"}}
        if method == "PATCH":
            self.applied[words[6]] = json.loads(body)
            return {}
        return {"data": {"root-cert.pem": ROOT}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key = certificates.ec.generate_private_key(certificates.ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = certificates._builder(name, name, key.public_key())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = builder.add_extension(names, critical=False).sign(key, certificates.hashes.SHA256())
    (folder / "ca.crt").write_bytes(certificates._certificate_bytes(signed))
    (folder / "key.pem").write_bytes(certificates._key_bytes(key))
    return folder


@pytest.fixture
def world(pair):
    known = World()

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            status, document = known.answer(self.command, self.path, body, token)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PUT = do_PATCH = respond  # noqa: N815 - the base class's names

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair / "ca.crt", pair / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    known.port = server.server_address[1]
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def relay(world, pair, tmp_path, monkeypatch):
    source = importlib.resources.files("slipway.machines").joinpath("files", "relay.py")
    module = types.ModuleType("relay")
    exec(compile(source.read_text(), "relay.py", "exec"), module.__dict__)  # noqa: S102 - our own text, as the pod runs it
    module.ACCOUNT = tmp_path
    module.DELIVERED = tmp_path / "delivered"
    module.SETTINGS = tmp_path / "relay.json"
    (tmp_path / "token").write_text("account")
    (tmp_path / "federated").write_text("federated")
    (tmp_path / "ca.crt").write_bytes((pair / "ca.crt").read_bytes())
    address = f"https://127.0.0.1:{world.port}"
    variables = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(world.port),
        "AZURE_AUTHORITY_HOST": f"{address}/",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "federated"),
        "SSL_CERT_FILE": str(pair / "ca.crt"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    module.settings = {"vault_url": address, "machines": MACHINES, "certificates": CERTIFICATES}
    module.SETTINGS.write_text(json.dumps(module.settings))
    return module


def test_every_machine_gets_its_own_token_and_the_root(relay, world):
    assert relay.go_round(relay.settings)
    assert json.loads(world.vault["billing-vm-istio"]) == {"token": "token-of-billing-vm", "rootCertificate": ROOT}
    assert json.loads(world.vault["db-vm-istio"])["token"] == "token-of-db-vm"
    assert ("POST", "/api/v1/namespaces/data/serviceaccounts/db-vm/token", "account") in world.asked


def test_a_certificate_becomes_a_tls_secret(relay, world):
    relay.go_round(relay.settings)
    applied = world.applied["shop-example-com"]
    assert (applied["type"], applied["metadata"]["namespace"]) == ("kubernetes.io/tls", "istio-ingress")
    assert base64.b64decode(applied["data"]["tls.crt"]).decode() == CHAIN
    assert base64.b64decode(applied["data"]["tls.key"]).decode() == KEY


def test_one_machine_that_fails_does_not_stop_the_others(relay, world, capsys):
    world.refuses = {"serviceaccounts/billing-vm"}
    assert not relay.go_round(relay.settings)
    assert "db-vm-istio" in world.vault
    assert "billing-vm-istio" not in world.vault
    assert "billing-vm-istio: POST" in capsys.readouterr().out


def test_a_certificate_that_is_not_there_keeps_no_token_back(relay, world, capsys):
    world.vault["shop-example-com"] = "not PEM"
    assert relay.go_round(relay.settings)
    assert not world.applied
    assert "has no certificate with its key in PEM" in capsys.readouterr().out


@pytest.mark.parametrize("refused", ["oauth2", "secrets", "serviceaccounts", "configmaps"])
def test_nothing_that_passes_through_is_printed(relay, world, refused, capsys):
    """S2: neither when it goes well nor when it does not."""
    relay.go_round(relay.settings)
    world.refuses = {refused}
    assert not relay.go_round(relay.settings)
    said = "".join(capsys.readouterr())
    for secret in ("token-of", "federated", '"access"', "account\n", "PRIVATE KEY", "nobody shall see"):
        assert secret not in said


def test_it_is_healthy_only_after_a_whole_round(relay, world, monkeypatch):
    class Stop(Exception):  # noqa: N818 - ends the loop
        pass

    slept = []

    def sleep(seconds) -> None:
        slept.append(seconds)
        world.refuses = set()
        if len(slept) == 2:
            raise Stop

    monkeypatch.setattr(relay.time, "sleep", sleep)
    assert relay.main(["--healthy"]) == 1
    world.refuses = {"oauth2"}
    with pytest.raises(Stop):
        relay.main([])
    assert slept == [relay.RETRY_S, relay.PERIOD_S]
    assert relay.main(["--healthy"]) == 0
    monkeypatch.setattr(relay.time, "time", lambda: relay.DELIVERED.stat().st_mtime + relay.LIFETIME_S)
    assert relay.main(["--healthy"]) == 1


def test_another_authority_is_not_believed(relay, world, monkeypatch, capsys):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert not relay.go_round(relay.settings)
    assert "no access to the key vault" in capsys.readouterr().out
    assert not world.asked
