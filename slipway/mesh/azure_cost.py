"""What an environment on Azure costs a month, as far as that follows from the declaration and a list of prices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from slipway.mesh import azure, azure_plan, azure_prices, model

# Sizes of Premium disks in GiB; a disk is billed as the smallest that holds it. Source: Azure docs, disks-types.
_TIERS = {
    1: 4, 2: 8, 3: 16, 4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096, 60: 8192, 70: 16384,
    80: 32767,
}  # fmt: skip
LEFT_OUT = (
    "traffic through NAT gateways, load balancers and the private endpoint, between zones and to the internet",
    "ingestion of logs and metrics beyond what is free, and their retention",
    "what backups and archives take to store, and transactions of the key vault and of the archives",
    "nodes that an upgrade adds for its time",
)
_COMMA = "{:,.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Some of one thing: ``least`` to ``most`` of them run; ``price`` is that of one for a month, None: not known."""

    what: str
    meter: str
    least: int
    most: int
    price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The lines of an environment, and the list that their prices come from."""

    lines: tuple[Line, ...]
    prices: azure_prices.PriceList
    region: str

    @property
    def least(self) -> Decimal:
        """The sum of what has a price, with as few nodes as the pools have."""
        return sum((item.least * item.price for item in self.lines if item.price is not None), Decimal())

    @property
    def most(self) -> Decimal:
        """The same with as many nodes as the pools have at most."""
        return sum((item.most * item.price for item in self.lines if item.price is not None), Decimal())

    @property
    def unpriced(self) -> tuple[Line, ...]:
        """Lines that the list has no price for: they are in no sum."""
        return tuple(item for item in self.lines if item.price is None)


def estimate(mesh: model.Mesh, prices: azure_prices.PriceList) -> Estimate:
    """Return what ``mesh`` costs; raises ValueError where it is not on Azure."""
    if mesh.azure is None:
        raise ValueError("the loader lets no environment on Azure pass without its settings")
    region = mesh.azure.region

    def line(what: str, meter: str, least: int, most: int) -> Line:
        found = prices.of(meter, region=region)
        return Line(what=what, meter=meter, least=least, most=most, price=None if found is None else found.monthly)

    made = (
        line(*item) for item in (*_cluster(mesh.azure), *_network(mesh, mesh.azure), *_machines(mesh, mesh.azure))
    )
    return Estimate(lines=tuple(made), prices=prices, region=region)


_Counted = tuple[str, str, int, int]


def _cluster(settings: azure.Azure) -> Iterator[_Counted]:
    yield "cluster, tier Standard", "clusterStandard", 1, 1
    for name, pool in settings.pools.all():
        yield f"nodes of the pool {name}", f"machine/{pool.size}", pool.minimum, pool.maximum
    for option in sorted(settings.options, key=lambda item: item.value):
        yield f"option {option.value}", f"option/{option.value}", 1, 1


def _network(mesh: model.Mesh, settings: azure.Azure) -> Iterator[_Counted]:
    addresses = sum(2 ** (32 - length) for length in azure_plan.PUBLIC_PREFIXES.values())
    archives = int(any(azure_plan.archive_address(mesh, item) for item in mesh.machines))
    zones = 1 + archives + len({name for item in mesh.services if item.machines for name in item.names})
    yield "NAT gateways", "natGateway", len(azure_plan.PUBLIC_PREFIXES), len(azure_plan.PUBLIC_PREFIXES)
    yield "public addresses of the NAT gateways", "publicPrefixAddress", addresses, addresses
    yield "internal load balancer, five rules", "loadBalancer", 1, 1
    yield "private endpoint of the key vault", "privateEndpoint", 1, 1
    if archives:
        yield "private endpoint of the databases' logs", "privateEndpoint", 1, 1
    own = 0 if settings.api_networks else 1
    yield "private DNS zones", "privateZone", zones + own, zones + own


def _machines(mesh: model.Mesh, settings: azure.Azure) -> Iterator[_Counted]:
    for machine in mesh.machines:
        yield f"machine {machine.name}", f"machine/{machine.size}", 1, 1
        disks = {"system disk": azure_plan.OS_DISK_GIB, "data disk": machine.disk_gib}
        for kind, size_gib in disks.items():
            if size_gib:
                yield f"{kind} of {machine.name}, {size_gib} GiB", f"disk/P{_tier(size_gib)}", 1, 1
        if azure_plan.keeps_database(settings, machine):
            yield f"backup of {machine.name}, without its storage", "backupInstance", 1, 1


def _tier(size_gib: int) -> int:
    return next(tier for tier, holds_gib in _TIERS.items() if holds_gib >= size_gib)


def to_plain(found: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON values: sums by month, what they are made of, and what is in none."""
    return {
        "currency": found.prices.currency,
        "atLeast": _rounded(found.least),
        "atMost": _rounded(found.most),
        "prices": {"region": found.prices.region, "date": found.prices.date, "source": found.prices.source},
        "lines": {item.what: _rounded(item.least * item.price) for item in found.lines if item.price is not None},
        "withoutPrice": [item.what for item in found.unpriced],
        "leftOut": [*LEFT_OUT],
    }


def _rounded(amount: Decimal) -> float:
    return float(round(amount, 2))


def to_text(found: Estimate) -> str:
    """Return an estimate as a table for people."""
    currency, list_of = found.prices.currency, found.prices
    rows = [("", "count", f"one, {currency}", f"month, {currency}")]
    rows += [_row(item) for item in found.lines]
    rows.append(("sum of what has a price", "", "", _span(found.least, found.most)))
    said = [
        *_aligned(rows),
        f"prices of {list_of.date}, {list_of.region}: {list_of.source}; without tax and discounts",
    ]
    if older := sorted({price.date for price in list_of.prices.values()} - {list_of.date}):
        said.append(f"some of them were read on {', '.join(older)}")
    if found.region != list_of.region:
        said.append(f"the environment stands in {found.region}: state `azure.prices`, a list of that region")
    if found.unpriced:
        said.append(
            "without a price in this list, and in no sum: " + "; ".join(item.meter for item in found.unpriced)
        )
    said += [f"left out: {item}" for item in LEFT_OUT]
    return "".join(f"{line}\n" for line in said)


def _row(item: Line) -> tuple[str, str, str, str]:
    count = str(item.least) if item.least == item.most else f"{item.least} to {item.most}"
    if item.price is None:
        return (item.what, count, "no price", "")
    return (item.what, count, _COMMA.format(item.price), _span(item.least * item.price, item.most * item.price))


def _span(least: Decimal, most: Decimal) -> str:
    return _COMMA.format(least) if least == most else f"{_COMMA.format(least)} to {_COMMA.format(most)}"


def _aligned(rows: Iterable[tuple[str, str, str, str]]) -> list[str]:
    known = [*rows]
    widths = [max(len(row[column]) for row in known) for column in range(4)]
    return [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in known
    ]
