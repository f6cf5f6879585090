"""The shared lab as it is: network, internet, platform, load balancer, policies, status."""

import json
import socket
import ssl
import urllib.request

import pytest
import urllib3
from running import INSTANCE, succeed

from slipway.lab import certificates, forwards, network, platform, programs
from slipway.lab import instance as instances
from slipway.world import kubernetes, process

pytestmark = pytest.mark.lab
PEEK = """
import socket, ssl, sys
host, address, port, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
with socket.create_connection((address, int(port)), 5) as plain:
    with context.wrap_socket(plain, server_hostname=host) as secured:
        secured.sendall(f"GET / HTTP/1.1\\r\\nHost: {host}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        print(b"".join(iter(lambda: secured.recv(4096), b"")).decode())
"""
RESOLVE = """
import socket, struct, sys
server, name = sys.argv[1:]
labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\\0"
question = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(5)
    asking.connect((server, 53))
    asking.send(question)
    answer = asking.recv(512)
print(answer[3] & 15, ".".join(map(str, answer[-4:])) if answer[7] else "")
"""
GUEST, GUEST_ADDRESS = "guest", "10.60.2.200"


def attach(instance):
    network.attach(instance, GUEST, [instances.on_fabric(GUEST_ADDRESS)], default_via=instances.INTERNET_ADDRESS)


def hardware_address(instance):
    found = network.run(instance, GUEST, ["ip", "-json", "link", "show", network.INTERFACE], timeout_s=20).stdout
    return json.loads(found)[0]["address"]


@pytest.fixture(scope="module")
def guest(running_lab):
    """Return what runs Python on a host of its own: a machine without guard, rules or identity."""
    instance = running_lab.instance
    attach(instance)

    def run(program: str, *arguments: object, check: bool = True) -> process.Completed:
        argv = ["python3", "-c", program, *map(str, arguments)]
        return network.run(instance, GUEST, argv, timeout_s=20, check=check)

    yield run
    network.detach(instance, GUEST)


def resolve(guest, name, server=instances.RESOLVER_ADDRESS):
    status, address = guest(RESOLVE, server, name).stdout.rstrip("\n").split(" ")
    return int(status), address


@pytest.mark.parametrize("port", [443, 8443])
@pytest.mark.parametrize("host", instances.INTERNET_NAMES)
def test_the_internet_answers_tls_and_tells_whom_it_saw(running_lab, guest, host, port):
    answer = guest(PEEK, host, instances.INTERNET_NAMES[host], port, running_lab.instance.public_authority).stdout
    assert f"IP={GUEST_ADDRESS}" in answer
    assert f"Sni={host}" in answer


def test_the_internet_has_certificates_for_its_names_only(running_lab, guest):
    arguments = ("shop.example.com", instances.PAYMENTS_ADDRESS, 443, running_lab.instance.public_authority)
    done = guest(PEEK, *arguments, check=False)
    assert "Hostname mismatch" in done.stderr


def test_udp_443_answers_from_where_it_was_asked(guest):
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5);"
        f" s.connect(('{instances.PAYMENTS_ADDRESS}', 443)); s.send(b'x'); print(s.recv(999).decode())"
    )
    assert f"IP={GUEST_ADDRESS}" in guest(program).stdout


@pytest.mark.parametrize("server", [instances.RESOLVER_ADDRESS, instances.OUTSIDE_RESOLVER_ADDRESS])
def test_both_resolvers_know_the_internet(guest, server):
    for host, address in instances.INTERNET_NAMES.items():
        assert resolve(guest, host, server) == (0, address)


def test_the_platforms_resolver_knows_what_was_handed_in_and_nothing_else(running_lab, guest):
    assert resolve(guest, instances.VAULT_HOST) == (0, instances.VAULT_ADDRESS)
    assert resolve(guest, "nobody.example.com") == (3, "")
    platform.set_names(running_lab.instance, GUEST, {"guest.corp.local": GUEST_ADDRESS})

    def unknown() -> str:
        found = resolve(guest, "guest.corp.local")
        return "" if found == (0, GUEST_ADDRESS) else str(found)

    try:
        kubernetes.wait_until("the name", unknown, timeout_s=10, pause_s=0.2)
    finally:
        platform.set_names(running_lab.instance, GUEST, {})


def test_a_host_that_was_switched_off_is_known_at_once(running_lab, guest):
    """Its hardware address is its own, so that nobody's neighbour cache leads into the void."""
    host = "payments.example.com"
    arguments = (host, instances.INTERNET_NAMES[host], 443, running_lab.instance.public_authority)
    before = hardware_address(running_lab.instance)
    assert GUEST_ADDRESS in guest(PEEK, *arguments).stdout
    network.detach(running_lab.instance, GUEST)
    attach(running_lab.instance)
    assert hardware_address(running_lab.instance) == before
    assert GUEST_ADDRESS in guest(PEEK, *arguments).stdout


