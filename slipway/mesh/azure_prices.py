"""A list of Azure's prices: dated, of one region and one currency, and the user's to replace."""

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from slipway.diagnostics import Collector, catalogue
from slipway.manifests import yaml_reader
from slipway.mesh import azure_values, reading
from slipway.mesh.mesh_keys import DAY
from slipway.mesh.shape import Choice, Field, MapOf, Number, Record, Rejected, Text
from slipway.mesh.source import Source

EVERYWHERE = "global"  # the region of meters that cost the same in all of them
HOURS_PER_MONTH = 730  # Source: Azure pricing calculator: 8760 hours of a year by twelve
OWN = "azure_prices.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one of something costs a month, in the list's currency; ``date`` is the day on which it was read."""

    monthly: Decimal
    region: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Prices by meter; ``source`` says where they come from."""

    currency: str
    region: str
    date: str
    source: str
    prices: Mapping[str, Price]

    def of(self, meter: str, *, region: str) -> Price | None:
        """Return the price of a meter in a region; None where the list does not say it."""
        found = self.prices.get(meter)
        return found if found is not None and found.region in {region, EVERYWHERE} else None


def _parse_text(text: str) -> str:
    if text.strip():
        return text.strip()
    raise Rejected(catalogue.AZURE_VALUE, "this is empty", hint="say where the prices come from")


_REGION = Text(noun="a region", parse=azure_values.parse_region)
_PRICE = Record(
    noun="a price",
    fields=(
        Field(key="price", shape=Number(noun="a price", minimum=0, maximum=1e6), doc="what it costs", required=True),
        Field(
            key="per", shape=Choice(noun="a time", values=("hour", "month")), doc="for how long of one", required=True
        ),
        Field(key="region", shape=_REGION, doc=f"`{EVERYWHERE}` for all; default: the list's"),
        Field(key="date", shape=DAY, doc="the day on which it was read; default: the list's"),
    ),
)
_LIST = Record(
    noun="the list of prices",
    fields=(
        Field(
            key="currency",
            shape=Choice(noun="a currency", values=("AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "SEK", "USD")),
            doc="of all prices",
            required=True,
        ),
        Field(key="region", shape=_REGION, doc="the region whose prices these are, as `westeurope`", required=True),
        Field(key="date", shape=DAY, doc="the day on which they were read", required=True),
        Field(
            key="source", shape=Text(noun="a source", parse=_parse_text), doc="where they come from", required=True
        ),
        Field(
            key="prices",
            shape=MapOf(noun="a map of prices", key=Text(noun="a meter", parse=_parse_text), value=_PRICE),
            doc="by meter, as the estimate names them",
            required=True,
        ),
    ),
)


def own() -> Source:
    """Return the list that comes with Slipway."""
    text = importlib.resources.files("slipway.mesh").joinpath(OWN).read_text(encoding="utf-8")
    return Source(file=f"slipway/mesh/{OWN}", text=text)


def read(source: Source) -> PriceList:
    """Return a list of prices. Raises DiagnosticsError with every mistake in it (MESH01xx, MESH02xx, MESH0801)."""
    collector = Collector()
    document = yaml_reader.read_on(source.text, file=source.file, collector=collector)
    found = None if document is None else reading.Reader(collector).read(document, _LIST)
    collector.stop_on_errors()
    if found is None:
        raise ValueError("the reader has refused what it could not read")
    region, date = found.text_of("region"), found.text_of("date")
    return PriceList(
        currency=found.text_of("currency"),
        region=region,
        date=date,
        source=found.text_of("source"),
        prices={
            meter: Price(
                monthly=_monthly(item),
                region=item.text_of("region", region),
                date=item.text_of("date", date),
            )
            for meter, item in found.entries("prices").items()
        },
    )


def _monthly(item: reading.Found) -> Decimal:
    stated = item.fields["price"]
    return Decimal(stated.raw) * (HOURS_PER_MONTH if item.text_of("per") == "hour" else 1)
