"""Hostile declarations: real ones with bytes or parts of them changed, each through `slipway check`.

None may end otherwise than with exit code 0 or 2, take more than a second of processor time, or 256 MiB of memory.
"""

import argparse
import contextlib
import copy
import io
import json
import random
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks import declarations
from slipway import cli
from slipway.mesh import environment_keys, mesh_keys, shape

ROOT = Path(__file__).parents[1]
LIMIT_S = 1.0
LIMIT_MIB = 256
_GIVE_UP_S = 20.0
_EXIT_CODES = (0, 2)
_GENERATED = 20
_MESSAGE = re.compile(r"(stacks/[^\n]*:\d+:\d+: )?(error|warning) MESH\d{4}: ")
_LONGEST = 100_000
_CHANGES = (1, 1, 1, 2, 4)
_HOMOGRAPH = "\u0440\u0430ypal.com"
_TOKENS = (
    *re.findall(r"\S+", ": { } [ ] , # ' | > - ? / * *a &a !!str !!int null ~ -1 0 1.5 010 0x1F 1_000 22:22 true no"),
    *re.findall(r"\S+", "on <<: --- ... % @ ` services orders *.example.com 10.0.0.1 10.0.0.0/8 ::1"),
    *('"', "\u00e9", "\u202e", "\u2028", "\x00", "\x85", "\n", "\n\n", "\n ", "\t", "\r\n", " ", "", _HOMOGRAPH),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 80, 15001, 65536, 10**30, 1.5, float("inf"), float("nan"), "", " ", "a", "*", "/"),
    *("a" * 300, "\x00", "\u00e9", "\u202e", _HOMOGRAPH, "{*}", "/{**}/a", "GET /", "* *", "no", "010", "1.30"),
    *("10.0.0.1", "10.0.0.0/8", "10.0.0.5/8", "0.0.0.0/0", "::1", "fe80::1%eth0", "*.example.com", "a.example.com"),
    *(
        "-a",
        "a..b",
        "http://x",
        "x:443",
        "orders.shop.svc.cluster.local",
        "2027-02-30",
        "1e9s",
        "1h",
        "cluster",
        "mesh",
    ),
    *([], {}, [[]], [None], {"": None}, {"a": {"a": {"a": {}}}}, ["a", "a"], {"service": "orders"}),
)