def test_there_is_no_way_out(guest):
    """Every address of this computer's own networks is unknown in the lab."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; asks the routing table
        own = probe.getsockname()[0]
    program = f"import socket; socket.create_connection(({own!r}, 22), 2)"
    assert guest(program, check=False).exit_status != 0
    for host in (GUEST, instances.INTERNET, instances.NODE, instances.PLATFORM):
        links = network.run(instances.named(INSTANCE), host, ["ip", "-json", "link"], timeout_s=10).stdout
        names = {link["ifname"] for link in json.loads(links)}
        assert all(name in {"lo", "eth0"} or name.startswith("veth") for name in names), host


def test_a_stranger_has_no_identity(guest):
    program = (
        "import urllib.request, urllib.error\n"
        f"url = 'http://{instances.METADATA_ADDRESS}/metadata/identity/oauth2/token?api-version=2018-02-01"
        "&resource=https://vault.azure.net'\n"
        "try:\n    urllib.request.urlopen(urllib.request.Request(url, headers={'Metadata': 'true'}), timeout=5)\n"
        "except urllib.error.HTTPError as error:\n    print(error.code)"
    )
    assert guest(program).stdout.strip() == "400"


def test_doors_lead_to_the_api_and_to_zipkin(running_lab):
    ports = forwards.ports(running_lab.instance)
    authority = certificates.certificate_path(running_lab.instance, certificates.CLUSTER)
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection(("127.0.0.1", ports["apiserver"]), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() == "TLSv1.3"
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['zipkin']}/health", timeout=10) as answer:
        assert json.load(answer)["status"] == "UP"


def test_a_load_balancer_is_reached_from_the_machines_network(running_lab, guest):
    """A Service of type LoadBalancer gets an address that answers, keeps the caller's, and gives it back."""
    cluster = running_lab.cluster
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "door", "namespace": "observability"},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": {"app": "zipkin"},
            "ports": [{"port": 8080, "targetPort": 9411}],
        },
    }
    cluster.apply(body)

    def unassigned() -> str:
        found = cluster.get(kubernetes.SERVICE, "door", namespace="observability")
        assert found is not None
        return "" if found["status"]["loadBalancer"].get("ingress") else "no address"

    kubernetes.wait_until("an address", unassigned, timeout_s=20, pause_s=0.2)
    found = cluster.get(kubernetes.SERVICE, "door", namespace="observability")
    assert found is not None
    address = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    assert address in instances.LOAD_BALANCER_ADDRESSES
    program = (
        "import sys, time, urllib.request\n"
        "for attempt in range(40):\n"
        "    try:\n"
        f"        print(urllib.request.urlopen('http://{address}:8080/health', timeout=2).status); break\n"
        "    except OSError as error:\n"
        "        print(error, file=sys.stderr); time.sleep(0.25)"
    )
    assert guest(program).stdout.strip() == "200"
    cluster.delete(kubernetes.SERVICE, "door", namespace="observability")

    def kept() -> str:
        return "still there" if address in network.addresses(running_lab.instance, instances.NODE) else ""

    kubernetes.wait_until("the address to go", kept, timeout_s=40, pause_s=0.5)


def test_a_token_for_istio_does_not_open_the_api(running_lab):
    path = programs.ensure(["kubernetes"])["kubernetes"].bin
    made = running_lab.run(
        str(path / "kubectl"), "create", "token", "default", "--audience=istio-ca", "--namespace=shop", timeout_s=20
    )
    token = succeed(made).stdout.strip()
    port = forwards.ports(running_lab.instance)["apiserver"]
    authority = certificates.certificate_path(running_lab.instance, certificates.CLUSTER)
    pool = urllib3.PoolManager(ca_certs=str(authority), retries=False, timeout=10)
    answer = pool.request("GET", f"https://127.0.0.1:{port}/api", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401


def test_status_tells_everything(running_lab):
    seen = json.loads(succeed(running_lab.slipway("lab", "status", INSTANCE, "--json")).stdout)
    assert seen["healthy"]
    assert {"kube-apiserver", "containerd", "kube-router", "internet-dns"} <= {
        item["name"] for item in seen["services"]
    }
    assert {"node", "internet", "platform", "billing-vm", "db-vm"} <= {host["name"] for host in seen["hosts"]}
    assert all(host["addresses"] for host in seen["hosts"] if host["name"] != "fabric")
    shown = succeed(running_lab.slipway("lab", "status", INSTANCE, "--addresses")).stdout
    assert all(door["url"] in shown for door in seen["doors"])


def test_a_second_up_does_nothing_and_says_so(running_lab):
    done = succeed(running_lab.slipway("lab", "up", INSTANCE, "--example"))
    assert "was up: nothing to do" in done.stderr
