"""The cluster's components as data: configuration files and command lines. Nothing here touches anything."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.lab import certificates, supervision, texts
from slipway.lab import instance as instances

API_SERVER_PORT = 6443
ETCD_PORT = 2379
ISSUER = "https://kubernetes.default.svc.cluster.local"
# Source: Kubernetes 1.34 pkg/kubelet/cm/node_container_manager_linux.go, defaultNodeAllocatableCgroupName.
PODS_GROUP = "kubepods"
CNI_PROGRAMS = Path("/usr/lib/cni")
_CLIENTS = ("controller-manager", "scheduler", "kube-proxy", "kubelet", "kube-router", "load-balancer", "platform")
_FIRST = ("etcd", "kube-apiserver")
_READS = {
    "etcd": ("certificates/etcd.crt", "certificates/etcd-ca.crt"),
    "kube-apiserver": (
        "certificates/apiserver.crt",
        "certificates/cluster-ca.crt",
        "certificates/apiserver-etcd.crt",
    ),
    "kube-controller-manager": ("kubeconfigs/controller-manager", "certificates/service-account.pub"),
    "kube-scheduler": ("kubeconfigs/scheduler",),
    "kubelet": ("kubelet/config.yaml", "kubeconfigs/kubelet", "certificates/kubelet-server.crt"),
    "kube-proxy": ("kube-proxy.yaml", "kubeconfigs/kube-proxy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Folders of the executables that the node runs."""

    kubernetes: Path
    kube_router: Path


def values(instance: instances.Instance, images: Mapping[str, str]) -> dict[str, object]:
    """Return what the templates may use; ``images`` maps short names to full references."""
    return {
        "instance": instance.name,
        "state": instance.state,
        "certificates": instance.state / "certificates",
        "cgroup": instance.cgroup,
        "containerd_socket": containerd_socket(instance),
        "cni_programs": CNI_PROGRAMS,
        "pause_image": images["pause"],
        "images": images,
        "node": instances.NODE,
        "node_address": instances.NODE_ADDRESS,
        "node_pod_network": instances.NODE_POD_NETWORK,
        "pod_network": instances.POD_NETWORK,
        "dns_service_address": instances.DNS_SERVICE_ADDRESS,
        "zipkin_service_address": instances.ZIPKIN_SERVICE_ADDRESS,
        "resolver_address": instances.RESOLVER_ADDRESS,
    }


def containerd_socket(instance: instances.Instance) -> Path:
    """Return the socket of the instance's containerd."""
    return instance.state / "containerd" / "state" / "containerd.sock"


