"""A ground in memory, for tests of ours and of users' own runbooks."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway.rollout import ground, probes
from slipway.rollout.checks import check

Answer = Callable[[str, str, Mapping[str, Any]], probes.Result]


def silent(_where: str, _user: str, _request: Mapping[str, Any]) -> probes.Result:
    """Answer nothing to anybody."""
    return probes.Result(outcome="timeout")


def printed(requests: bytes, answer: Callable[[Mapping[str, Any]], probes.Result]) -> str:
    """Return what the prober prints for ``requests`` when each comes to what ``answer`` says."""
    lines: list[str] = []
    for request in json.loads(requests):
        result = answer(request)
        told = {
            "name": request["name"],
            "outcome": result.outcome,
            "code": result.code,
            "body": result.body,
            "headers": dict(result.headers),
            "detail": result.detail,
            "duration_ms": result.duration_ms,
        }
        lines.append(json.dumps(told) + "\n")
    return "".join(lines)


@dataclass(slots=True, kw_only=True)
class FakeGround:
    """Machines, a node and an outside that answer by ``answer(where, user, request)``.

    ``outputs`` are what programs print on a machine, by machine and first word; ``commands`` and ``rebooted`` tell
    what was asked for, in order.
    """

    known: ground.Surroundings
    answer: Answer = silent
    outputs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    commands: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    rebooted: list[str] = field(default_factory=list)

    def surroundings(self) -> ground.Surroundings:
        """See :meth:`ground.Ground.surroundings`."""
        return self.known

    def probe_from_machine(self, machine: str, requests: bytes, *, user: str, timeout_s: float) -> str:  # noqa: ARG002
        """See :meth:`ground.Ground.probe_from_machine`."""
        return printed(requests, lambda request: self.answer(machine, user, request))

    def probe_from_node(self, requests: bytes, *, timeout_s: float) -> str:  # noqa: ARG002
        """See :meth:`ground.Ground.probe_from_node`."""
        return printed(requests, lambda request: self.answer("node", "", request))

    def probe_from_outside(self, requests: bytes, *, timeout_s: float) -> str:  # noqa: ARG002
        """See :meth:`ground.Ground.probe_from_outside`."""
        return printed(requests, lambda request: self.answer("outside", "", request))

    def run_on_machine(
        self,
        machine: str,
        argv: Sequence[str],
        *,
        user: str = "root",
        stdin: bytes = b"",  # noqa: ARG002
        timeout_s: float = 20.0,  # noqa: ARG002
    ) -> str:
        """See :meth:`ground.Ground.run_on_machine`."""
        self.commands.append((machine, user, tuple(argv)))
        return self.outputs.get((machine, argv[0]), "")

    def reboot(self, machine: str) -> None:
        """See :meth:`ground.Ground.reboot`."""
        self.rebooted.append(machine)


def surroundings() -> ground.Surroundings:
    """Return facts that look like a lab's."""
    internet = check.Outside(
        addresses={"payments.example.com": "203.0.113.10"},
        forbidden=probes.Address(host="forbidden.example.net", port=443),
        forbidden_address="203.0.113.20",
        other_port=8443,
        resolver="203.0.113.53",
        resolver_name="forbidden.example.net.",
    )
    return ground.Surroundings(
        internet=internet,
        ingress_authority="/authority.pem",
        zipkin="http://127.0.0.1:9411",
        image="example/shop:1",
        program="/probe",
        machine_program="/opt/packages/probe",
    )
