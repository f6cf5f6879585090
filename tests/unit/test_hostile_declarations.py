"""Cases Y: declarations that are malformed, or look like something else than they are."""

import itertools
import random
import re
import resource
import subprocess
import sys

import hostile
import pytest

SERVICES = "mesh: shop\nservices:\n  a: {namespace: shop, ports: {http: 8080}}\n"
ALIASES = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in itertools.pairwise("abcdefghi")]
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _service(keys: str) -> str:
    return (
        f"mesh: shop\nservices:\n  a: {{namespace: shop, ports: {{http: 8080}}}}\n  b: {{namespace: shop, {keys}}}\n"
    )


def _external(keys: str) -> str:
    return f"{SERVICES}external:\n  out: {{{keys}}}\n"


def _network(value: str) -> str:
    return f"{hostile.ENVIRONMENT}network: {{pods: {value}}}\n"


def test_y1_an_alias_bomb_costs_a_second_and_256_mebibytes_at_most(folder):
    hostile.check(folder, ALIASES).refuses("MESH0110")
    # The peak is the program's own: the one that the parent is told counts the parent before the program began.
    program = (
        "import atexit, pathlib; from slipway import cli\n"
        "atexit.register(lambda: print(pathlib.Path('/proc/self/status').read_text()))\n"
        "cli.main()"
    )
    argv = [sys.executable, "-c", program, "check", "lab"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2, done.stderr
    peak_kib = int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1])
    assert peak_kib < 256 * 1024
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_y2_both_places_of_a_duplicate_key_are_told(folder):
    said = hostile.check(folder, f"{SERVICES}  a: {{namespace: shop}}\n")
    said.refuses("MESH0106", "stacks/mesh.yaml:4:3", "line 3", "remove one of the two")


