"""Objects that select workloads by labels, found by the labels of a workload instead of one by one."""

from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar


class Selecting(Protocol):
    """An object of a namespace; an empty selector selects every workload there."""

    @property
    def namespace(self) -> str:
        """Where the object is."""
        ...

    @property
    def selector(self) -> Mapping[str, str]:
        """The labels that it asks for."""
        ...


_T = TypeVar("_T", bound=Selecting)


class Selectors(Generic[_T]):
    """Objects by namespace and one of the labels that they ask for; they keep their order."""

    def __init__(self, items: Iterable[_T]) -> None:
        self._found: dict[str, dict[tuple[str, str] | None, list[tuple[int, _T]]]] = {}
        for position, item in enumerate(items):
            label = min(item.selector.items(), default=None)
            self._found.setdefault(item.namespace, {}).setdefault(label, []).append((position, item))

    def of(self, namespace: str, labels: Mapping[str, str]) -> list[_T]:
        """Return the objects of a namespace whose selectors ``labels`` fulfil, in their order."""
        here = self._found.get(namespace)
        if here is None:
            return []
        found = list(here.get(None, ()))
        for label in labels.items():
            found += [pair for pair in here.get(label, ()) if selects(pair[1].selector, labels)]
        found.sort(key=_position)
        return [item for _, item in found]


def _position(pair: tuple[int, object]) -> int:
    return pair[0]


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether ``labels`` hold every entry of ``selector``."""
    for key, value in selector.items():  # noqa: SIM110 - a generator costs more than what it compares
        if labels.get(key) != value:
            return False
    return True
