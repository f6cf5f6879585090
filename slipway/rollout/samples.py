"""Harmless requests that a team declares, so that a call can be proved without changing anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway.diagnostics import Collector, catalogue, wording
from slipway.manifests import yaml_reader
from slipway.mesh import mesh_keys, model, reading
from slipway.mesh.shape import Field, ListOf, MapOf, Record, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """A request that falls under a declared one: its ``path`` may have a query; ``answer`` stands in the body."""

    path: str = ""
    body: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """A statement that only reads and returns one text, and that text."""

    query: str = "select '1'"
    answer: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A request to an ingress host (by logical name) whose one trace passes ``through`` these services."""

    ingress: str
    path: str
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """``http`` by service and declared request (``GET /api/orders/*``), ``sql`` by service."""

    http: Mapping[tuple[str, str], Http] = field(default_factory=dict)
    sql: Mapping[str, Sql] = field(default_factory=dict)
    trace: Trace | None = None


_TEXT = Text(noun="a text", parse=str)
_HTTP = Record(
    noun="a sample request",
    fields=(
        Field(key="path", shape=_TEXT, doc="path and query to send; default: the declared path"),
        Field(key="body", shape=_TEXT, doc="the body to send; default: none"),
        Field(key="answer", shape=_TEXT, doc="a text that the answer holds; default: any answer of the service"),
    ),
)
_SQL = Record(
    noun="a sample statement",
    fields=(
        Field(key="query", shape=_TEXT, doc="a statement that only reads and returns one text", required=True),
        Field(key="answer", shape=_TEXT, doc="the text that it returns", required=True),
    ),
)
_SERVICE = Record(
    noun="the samples of a service",
    fields=(
        Field(
            key="http",
            shape=MapOf(noun="a map from declared requests to samples", key=mesh_keys.REQUEST, value=_HTTP),
            doc="one sample for each declared request",
        ),
        Field(key="sql", shape=_SQL, doc="the sample of a database"),
    ),
)
_TRACE = Record(
    noun="a traced request",
    fields=(
        Field(key="ingress", shape=mesh_keys.LABEL, doc="logical name of the ingress host", required=True),
        Field(key="path", shape=_TEXT, doc="path and query to send", required=True),
        Field(
            key="through",
            shape=ListOf(noun="a list of services", item=mesh_keys.SERVICE),
            doc="the services whose spans have to be in the one trace",
            required=True,
        ),
    ),
)
FILE = Record(
    noun="the file of samples",
    fields=(
        Field(
            key="services",
            shape=MapOf(noun="a map from services to samples", key=mesh_keys.SERVICE, value=_SERVICE),
            doc="samples by service",
        ),
        Field(key="trace", shape=_TRACE, doc="a request whose trace is looked up"),
    ),
)


def load(text: bytes | str, *, file: str, mesh: model.Mesh) -> Samples:
    """Return the samples of a file; raises DiagnosticsError with every mistake, unknown names included."""
    collector = Collector()
    found = reading.Reader(collector).read(yaml_reader.read(text, file=file), FILE)
    _check_names(found, mesh, collector)
    collector.stop_on_errors()
    http: dict[tuple[str, str], Http] = {}
    sql: dict[str, Sql] = {}
    for service, entry in found.entries("services").items():
        for request, sample in entry.entries("http").items():
            http[(service, request)] = Http(
                path=sample.text_of("path"), body=sample.text_of("body"), answer=sample.text_of("answer")
            )
        statement = entry.get("sql")
        if statement is not None:
            sql[service] = Sql(query=statement.text_of("query"), answer=statement.text_of("answer"))
    traced = found.get("trace")
    trace = None
    if traced is not None:
        through = tuple(item.text for item in traced.list("through"))
        trace = Trace(ingress=traced.text_of("ingress"), path=traced.text_of("path"), through=through)
    return Samples(http=http, sql=sql, trace=trace)


def _check_names(found: reading.Found, mesh: model.Mesh, collector: Collector) -> None:
    services = [item.name for item in mesh.services]
    traced = found.get("trace")
    mentioned = [(name, entry.key, entry.path) for name, entry in found.entries("services").items()]
    mentioned += [(item.text, item.span, item.path) for item in (traced.list("through") if traced else ())]
    for name, span, path in mentioned:
        if name and name not in services:
            near = collector.nearest(name, services)
            hint = f"did you mean {wording.quoted(near)}?" if near else f"services: {wording.listed(services)}"
            sentence = f"there is no service {wording.quoted(name)}"
            collector.report(catalogue.UNKNOWN_SERVICE, sentence, span=span, path=path, found=name, hint=hint)
    ingress = traced.get("ingress") if traced else None
    hosts = [item.name for item in mesh.ingress]
    if ingress is not None and ingress.text and ingress.text not in hosts:
        sentence = f"there is no ingress {wording.quoted(ingress.text)}"
        hint = f"ingress hosts: {wording.listed(hosts)}"
        collector.report(
            catalogue.UNKNOWN_HOST_NAME, sentence, span=ingress.span, path=ingress.path, found=ingress.text, hint=hint
        )
