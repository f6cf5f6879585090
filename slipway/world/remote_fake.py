"""A computer that is not there: answers as it was told to, and remembers what it was asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slipway.world.remote import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRemote:
    """``answer`` makes the answer from a command and its standard input; ``asked`` keeps both, in order."""

    answer: Callable[[str, bytes], Answer]
    name: str = "fake"
    asked: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def run(self, command: str, *, stdin: bytes, timeout_s: float, redact: Sequence[str] = ()) -> Answer:
        """See :meth:`slipway.world.remote.Remote.run`."""
        del timeout_s, redact
        self.asked.append((command, stdin))
        return self.answer(command, stdin)
