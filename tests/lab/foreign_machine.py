"""A machine that others booted: sshd, PostgreSQL with passwords, clients; nothing of Slipway is on it."""

import json
import subprocess
import textwrap
import threading
import time
from pathlib import Path
from typing import Self

import guarded_machine
import yaml

from policies.bundles import compiler
from slipway.lab import instance as instances
from slipway.lab import network
from slipway.lab.machines import api, base, sidecar_package
from slipway.manifests import nsg
from slipway.mesh import loader, platforms

NAME, ADDRESS, PORT, NAMESPACE = "old-vm", "10.60.2.31", 5432, "ledger"
PASSWORD = "correct horse"
MESH = """\
mesh: ledger
services:
  ledger-app:
    namespace: ledger
    ports: {http: 8080}
    calls: [{service: ledger-db}]
  ledger-db:
    namespace: ledger
    runsOn: [old-vm]
    ports: {postgres: 5432}
"""
# What tells one state of the machine from another; what a package manager writes about itself is left out.
_LOOK = r"""
find /etc /usr/local /opt /root -xdev -type f ! -name '*-' ! -path '/etc/ld.so.cache' \
    ! -path '/opt/packages/*' -exec sha256sum {} +
find /etc /usr/local /run/secrets /var/lib/istio /var/lib/slipway /var/log/istio -xdev \( -type l -o -type d \) \
    -printf '%p %l %m %u %g\n' 2>/dev/null
systemctl list-unit-files --no-legend --no-pager
nft --stateless list ruleset
ss --no-header --listening --tcp --udp --numeric | awk '{print $1, $5}'
dpkg --get-selections
getent passwd; getent group
"""


def user_data(key: str) -> str:
    """Return the cloud-config of a team that has not heard of Slipway; ``key`` may log in as admin."""
    document = {
        "users": [
            {"name": "admin", "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": [key]}
        ],
        "runcmd": ["set -e", _SETUP],
    }
    return "#cloud-config\n" + yaml.safe_dump(document)


_SETUP = textwrap.dedent(f"""\
    ssh-keygen -A
    systemctl enable --now ssh.service
    cd /etc/postgresql/*/main
    printf "listen_addresses = '*'\\nssl = off\\n" > conf.d/team.conf
    echo 'host ledger app 10.60.0.0/16 scram-sha-256' >> pg_hba.conf
    echo 'host ledger reader 10.61.0.0/16 trust' >> pg_hba.conf
    systemctl enable --now postgresql.service
    for step in $(seq 100); do runuser -u postgres -- psql -c 'select 1' && break; sleep 0.2; done
    runuser -u postgres -- psql -c "create role app login password '{PASSWORD}'"
    runuser -u postgres -- psql -c 'create role reader login'
    runuser -u postgres -- psql -c 'create database ledger owner app'
    """)


