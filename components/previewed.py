"""Whether a preview has said the same already: `pulumi up` runs the program for its preview, then for the update.

Nothing tells the second run of the first, so the preview leaves a digest of what it said in Pulumi's own folder, and
the update takes it away.
"""

import hashlib
import os
import time
from pathlib import Path

LONGEST_S = 3600  # after that nobody has the preview before their eyes


def _file(stack: str) -> Path:
    """Source: pulumi 3.258 sdk/go/common/workspace/paths.go, `GetPulumiHomeDir`."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return home / "slipway" / f"previewed-{_digest(stack)[:32]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def keep(stack: str, told: str) -> None:
    """Keep that a preview of ``stack`` has said ``told``. Raises OSError where nothing can be kept."""
    file = _file(stack)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(_digest(told), encoding="ascii")


def take(stack: str, told: str) -> bool:
    """Return whether the last preview of ``stack`` said ``told`` within the hour; asked again, nothing did."""
    file = _file(stack)
    if not file.is_file():
        return False
    said, age_s = file.read_text(encoding="ascii"), time.time() - file.stat().st_mtime
    file.unlink()
    return said == _digest(told) and age_s < LONGEST_S
