"""Configuration and command lines of the lab's programs."""

import json
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from slipway.lab import certificates, forwards, internet, kubernetes, platform, supervision, texts
from slipway.lab import instance as instances
from slipway.lab.programs.model import Origin, Program

IMAGES = {name: f"docker.io/slipway-lab/{name}:1" for name in ("pause", "coredns", "zipkin")}


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    made = instances.Instance(name="one", state=folder / "state", cache=folder / "cache")
    certificates.ensure(made)
    for path, text in {**kubernetes.configuration(made, IMAGES), **kubernetes.kubeconfigs(made, 1)}.items():
        texts.write(made.state / path, text)
    return made


def program(name):
    folder = Path("/programs") / name
    return Program(name=name, version="1", origin=Origin.CACHED, bin=folder, share=folder, plugins=folder)


def services(instance):
    programs = kubernetes.Programs(kubernetes=Path("/programs/kubernetes"), kube_router=Path("/programs/kube-router"))
    return kubernetes.services(instance, programs)


def test_containerd_keeps_to_the_instances_folders(instance):
    found = tomllib.loads((instance.state / "containerd/config.toml").read_text())
    state = str(instance.state)
    assert found["root"].startswith(state)
    assert found["state"].startswith(state)
    cri = found["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["cni"]["conf_dir"].startswith(state)
    assert cri["sandbox_image"] == IMAGES["pause"]
    assert cri["containerd"]["runtimes"]["runc"]["options"]["Root"].startswith(state)


def test_pods_are_not_masqueraded(instance):
    found = json.loads((instance.state / "cni/10-slipway.conflist").read_text())
    assert found["name"] == "slipway-one"
    assert found["plugins"][0]["ipMasq"] is False


def test_kubelet_and_kube_proxy_read_what_was_written(instance):
    kubelet = yaml.safe_load((instance.state / "kubelet/config.yaml").read_text())
    assert kubelet["cgroupRoot"] == "/slipway/one"
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["clusterDNS"] == [instances.DNS_SERVICE_ADDRESS]
    proxy = yaml.safe_load((instance.state / "kube-proxy.yaml").read_text())
    assert proxy["clusterCIDR"] == instances.POD_NETWORK


def test_the_cluster_starts_with_objects_of_these_kinds(instance):
    text = texts.render("cluster.yaml.j2", kubernetes.values(instance, IMAGES))
    found = [item for item in yaml.safe_load_all(text) if item]
    kinds = {(item["kind"], item["metadata"]["name"]) for item in found}
    assert {("Deployment", "coredns"), ("Deployment", "zipkin"), ("Service", "kube-dns")} <= kinds
    zipkin = next(item for item in found if item["kind"] == "Deployment" and item["metadata"]["name"] == "zipkin")
    labels = zipkin["spec"]["template"]["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "false"


def test_no_secret_is_in_a_command_line(instance):
    secrets = [path.read_text().splitlines()[1] for path in (instance.state / "certificates").glob("*.key")]
    lines = [" ".join(service.argv) for service in services(instance)]
    assert not any(secret in line for secret in secrets for line in lines)


def test_an_istio_token_does_not_open_the_api(instance):
    argv = next(service.argv for service in services(instance) if service.name == "kube-apiserver")
    assert not any("api-audiences" in word for word in argv)


def test_supervisord_gets_every_program_once(instance, tmp_path):
    everything = (
        *services(instance),
        *forwards.services(instance, {item.name: number for number, item in enumerate(forwards.FORWARDS)}),
    )
    supervision.configure(instance, everything)
    text = (instance.state / "supervisor/supervisord.conf").read_text()
    names = [line[9:-1] for line in text.splitlines() if line.startswith("[program:")]
    assert names == [service.name for service in everything]
    assert len(set(names)) == len(names)
    command = next(line for line in text.splitlines() if line.startswith("command=") and "/kubelet " in line)
    words = shlex.split(command.removeprefix("command=").replace("%%", "%"))
    assert words[:3] == ["nsenter", "--net=/run/netns/slipway-one-node", "--"]
    assert words[3].endswith("nsenter")
    assert words[4].startswith(f"--mount={instance.state}")


def test_a_changed_file_restarts_its_reader(instance):
    def environment() -> str:
        supervision.configure(instance, services(instance))
        return (instance.state / "supervisor/supervisord.conf").read_text()

    before = environment()
    assert environment() == before
    path = instance.state / "kube-proxy.yaml"
    kept = path.read_text()
    path.write_text(kept + "\n")
    assert environment() != before
    path.write_text(kept)
    assert environment() == before


def test_the_internets_names_have_their_zones():
    zones = internet.zones()
    assert zones["example.com"] == {"payments.example.com": instances.PAYMENTS_ADDRESS}
    corefile = texts.render("internet.Corefile.j2", {"zones": zones})
    assert f"{instances.FORBIDDEN_ADDRESS} forbidden.example.net" in corefile


def test_platform_services_name_no_secret(instance):
    texts.write(instance.state / "platform" / "Corefile", "")
    found = platform.services(instance, coredns=program("coredns"))
    assert {service.host for service in found} == {instances.PLATFORM}
