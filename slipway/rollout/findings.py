"""What verify tells: one line for each thing that was measured."""

from dataclasses import dataclass

from slipway.rollout import probes
from slipway.rollout.checks import check


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Expected against measured; ``difference`` is empty when they agree. ``attempts`` counts the requests sent."""

    group: check.Group
    subject: str
    expected: str
    measured: str
    difference: str = ""
    attempts: int = 1
    duration_ms: int = 0

    @property
    def passed(self) -> bool:
        """Whether the measured side is what was expected."""
        return not self.difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run: findings in the order of groups, and how long each stage took in seconds."""

    findings: tuple[Finding, ...]
    stages: tuple[tuple[str, float], ...]

    @property
    def passed(self) -> bool:
        """Whether there is at least one finding and none differs."""
        return bool(self.findings) and all(item.passed for item in self.findings)


def of(item: check.Check, result: probes.Result, *, difference: str, attempts: int = 1) -> Finding:
    """Return the finding of a check that was measured."""
    return Finding(
        group=item.group,
        subject=f"{item.source} -> {item.told}",
        expected=item.expected.told,
        measured=str(result),
        difference=difference,
        attempts=attempts,
        duration_ms=result.duration_ms,
    )
