"""Objects written by hand against what every object of ours keeps: types of fields, and the policy pack's rules."""

import dataclasses
import datetime

from policies.guardrails import access, identity, supply
from policies.guardrails.rule import Resource
from slipway import reachability
from slipway.diagnostics import Collector, DiagnosticsError, catalogue, wording
from slipway.mesh import model

_RULES = (*identity.RULES, *access.RULES, *supply.RULES)


def stop_on_mistakes(mesh: model.Mesh, *, today: datetime.date) -> None:
    """Raise DiagnosticsError with every mistake in objects of ``stacks/extra``, as of ``today``.

    MESH0501 and MESH0502 for a field or version that it cannot have, MESH0705 for a rule that the engine's policy
    pack has for every resource.
    """
    collector = Collector()
    for item in mesh.extra:
        _check_types(item, collector)
        _check_rules(item, today, collector)
    collector.stop_on_errors()


def _check_types(item: model.Extra, collector: Collector) -> None:
    try:
        reachability.read([item.manifest], mesh_config={})
    except DiagnosticsError as error:
        collector.extend(dataclasses.replace(told, span=item.span) for told in error.diagnostics)


def _check_rules(item: model.Extra, today: datetime.date, collector: Collector) -> None:
    manifest = item.manifest
    resource = Resource(
        type=f"kubernetes:{manifest.api_version}:{manifest.kind}", name=manifest.name, inputs=manifest.to_dict()
    )
    named = wording.quoted(f"{manifest.kind} {manifest.namespace}/{manifest.name}")
    for rule in _RULES:
        for told in rule.check(resource, today):
            hint = f"{rule.description} Say what is meant in the declaration, or mend the object"
            collector.report(catalogue.GUARDRAIL, f"{named} {told}", span=item.span, found=rule.name, hint=hint)