def configuration(instance: instances.Instance, images: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration files, by path below the state folder, that hold no secret."""
    known = values(instance, images)
    return {
        "containerd/config.toml": texts.render("containerd.toml.j2", known),
        "cni/10-slipway.conflist": texts.render("cni.conflist.j2", known),
        "kubelet/config.yaml": texts.render("kubelet.yaml.j2", known),
        "kube-proxy.yaml": texts.render("kube-proxy.yaml.j2", known),
        "resolv.conf": f"nameserver {instances.RESOLVER_ADDRESS}\n",
    }


def kubeconfigs(instance: instances.Instance, forward_port: int) -> dict[str, str]:
    """Return the kubeconfigs, by path below the state folder: each holds a private key.

    The administrator's uses the API server's forward on loopback, ``forward_port``; all others run in the lab.
    """
    inside = f"https://{instances.NODE_ADDRESS}:{API_SERVER_PORT}"
    found = {f"kubeconfigs/{name}": _kubeconfig(instance, name, inside) for name in _CLIENTS}
    found["kubeconfigs/admin"] = _kubeconfig(instance, "admin", inside)
    found["kubeconfig"] = _kubeconfig(instance, "admin", f"https://127.0.0.1:{forward_port}")
    return found


def _kubeconfig(instance: instances.Instance, user: str, server: str) -> str:
    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return texts.render(
        "kubeconfig.j2",
        {
            "instance": instance.name,
            "server": server,
            "user": user,
            "authority": encoded(certificates.certificate_path(instance, certificates.CLUSTER)),
            "certificate": encoded(certificates.certificate_path(instance, user)),
            "key": encoded(certificates.key_path(instance, user)),
        },
    )


def services(instance: instances.Instance, programs: Programs) -> tuple[supervision.Service, ...]:
    """Return the node's programs in the order in which they start."""
    binaries = programs.kubernetes
    argvs = {
        "etcd": _etcd(instance),
        "kube-apiserver": _apiserver(instance),
        "kube-controller-manager": _controller_manager(instance),
        "kube-scheduler": _scheduler(instance),
        "kubelet": _kubelet(instance),
        "kube-proxy": (f"--config={instance.state}/kube-proxy.yaml",),
    }
    containerd = supervision.Service(
        name="containerd",
        host=instances.NODE,
        argv=("containerd", f"--config={instance.state}/containerd/config.toml"),
        own_mounts=True,
        reads=(instance.state / "containerd/config.toml", instance.state / "cni/10-slipway.conflist"),
    )
    components = tuple(
        supervision.Service(
            name=name,
            host=instances.NODE,
            argv=(str(binaries / name), *argvs[name]),
            own_mounts=name == "kubelet",
            needs=supervision.Needs.NOTHING if name in _FIRST else supervision.Needs.API,
            reads=tuple(instance.state / path for path in _READS[name]),
        )
        for name in _READS
    )
    return (containerd, *components, _kube_router(instance, programs.kube_router))


def _etcd(instance: instances.Instance) -> tuple[str, ...]:
    folder = instance.state / "certificates"
    address = f"https://127.0.0.1:{ETCD_PORT}"
    return (
        f"--data-dir={instance.state}/etcd",
        f"--listen-client-urls={address}",
        f"--advertise-client-urls={address}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--client-cert-auth",
        f"--trusted-ca-file={folder}/{certificates.ETCD}.crt",
        f"--cert-file={folder}/etcd.crt",
        f"--key-file={folder}/etcd.key",
        "--unsafe-no-fsync",  # survives a killed process; a computer that loses power loses its lab
        "--auto-compaction-retention=5m",
        "--log-level=warn",
    )


def _apiserver(instance: instances.Instance) -> tuple[str, ...]:
    folder = instance.state / "certificates"
    return (
        f"--advertise-address={instances.NODE_ADDRESS}",
        f"--bind-address={instances.NODE_ADDRESS}",
        f"--secure-port={API_SERVER_PORT}",
        f"--etcd-servers=https://127.0.0.1:{ETCD_PORT}",
        f"--etcd-cafile={folder}/{certificates.ETCD}.crt",
        f"--etcd-certfile={folder}/apiserver-etcd.crt",
        f"--etcd-keyfile={folder}/apiserver-etcd.key",
        f"--tls-cert-file={folder}/apiserver.crt",
        f"--tls-private-key-file={folder}/apiserver.key",
        f"--client-ca-file={folder}/{certificates.CLUSTER}.crt",
        f"--kubelet-client-certificate={folder}/apiserver-kubelet.crt",
        f"--kubelet-client-key={folder}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={folder}/{certificates.CLUSTER}.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--service-cluster-ip-range={instances.SERVICE_NETWORK}",
        # Tokens for the audience istio-ca are minted and reviewed on request; they do not open the API itself.
        f"--service-account-issuer={ISSUER}",
        f"--service-account-signing-key-file={folder}/{certificates.SERVICE_ACCOUNT_KEY}.key",
        f"--service-account-key-file={folder}/{certificates.SERVICE_ACCOUNT_KEY}.pub",
        "--profiling=false",
    )


def _controller_manager(instance: instances.Instance) -> tuple[str, ...]:
    folder = instance.state / "certificates"
    kubeconfig = instance.state / "kubeconfigs" / "controller-manager"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--kube-api-qps=500",  # each of its forty controllers asks for an account first
        "--kube-api-burst=1000",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={folder}/{certificates.SERVICE_ACCOUNT_KEY}.key",
        f"--root-ca-file={folder}/{certificates.CLUSTER}.crt",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={instances.POD_NETWORK}",
        "--node-cidr-mask-size=24",
        "--profiling=false",
    )


def _scheduler(instance: instances.Instance) -> tuple[str, ...]:
    kubeconfig = instance.state / "kubeconfigs" / "scheduler"
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--profiling=false",
    )


def _kubelet(instance: instances.Instance) -> tuple[str, ...]:
    return (
        f"--config={instance.state}/kubelet/config.yaml",
        f"--kubeconfig={instance.state}/kubeconfigs/kubelet",
        f"--root-dir={instance.state}/kubelet/root",
        f"--cert-dir={instance.state}/kubelet/pki",
        f"--hostname-override={instances.NODE}",
        "--node-labels=slipway.dev/network-policies=kube-router",
        f"--node-ip={instances.NODE_ADDRESS}",
    )


def _kube_router(instance: instances.Instance, folder: Path) -> supervision.Service:
    return supervision.Service(
        name="kube-router",
        host=instances.NODE,
        needs=supervision.Needs.NODE,
        reads=(instance.state / "kubeconfigs/kube-router",),
        argv=(
            str(folder / "kube-router"),
            f"--kubeconfig={instance.state}/kubeconfigs/kube-router",
            f"--hostname-override={instances.NODE}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            f"--service-cluster-ip-range={instances.SERVICE_NETWORK}",
            f"--loadbalancer-ip-range={','.join(instances.LOAD_BALANCER_NETWORKS)}",
            "--health-port=0",
        ),
    )
