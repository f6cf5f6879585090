"""A machine of the example in a lab without a cluster: an open network around it, and a busy intruder on it."""

import contextlib
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import bare_instances

from policies.bundles import compiler
from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import api, sidecar_package
from slipway.machines import arguments, user_data
from slipway.manifests import nsg
from slipway.mesh import loader

ROOT = Path(__file__).parents[2]
ADDRESS, OTHER_MACHINE, POD, OUTSIDE = "10.60.2.11", "10.60.2.99", "10.61.0.5", "203.0.113.10"
PORT = 9090
# Serves the application's port and tries to get out, from the first moment of each boot.
TEAM = """\
#cloud-config
users:
  - {name: billing, system: true, no_create_home: true}
write_files:
  - path: /opt/intruder.py
    content: |
      import itertools, pathlib, socket, threading, time
      def serve(port):
          listener = socket.create_server(("0.0.0.0", port))
          while True:
              connection, _ = listener.accept()
              connection.send(b"plain")
              connection.close()
      for port in (9090, 9091, 22):
          threading.Thread(target=serve, args=(port,), daemon=True).start()
      for number in itertools.count():
          for kind, port in ((socket.SOCK_STREAM, 443), (socket.SOCK_DGRAM, 443), (socket.SOCK_DGRAM, 53)):
              with socket.socket(socket.AF_INET, kind) as probe:
                  probe.settimeout(0.05)
                  try:
                      probe.connect(("203.0.113.10", port))
                      probe.send(b"out")
                  except OSError:
                      pass
          pathlib.Path("/run/intruder").write_text(str(number))
          time.sleep(0.01)
  - path: /etc/systemd/system/intruder.service
    content: |
      [Unit]
      DefaultDependencies=no
      [Service]
      ExecStart=/usr/bin/python3 /opt/intruder.py
      Restart=always
      [Install]
      WantedBy=sysinit.target
runcmd:
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, intruder.service]
"""
# Catches what the capture rules hand over, as the sidecar would, and nothing else.
SIDECAR = """
import socket
listener = socket.create_server(("0.0.0.0", 15006))
while True:
    connection, _ = listener.accept()
    connection.send(b"sidecar")
    connection.close()
"""
_ASK = """
import json, socket, sys
source, destination, port, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
with socket.socket() as probe:
    probe.settimeout(seconds)
    if source:
        probe.bind((source, 0))
    try:
        probe.connect((destination, port))
        answer = probe.recv(100).decode() or "closed"
    except OSError as error:
        answer = type(error).__name__
print(json.dumps(answer))
"""


def everything(direction):
    return nsg.NsgRule(
        name=f"all-{direction.value}",
        priority=100,
        direction=direction,
        access=nsg.Access.ALLOW,
        protocol=nsg.Protocol.ANY,
        remote=("*",),
        ports=("*",),
    )


def declared():
    """Return the example's mesh, as `stacks/` has it for the lab."""
    mesh, lab = (
        loader.Source(file=f"stacks/{name}", text=(ROOT / "stacks" / name).read_bytes())
        for name in ("mesh.yaml", "lab.yaml")
    )
    return loader.load([mesh], lab, environment_name="lab")


def specification(instance, *, team=TEAM, guard_policy=None, rules=None):
    """Return billing-vm: the network security group lets everything through unless ``rules`` are given."""
    mesh = declared()
    package = sidecar_package.ensure(instance.cache, print)
    made = arguments.of(
        mesh,
        machine="billing-vm",
        guard_policy=guard_policy or compiler.compile_bundle(mesh).guards["billing-vm"],
        token=arguments.TokenSource(
            metadata_url=f"http://{instances.METADATA_ADDRESS}",
            resource="https://vault.azure.net",
            client_id="",
            vault_url=f"https://{instances.VAULT_HOST}",
            secret="billing-vm-istio",
        ),
        package=arguments.SidecarPackage(url=f"file:///opt/packages/{sidecar_package.NAME}", sha256=package.sha256),
        team_cloud_config=team,
    )
    return api.MachineSpec(
        name="billing-vm",
        address=ADDRESS,
        user_data=user_data.user_data(made),
        nsg=rules or tuple(everything(direction) for direction in nsg.Direction),
        namespace="back-office",
        service_account="billing-vm",
    )


@contextlib.contextmanager
def surroundings(name):
    """Make a fabric with the internet, a node with a pod's address and another machine; take all of it down again."""
    instance = instances.named(name)
    bare_instances.remove(instance)
    network.create(instance)
    network.attach(instance, "internet", ["10.60.0.1/16", f"{OUTSIDE}/32"])
    network.attach(instance, "node", ["10.60.1.10/16", f"{POD}/32"], "10.60.0.1")
    network.attach(instance, "other", [f"{OTHER_MACHINE}/16"], "10.60.0.1")
    try:
        yield instance
    finally:
        bare_instances.remove(instance)


def ask(instance, host, port, *, source="", destination=ADDRESS, seconds=0.5):
    """Connect from a host of the lab and return what was answered, or the name of the error."""
    argv = [sys.executable, "-c", _ASK, source, destination, str(port), str(seconds)]
    return json.loads(network.run(instance, host, argv, timeout_s=20).stdout)


def ask_from_machine(instance, destination, port, *, user, source=""):
    """Connect from the machine as ``user``."""
    argv = ["python3", "-c", _ASK, source, destination, str(port), "0.5"]
    return json.loads(api.execute(instance, "billing-vm", argv, user=user, timeout_s=20).stdout)


def count_arrivals(instance):
    """Begin to count what the machine sends to the internet, whoever sends it."""
    rules = f"""
    table ip arrivals
    delete table ip arrivals
    table ip arrivals {{
      chain arrivals {{
        type filter hook prerouting priority -300; policy accept;
        ip saddr {ADDRESS} ip daddr {OUTSIDE} counter
      }}
    }}
    """
    network.run(instance, "internet", ["nft", "--file", "-"], timeout_s=20, stdin=textwrap.dedent(rules).encode())


def arrivals(instance):
    """Return how many packets of the machine have arrived at the internet since counting began."""
    done = network.run(instance, "internet", ["nft", "--json", "list", "table", "ip", "arrivals"], timeout_s=20)
    rules = [item["rule"] for item in json.loads(done.stdout)["nftables"] if "rule" in item]
    return next(part["counter"]["packets"] for part in rules[0]["expr"] if "counter" in part)


def attempts(instance):
    """Return how often the intruder on the machine has tried to get out since the machine booted."""
    done = api.execute(instance, "billing-vm", ["cat", "/run/intruder"], timeout_s=20, check=False)
    return int(done.stdout or "0")


@contextlib.contextmanager
def knocking(instance):
    """Knock at the machine's port all the time from a pod's address; the yielded list fills with each answer."""
    script = f"import sys, time\nend = time.monotonic() + 120\nwhile time.monotonic() < end:\n{loop()}"
    argv = network.enter(instance, "node", [sys.executable, "-u", "-c", script, POD, ADDRESS, str(PORT), "0.1"])
    answers = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as knocker:
        try:
            yield answers
        finally:
            knocker.terminate()
            answers.extend(json.loads(line) for line in knocker.communicate()[0].splitlines())


def loop():
    return textwrap.indent(_ASK, "    ") + "    time.sleep(0.02)\n"


def wait_for(condition, *, seconds=20):
    """Wait until ``condition()`` is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
