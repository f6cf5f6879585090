"""Durations of the declaration: written as people write them, kept in seconds as Istio reads them."""

import re
from decimal import Decimal

from slipway.diagnostics import catalogue, wording
from slipway.mesh.shape import Rejected

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_LEAST_S = Decimal("0.001")  # Source: istio/istio 1.29.1 pkg/config/validation/agent, ValidateDuration: at least 1 ms
_MOST_S = Decimal(86400)


def parse(text: str) -> str:
    """Return a duration from 1 ms to 24 h in seconds, as ``1.5s``; raises Rejected (MESH0323)."""
    found = _DURATION.fullmatch(text)
    seconds_ = None if found is None else Decimal(found[1]) * _SECONDS[found[2]]
    whole = seconds_ is not None and seconds_ == seconds_.quantize(_LEAST_S)
    if seconds_ is None or not whole or not _LEAST_S <= seconds_ <= _MOST_S:
        sentence = f"{wording.quoted(text)} is not a duration from 1ms to 24h in whole milliseconds"
        example = f"{text}s" if _NUMBER.fullmatch(text) else "1.5s"
        hint = f"write a number and `ms`, `s`, `m` or `h`, as `{example}`"
        raise Rejected(catalogue.DURATION, sentence, hint=hint)
    plain = f"{seconds_.quantize(_LEAST_S):f}".rstrip("0").rstrip(".")
    return f"{plain}s"


def seconds(duration: str) -> Decimal:
    """Return the length of what :func:`parse` gave, in seconds."""
    return Decimal(duration.removesuffix("s"))
