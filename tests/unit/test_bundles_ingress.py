"""The way in: which server a host shares, and who needs a token."""

from policies.bundles import bundle, compiler
from slipway.manifests import manifest
from slipway.mesh import loader

MESH = "mesh: shop\nservices: {web: {namespace: shop, ports: {http: 8080, tls: 8443}}}\ningress:\n"
PHASE = 'platform: lab\nrevision: "1-29-1"\nphase: {mtls: strict, egress: locked, authorization: MODE}\n'
KEYS = """'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "eA"}]}'"""
USER = f"{{issuer: i, audiences: [one], jwks: {KEYS}}}"


def _bundle(*hosts: str, mode="enforced") -> bundle.Bundle:
    text = MESH + "".join(f"  {host}\n" for host in hosts)
    environment = loader.Source(file="lab.yaml", text=PHASE.replace("MODE", mode))
    mesh = loader.load([loader.Source(file="mesh.yaml", text=text)], environment, environment_name="lab")
    return compiler.compile_bundle(mesh)


def _policy(compiled, name) -> manifest.Manifest:
    return next(item for item in compiled.of("AuthorizationPolicy") if item.name == name)


def test_hosts_share_a_server_exactly_when_they_share_a_certificate():
    compiled = _bundle(
        "a: {host: a.example.com, certificate: one, routes: {/: {service: web, port: http}}}",
        "b: {host: b.example.com, certificate: one, redirectHttp: false, routes: {/: {service: web, port: http}}}",
        "c: {host: c.example.com, routes: {/: {service: web, port: http}}}",
    )
    servers = {item.name: [i["hosts"] for i in item.body["spec"]["servers"]] for item in compiled.of("Gateway")}
    assert servers == {
        "a": [["./a.example.com", "./b.example.com"], ["./a.example.com"]],
        "c": [["./c.example.com"], ["./c.example.com"]],
    }


def test_a_token_is_needed_behind_tls_and_not_for_the_redirect():
    compiled = _bundle(f"a: {{host: a.example.com, routes: {{/: {{service: web, port: http}}}}, endUser: {USER}}}")
    rules = _policy(compiled, "a.host").body["spec"]["rules"]
    assert [(rule["to"][0]["operation"]["ports"], "when" in rule) for rule in rules] == [
        (["443"], True),
        (["80"], False),
    ]


def test_tokens_wait_until_authorization_is_enforced():
    host = f"a: {{host: a.example.com, routes: {{/: {{service: web, port: http}}}}, endUser: {USER}}}"
    observed = _bundle(host, mode="observed")
    assert observed.of("RequestAuthentication") == ()
    assert "when" not in _policy(observed, "a.host").body["spec"]["rules"][0]
    assert len(_bundle(host).of("RequestAuthentication")) == 1


def test_one_issuer_serves_hosts_with_different_audiences():
    other = USER.replace("one", "two")
    compiled = _bundle(
        f"a: {{host: a.example.com, routes: {{/: {{service: web, port: http}}}}, endUser: {USER}}}",
        f"b: {{host: b.example.com, routes: {{/: {{service: web, port: http}}}}, endUser: {other}}}",
    )
    (authentication,) = compiled.of("RequestAuthentication")
    assert [rule["audiences"] for rule in authentication.body["spec"]["jwtRules"]] == [["one", "two"]]
    asked = _policy(compiled, "b.host").body["spec"]["rules"][0]["when"][1]
    assert asked == {"key": "request.auth.audiences", "values": ["two"]}


def test_what_is_passed_through_is_allowed_by_its_name_in_tls():
    compiled = _bundle("a: {host: a.example.com, tls: passthrough, routes: {/: {service: web, port: tls}}}")
    passed, redirect = _policy(compiled, "a.host").body["spec"]["rules"]
    assert passed["when"] == [{"key": "connection.sni", "values": ["a.example.com"]}]
    assert "hosts" not in passed["to"][0]["operation"]
    assert redirect["to"][0]["operation"]["ports"] == ["80"]
