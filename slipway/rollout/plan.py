"""Everything that has to be seen, as values: the declaration in, checks out."""

from slipway.mesh import model
from slipway.rollout import samples
from slipway.rollout.checks import calls, database, ingress, outside, plaintext
from slipway.rollout.checks.check import Check, Group, Outside


def compile_plan(
    mesh: model.Mesh, *, known: samples.Samples, internet: Outside | None, ingress_authority: str
) -> tuple[Check, ...]:
    """Return the checks of an environment, each once, in the order in which they are shown.

    Phases that are not there yet are respected: what is still meant to be allowed is not expected to be refused.
    ``internet`` is ``None`` where no part of the internet may be probed.
    """
    found = [
        *calls.emit_declared(mesh, known),
        *calls.emit_undeclared(mesh),
        *calls.emit_wrong_requests(mesh),
        *plaintext.emit_plaintext(mesh),
        *(() if internet is None else outside.emit_outside(mesh, internet)),
        *(() if internet is None else outside.emit_gateway(mesh)),
        *(() if internet is None else outside.emit_bypass(mesh, internet)),
        *database.emit_database(mesh),
        *ingress.emit_ingress(mesh, known, authority=ingress_authority),
    ]
    order = {group: index for index, group in enumerate(Group)}
    unique = {check.name: check for check in found}
    return tuple(sorted(unique.values(), key=lambda check: order[check.group]))
