"""The applications of the fleet as processes, each in the network namespace of its pod and behind its proxy."""

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import tenacity

from benchmarks.judge import asking, fleet, sets

_AGENT = Path(__file__).with_name("agent.py")
_TIMEOUT_S = 10.0
_STATUS = 2
_SUCCESS = 200
_PROCESSES_S = 10.0


class UnsettledError(Exception):
    """Proxies do not work by a round's configuration: ``told`` is why, by place.

    ``late`` tells that time ran out; otherwise they refused what they were sent.
    """

    def __init__(self, told: Mapping[str, str], *, late: bool) -> None:
        self.told = dict(told)
        self.late = late
        super().__init__("; ".join(f"{place}: {reason}" for place, reason in sorted(told.items())))


class Herd:
    """Running applications by namespace and name. ``targets`` are addresses by host name and by place."""

    def __init__(self, processes: Mapping[str, "subprocess.Popen[str]"]) -> None:
        self._processes = dict(processes)
        self._pool = futures.ThreadPoolExecutor(len(processes) or 1)
        self._sent = int(time.time()) * 1000  # numbers that no earlier run has left in the proxies' logs
        self.targets: dict[str, str] = {}

    def ask(self, place: str, order: Any) -> Any:
        """Give one application an order and return what it answers."""
        process = self._processes[place]
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the application {place} ended with {process.poll()}")
        return json.loads(line)

    def ask_all(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        """Give several applications an order each, at once."""
        return dict(zip(orders, self._pool.map(self.ask, orders.keys(), orders.values()), strict=True))

    def settle(self, places: Iterable[str], mark: str, *, timeout_s: float) -> None:
        """Return when the proxies of ``places`` work by the configuration that has ``mark``, and by no older one.

        Raises UnsettledError when some refuse it, once all others work by it, or when time runs out.
        """
        waiting, began, refused = list(places), time.monotonic(), dict[str, str]()
        while waiting:
            found = self.ask_all({place: {"mark": mark} for place in waiting})
            refused.update((place, item["refused"]) for place, item in found.items() if item["refused"])
            waiting = [place for place in waiting if found[place]["missing"]]
            if waiting and time.monotonic() - began > timeout_s:
                late = f"not settled after {timeout_s:g} s"
                raise UnsettledError({place: f"{late}: {found[place]['missing']}" for place in waiting}, late=True)
            if waiting:
                time.sleep(0.1)
        if refused:
            raise UnsettledError(refused, late=False)

    def measure(self, requests: Sequence[sets.Request]) -> list[asking.Measured]:
        """Send requests, those of one application on their own connections at once."""
        first = self._sent
        self._sent += len(requests)
        orders: dict[str, list[dict[str, Any]]] = {}
        for number, request in enumerate(requests, start=first):
            orders.setdefault(request.source, []).append(self._order(number, request))
        found: dict[int, asking.Measured] = {}
        for results in self.ask_all(orders).values():
            for item in results:
                number = int(item["id"])
                request = requests[number - first]
                told = measured(item, http=request.http is not None)
                if told.status == _SUCCESS and request.port in fleet.PROXY:
                    told = asking.Measured(end="app")
                found[number] = dataclasses.replace(told, mark=f"judge-{number}", local=item.get("local", ""))
        return [found[first + number] for number in range(len(requests))]

    def _found(self, request: sets.Request) -> str:
        """Return the address of what is called, names as a pod's DNS search completes them."""
        namespace = request.source.partition("/")[0]
        for suffix in ("", f".{namespace}.svc.cluster.local", ".svc.cluster.local", ".cluster.local"):
            if found := self.targets.get((request.pod or request.host) + suffix):
                return found
        raise KeyError(request.pod or request.host)

    def _order(self, number: int, request: sets.Request) -> dict[str, Any]:
        http = None if request.http is None else dataclasses.asdict(request.http)
        if request.sni is not None and http is None:
            http = {"method": "GET", "path": "/", "host": request.sni, "headers": []}
        return {
            "id": str(number),
            "address": request.address or self._found(request),
            "port": request.port,
            "http": http,
            "tls": request.sni is not None,
            "sni": request.sni,
            "timeout_s": _TIMEOUT_S,
        }


def measured(item: Mapping[str, Any], *, http: bool) -> asking.Measured:
    """Return what an application told of one of its requests."""
    if item["end"] != "bytes":
        ends = {"eof": "reset", "tls": "reset", "unreachable": "refused"}
        return asking.Measured(end=ends.get(item["end"], item["end"]))
    head, _, body = item["reply"].partition("\r\n\r\n")
    words = head.split(" ")
    spoken = words[0].startswith("HTTP/") and len(words) >= _STATUS and words[1].isdigit()
    told = _told(body if spoken else item["reply"])
    if told is not None:
        identified = told.get("identified") if http and spoken else None
        return asking.Measured(end="app", place=told["place"], port=told["port"], identified=identified)
    return asking.Measured(end="status", status=int(words[1])) if spoken else asking.Measured(end="reset")


def _told(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and "place" in found else None


@contextlib.contextmanager
def running(
    applications: Iterable[fleet.Application], *, cgroup: str, certificate: Path, key: Path, outside: Path
) -> Generator[Herd]:
    """Run the applications, and one outside of the mesh, while the block lasts.

    ``cgroup`` is the control group of the lab's containers, by which its pods are told from another lab's;
    ``outside`` the network namespace in which somebody answers at the ServiceEntries' own addresses.
    """
    applications = tuple(applications)
    wanted = {item.place: f"{fleet.MARK}={item.place}" for item in applications}
    gates = {item.place for item in applications if item.gateway}
    inside = namespaces(wanted, cgroup)
    commands = {
        place: command(
            place,
            namespace,
            *_ports(place, gates),
            certificate=certificate,
            key=key,
        )
        for place, namespace in {**inside, fleet.OUTSIDE: outside}.items()
    }
    with started(commands) as found:
        yield found


def _ports(place: str, gates: Collection[str]) -> tuple[Iterable[int], int]:
    """Return the ports that an application serves, and the one for TLS; none that a proxy beside it takes."""
    if place == fleet.OUTSIDE:
        return fleet.LISTENING_OUTSIDE, fleet.TLS_OUTSIDE
    if place in gates:
        return fleet.LISTENING_BESIDE_GATES, fleet.TLS_BESIDE_GATES
    return fleet.LISTENING, fleet.TLS


def command(
    place: str, namespace: Path, ports: Iterable[int], tls: int, *, certificate: Path, key: Path
) -> list[str]:
    """Return what runs the application ``place`` in a network namespace; ``tls`` is one more port, for TLS."""
    argv = ["nsenter", f"--net={namespace}", "--", sys.executable, "-I", str(_AGENT), place]
    return [*argv, ",".join(map(str, ports)), str(certificate), str(key), str(tls)]


@contextlib.contextmanager
def started(commands: Mapping[str, Sequence[str]]) -> Generator[Herd]:
    """Run applications by the commands given for each, all ready, while the block lasts."""
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for place, argv in commands.items():
            processes[place] = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for place, process in processes.items():
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the application {place} did not start")
        yield Herd(processes)
    finally:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.communicate()


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(RuntimeError),
    wait=tenacity.wait_fixed(0.2),
    stop=tenacity.stop_after_delay(_PROCESSES_S),
    reraise=True,
)
def namespaces(wanted: Mapping[str, str], cgroup: str) -> dict[str, Path]:
    """Return the network namespace of each pod, known by a variable of a process' environment.

    A process that becomes another program just then has neither environment, so that looking once may miss it.
    """
    missing = {marker.encode(): place for place, marker in wanted.items()}
    found: dict[str, Path] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            if f"{cgroup}/" not in (folder / "cgroup").read_text():
                continue
        except OSError:
            continue  # it has ended
        for variable in environment:
            if variable in missing:
                found.setdefault(missing[variable], folder / "ns/net")
    if lost := set(wanted) - set(found):
        raise RuntimeError(f"no process of {', '.join(sorted(lost))} is found")
    return found