class Place:
    """The machine, a folder with its declaration and its ssh_config, and how both are used."""

    def __init__(self, instance: instances.Instance, folder: Path) -> None:
        self.instance = instance
        self.folder = folder
        self.ssh_config = folder / "ssh_config"

    def boot(self) -> None:
        """Boot it as its team would."""
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=20)
        rules = tuple(guarded_machine.everything(direction) for direction in nsg.Direction)
        spec = api.MachineSpec(
            name=NAME,
            address=ADDRESS,
            user_data=user_data(key.with_suffix(".pub").read_text().strip()),
            nsg=rules,
            namespace=NAMESPACE,
            service_account=NAME,
            foreign=True,
        )
        api.create(self.instance, spec, print)
        bastion = " ".join(network.enter(self.instance, "node", ["socat", "-", "TCP:%h:%p"]))
        self.ssh_config.write_text(
            f"Host {NAME}\n  HostName {ADDRESS}\n  User admin\n  IdentityFile {key}\n  ProxyCommand {bastion}\n"
            f"  UserKnownHostsFile {self.folder / 'known_hosts'}\n  StrictHostKeyChecking accept-new\n"
        )

    def declare(self) -> None:
        """Write the declaration of the environment `old` and register it in the cluster."""
        package = sidecar_package.ensure(self.instance.cache, print)
        stacks = self.folder / "stacks"
        stacks.mkdir()
        (stacks / "mesh.yaml").write_text(MESH)
        environment = {
            "platform": "existing",
            "revision": "1-29-1",
            "network": {key: value for key, value in platforms.LAB.items() if key != "egress"},  # pods are routed
            "machines": {NAME: {"address": ADDRESS, "ssh": "10.60.0.0/16"}},
            "sidecar": {"url": f"file://{api.PACKAGES_FOLDER}/{sidecar_package.NAME}", "sha256": package.sha256},
            "phase": {"mtls": "permissive", "egress": "open", "authorization": "off"},
        }
        (stacks / "old.yaml").write_text(yaml.safe_dump(environment))

    def register(self, cluster) -> None:
        """Apply what `pulumi up` of this environment would, as far as it is in its own namespace."""
        sources = [
            loader.Source(file=name, text=(self.folder / "stacks" / name).read_bytes())
            for name in ("mesh.yaml", "old.yaml")
        ]
        mesh = loader.load(sources[:1], sources[1], environment_name="old")
        bundle = compiler.compile_bundle(mesh)
        labels = dict(bundle.namespace_labels[NAMESPACE])
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        for _, items in bundle.stages():
            for item in items:
                if item.namespace == NAMESPACE:
                    cluster.apply(item.to_dict())

    def shell(self, script: str, *, timeout_s=60) -> str:
        """Run a script on the machine as root, past SSH and all rules."""
        return api.execute(self.instance, NAME, ["/bin/sh", "-c", script], timeout_s=timeout_s).stdout

    def look(self) -> list[str]:
        """Return everything by which one state of the machine differs from another."""
        return sorted(self.shell(_LOOK).splitlines())

    def ssh(self, *words: str) -> subprocess.Popen[str]:
        """Begin an SSH session of the operator's own."""
        argv = ["ssh", "-F", str(self.ssh_config), NAME, *words]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def psql(self, *words: str) -> list[str]:
        """Return the command of a client that connects by the machine's address with its password."""
        target = f"host={ADDRESS} user=app dbname=ledger connect_timeout=4 password='{PASSWORD}'"
        image = base.ensure(self.instance.cache, print)  # has the client that this computer may lack
        (program,) = (image / "usr/lib/postgresql").glob("*/bin/psql")
        inside = ["chroot", str(image), f"/{program.relative_to(image)}"]
        argv = [*inside, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", target, *words]
        return list(network.enter(self.instance, "node", argv))


class Clients:
    """One that keeps its session, and one that connects anew each time: answers, and everything that went wrong."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.errors: list[str] = []
        self.kept = self.anew = 0
        self.sources: set[str] = set()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._keep, self._connect)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=20)

    def _keep(self) -> None:
        argv = self.place.psql("--set", "ON_ERROR_STOP=1")
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        ) as session:
            assert session.stdin is not None
            assert session.stdout is not None
            while not self._end.wait(0.1):
                try:
                    session.stdin.write("select 'kept';\n")
                    session.stdin.flush()
                except OSError as error:
                    self.errors.append(f"session: {error}")
                    return
                answer = session.stdout.readline().strip()
                if answer != "kept":
                    self.errors.append(f"session: {answer} {session.stdout.read()}")
                    return
                self.kept += 1
            session.stdin.close()

    def _connect(self) -> None:
        while not self._end.wait(0.1):
            argv = self.place.psql("--command", "select host(inet_client_addr())")
            done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode:
                self.errors.append(f"anew at {time.monotonic():.1f}: {done.stderr.strip()}")
            else:
                self.anew += 1
                self.sources.add(done.stdout.strip())


def called_from_the_mesh(cluster, pod: str) -> str:
    """Return which address the server sees when a pod of the mesh calls it, or how the call ended."""
    request = {
        "name": "call",
        "kind": "postgres",
        "address": f"ledger-db.{NAMESPACE}.svc.cluster.local:{PORT}",
        "timeout_ms": 4000,
        "user": "reader",
        "database": "ledger",
        "query": "select host(inet_client_addr())",
    }
    done = cluster.execute(NAMESPACE, pod, "probe", ["/probe"], stdin=json.dumps([request]).encode(), timeout_s=20)
    found = json.loads(done.stdout.splitlines()[0])
    return found.get("body") or found["outcome"]
