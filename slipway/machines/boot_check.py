"""The script that waits on a machine until its user-data is applied."""

import hashlib
import importlib.resources


def script(user_data: str) -> str:
    """Return a script for root that ends with 0 when cloud-init has applied ``user_data``; it can be run again.

    Other user-data makes another script, and it lets cloud-init run again without a reboot.
    """
    text = importlib.resources.files("slipway.machines").joinpath("files", "booted").read_text(encoding="utf-8")
    wanted = hashlib.sha256(user_data.encode()).hexdigest()
    return text.replace("@WANTED@", wanted)
