"""Files that come out of a Go module as they are: charts, templates, schemas, scripts."""

import json
import re
import shutil
from pathlib import Path

from slipway.lab.programs.model import ModuleFile


def copy(file: ModuleFile, *, folder: Path, into: Path) -> None:
    """Copy a file or a folder of the module at ``folder``; Go keeps its cache read-only, the copy is not."""
    source, target = folder / file.source, into / file.target
    found = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    for path in found:
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        to.chmod(0o755 if file.executable else 0o644)
    if not found:
        raise FileNotFoundError(f"{file.module} has no {file.source}")


def embed(file: ModuleFile, *, folder: Path, into: Path, version: str) -> None:
    """Write a JSON file of the module in its compact form, with ``version`` set where the recipe asks for it.

    Source: github.com/pulumi/pulumi-kubernetes v4.25.0, provider/cmd/pulumi-resource-kubernetes/generate.go.
    """
    document = json.loads((folder / file.source).read_text(encoding="utf-8"))
    if file.version:
        document["version"] = version
    (into / file.target).write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def set_chart_version(chart: Path, *, version: str) -> None:
    """Replace the development version of a chart, as Istio's release does.

    Source: the comment on ``version`` in istio.io/istio manifests/charts/base/Chart.yaml.
    """
    file = chart / "Chart.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^(version|appVersion): .*$", rf"\1: {version}", text), encoding="utf-8")