_CLOUD_CONFIG = re.compile(rb"cloudConfig: ([a-z][\w./-]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One mutated declaration: the two files as bytes."""

    mesh: bytes
    environment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How `slipway check` ended: processor seconds, and how much the peak of memory has grown since the first."""

    exit_code: int
    output: str
    spent_s: float
    grown_mib: float

    def problems(self) -> list[str]:
        """Return everything that must not happen, in words."""
        found: list[str] = []
        if self.exit_code not in _EXIT_CODES:
            found.append(f"exit code {self.exit_code}")
        if self.exit_code == 2 and not _MESSAGE.match(self.output):  # noqa: PLR2004 - bad input
            found.append("refused without a message that has a place and a code")
        if "Traceback" in self.output:
            found.append("a traceback")
        if self.spent_s > LIMIT_S:
            found.append(f"{self.spent_s:.1f} s")
        if self.grown_mib > LIMIT_MIB:
            found.append(f"{self.grown_mib:.0f} MiB")
        return found


@dataclass(slots=True, kw_only=True)
class Tally:
    """What many cases ended with."""

    exit_codes: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    slowest_s: float = 0.0
    grown_mib: float = 0.0
    spent_s: float = 0.0

    def add(self, ending: Ending) -> None:
        """Count one more."""
        self.exit_codes[ending.exit_code] += 1
        self.broken += bool(ending.problems())
        self.slowest_s = max(self.slowest_s, ending.spent_s)
        self.grown_mib = max(self.grown_mib, ending.grown_mib)
        self.spent_s += ending.spent_s

    def __str__(self) -> str:
        ended = ", ".join(f"{count} with exit code {code}" for code, count in sorted(self.exit_codes.items()))
        figures = f"slowest {self.slowest_s:.3f} s, all {self.spent_s:.0f} s of processor time"
        return f"{ended}; {self.broken} broken; {figures}; {self.grown_mib:.0f} MiB more memory"


def corpus() -> list[Case]:
    """Return the declarations that are mutated: the example, the golden cases, and generated ones."""
    golden = [item.parent for item in sorted((ROOT / "tests/cases/bundles").glob("*/mesh.yaml"))]
    pairs = [(item / "mesh.yaml", item / "environment.yaml") for item in golden]
    pairs.append((ROOT / "stacks/mesh.yaml", ROOT / "stacks/lab.yaml"))
    made = map(declarations.generated, range(_GENERATED))
    return [
        *(Case(mesh=one.read_bytes(), environment=two.read_bytes()) for one, two in pairs),
        *(Case(mesh=item.mesh.encode(), environment=item.environment.encode()) for item in made),
    ]


def mutated(cases: Sequence[Case], source: random.Random) -> Case:
    """Return one of ``cases`` with a few changes in one of its files: of bytes, or of what they stand for."""
    case = source.choice(cases)
    in_mesh = source.random() < 0.7  # noqa: PLR2004 - the larger file has more to break
    text = case.mesh if in_mesh else case.environment
    if source.random() < 0.5:  # noqa: PLR2004 - half and half
        text = _bytes_changed(text, source.choice(cases).mesh, source)
    else:
        text = _tree_changed(text, source)
    return Case(mesh=text, environment=case.environment) if in_mesh else Case(mesh=case.mesh, environment=text)


def _bytes_changed(text: bytes, other: bytes, source: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(source.choice(_CHANGES)):
        start = source.randint(0, len(changed))
        end = min(len(changed), start + source.choice([0, 0, 1, 1, 3, 20, 200]))
        match source.randrange(6):
            case 0:
                changed[start:end] = source.choice(_TOKENS).encode()
            case 1:
                changed[start:end] = source.randbytes(source.randint(1, 4))
            case 2:
                changed[start:end] = changed[start:end] * source.choice([0, 2, 2, 50])
            case 3:
                at = source.randint(0, len(other))
                changed[start:end] = other[at : at + source.choice([1, 10, 100, 1000])]
            case 4:
                del changed[start : start + source.choice([1, 1, len(changed)])]
            case _ if start < len(changed):
                changed[start] ^= 1 << source.randrange(8)
    return bytes(changed[:_LONGEST])


def _words(wanted: shape.Shape) -> set[str]:
    """Return every key of a table."""
    match wanted:
        case shape.Record():
            return {item.key for item in wanted.fields}.union(*(_words(item.shape) for item in wanted.fields))
        case shape.MapOf():
            return _words(wanted.value)
        case shape.ListOf():
            return _words(wanted.item)
        case shape.Either():
            return _words(wanted.long)
        case _:
            return set()


_KEYS = sorted(_words(mesh_keys.MESH) | _words(environment_keys.ENVIRONMENT))


def _tree_changed(text: bytes, source: random.Random) -> bytes:
    tree = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - the base loader makes texts only
    tree = _typed(tree)
    for _ in range(source.choice(_CHANGES)):
        _change(tree, source)
    if source.random() < 0.5:  # noqa: PLR2004 - JSON is YAML too, and is written in another way
        return json.dumps(tree, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass")  # noqa: PLR2004
    return yaml.dump(tree, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False).encode()


def _typed(value: Any) -> Any:
    """Return a tree of texts with numbers and booleans where they look like it."""
    match value:
        case dict():
            return {key: _typed(item) for key, item in value.items()}
        case list():
            return [_typed(item) for item in value]
        case "true" | "false":
            return value == "true"
        case str() if value.isascii() and value.isdigit() and not value.startswith("0"):
            return int(value)
        case _:
            return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every map and list of a tree with each key or index in it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]


def _change(tree: Any, source: random.Random) -> None:
    places = _places(tree)
    if not places:
        return
    holder, key = source.choice(places)
    value = holder[key]
    match source.randrange(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[_key_like(key, source)] = holder.pop(key)
        case 2:
            giver, other = source.choice(places)
            holder[key] = copy.deepcopy(giver[other])
        case 3 if isinstance(value, str):
            holder[key] = _text_like(value, source)
        case 4 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(value))
        case 5 if isinstance(holder, dict):
            holder[source.choice(_KEYS)] = copy.deepcopy(source.choice(_VALUES))
        case _:
            holder[key] = copy.deepcopy(source.choice(_VALUES))


def _key_like(key: str, source: random.Random) -> str:
    return source.choice([_text_like(key, source), source.choice(_KEYS), key.upper()])


def _text_like(text: str, source: random.Random) -> str:
    at = source.randint(0, len(text))
    return text[:at] + source.choice([*_TOKENS, "x", "-", "."]) + text[at + source.randint(0, 1) :]


class Checker:
    """Runs `slipway check` in this process on files in one folder, which has to be the working directory.

    What is accepted is rendered as well, so that the compiler and the writer have their share.
    """

    def __init__(self, folder: Path) -> None:
        self._stacks = folder / "stacks"
        self._stacks.mkdir(exist_ok=True)
        if not (folder / "examples").exists():
            (folder / "examples").symlink_to(ROOT / "examples")
        for case in corpus():
            self._write_cloud_configs(case)
        self._before_mib = _peak_mib()
        self._out, self._told = io.StringIO(), io.StringIO()  # click remembers every stream that it has written to

    def check(self, case: Case) -> Ending:
        """Return how the command ends on a case."""
        (self._stacks / "mesh.yaml").write_bytes(case.mesh)
        (self._stacks / "lab.yaml").write_bytes(case.environment)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, _GIVE_UP_S)
        exit_code, output = self._command("check", "lab")
        if exit_code == 0:
            exit_code, output = self._command("render", "lab")
        signal.setitimer(signal.ITIMER_PROF, 0)
        return Ending(
            exit_code=exit_code,
            output=output,
            spent_s=time.process_time() - started,
            grown_mib=_peak_mib() - self._before_mib,
        )

    def _write_cloud_configs(self, case: Case) -> None:
        """Make the files of machines that a declaration names below its own folder."""
        for path in _CLOUD_CONFIG.findall(case.environment):
            file = self._stacks / path.decode()
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("#cloud-config\n")

    def _command(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code of `slipway` and what it says on stderr."""
        for stream in (self._out, self._told):
            stream.seek(0)
            stream.truncate()
        with contextlib.redirect_stdout(self._out), contextlib.redirect_stderr(self._told):
            try:
                cli.main(arguments, prog_name="slipway")
            except SystemExit as end:
                return (end.code if isinstance(end.code, int) else 1), self._told.getvalue()
        return 0, self._told.getvalue()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] = ()) -> int:
    """Check as many mutated declarations as `--count` says; keep those that end as they must not, and return 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fuzz")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for declarations that broke something")
    options = parser.parse_args(arguments)
    keep = None if options.keep is None else options.keep.resolve()
    signal.signal(signal.SIGPROF, _too_slow)
    with TemporaryDirectory(prefix="slipway-fuzz-") as folder, contextlib.chdir(folder):
        tally = fuzz(Checker(Path(folder)), count=options.count, seed=options.seed, keep=keep)
    sys.stdout.write(f"{options.count} mutated declarations from seed {options.seed}: {tally}\n")
    return 1 if tally.broken else 0


def fuzz(checker: Checker, *, count: int, seed: int, keep: Path | None = None) -> Tally:
    """Check ``count`` mutated declarations, the same ones for the same seed; tell of broken ones on stderr."""
    source, cases, tally = random.Random(seed), corpus(), Tally()  # noqa: S311 - a seed is given to repeat a run
    for number in range(count):
        case = mutated(cases, source)
        ending = checker.check(case)
        tally.add(ending)
        if problems := ending.problems():
            sys.stderr.write(f"{number}: {', '.join(problems)}\n{ending.output[-2000:]}\n")
            _keep(keep, number, case)
    return tally


def _keep(folder: Path | None, number: int, case: Case) -> None:
    if folder is not None:
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        (place / "mesh.yaml").write_bytes(case.mesh)
        (place / "lab.yaml").write_bytes(case.environment)


def _too_slow(signum: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
    raise TimeoutError(f"more than {_GIVE_UP_S:g} s of processor time")
