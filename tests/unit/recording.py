"""Pulumi mocks that only record: what a program registers, with parents and dependencies."""

import asyncio
import functools

import pulumi
from pulumi.runtime import mocks


class Recorder(mocks.Mocks):
    """Remembers what was registered and gives every resource an id."""

    def __init__(self) -> None:
        self.registered: list[mocks.MockResourceArgs] = []
        self.calls: list[mocks.MockCallArgs] = []

    def new_resource(self, args):
        self.registered.append(args)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args):
        self.calls.append(args)
        return {}


class Graph:
    """The registered resources by name, with parents and dependencies as the engine would see them."""

    def __init__(self, recorder: Recorder, monitor: mocks.MockMonitor) -> None:
        self.calls = tuple(recorder.calls)
        self.registered = {item.name: item for item in recorder.registered}
        self.all = tuple(recorder.registered)
        self.requests = {request.name: request for request in monitor.requests}
        self.outputs = dict(monitor.outputs)
        self._by_key = {(request.type, request.name): request for request in monitor.requests}

    def request(self, item: mocks.MockResourceArgs):
        """Return the whole request of one registered resource."""
        return self._by_key[item.typ, item.name]

    def before(self, name: str, *, kind: str = "") -> set[str]:
        """Return the names of everything that is created before ``name``, directly or not.

        ``kind`` is the end of its type, where several resources have that name.
        """
        found: set[tuple[str, str]] = set()
        open_keys = [key for key in self._by_key if key[1] == name and key[0].endswith(kind)]
        assert open_keys, name
        while open_keys:
            for urn in self._by_key[open_keys.pop()].dependencies:
                _, _, kinds, dependency = urn.split("::", 3)
                key = (kinds.rsplit("$", 1)[-1], dependency)
                if key not in found:
                    found.add(key)
                    open_keys.append(key)
        return {item for _, item in found}


class RecordingMonitor(mocks.MockMonitor):
    """The mock monitor, keeping every request whole."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.requests: list = []
        self.outputs: dict = {}

    def RegisterResourceOutputs(self, request):  # noqa: N802 - the protocol's name
        self.outputs[request.urn.rsplit("::", 1)[-1]] = request.outputs
        return super().RegisterResourceOutputs(request)

    def RegisterResource(self, request):  # noqa: N802 - the protocol's name
        self.requests.append(request)
        return super().RegisterResource(request)


def record(program, recorder: Recorder | None = None, *, preview: bool = False) -> Graph:
    """Run ``program`` with mocks and return what it registered."""
    recorder = recorder or Recorder()
    monitor = RecordingMonitor(recorder)
    asyncio.set_event_loop(_loop())
    mocks.set_mocks(recorder, project="slipway", stack="lab", preview=preview, monitor=monitor)
    pulumi.runtime.test(program)()
    return Graph(recorder, monitor)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return one event loop for every recording: Pulumi keeps what it has made in one for as long as it lives."""
    return asyncio.new_event_loop()
