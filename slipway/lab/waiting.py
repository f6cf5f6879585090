"""Waiting with a limit: what is not ready is said, never skipped."""

from collections.abc import Callable

import tenacity

from slipway.lab import instance as instances


def until(missing: Callable[[], str], *, limit_s: float, what: str, hint: str, pause_s: float = 0.1) -> None:
    """Ask ``missing`` until it returns an empty string.

    After ``limit_s`` seconds raises :class:`LabError` with ``what`` was awaited, its last answer and ``hint``.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(limit_s),
        wait=tenacity.wait_fixed(pause_s),
        retry=tenacity.retry_if_result(bool),
        retry_error_callback=lambda state: None if state.outcome is None else state.outcome.result(),
    )
    answer = retrying(missing)
    if answer:
        msg = f"{what} is not ready after {limit_s:g} s: {answer}; {hint}"
        raise instances.LabError(msg)
