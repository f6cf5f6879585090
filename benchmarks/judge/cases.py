"""Cases as data: objects, requests, and what a real mesh made of them.

A case lives in lot 0. Addresses of pods are those of :mod:`standin`, wherever it was measured.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.judge import asking, fleet, logged, sets, standin
from benchmarks.judge.standin import LOT
from slipway import reachability
from slipway.manifests.surroundings import Surroundings

FOLDER = Path(__file__).parents[2] / "tests" / "cases" / "judge"
# What the lab's mesh has in its configuration, as far as it decides.
MESH: Mapping[str, Any] = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
LATER = "laterField"
_ENGINE = reachability.Engine.KUBE_ROUTER.value  # the lab's
_UNTOLD = dataclasses.asdict(logged.Logged())
_ADDRESS = re.compile(r"\d+(?:\.\d+){3}")
_ODD = re.compile("|".join(re.escape(item.place) for item in fleet.ODDS) + rf"|{fleet.ODD}\b|{fleet.CLOSED}\b")
Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``unknown`` tells that the analyser has to say that it does not know, whatever was measured.

    ``planned`` tells that the analyser sees the odd pods before they run, as Deployments without addresses, ``twice``
    that it sees two pods of each in place of one, ``machines`` that it sees machines in place of pods that are like
    those, ``engine`` what it is told of who enforces NetworkPolicy.
    ``refuses`` is a part of what a proxy says that does not take the objects; nothing can then be measured.
    ``fatal`` tells that istiod does not survive them, which was seen once and is not asked again.
    ``around`` is a whole mesh of its own, with everything that a cluster told, where the case is not about the fleet.
    """

    name: str
    objects: tuple[Object, ...]
    requests: tuple[tuple[sets.Request, asking.Measured], ...]
    unknown: bool = False
    planned: bool = False
    twice: bool = False
    machines: bool = False
    engine: str = _ENGINE
    refuses: str = ""
    fatal: bool = False
    mesh: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MESH)
    around: Surroundings | None = None

    @property
    def odd(self) -> bool:
        """Whether the case is about pods that are unlike those of the lots."""
        return bool(_ODD.search(json.dumps(document(self.objects, self.requests, mesh={}))))

    @property
    def as_it_runs(self) -> bool:
        """Whether the analyser sees what runs; else it is told less, or otherwise, than a cluster would."""
        return not self.told_otherwise and not self.planned and LATER not in json.dumps(self.objects)

    @property
    def told_otherwise(self) -> bool:
        """Whether the analyser is told of other pods or another engine than those that were measured."""
        return self.twice or self.machines or self.engine != _ENGINE


def load(path: Path) -> Case:
    """Return the case of a file, YAML or JSON."""
    text = path.read_text(encoding="utf-8")
    return of_document(path.stem, json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))


def of_document(name: str, found: Mapping[str, Any]) -> Case:
    """Return the case of what a file holds."""
    return Case(
        name=name,
        objects=tuple(found.get("objects", ())),
        requests=tuple(_row(item) for item in found["requests"]),
        unknown=bool(found.get("unknown")),
        planned=bool(found.get("planned")),
        twice=bool(found.get("twice")),
        machines=bool(found.get("machines")),
        engine=found.get("engine", _ENGINE),
        refuses=found.get("refuses", ""),
        fatal=bool(found.get("fatal")),
        mesh=found.get("mesh", MESH),
        around=Surroundings.from_json(json.dumps(found["around"])) if "around" in found else None,
    )


def all_of(folder: str) -> list[Path]:
    """Return the files of a folder of cases, sorted."""
    return sorted(path for path in (FOLDER / folder).glob("*") if path.suffix in {".json", ".yaml"})


def _row(item: Mapping[str, Any]) -> tuple[sets.Request, asking.Measured]:
    http = None
    if "path" in item:
        http = sets.Http(
            method=item.get("method", "GET"),
            path=item["path"],
            host=item.get("host", item.get("to", "")),
            headers=tuple((name, value) for name, value in item.get("headers", ())),
        )
    request = sets.Request(
        source=item["from"], host=item.get("to", ""), pod=item.get("pod", ""), port=item["port"], http=http,
        sni=item.get("sni"),
    )  # fmt: skip
    return request, _measured(str(item["measured"]), item.get("logged"))


