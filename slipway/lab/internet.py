"""What plays the internet: two hosts that answer TLS and UDP, and a DNS server that nobody should be able to ask.

The hosts are Istio's echo server: an answer's line `IP=` names the address from which the request came.
"""

from pathlib import Path

from slipway.lab import certificates, network, supervision, texts
from slipway.lab import instance as instances
from slipway.lab.programs.model import Program

TLS_PORTS = (443, 8443)
UDP_PORT = 443
_UNUSED_PORTS = (7070, 9090)  # the echo server serves gRPC and TCP on these unless told otherwise


def prepare(instance: instances.Instance) -> None:
    """Attach the host and write the configuration of its DNS server."""
    outside = (*instances.INTERNET_NAMES.values(), instances.OUTSIDE_RESOLVER_ADDRESS)
    addresses = [instances.on_fabric(instances.INTERNET_ADDRESS), *(f"{address}/32" for address in outside)]
    network.attach(instance, instances.INTERNET, addresses)
    known = {"zones": zones()}
    texts.write(_folder(instance) / "Corefile", texts.render("internet.Corefile.j2", known))


def services(instance: instances.Instance, *, istio: Program, coredns: Program) -> tuple[supervision.Service, ...]:
    """Return the programs of the internet."""
    hosts = tuple(
        _echo(instance, istio, name=host.split(".", maxsplit=1)[0], address=address)
        for host, address in instances.INTERNET_NAMES.items()
    )
    resolver = supervision.Service(
        name="internet-dns",
        host=instances.INTERNET,
        argv=(str(coredns.bin / "coredns"), "-quiet", "-conf", str(_folder(instance) / "Corefile")),
        reads=(_folder(instance) / "Corefile",),
    )
    return (*hosts, resolver)


def zones() -> dict[str, dict[str, str]]:
    """Return the outside names and their addresses by zone (the last two labels of the name)."""
    found: dict[str, dict[str, str]] = {}
    for host, address in instances.INTERNET_NAMES.items():
        found.setdefault(".".join(host.split(".")[-2:]), {})[host] = address
    return found


def _echo(instance: instances.Instance, istio: Program, *, name: str, address: str) -> supervision.Service:
    tls = ",".join(map(str, TLS_PORTS))
    bound = ",".join(map(str, (*TLS_PORTS, *_UNUSED_PORTS)))
    return supervision.Service(
        name=f"internet-{name}",
        host=instances.INTERNET,
        argv=(
            str(istio.bin / "echo-server"),
            f"--port={tls}",
            f"--tls={tls}",
            f"--udp={UDP_PORT}",
            f"--bind-ip={bound}",
            f"--crt={certificates.certificate_path(instance, 'internet')}",
            f"--key={certificates.key_path(instance, 'internet')}",
            f"--version={name}",
            "--log_output_level=default:warn",
        ),
        environment={"INSTANCE_IP": address},
        reads=(certificates.certificate_path(instance, "internet"),),
    )


def _folder(instance: instances.Instance) -> Path:
    return instance.state / "internet"
