"""`slipway render ENV`: the objects that the declaration becomes."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import stacks
from slipway.manifests.manifest import Manifest

if TYPE_CHECKING:
    from slipway.mesh import model

PART_OF = "app.kubernetes.io/part-of"
_SYNC_WAVE = "argocd.argoproj.io/sync-wave"
_DECLARED_AT = "slipway.dev/declared-at"
_HEADER = "# Written by `slipway render`; the next one overwrites it.\n"

Parts = Mapping[str, Sequence[Manifest]]


@click.command()
@click.argument("environment")
@click.option("--bundle", "names", multiple=True, metavar="NAME", help="Only this bundle; may be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write a file per bundle into a folder."
)
@click.option("--sync-waves", is_flag=True, help="Number the order of creation for Argo CD.")
@click.option("--show-origin", is_flag=True, help="List objects with the clause of the declaration instead.")
@click.option("--mesh-config", is_flag=True, help="Print the settings of istiod that the objects rely on instead.")
@click.option("--count", is_flag=True, help="Count the lines of the declaration and of the objects instead.")
def render(
    environment: str,
    *,
    names: tuple[str, ...],
    out: Path | None,
    sync_waves: bool,
    show_origin: bool,
    mesh_config: bool,
    count: bool,
) -> None:
    """Print the Kubernetes objects that the declaration of ENVIRONMENT compiles into, as YAML.

    \b
    The same declaration gives the same bytes. Each object carries its bundle in the label
    app.kubernetes.io/part-of, so that what is no longer declared can be pruned.
    Examples: slipway render lab | kubectl diff -f -
              slipway render prod --bundle egress --out clusters/prod
              kubectl apply --prune -l app.kubernetes.io/part-of=shop-egress -f clusters/prod/egress.yaml
              slipway render prod --mesh-config   # values of the chart `istiod`
    """
    with stacks.told():
        mesh = stacks.load(environment)
        from policies.bundles import compiler

        chosen = names or compiler.NAMES
        if unknown := sorted(set(chosen) - set(compiler.NAMES)):
            known = ", ".join(compiler.NAMES)
            raise click.BadParameter(f"there is no bundle `{unknown[0]}`; bundles: {known}", param_hint="--bundle")
        parts = {name: compiler.compile_part(mesh, name) for name in dict.fromkeys(chosen)}
    if mesh_config:
        _show_mesh_config(mesh)
        return
    if count:
        from slipway.cli import counting

        click.echo(counting.table(environment, parts), nl=False)
        return
    if show_origin:
        _show_origin(parts)
        return
    parts = {
        name: [_marked(item, f"{mesh.name}-{name}", sync_waves) for item in part] for name, part in parts.items()
    }
    if out is None:
        from slipway.manifests import canonical

        everything = [item for part in parts.values() for item in part]
        click.echo(canonical.manifests_to_yaml(everything), nl=False)
        return
    _write(parts, out)


def _marked(manifest: Manifest, part_of: str, sync_waves: bool) -> Manifest:
    from policies.bundles import bundle

    waves = {_SYNC_WAVE: str(bundle.stage_of(manifest).value)} if sync_waves else {}
    return dataclasses.replace(
        manifest,
        labels={**manifest.labels, PART_OF: part_of},
        annotations={**manifest.annotations, **waves},
    )


def _show_mesh_config(mesh: "model.Mesh") -> None:
    """Print istiod's mesh configuration and the environment of its process, as values of its chart."""
    from policies.bundles import mesh_config
    from slipway.manifests import canonical

    values = {
        "meshConfig": mesh_config.emit_mesh_config(mesh),
        "env": dict(mesh_config.emit_control_plane(mesh).environment),
    }
    click.echo(canonical.values_to_yaml(values), nl=False)


def _show_origin(parts: Parts) -> None:
    """Print a line per object: its bundle, kind, namespace and name, and where it was declared."""
    for name, part in parts.items():
        for item in part:
            place = "/".join(filter(None, (item.namespace, item.name)))
            click.echo(f"{name}\t{item.kind}\t{place}\t{item.annotations[_DECLARED_AT]}")


def _write(parts: Parts, folder: Path) -> None:
    """Write a file per bundle; one that has become empty is removed when it was written by this command."""
    from slipway.manifests import canonical

    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        path = folder / f"{name}.yaml"
        if path.exists() and not path.read_text(encoding="utf-8").startswith(_HEADER):
            raise click.ClickException(
                f"{path} was not written by `slipway render`; move it, or choose another --out"
            )
        if part:
            path.write_text(_HEADER + canonical.manifests_to_yaml(part), encoding="utf-8")
            click.echo(f"{path}: {len(part)} objects", err=True)
        elif path.exists():
            path.unlink()
            click.echo(f"{path}: removed, nothing is declared", err=True)
