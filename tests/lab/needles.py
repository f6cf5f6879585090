"""The secrets of the running lab, as what a search finds of them."""

import base64
import re

from slipway.lab.machines import api
from slipway.world import kubernetes

SECRET = kubernetes.Kind(api_version="v1", kind="Secret")
# The shape of a JWT (two JSON objects and a signature), and of every PEM private key.
TOKEN = re.compile(rb"eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}")
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def of(running_lab) -> dict[str, bytes]:
    """Return every secret by what it is: for a PEM key a line from its middle, for a token its signature."""
    found: dict[str, bytes] = {}
    for machine in running_lab.mesh.machines:
        for path in ("/var/run/secrets/tokens/istio-token", "/etc/certs/key.pem"):
            read = api.execute(running_lab.instance, machine.name, ["cat", path], timeout_s=20)
            found[f"{machine.name}:{path}"] = read.stdout.encode()
    for path in (running_lab.instance.state / "certificates").glob("*.key"):
        found[path.name] = path.read_bytes()
    for secret in running_lab.cluster.list(SECRET):
        for key, value in secret.get("data", {}).items():
            text = base64.b64decode(value)
            if KEY.search(text):
                found[f"{secret['metadata']['namespace']}/{secret['metadata']['name']}:{key}"] = text
    return {name: needle_of(text) for name, text in found.items()}


def needle_of(text: bytes) -> bytes:
    """Return a part of a secret that is long enough to be nothing else."""
    lines = text.strip().splitlines()
    return lines[len(lines) // 2] if len(lines) > 1 else lines[0].rsplit(b".", 1)[-1]
