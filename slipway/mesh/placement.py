"""Where services run in one environment, and how requests are split between the places."""

from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import names
from slipway.mesh.reading import Found

_WHOLE_PCT = 100


class Placement:
    """Answers for each service where it runs: as the environment says, else as the declaration does."""

    def __init__(
        self, *, services: Mapping[str, Found], machines: Mapping[str, Found], positions: Found, collector: Collector
    ) -> None:
        self._services = services
        self._machines = machines
        self._runs_on = positions.entries("runsOn")
        self._weights = positions.entries("weights")
        self._collector = collector
        for entries in (self._runs_on, self._weights):
            for name, found in entries.items():
                self._check_service(name, found)

    def is_moved(self, service: str) -> bool:
        """Whether the environment says where the service runs."""
        return service in self._runs_on

    def places(self, name: str) -> frozenset[str]:
        """Return the machines of a service, and ``cluster`` for its pods; reports machines that are not declared."""
        stated = self._runs_on[name] if name in self._runs_on else self._services[name].list("runsOn")
        for item in stated:
            if item.text and item.text != names.CLUSTER and item.text not in self._machines:
                self._unknown_machine(item)
        return frozenset(item.text for item in stated if item.text) or frozenset({names.CLUSTER})

    def weights(self, name: str, *, places: frozenset[str], versions: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
        """Return the percentage of each place, sorted; () when none are stated. Reports MESH0327."""
        found = self._weights.get(name)
        if found is None:
            return ()
        wanted = places - {names.CLUSTER} | {*versions} if versions and names.CLUSTER in places else places
        weights = {place: item.scalar for place, item in found.fields.items() if isinstance(item.scalar, int)}
        if len(weights) == len(found.fields):
            self._check_weights(name, found, weights, wanted)
        return tuple(sorted(weights.items()))

    def _check_weights(self, name: str, found: Found, weights: Mapping[str, int], wanted: frozenset[str]) -> None:
        shown = wording.quoted(name)
        for place in sorted(weights.keys() - wanted):
            near = self._collector.nearest(place, wanted)
            item = found.fields[place]
            sentence = f"{shown} has no place {wording.quoted(place)}; its places are {wording.listed(wanted)}"
            hint = f"did you mean {wording.quoted(near)}?" if near else "add it to `runsOn` or to `versions`"
            self._report(item, sentence, hint, found=place)
        if missing := sorted(wanted - weights.keys()):
            sentence = f"the weights of {shown} leave out {wording.listed(missing)}"
            self._report(found, sentence, f"state each place, as `{missing[0]}: 0`")
        elif not weights.keys() - wanted and sum(weights.values()) != _WHOLE_PCT:
            sentence = f"the weights of {shown} are {sum(weights.values())} together, not {_WHOLE_PCT}"
            self._report(found, sentence, "make them percentages of all requests")

    def _report(self, item: Found, sentence: str, hint: str, *, found: str = "") -> None:
        self._collector.report(
            catalogue.WEIGHTS, sentence, span=item.key, path=item.path, found=found or item.raw, hint=hint
        )

    def _check_service(self, name: str, found: Found) -> None:
        if name not in self._services:
            near = self._collector.nearest(name, self._services)
            sentence = f"the service {wording.quoted(name)} is not declared"
            hint = f"did you mean {wording.quoted(near)}?" if near else f"declared: {wording.listed(self._services)}"
            self._collector.report(
                catalogue.UNKNOWN_SERVICE, sentence, span=found.key, path=found.path, found=name, hint=hint
            )

    def _unknown_machine(self, item: Found) -> None:
        near = self._collector.nearest(item.text, self._machines)
        sentence = f"the machine {wording.quoted(item.text)} is not declared in this environment"
        stated = f"`machines: {{{item.text}: {{address: ...}}}}` in the environment's file"
        hint = f"did you mean {wording.quoted(near)}?" if near else f"add {stated}"
        self._collector.report(
            catalogue.UNKNOWN_MACHINE, sentence, span=item.span, path=item.path, found=item.text, hint=hint
        )
