"""Write the generated files of the checkout, or with ``--check`` say which are not current."""

import argparse
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS_BEGIN, ROOMS_END = "<!-- rooms -->", "<!-- /rooms -->"


def readme() -> tuple[Path, str]:
    """Return README.md with the picture of the rooms drawn from the import contract."""
    path = ROOT / "README.md"
    text = path.read_text()
    before, rest = text.split(ROOMS_BEGIN)
    after = rest.split(ROOMS_END)[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(item["layers"] for item in contracts if item["type"] == "layers")
    lines = ["```", "__main__.py"]
    for layer in layers:
        lines += ["   v", layer.replace("|", "+")]
    picture = "\n".join([*lines, "```"])
    return path, f"{before}{ROOMS_BEGIN}\n{picture}\n{ROOMS_END}{after}"


def schemas() -> list[tuple[Path, str]]:
    """Return the JSON schemas of the declaration, for editors."""
    from slipway.mesh import schema  # noqa: PLC0415

    folder = ROOT / "stacks" / "schema"
    return [
        (folder / "mesh.schema.json", schema.to_json(schema.mesh_schema())),
        (folder / "environment.schema.json", schema.to_json(schema.environment_schema())),
    ]


def pages() -> list[tuple[Path, str]]:
    """Return the reference of the declaration and the table of diagnostic codes."""
    from slipway.diagnostics import page  # noqa: PLC0415
    from slipway.mesh import reference  # noqa: PLC0415

    return [
        (ROOT / "docs" / "diagnostics.md", page.markdown()),
        (ROOT / "docs" / "declaration.md", reference.markdown()),
    ]


GENERATORS: tuple[Callable[[], list[tuple[Path, str]]], ...] = (lambda: [readme()], schemas, pages)


def main() -> int:
    """Return 0 when every file is current or was written, 1 when ``--check`` found a stale one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale: list[Path] = []
    for path, text in (item for generator in GENERATORS for item in generator()):
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in stale:
        said = "is not current; run: python tools/generate.py" if check else "written"
        sys.stderr.write(f"{path.relative_to(ROOT)}: {said}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
