"""Files of a declaration in, the resolved mesh of one environment out, or every mistake at once."""

import dataclasses
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from slipway.diagnostics import Collector, Diagnostic, DiagnosticsError, Span
from slipway.manifests import yaml_reader
from slipway.mesh import (
    azure_reading,
    calls,
    checks,
    environment,
    environment_keys,
    extra,
    ingress,
    merging,
    mesh_keys,
    model,
    outside,
    perimeter,
    phases,
    placement,
    plain_callers,
    reading,
    services,
)
from slipway.mesh.reading import Found
from slipway.mesh.source import Source

_TRUST_DOMAIN = "cluster.local"  # Source: istio/api mesh/v1alpha1/config.proto, MeshConfig.trust_domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a declaration says and what there is to say about it; ``mesh`` is None when one message is an error."""

    mesh: model.Mesh | None
    diagnostics: tuple[Diagnostic, ...]

    def resolved(self) -> model.Mesh:
        """Return the mesh. Raises DiagnosticsError with every message when there is none."""
        if self.mesh is None:
            raise DiagnosticsError(self.diagnostics)
        return self.mesh


def load(
    mesh_files: Sequence[Source],
    environment_file: Source,
    *,
    environment_name: str,
    today: datetime.date | None = None,
    extra_files: Sequence[Source] = (),
) -> model.Mesh:
    """Return the resolved mesh of one environment, with exceptions judged as of ``today`` (None: not judged).

    Raises DiagnosticsError with every message of all files (codes MESH01xx to MESH04xx and MESH07xx,
    `slipway.diagnostics` has the catalogue) when at least one is an error.
    """
    return examine(
        mesh_files,
        environment_file,
        environment_name=environment_name,
        today=today,
        extra_files=extra_files,
    ).resolved()


def examine(
    mesh_files: Sequence[Source],
    environment_file: Source,
    *,
    environment_name: str,
    today: datetime.date | None = None,
    extra_files: Sequence[Source] = (),
) -> Examined:
    """Return the resolved mesh with its warnings, or the messages that say why there is none; raises nothing.

    Exceptions that have an end are judged as of ``today``; without one they are not. ``extra_files`` hold objects
    that somebody wrote by hand.
    """
    collector = Collector()
    reader = reading.Reader(collector)
    documents = [yaml_reader.read_on(item.text, file=item.file, collector=collector) for item in mesh_files]
    stated = yaml_reader.read_on(environment_file.text, file=environment_file.file, collector=collector)
    parsed = [merging.spread(item, reader=reader) for item in documents if item is not None]
    declared = positions = mesh = None
    if parsed and len(parsed) == len(documents):
        declared = reader.read(merging.merge(parsed, collector=collector), mesh_keys.MESH)
    if stated is not None:
        positions = reader.read(stated, environment_keys.ENVIRONMENT)
    if declared is not None and positions is not None:
        mesh = _resolve(declared, positions, environment_name, today, collector)
        beside = extra.read_extra(extra_files, services=mesh.services, collector=collector)
        mesh = dataclasses.replace(mesh, extra=beside) if beside else mesh
    return Examined(mesh=None if collector.has_errors else mesh, diagnostics=collector.diagnostics)


def _resolve(
    declared: Found, positions: Found, environment_name: str, today: datetime.date | None, collector: Collector
) -> model.Mesh:
    stated, externals = declared.entries("services"), declared.entries("external")
    entries = {name: found for name, found in stated.items() if not plain_callers.is_plain(found)}
    machines, hosts = positions.entries("machines"), positions.entries("hosts")
    call_reader = calls.CallReader(
        services=entries, plain=stated.keys() - entries.keys(), externals=externals, collector=collector
    )
    places = placement.Placement(services=entries, machines=machines, positions=positions, collector=collector)
    resolved = services.read_services(entries, calls=call_reader, placement=places, collector=collector)
    platform = model.PlatformKind(positions.text_of("platform", model.PlatformKind.LAB.value))
    name = declared.text_of("mesh")
    settings = azure_reading.read_azure(
        positions.get("azure"), mesh=name, name=environment_name, positions=positions, collector=collector
    )
    mesh = model.Mesh(
        name=name,
        environment=environment_name,
        platform=platform,
        trust_domain=positions.text_of("trustDomain", _TRUST_DOMAIN),
        revision=positions.text_of("revision"),
        services=resolved,
        externals=outside.read_externals(externals, hosts=hosts, collector=collector),
        ingress=ingress.read_ingress(
            declared.entries("ingress"), hosts=hosts, services=entries, calls=call_reader, collector=collector
        ),
        tracing=perimeter.read_tracing(declared.get("tracing")),
        machines=environment.read_machines(machines, services=resolved, settings=settings, collector=collector),
        network=environment.read_network(
            positions.get("network"),
            platform=platform,
            settings=settings,
            environment=positions,
            has_ingress=bool(declared.entries("ingress")),
            collector=collector,
        ),
        phases=phases.read_phases(positions.get("phase"), services=resolved, today=today, collector=collector),
        plain_callers=plain_callers.read_plain_callers(stated, calls=call_reader, today=today, collector=collector),
        azure=settings,
        sidecar=environment.read_sidecar(positions.get("sidecar"), platform=platform, collector=collector),
        places=tuple(sorted({"revision": positions.span, **_places(positions)}.items())),
    )
    checks.check(mesh, declared=declared, positions=positions, collector=collector)
    return mesh


def _places(positions: Found) -> dict[str, Span]:
    return {key: item.key for key, item in positions.fields.items()}
