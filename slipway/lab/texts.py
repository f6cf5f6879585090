"""Files of the lab: rendered from templates, written whole or not at all."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jinja2

PUBLIC_MODE = 0o644
PRIVATE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700


def render(name: str, known: Mapping[str, object]) -> str:
    """Return the text of a template of this room; an unknown variable raises jinja2.UndefinedError."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("slipway.lab", "files"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
    )
    return environment.get_template(name).render(known)


def write(path: Path, content: str | bytes, *, mode: int = PUBLIC_MODE) -> bool:
    """Make ``path`` hold ``content`` with ``mode`` and return whether it changed; readers never see half of it."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made readable by its owner alone, and under a name of its own: two processes may write the same file.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    return True
