"""No token and no private key is where it does not belong."""

from pathlib import Path

import needles
import pytest

from slipway.lab.machines import api

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def secrets(running_lab) -> dict[str, bytes]:
    return needles.of(running_lab)


def _places(running_lab) -> dict[str, bytes]:
    state = running_lab.instance.state
    places = {
        str(path): path.read_bytes()
        for path in (state / "pulumi").rglob("*")
        if path.is_file() and "plugins" not in path.parts
    }
    places |= {str(path): path.read_bytes() for path in (state / "logs").rglob("*") if path.is_file()}
    for machine in running_lab.mesh.machines:
        known = api.read(running_lab.instance, machine.name)
        assert known is not None
        places[f"user-data of {machine.name}"] = known["user_data"].encode()
        script = "cat /var/log/istio/* /var/log/cloud-init*.log; journalctl --no-pager"
        printed = api.execute(running_lab.instance, machine.name, ["sh", "-c", script], timeout_s=60)
        places[f"logs of {machine.name}"] = printed.stdout.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            places[f"{folder}/cmdline"] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return places


def test_the_search_knows_every_kind_of_secret(secrets):
    names = " ".join(secrets)
    for part in ("istio-token", "/etc/certs/key.pem", "public-ca.key", "shop-example-com:tls.key", "istio-ca-secret"):
        assert part in names
    assert all(len(needle) > 30 for needle in secrets.values())


def test_no_secret_is_in_state_logs_user_data_or_command_lines(running_lab, secrets):
    places = _places(running_lab)
    assert any("backend" in place for place in places)
    assert any(place.endswith("kube-apiserver.log") for place in places)
    leaks = [
        f"{name} in {place}" for place, text in places.items() for name, needle in secrets.items() if needle in text
    ]
    assert not leaks
    shaped = [place for place, text in places.items() if needles.TOKEN.search(text) or needles.KEY.search(text)]
    assert not shaped


def test_the_state_folder_is_for_root_only(running_lab):
    assert running_lab.instance.state.stat().st_mode & 0o077 == 0
