"""The same declaration in another order, under other hash seeds: always the same bytes.

Every golden case is shuffled, maps and lists alike, and compiled; a process for each hash seed, since Python takes it
at its start only.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from policies.bundles import compiler
from slipway.manifests import canonical, plain, yaml_reader
from slipway.mesh import loader

ROOT = Path(__file__).parents[1]
_TIMEOUT_S = 1800


def shuffled(value: Any, source: random.Random) -> Any:
    """Return a tree with the entries of each map and the items of each list in another order."""
    if isinstance(value, dict):
        entries = [(key, shuffled(item, source)) for key, item in value.items()]
        return dict(source.sample(entries, len(entries)))
    if isinstance(value, list):
        return source.sample([shuffled(item, source) for item in value], len(value))
    return value


def compiled(mesh: str, environment: str) -> str:
    """Return everything that a declaration becomes, as text."""
    sources = [loader.Source(file="mesh.yaml", text=mesh)]
    found = loader.load(sources, loader.Source(file="lab.yaml", text=environment), environment_name="lab")
    bundle = compiler.compile_bundle(found)
    rest = (bundle.namespace_labels, bundle.mesh_config, bundle.control_plane, bundle.gateways, bundle.nsg)
    return canonical.manifests_to_json(bundle.manifests) + repr((*rest, bundle.guards))


def _cases() -> dict[str, tuple[Path, Path]]:
    """Return both files of each golden case; the example's stand where its users have them."""
    found = {
        path.parent.name: (path, path.with_name("environment.yaml"))
        for path in sorted((ROOT / "tests/cases/bundles").glob("*/mesh.yaml"))
    }
    for name, environment in (("example", "stacks/lab.yaml"), ("azure", "examples/azure/dev.yaml")):
        found[name] = (ROOT / "stacks/mesh.yaml", ROOT / environment)
    return found


def digests(shuffles: int) -> dict[str, list[str]]:
    """Return the different results of each golden case over so many shuffles, as digests; one each is right."""
    found: dict[str, list[str]] = {}
    for name, files in _cases().items():
        trees = [plain.to_plain(yaml_reader.read(path.read_bytes(), file=path.name)) for path in files]
        source = random.Random(name)  # noqa: S311 - order, not secrets
        texts = [[json.dumps(shuffled(tree, source)) for tree in trees] for _ in range(shuffles)]
        results = {compiled(*(json.dumps(tree) for tree in trees)), *(compiled(*pair) for pair in texts)}
        found[name] = sorted(hashlib.sha256(item.encode()).hexdigest() for item in results)
    return found


def under_seeds(shuffles: int, seeds: int) -> list[dict[str, list[str]]]:
    """Return :func:`digests` of a process for each hash seed."""
    program = f"import json; from benchmarks import shuffled; print(json.dumps(shuffled.digests({shuffles})))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
        for seed in range(1, seeds + 1)
    ]
    return [json.loads(run.stdout) for run in runs]


def main(arguments: Sequence[str] = ()) -> int:
    """Compile every case `--shuffles` times under `--seeds` hash seeds; 1 when one of them differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks shuffled")
    parser.add_argument("--shuffles", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    runs = under_seeds(options.shuffles, options.seeds)
    results = {name: {digest for run in runs for digest in run[name]} for name in runs[0]}
    different = sorted(name for name, found in results.items() if len(found) > 1)
    told = f"{', '.join(different)} differ" if different else "the same bytes always"
    sys.stdout.write(f"{len(results)} cases, {options.shuffles} shuffles under {options.seeds} hash seeds: {told}\n")
    return 1 if different else 0