@pytest.mark.parametrize(
    ("port", "found"),
    [("22:22", "22:22"), ("010", "010"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("1.5", "1.5"), ('"80"', "80")],
)
def test_y4_ports_are_plain_decimal_numbers(folder, port, found):
    hostile.check(folder, _service(f"ports: {{http: {port}}}")).refuses("MESH0302", f"found: {found}")


@pytest.mark.parametrize("word", ["NO", "on", "yes", "off", "2027-06-30", "1.30", "1_000"])
def test_y4_text_that_other_readers_would_not_take_for_text_is_quoted(folder, word):
    hostile.check(folder, _service(f"versions: [{word}]")).refuses("MESH0301", f'quote it: "{word}"')
    assert hostile.check(folder, _service(f'versions: ["{word}"]')).code == 0


def test_y4_a_version_that_yaml_reads_as_a_number_is_quoted(folder):
    environment = hostile.ENVIRONMENT.replace('"1-29-1"', "1.30")
    hostile.check(folder, SERVICES, environment).refuses("MESH0301", "name it `1-30`")


@pytest.mark.parametrize("key", ["ports", "calls", "names", "runsOn", "workload", "versions"])
def test_y5_nothing_is_not_an_empty_value(folder, key):
    said = hostile.check(folder, f"{SERVICES}    {key}:\n".replace("{namespace", "\n    # {namespace"))
    said.refuses("MESH0203", f"services.a.{key}", "remove the key, or give it a value")


def test_y5_a_list_of_no_requests_is_neither_all_nor_none(folder):
    hostile.check(folder, _service("calls: [{service: a, http: []}]")).refuses("MESH0225", "remove the key")


@pytest.mark.parametrize(
    ("wrong", "right"), [("selctor", "sidecar"), ("prots", "ports"), ("callls", "calls"), ("nmaes", "names")]
)
def test_y7_an_unknown_key_is_refused_with_the_nearest_one(folder, wrong, right):
    hint = f"did you mean `{right}`?" if wrong != "selctor" else "keys"
    hostile.check(folder, _service(f"{wrong}: x")).refuses("MESH0201", f"`{wrong}`", hint)


@pytest.mark.parametrize(
    ("mesh", "code"),
    [
        (b"a: 1\n" * (20 * 1024 * 1024), "MESH0104"),
        (SERVICES.encode() + b"# \x00\n", "MESH0103"),
        (b"\xef\xbb\xbf" + SERVICES.encode(), "MESH0102"),
        (SERVICES.encode() + b"# \xff\n", "MESH0101"),
        (f"{SERVICES}\tb: 1\n", "MESH0105"),
        (f"{SERVICES}---\n{SERVICES}", "MESH0107"),
        ("mesh: !!python/object/apply:os.system [id]\n", "MESH0108"),
        (f"{SERVICES}# \u202e\n", "MESH0103"),
    ],
    ids=["100 MB", "NUL", "BOM", "not UTF-8", "tab", "second document", "tag", "reordered"],
)
def test_y8_what_is_not_one_plain_text_is_refused(folder, mesh, code):
    hostile.check(folder, mesh).refuses(code)


def test_y8_windows_line_ends_are_fine(folder):
    assert hostile.check(folder, SERVICES.replace("\n", "\r\n")).code == 0


def test_y10_a_homograph_is_told_and_stands_in_dns_letters_everywhere(folder):
    mesh = f"{SERVICES}    calls: [{{external: pay}}]\nexternal: {{pay: {{host: \u0440\u0430ypal.com}}}}\n"
    mesh = mesh.replace("a: {namespace: shop, ports: {http: 8080}}", "a:\n    namespace: shop")
    said = hostile.check(folder, mesh)
    assert said.code == 0
    assert "warning MESH0310" in said.text
    assert "CYRILLIC and LATIN" in said.text
    assert "xn--ypal-43d9g.com" in said.text
    texts = [value for _, value in hostile.walk(hostile.objects(mesh)) if isinstance(value, str)]
    assert "xn--ypal-43d9g.com" in texts
    assert all(text.isascii() for text in texts)


@pytest.mark.parametrize("host", ["EXAMPLE.com", "example.com.", "Example.COM."])
def test_y11_one_host_has_one_spelling(host):
    assert hostile.load(_external(f"host: {host}")).externals[0].host == "example.com"


@pytest.mark.parametrize(
    "host",
    [
        *('" example.com"', '"http://example.com"', '"example.com:443"', '"a..example.com"', '"-a.example.com"'),
        *('"a_b.example.com"', f"{'a' * 64}.example.com", f"{'a.' * 127}example.com", '""', '"*"', '"10.0.0.1"'),
        *('"example.com.."', '"ex ample.com"', '"a\\u00adb.com"', '"\\u2100.com"', '"com"'),
    ],
)
def test_y11_what_is_no_host_name_is_refused(folder, host):
    hostile.check(folder, _external(f"host: {host}")).refuses("MESH0309", "external.out.host")


def test_y13_host_bits_are_refused_with_the_network_that_was_meant(folder):
    said = hostile.check(folder, SERVICES, _network("10.61.0.5/16"))
    said.refuses("MESH0312", "write the network: `10.61.0.0/16`")


@pytest.mark.parametrize(
    "network",
    ["10.0.0.0/33", "010.0.0.0/8", "1.2.3", "0.0.0.0/0", '"::ffff:10.0.0.1"', '"fe80::1%eth0"', '"10.0.0.0/-1"'],
)
def test_y13_what_is_no_ipv4_network_is_refused(folder, network):
    hostile.check(folder, SERVICES, _network(network)).refuses("MESH0312", "network.pods")


@pytest.mark.parametrize(
    "address", ["10.60.2", "010.60.2.9", '"::1"', '"fe80::1%eth0"', '"10.60.2.9 "', "10.60.2.9/32"]
)
def test_y13_what_is_no_ipv4_address_is_refused(folder, address):
    environment = f"{hostile.ENVIRONMENT}machines: {{vm: {{address: {address}}}}}\n"
    hostile.check(folder, _service("runsOn: [vm]"), environment).refuses("MESH0311", "machines.vm.address")


@pytest.mark.parametrize(
    ("ports", "code", "part"),
    [
        ("{http: 0}", "MESH0306", "1 to 65535"),
        ("{http: 65536}", "MESH0306", "1 to 65535"),
        ("{http: '8080 '}", "MESH0302", "found: 8080 "),
        ("{http: 8080, tcp: 8080}", "MESH0308", "both are 8080"),
        ("{http: {port: 8080, service: 80}, tcp: {port: 80, service: 80}}", "MESH0308", "both are 80"),
        ("{http: 8080, http: 8081}", "MESH0106", "line"),
        ("{a-name-of-16-chr: {port: 80, protocol: tcp}}", "MESH0205", "at most 15"),
        ("{http_x: {port: 80, protocol: http}}", "MESH0205", "http-x"),
        ("{'80': {port: 80, protocol: http}}", "MESH0205", "with a letter"),
    ],
)
def test_y14_ports_that_kubernetes_or_istio_would_refuse(folder, ports, code, part):
    hostile.check(folder, _service(f"ports: {ports}")).refuses(code, part)


@pytest.mark.parametrize("port", [15000, 15001, 15006, 15021, 15090])
@pytest.mark.parametrize("form", ["%d", "{port: %d, service: 80}", "{port: 8080, service: %d}"])
def test_y16_the_sidecars_own_ports_are_reserved(folder, port, form):
    hostile.check(folder, _service(f"ports: {{http: {form % port}}}")).refuses("MESH0307", "15000 to 15090")


def test_y16_what_lies_beside_the_sidecars_ports_is_free(folder):
    assert hostile.check(folder, _service("ports: {http: 14999, tcp: 15091}")).code == 0


def test_y17_one_pod_stands_behind_one_service(folder):
    labels = "workload: {labels: {app: one}, serviceAccount: %s}"
    one = f"a: {{namespace: shop, ports: {{http: 80}}, {labels % 'a'}}}"
    other = f"b: {{namespace: shop, ports: {{tcp: 80}}, {labels % 'b'}}}"
    hostile.check(folder, f"mesh: shop\nservices:\n  {one}\n  {other}\n").refuses("MESH0216", "`a`", "`b`")


def test_y19_calls_are_to_others_that_are_declared(folder):
    hostile.check(folder, _service("calls: [{service: aa}]")).refuses("MESH0206", "did you mean `a`?")
    hostile.check(folder, _service("ports: {http: 80}, calls: [{service: b}]")).refuses("MESH0210", "calls itself")


def test_y19_cycles_are_fine_and_duplicates_are_one_call(folder):
    ports = "namespace: x, ports: {http: 8080, tcp: 9090}"
    back = f"  b: {{{ports}, calls: [{{service: a, port: http}}]}}\n"
    called = "{service: b, port: tcp}, {service: b, port: http}"
    once = f"mesh: m\nservices:\n  a: {{{ports}, calls: [{called}]}}\n{back}"
    twice = once.replace("[{service: b, port: tcp}", "[{service: b, port: tcp}, {service: b, port: tcp}")
    assert hostile.check(folder, twice).code == 0
    assert [call.port for call in hostile.load(twice).service("a").service_calls] == ["http", "tcp"]
    assert hostile.objects(once) == hostile.objects(twice)


def test_y20_order_does_not_matter():
    entries = [f"  s{index}: {{namespace: n{index % 3}, ports: {{http: 80}}}}\n" for index in range(12)]
    one = hostile.objects(f"mesh: m\nservices:\n{''.join(entries)}")
    for seed in range(5):
        random.Random(seed).shuffle(entries)  # noqa: S311 - order, not secrets
        assert hostile.objects(f"mesh: m\nservices:\n{''.join(entries)}") == one
