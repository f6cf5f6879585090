"""One map of a Kubernetes object, read field by field; what nobody asked for is known afterwards."""

from collections.abc import Mapping
from typing import Any

from slipway.diagnostics import Collector, catalogue, wording

_UNSET: Mapping[str, Any] = {}


class Fields:
    """A map of an object with the path that leads to it.

    Reading a field that is absent or null gives the stated empty value; a value of another type is reported to the
    collector (MESH0501). :meth:`rest` names the fields that were neither read nor ignored: those are not modelled.
    """

    def __init__(self, value: Any, path: str, collector: Collector) -> None:
        self._path = path
        self._collector = collector
        self._seen: set[str] = set()
        self._children: list[Fields] = []
        if value is not None and not isinstance(value, Mapping):
            self._report("", value, "a map")
            value = None
        self._value: Mapping[str, Any] = _UNSET if value is None else value

    def __bool__(self) -> bool:
        return bool(self._value)

    def names(self) -> tuple[str, ...]:
        """Return the names of the map's fields."""
        return tuple(self._value)

    def has(self, key: str) -> bool:
        """Return whether the field is there and not null."""
        return self._value.get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number counts as its digits, as in fields that take a port's name or number."""
        value = self._take(key)
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None:
            self._report(key, value, "a text")
        return default

    def number(self, key: str) -> int | None:
        """Return a whole number, also when it is written as a text of digits."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | str | None):
            self._report(key, value, "a whole number")
            return None
        if isinstance(value, str):
            if value.isascii() and value.isdigit():
                return int(value)
            self._report(key, value, "a whole number")
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """Return a boolean, None when absent."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return value
        self._report(key, value, "true or false")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        found: list[str] = []
        for item in self._items(key):
            if isinstance(item, str):
                found.append(item)
            else:
                self._report(key, item, "a list of texts")
        return tuple(found)

    def labels(self, key: str) -> dict[str, str]:
        """Return a map of texts."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
            self._report(key, value, "a map of texts")
            return {}
        return dict(value)

    def map(self, key: str) -> "Fields":
        """Return the map of a field; an absent one is empty."""
        child = Fields(self._take(key), self._at(key), self._collector)
        self._children.append(child)
        return child

    def maps(self, key: str) -> tuple["Fields", ...]:
        """Return a list of maps."""
        found = tuple(
            Fields(item, f"{self._at(key)}[{index}]", self._collector) for index, item in enumerate(self._items(key))
        )
        self._children.extend(found)
        return found

    def keyed(self, key: str) -> dict[str, "Fields"]:
        """Return a map of maps."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._report(key, value, "a map")
            return {}
        found = {str(name): Fields(item, f"{self._at(key)}.{name}", self._collector) for name, item in value.items()}
        self._children.extend(found.values())
        return found

    def ignore(self, *keys: str) -> None:
        """State that these fields change nothing about who reaches whom."""
        self._seen.update(keys)

    def leave(self, key: str) -> None:
        """State that the value of a field that was read is not modelled."""
        self._seen.discard(key)

    def rest(self) -> tuple[str, ...]:
        """Return the paths of fields that are not modelled, those of maps read from this one included."""
        own = [self._at(key) for key, value in self._value.items() if key not in self._seen and value is not None]
        return tuple(own) + tuple(path for child in self._children for path in child.rest())

    def _take(self, key: str) -> Any:
        self._seen.add(key)
        return self._value.get(key)

    def _items(self, key: str) -> list[Any]:
        value = self._take(key)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self._report(key, value, "a list")
        return []

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if key else self._path

    def _report(self, key: str, value: Any, wanted: str) -> None:
        sentence = f"the field has to be {wanted}"
        found = wording.shown(str(value))
        hint = f"write {wanted}, as the field's definition says"
        path = self._at(key)
        self._collector.report(catalogue.OBJECT_FIELD, sentence, span=None, path=path, found=found, hint=hint)