def _measured(text: str, entry: Mapping[str, Any] | None) -> asking.Measured:
    told = None if entry is None else logged.Logged(**entry)
    if text.isdigit():
        return asking.Measured(end="status", status=int(text), told=told)
    end, _, how = text.partition(" ")
    return asking.Measured(end=end, identified={"mTLS": True, "plaintext": False}.get(how), told=told)


def _ended(measured: asking.Measured) -> str:
    if measured.end == "status":
        return str(measured.status)
    return measured.end + {True: " mTLS", False: " plaintext", None: ""}[measured.identified]


def document(
    objects: Iterable[Object], requests: Iterable[tuple[sets.Request, asking.Measured]], *, mesh: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a case as it is stored."""
    return {"mesh": dict(mesh), "objects": list(objects), "requests": [_document(*item) for item in requests]}


def whole(case: Case) -> str:
    """Return a case about a whole mesh as it is stored: one line for each object and for each request."""
    assert case.around is not None  # noqa: S101 - others are told by document
    around = json.loads(case.around.to_json())
    objects = around.pop("manifests")
    lines = [
        f'{{"around": {json.dumps(around)[:-1]}, "manifests": [',
        ",\n".join(json.dumps(item) for item in objects),
        ']}, "requests": [',
        ",\n".join(json.dumps(_document(*item)) for item in case.requests),
        "]}",
    ]
    return "\n".join(lines) + "\n"


def _document(request: sets.Request, measured: asking.Measured) -> dict[str, Any]:
    found: dict[str, Any] = {"from": request.source}
    found.update({"pod": request.pod} if request.pod else {"to": request.host})
    found["port"] = request.port
    if request.sni is not None:
        found["sni"] = request.sni
    if request.http is not None:
        http = request.http
        found.update({"method": http.method, "path": http.path, "host": http.host})
        if http.headers:
            found["headers"] = [list(item) for item in http.headers]
    found["measured"] = _ended(measured)
    if measured.told is not None:
        entries = dataclasses.asdict(measured.told).items()
        found["logged"] = {key: value for key, value in entries if value != _UNTOLD[key]}
    return found


def stored(document_: Mapping[str, Any], *, lot: int, live: Mapping[str, str]) -> str:
    """Return a case of any lot with live addresses as one of lot 0 with stand-in addresses, as text."""
    places = zip(fleet.Lot(number=lot).pods, LOT.pods, strict=True)
    names = {live[other.place]: standin.addresses()[own.place] for other, own in places}
    text = _addressed(json.dumps(document_, separators=(",", ":")), names)
    return _renamed(text, lot, LOT.number)


def placed(case: Case, *, lot: int, live: Mapping[str, str]) -> Case:
    """Return a case of lot 0 with stand-in addresses as one of another lot with live addresses."""
    places = zip(LOT.pods, fleet.Lot(number=lot).pods, strict=True)
    names = {standin.addresses()[own.place]: live[other.place] for own, other in places}
    names |= {standin.addresses()[item.place]: live[item.place] for item in fleet.ODDS if item.place in live}
    document_ = document(case.objects, case.requests, mesh=case.mesh)
    document_ |= {"unknown": case.unknown, "planned": case.planned, "twice": case.twice, "refuses": case.refuses}
    document_ |= {"machines": case.machines, "engine": case.engine}
    text = _addressed(json.dumps(document_), names)
    return of_document(case.name, json.loads(_renamed(text, LOT.number, lot)))


def _renamed(text: str, old: int, new: int) -> str:
    """Return a text with the namespaces of two lots exchanged, also where a Host header has them in capitals.

    Exchanged, since policies of the root namespace may name the other lot.
    """
    first, second = f"{fleet.PREFIX}-{old}-", f"{fleet.PREFIX}-{new}-"
    places = {first: second, second: first, first.upper(): second.upper(), second.upper(): first.upper()}
    return re.sub("|".join(places), lambda found: places[found[0]], text)


def _addressed(text: str, names: Mapping[str, str]) -> str:
    """Return a text with addresses replaced."""
    return _ADDRESS.sub(lambda found: names.get(found[0], found[0]), text)
