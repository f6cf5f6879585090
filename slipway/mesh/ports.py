"""Ports of a service: protocol, number, and the port that callers use."""

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model
from slipway.mesh.reading import Found


def read_ports(service: Found, collector: Collector) -> tuple[model.Port, ...]:
    """Return the ports of one service, sorted by name; a port that was refused is left out."""
    ports: list[model.Port] = []
    for name, found in service.entries("ports").items():
        protocol = found.text_of("protocol", default=name)
        stated = found.get("protocol")
        refused = stated is not None and stated.refused
        if not refused and protocol not in {item.value for item in model.Protocol}:
            _unknown_protocol(name, found, collector)
            refused = True
        number = found.scalar if isinstance(found.scalar, int) else found.whole_of("port", 0)
        if refused or not number:
            continue
        service_port = found.whole_of("service", number)
        port = model.Port(
            name=name,
            protocol=model.Protocol(protocol),
            number=number,
            service_port=service_port,
            span=found.key,
        )
        _check_port(port, ports, found.path, collector)
        ports.append(port)
    return tuple(sorted(ports, key=lambda item: item.name))


def _unknown_protocol(name: str, found: Found, collector: Collector) -> None:
    known = [item.value for item in model.Protocol]
    near = collector.nearest(name, known)
    other = f"write `{wording.shown(name)}: {{protocol: tcp, port: ...}}` for a port with a name of its own"
    hint = f"did you mean {wording.quoted(near)}? Or {other}" if near else other
    sentence = f"{wording.quoted(name)} is not a protocol; protocols: {wording.listed(known)}"
    collector.report(catalogue.NOT_A_CHOICE, sentence, span=found.key, path=found.path, found=name, hint=hint)


def _check_port(port: model.Port, others: list[model.Port], path: str, collector: Collector) -> None:
    for other in others:
        if port.number == other.number or port.service_port == other.service_port:
            number = port.number if port.number == other.number else port.service_port
            sentence = f"the ports {wording.quoted(other.name)} and {wording.quoted(port.name)} both are {number}"
            collector.report(
                catalogue.DUPLICATE_PORT,
                sentence,
                span=port.span,
                path=path,
                found=str(number),
                hint="give each port a number of its own, or remove one",
                related=[other.span],
            )
            return
