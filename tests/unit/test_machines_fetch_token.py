"""The token fetcher, run from its text as the machine runs it."""

import base64
import getpass
import http.server
import importlib.resources
import json
import pwd
import threading
import time
import types
from typing import Any

import pytest

ROOT = "-----BEGIN CERTIFICATE-----\nxyz\n-----END CERTIFICATE-----\n"


def token(**claims: Any):
    known = {"aud": ["istio-ca"], "exp": time.time() + 86_400, **claims}  # collected long before it is used
    return ".".join(("h", base64.urlsafe_b64encode(json.dumps(known).encode()).decode().rstrip("="), "s"))


@pytest.fixture
def fetcher(tmp_path, monkeypatch):
    source = importlib.resources.files("slipway.machines").joinpath("files", "fetch_token.py")
    module = types.ModuleType("fetch_token")
    exec(compile(source.read_text(), "fetch_token.py", "exec"), module.__dict__)  # noqa: S102 - our own text, as the machine runs it
    settings = {
        "metadata_url": "http://127.0.0.1:1",
        "resource": "https://vault.azure.net",
        "client_id": "",
        "vault_url": "https://vault",
        "secret": "m-istio",
        "owner": getpass.getuser(),
        "token_file": str(tmp_path / "run" / "tokens" / "istio-token"),
        "root_file": str(tmp_path / "certs" / "root-cert.pem"),
        "certificate_file": str(tmp_path / "certs" / "cert-chain.pem"),
    }
    module.SETTINGS = tmp_path / "token.json"
    module.SETTINGS.write_text(json.dumps(settings))
    module.settings = settings
    module.slept = []
    monkeypatch.setattr(module.time, "sleep", module.slept.append)
    return module


def answering(fetcher, value, asked=None):
    def ask(url, headers) -> dict[str, str]:
        if asked is not None:
            asked.append((url, headers))
        return {"access_token": "identity-secret"} if "metadata" in url else {"value": json.dumps(value)}

    fetcher.ask = ask


def test_it_writes_both_files_for_the_sidecars_user_alone(fetcher, tmp_path, capsys):
    secret, asked = token(), []
    answering(fetcher, {"token": secret, "rootCertificate": ROOT}, asked)
    assert fetcher.main() == 0
    written = tmp_path / "run" / "tokens" / "istio-token"
    assert written.read_text() == secret
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.stat().st_uid == pwd.getpwnam(getpass.getuser()).pw_uid
    assert written.parent.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "certs" / "root-cert.pem").read_text() == ROOT
    assert [path.name for path in written.parent.iterdir()] == ["istio-token"]
    assert asked[0][1] == {"Metadata": "true"}
    assert asked[1] == ("https://vault/secrets/m-istio?api-version=7.4", {"Authorization": "Bearer identity-secret"})
    printed = "".join(capsys.readouterr())
    assert secret not in printed
    assert "identity-secret" not in printed


def test_it_replaces_an_older_token(fetcher, tmp_path):
    for secret in (token(jti="1"), token(jti="2")):
        answering(fetcher, {"token": secret, "rootCertificate": ROOT})
        assert fetcher.main() == 0
        assert (tmp_path / "run" / "tokens" / "istio-token").read_text() == secret


def test_a_link_in_the_folders_place_is_refused(fetcher, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tokens").symlink_to(tmp_path / "elsewhere")
    answering(fetcher, {"token": token(), "rootCertificate": ROOT})
    with pytest.raises(OSError, match="tokens"):
        fetcher.main()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"token": "nonsense", "rootCertificate": ROOT}, "no ServiceAccount token"),
        ({"token": token(aud=["https://kubernetes"]), "rootCertificate": ROOT}, "audience is not istio-ca"),
        ({"token": token(exp=1), "rootCertificate": ROOT}, "has expired"),
        ({"token": token(), "rootCertificate": "none"}, "no root certificate"),
        ({"rootCertificate": ROOT}, "another shape (KeyError)"),
        ([1], "another shape (TypeError)"),
    ],
)
def test_what_istiod_would_refuse_is_not_written_and_retries_end(fetcher, tmp_path, capsys, value, said):
    answering(fetcher, value)
    assert fetcher.main() == 1
    assert said in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert fetcher.slept == list(fetcher.DELAYS_S)
    assert sum(fetcher.slept) < 60


def test_with_a_certificate_on_disk_nobody_waits(fetcher, tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "cert-chain.pem").touch()
    answering(fetcher, [1])
    assert fetcher.main() == 1
    assert fetcher.slept == [0]


def test_a_vault_without_tls_is_refused(fetcher):
    with pytest.raises(fetcher.Refused, match="https"):
        fetcher.fetch({**fetcher.settings, "vault_url": "http://vault"})


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = self.path.strip("/")
            self.send_response({"moved": 302, "forbidden": 403}.get(kind, 200))
            self.send_header("Location", "/fine")
            self.end_headers()
            self.wfile.write(b"body-secret" if kind == "noise" else json.dumps(dict(self.headers)).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    made = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def test_headers_arrive_and_the_environments_proxy_is_not_asked(fetcher, server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetcher.ask(f"{server}/fine", {"Metadata": "true"})["Metadata"] == "true"


@pytest.mark.parametrize(("path", "said"), [("moved", "302"), ("forbidden", "403"), ("noise", "not JSON")])
def test_refusals_say_who_and_why_and_nothing_of_the_body(fetcher, server, path, said):
    with pytest.raises(fetcher.Refused, match=said) as raised:
        fetcher.ask(f"{server}/{path}", {})
    assert "127.0.0.1" in str(raised.value)
    assert "body-secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_nobody_there_is_a_refusal(fetcher):
    with pytest.raises(fetcher.Refused, match=r"127\.0\.0\.1:1"):
        fetcher.ask("http://127.0.0.1:1/x", {})
