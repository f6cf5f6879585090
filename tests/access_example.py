"""One path of the example changed, and what a preview then says of calls."""

from pathlib import Path

CALLED = "billing.back-office.svc.cluster.local:9090, billing.corp.local:9090"
CHANGED = [
    "calls gained: 1, lost: 1, changed in kind: 0",
    "services in back-office:",
    f"  gained: shop/orders -> {CALLED} POST /bills",
    f"  lost: shop/orders -> {CALLED} POST /invoices",
]


def change(project: Path) -> None:
    """Declare another path for one call, in a copy of the checkout's program."""
    path = project / "stacks" / "mesh.yaml"
    path.write_text(path.read_text().replace("POST /invoices", "POST /bills"))


def told(printed: str) -> list[str]:
    """Return the difference as plain Pulumi shows it, without the reasons."""
    lines = [line.removeprefix("    ") for line in printed.splitlines()]
    start = next((index for index, line in enumerate(lines) if line.startswith("calls gained: ")), None)
    assert start is not None, printed
    return [line for line in lines[start : lines.index("", start)] if not line.startswith("    ")]
