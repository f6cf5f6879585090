"""Worlds for questions of reachability: of an environment, a folder, a git revision, or the running cluster."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway import reachability
from slipway.cli import mesh_configs, network_policies, reaching, stacks
from slipway.diagnostics import Collector, DiagnosticsError
from slipway.inventory import istiod
from slipway.manifests import kubernetes_reader
from slipway.manifests.manifest import Manifest

if TYPE_CHECKING:
    from slipway.mesh import model

LIVE = "live"
GIT = "git:"
_GIT_TIMEOUT_S = 60.0
_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A source: its world, and who answers for hosts, as far as a declaration says so."""

    world: reachability.World
    owners: Mapping[str, str] = field(default_factory=dict[str, str])


def load(text: str, *, where: reaching.Where) -> reachability.World:
    """Return the world that ``text`` names. Raises as :func:`loaded`."""
    return loaded(text, where=where).world


def loaded(text: str, *, where: reaching.Where) -> Loaded:
    """Return what ``text`` names: ``live``, ``git:REVISION``, a folder, or an environment.

    Raises DiagnosticsError for mistakes in what is read, KubernetesError when the cluster cannot be asked,
    click.UsageError for a source that does not exist.
    """
    if text == LIVE:
        return Loaded(world=_live(where))
    if text.startswith(GIT):
        return _revision(text.removeprefix(GIT), where)
    folder = Path(text)
    if folder.is_dir() and (os.sep in text or not (Path(stacks.FOLDER) / f"{text}.yaml").exists()):
        return Loaded(world=_folder(folder, where))
    return _declared(stacks.load(text))


def compiled(mesh: "model.Mesh") -> reachability.World:
    """Return the world that a declaration becomes: its bundle, the gateways, and the workloads that it expects."""
    return _declared(mesh).world


def _declared(mesh: "model.Mesh") -> Loaded:
    from policies.bundles import compiler, surroundings

    bundle = compiler.compile_bundle(mesh)
    around = surroundings.emit_surroundings(mesh, bundle)
    return Loaded(world=reachability.read_applied(bundle.manifests, around), owners=around.owners)


def _folder(folder: Path, where: reaching.Where) -> reachability.World:
    files = sorted(path for path in folder.rglob("*") if path.suffix in _ENDINGS and path.is_file())
    found = {path: kubernetes_reader.read_manifests(path.read_bytes(), file=str(path)) for path in files}
    manifests = [item for items in found.values() for item in items]
    if not manifests:
        raise click.UsageError(f"the folder {folder} holds no Kubernetes manifests ({', '.join(_ENDINGS)})")
    settings = mesh_configs.of(manifests, revision=where.istio_revision)
    engine = network_policies.enforced_by(manifests, stated=where.network_policies)
    origins = {item.key: str(path) for path, items in found.items() for item in items}
    try:
        return _checked(manifests, settings, origins, engine)
    except DiagnosticsError:
        return _checked(manifests, settings, _places(files), engine)  # the same mistakes, with their lines


def _checked(
    manifests: Iterable[Manifest],
    settings: Mapping[str, Any],
    origins: Mapping[tuple[str, str, str], str],
    engine: reachability.Engine,
) -> reachability.World:
    world = reachability.read(manifests, mesh_config=settings, origins=origins, engine=engine)
    reachability.stop_on_idle(world)
    return world


def _places(files: Iterable[Path]) -> dict[tuple[str, str, str], str]:
    """Return where each object stands, as ``file:line:column``; where there are two, the later one."""
    from slipway.manifests import placed

    items = [
        (item.manifest.key, item.span())
        for path in files
        for item in placed.read(path.read_bytes(), file=str(path), collector=Collector())
    ]
    return {key: f"{span.file}:{span.line}:{span.column}" for key, span in items}


def _revision(revision: str, where: reaching.Where) -> Loaded:
    import tempfile

    from slipway.world import process

    revision, _, named = revision.partition(":")
    environment = named or where.environment
    if not environment or not revision or revision.startswith("-"):
        raise click.UsageError("a git revision is written git:REVISION:ENVIRONMENT, for example git:HEAD~1:lab")

    def git(*words: str) -> str:
        return process.run(["git", *words], timeout_s=_GIT_TIMEOUT_S).stdout

    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        for name in git("ls-tree", "-r", "--name-only", revision, f"{stacks.FOLDER}/").splitlines():
            if not name.endswith(".yaml"):
                continue
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(git("show", f"{revision}:{name}"))
        if not (Path(folder) / stacks.FOLDER).exists():
            raise click.UsageError(f"revision {revision} has no folder {stacks.FOLDER}")
        shown_as = f"{revision}:{stacks.FOLDER}"
        return _declared(stacks.load(environment, folder=Path(folder) / stacks.FOLDER, shown_as=shown_as))


LIVE_KINDS = (
    *(("v1", kind) for kind in ("Namespace", "Pod", "Service")),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    *(
        ("networking.istio.io/v1", kind)
        for kind in ("Sidecar", "ServiceEntry", "WorkloadEntry", "DestinationRule", "VirtualService", "Gateway")
    ),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    *(
        ("security.istio.io/v1", kind)
        for kind in ("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication")
    ),
    ("extensions.istio.io/v1alpha1", "WasmPlugin"),
)


def _live(where: reaching.Where) -> reachability.World:
    from slipway.cli import clusters
    from slipway.world import live

    cluster = clusters.connect(kubeconfig=where.kubeconfig, context=where.context)
    manifests = live.read(cluster, LIVE_KINDS)
    # Which ConfigMap a revision takes and what its tags are is told as far as this user may read it.
    around = (
        *live.read(cluster, [istiod.CONFIG_MAP], namespace=istiod.NAMESPACE),
        *clusters.readable(cluster, [istiod.DEPLOYMENT], namespace=istiod.NAMESPACE)[0],
        *clusters.readable(cluster, [istiod.WEBHOOK])[0],
        *clusters.readable(cluster, [network_policies.DAEMON_SET], namespace=network_policies.NAMESPACE)[0],
        *clusters.readable(cluster, [network_policies.NODE])[0],
    )
    found = [*manifests, *around]
    return reachability.read(
        manifests,
        mesh_config=mesh_configs.of(found, revision=where.istio_revision),
        engine=network_policies.enforced_by(found, stated=where.network_policies),
    )
