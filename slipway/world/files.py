"""Files of a declaration on disk."""

from dataclasses import dataclass
from pathlib import Path

from slipway.diagnostics import Collector, DiagnosticsError, Span, catalogue, wording
from slipway.manifests import decoding
from slipway.mesh import azure_prices, cloud_config, model, names, shape, stack_parts
from slipway.mesh.loader import Source

_MESH_FILE = "mesh.yaml"
_MESH_FOLDER = "mesh"
_EXTRA_FOLDER = "extra"
_NOT_ENVIRONMENTS = frozenset({"mesh", "probes"})
_ENDING = ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files of one environment: those that every environment shares, its own, and objects written by hand."""

    mesh: tuple[Source, ...]
    environment: Source
    extra: tuple[Source, ...] = ()


def read_sources(directory: Path, environment: str, *, limits: decoding.Limits = decoding.DEFAULT_LIMITS) -> Sources:
    """Return the files of the mesh (``mesh.yaml``, or ``mesh/*.yaml`` sorted by name) and the environment's file.

    With them come those of ``extra/*.yaml``, sorted by name.

    No more than ``limits.size_bytes`` of a file are read. Raises DiagnosticsError: MESH0104 for a larger file,
    MESH0205 for an environment whose name is none, MESH0221 and MESH0222 for files that are missing, unreadable, or
    there twice.
    """
    collector = Collector()
    mesh_paths = _mesh_paths(directory, collector)
    environment_path = _environment_path(directory, environment, collector)
    paths = [*mesh_paths, *environment_path]
    sources = [source for path in paths if (source := _read(path, limits, collector)) is not None]
    beside = _yaml_files(directory / _EXTRA_FOLDER, "files beside the declaration", collector)
    extra = [source for path in beside if (source := _read(path, limits, collector)) is not None]
    collector.stop_on_errors()
    return Sources(mesh=tuple(sources[:-1]), environment=sources[-1], extra=tuple(extra))


def environments(directory: Path) -> tuple[str, ...]:
    """Return the names of the environments that have a file, sorted."""
    found = {path.stem for path in directory.glob(f"*{_ENDING}")} - _NOT_ENVIRONMENTS
    return tuple(sorted(name for name in found if not name.startswith("Pulumi")))


def environment_of(directory: Path, stack: str) -> str:
    """Return the environment of a stack: most bear its name, a platform's own stack ends in `-platform`."""
    return stack_parts.environment_of(stack, environments(directory))


def read_prices(directory: Path, path: str, *, limits: decoding.Limits = decoding.DEFAULT_LIMITS) -> Source:
    """Return the list of prices at ``path``, relative to ``directory``, or Slipway's own where it is empty.

    Raises DiagnosticsError: MESH0104 for a file that is too large, MESH0221 for one that cannot be read.
    """
    if not path:
        return azure_prices.own()
    collector = Collector()
    source = _read(directory / path, limits, collector)
    if source is None:
        raise DiagnosticsError(collector.diagnostics)
    return source


def read_cloud_configs(directory: Path, mesh: model.Mesh) -> dict[str, str]:
    """Return the cloud-config that its team wrote, by machine; paths are relative to ``directory``.

    Raises DiagnosticsError: MESH0322 for a file that is not there, MESH0332 for one that is none, MESH0610 for one by
    which something runs as the sidecar's user, and MESH0101 to MESH0104 for what is no text.
    """
    collector = Collector()
    found: dict[str, str] = {}
    for machine in mesh.machines:
        path = directory / machine.cloud_config
        if machine.cloud_config and not _is_file(path):
            place = f"machines.{machine.name}.cloudConfig"
            sentence = f"there is no file {wording.quoted(_shown(path))}, the cloud-config of the machine"
            hint = f"write the path relative to {wording.quoted(_shown(directory))}, or remove the key"
            collector.report(
                catalogue.FILE_PATH, sentence, span=machine.span, path=place, found=machine.cloud_config, hint=hint
            )
        elif machine.cloud_config and (source := _read(path, decoding.DEFAULT_LIMITS, collector)) is not None:
            found[machine.name] = decoding.decode(source.text, file=source.file)
            cloud_config.check(found[machine.name], file=source.file, machine=machine, collector=collector)
    collector.stop_on_errors()
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than any file's
        return False


def _mesh_paths(directory: Path, collector: Collector) -> list[Path]:
    single, folder = directory / _MESH_FILE, directory / _MESH_FOLDER
    parts = _yaml_files(folder, "files of the mesh", collector)
    if single.exists() and parts:
        sentence = f"the mesh is declared here and in {wording.listed(_shown(path) for path in parts)}"
        hint = f"move this file into `{_shown(folder)}`, or the others into this one"
        collector.report(catalogue.MESH_FILES, sentence, span=_start(single), hint=hint)
    if not single.exists() and not parts:
        folder_name = wording.quoted(_shown(directory))
        sentence = f"the folder {folder_name} has neither `{_MESH_FILE}` nor `{_MESH_FOLDER}/*{_ENDING}`"
        hint = "run the command in the folder that holds `stacks/`, or create the file"
        collector.report(catalogue.MESH_FILES, sentence, span=_start(single), hint=hint)
    return parts or ([single] if single.exists() else [])


def _yaml_files(folder: Path, what: str, collector: Collector) -> list[Path]:
    """Return the files of a folder, sorted; none when it is not there. One with another ending is reported."""
    if not folder.is_dir():
        return []
    for odd in sorted(folder.glob("*.yml")):
        sentence = f"{what} end in `{_ENDING}`; this one would be left out"
        hint = f"rename it to `{wording.shown(odd.stem)}{_ENDING}`"
        collector.report(catalogue.MESH_FILES, sentence, span=_start(odd), found=odd.name, hint=hint)
    return sorted(folder.glob(f"*{_ENDING}"))


def _environment_path(directory: Path, environment: str, collector: Collector) -> list[Path]:
    try:
        names.parse_label(environment)
    except shape.Rejected as rejected:
        collector.report(rejected.code, rejected.sentence, span=None, found=environment, hint=rejected.hint)
        return []
    path = directory / f"{environment}{_ENDING}"
    known = environments(directory)
    if environment in _NOT_ENVIRONMENTS:
        sentence = f"no environment can be called {wording.quoted(environment)}: its file has another use"
        collector.report(catalogue.ENVIRONMENT_FILE, sentence, span=_start(path), hint="choose another name")
        return []
    if path.exists():
        return [path]
    near = collector.nearest(environment, known)
    sentence = f"there is no environment {wording.quoted(environment)}; environments: {wording.listed(known)}"
    hint = f"did you mean {wording.quoted(near)}?" if near else f"create `{_shown(path)}`"
    collector.report(catalogue.ENVIRONMENT_FILE, sentence, span=_start(path), found=environment, hint=hint)
    return []


def _read(path: Path, limits: decoding.Limits, collector: Collector) -> Source | None:
    if not path.is_file():
        sentence = "this is not a regular file"
        collector.report(catalogue.MESH_FILES, sentence, span=_start(path), hint="put a text file here")
        return None
    try:
        with path.open("rb") as stream:
            data = stream.read(limits.size_bytes + 1)
    except OSError as error:
        sentence = f"the file cannot be read: {error.strerror}"
        collector.report(catalogue.MESH_FILES, sentence, span=_start(path), hint="make it readable for this user")
        return None
    if len(data) > limits.size_bytes:
        sentence = f"the file is larger than {limits.size_bytes} bytes, the most that is read"
        hint = "split it into several files"
        collector.report(catalogue.FILE_TOO_LARGE, sentence, span=_start(path), hint=hint)
        return None
    return Source(file=_shown(path), text=data)


def _start(path: Path) -> Span:
    return Span(file=_shown(path), line=1, column=1)


def _shown(path: Path) -> str:
    """Return a path as short as it can be clicked: relative to the working directory when it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
