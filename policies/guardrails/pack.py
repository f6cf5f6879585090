"""The rules as a Pulumi policy pack: each of them mandatory."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi_policy
from pulumi_policy import proxy

from policies.guardrails import access, identity, supply
from policies.guardrails.rule import Resource, ResourceRule, StackRule

NAME = "slipway"
UNKNOWN = "(not known yet)"
RESOURCE_RULES: tuple[ResourceRule, ...] = (*identity.RULES, *access.RULES, *supply.RULES)
STACK_RULES: tuple[StackRule, ...] = (*identity.STACK_RULES, *access.STACK_RULES)


def plain(value: Any) -> Any:
    """Return a value without the proxies in which the pack's library wraps maps and lists.

    What a preview cannot know yet is the text :data:`UNKNOWN`, so that the rest is judged all the same; the update
    judges again, with every input known.
    """
    if isinstance(value, Mapping):
        found = cast("Mapping[Any, Any]", value)
        return {str(key): _item(found, key) for key in found}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        found = cast("Sequence[Any]", value)
        return [_item(found, index) for index in range(len(found))]
    return value


def _item(values: Any, key: Any) -> Any:
    try:
        return plain(values[key])
    except proxy.UnknownValueError:
        return UNKNOWN


def _resource_policy(rule: ResourceRule, today: datetime.date) -> pulumi_policy.ResourceValidationPolicy:
    def validate(args: pulumi_policy.ResourceValidationArgs, report: pulumi_policy.ReportViolation) -> None:
        resource = Resource(type=args.resource_type, name=args.name, inputs=plain(args.props))
        for sentence in rule.check(resource, today):
            report(f"{args.name}: {sentence}", None)

    return pulumi_policy.ResourceValidationPolicy(
        name=rule.name,
        description=rule.description,
        validate=validate,
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
    )


def _stack_policy(rule: StackRule) -> pulumi_policy.StackValidationPolicy:
    def validate(args: pulumi_policy.StackValidationArgs, report: pulumi_policy.ReportViolation) -> None:
        resources = [
            Resource(type=item.resource_type, name=item.name, inputs=plain(item.props)) for item in args.resources
        ]
        for sentence in rule.check(resources):
            report(sentence, None)

    return pulumi_policy.StackValidationPolicy(
        name=rule.name,
        description=rule.description,
        validate=validate,
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
    )


def serve(*, today: datetime.date) -> None:
    """Serve the pack to the engine that started this process, until it ends."""
    pulumi_policy.PolicyPack(
        name=NAME,
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
        policies=[
            *(_resource_policy(rule, today) for rule in RESOURCE_RULES),
            *(_stack_policy(rule) for rule in STACK_RULES),
        ],
    )
