"""What an environment on Azure costs, as far as the list of prices says it, and what it does not say."""

import re
from decimal import Decimal
from pathlib import Path

import azure_example
import pulumi
import pytest
from click.testing import CliRunner

from components.azure import platform, settings
from policies.bundles import compiler
from slipway import cli
from slipway.diagnostics import DiagnosticsError, render
from slipway.mesh import azure_cost, azure_prices
from slipway.mesh.source import Source

ROOT = Path(__file__).parents[2]
SMALL = """\
currency: EUR
region: westeurope
date: 2026-11-01
source: our contract
prices:
  machine/Standard_D4ds_v5: {price: 0.20, per: hour}
  natGateway: {price: 30, per: month, region: global, date: 2026-10-01}
  privateZone: {price: 1, per: month, region: northeurope}
"""


def listed(text):
    return azure_prices.read(Source(file="prices.yaml", text=text))


def lines(found):
    return {item.what: item for item in found.lines}


@pytest.fixture(scope="module")
def own():
    return azure_cost.estimate(azure_example.load(), azure_prices.read(azure_prices.own()))


def test_every_line_of_the_example_is_counted_and_priced_by_hand(own):
    found = {what: (item.least, item.most, item.price) for what, item in lines(own).items()}
    node, machine, disk = Decimal("0.272") * 730, Decimal("0.115") * 730, Decimal("11.2272")
    assert found == {
        "cluster, tier Standard": (1, 1, None),
        "nodes of the pool system": (3, 5, node),
        "nodes of the pool workloads": (3, 10, node),
        "nodes of the pool gateways": (3, 6, node),
        "NAT gateways": (2, 2, Decimal("0.045") * 730),
        "public addresses of the NAT gateways": (6, 6, None),
        "internal load balancer, five rules": (1, 1, None),
        "private endpoint of the key vault": (1, 1, Decimal("0.01") * 730),
        "private endpoint of the databases' logs": (1, 1, Decimal("0.01") * 730),
        "private DNS zones": (4, 4, Decimal("0.5")),
        "machine billing-vm": (1, 1, machine),
        "system disk of billing-vm, 64 GiB": (1, 1, disk),
        "machine db-vm": (1, 1, machine),
        "system disk of db-vm, 64 GiB": (1, 1, disk),
        "data disk of db-vm, 64 GiB": (1, 1, disk),
        "backup of db-vm, without its storage": (1, 1, None),
    }
    assert own.most - own.least == 12 * node


def test_sums_are_those_of_the_lines_that_have_a_price(own):
    plain = azure_cost.to_plain(own)
    assert plain["atLeast"] == pytest.approx(sum(plain["lines"].values()), abs=0.05)
    assert plain["withoutPrice"] == [item.what for item in own.unpriced]
    assert not set(plain["withoutPrice"]) & set(plain["lines"])
    assert plain["prices"]["date"] == "2026-08-22"


def test_the_table_names_what_has_no_price_and_what_is_left_out(own):
    text = azure_cost.to_text(own)
    assert re.search(r"^public addresses of the NAT gateways +6 +no price$", text, re.MULTILINE)
    assert "no sum: clusterStandard; publicPrefixAddress; loadBalancer; backupInstance\n" in text
    assert "some of them were read on 2024-07-01\n" in text
    assert text.count("left out: ") == len(azure_cost.LEFT_OUT)


def test_a_list_of_ones_own_decides_all(own):
    found = azure_cost.estimate(azure_example.load(), listed(SMALL))
    assert found.least == 9 * Decimal("0.20") * 730 + 2 * 30
    assert lines(found)["private DNS zones"].price is None, "a price of another region is none"
    assert len(found.unpriced) == len(own.lines) - 4
    assert "EUR" in azure_cost.to_text(found)


def test_a_list_of_another_region_guesses_nothing():
    found = azure_cost.estimate(azure_example.load(), listed(SMALL.replace("westeurope", "swedencentral")))
    assert [item.what for item in found.lines if item.price is not None] == ["NAT gateways"]
    assert "the environment stands in westeurope: state `azure.prices`, a list of that region" in azure_cost.to_text(
        found
    )


@pytest.mark.parametrize(
    ("size_gib", "tier"), [(4, "P1"), (5, "P2"), (64, "P6"), (65, "P10"), (1024, "P30"), (32767, "P80")]
)
def test_a_disk_is_billed_as_the_next_larger_size(size_gib, tier):
    text = azure_example.text_of(**{'zone: "2", ': f'zone: "2", diskGib: {size_gib}, '})
    found = azure_cost.estimate(azure_example.load(text), listed(SMALL))
    assert lines(found)[f"data disk of db-vm, {size_gib} GiB"].meter == f"disk/{tier}"


def test_what_is_thrown_away_has_no_backup_and_options_are_named():
    changed = "  region: westeurope\n  keepData: false\n  options: [defender]\n"
    found = azure_cost.estimate(
        azure_example.load(azure_example.text_of(**{"  region: westeurope\n": changed})), listed(SMALL)
    )
    assert "option defender" in lines(found)
    assert not [what for what in lines(found) if what.startswith("backup")]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("0.20, per: hour", "cheap, per: hour", "prices.yaml:6:37: error"),
        ("per: hour", "per: day", "`hour`, `month`"),
        ("currency: EUR", "currency: euro", "prices.yaml:1:11: error"),
        ("date: 2026-11-01", "date: 2026-13-01", "is not a day of the calendar"),
        ("  machine/", "  machine/Standard_D4ds_v5: {price: 1, per: hour}\n  machine/", "prices.yaml:7:3: error"),
        ("0.20", "-1", "prices.yaml:6:37: error"),
        ("source: our contract", "", "needs the key `source`"),
    ],
)
def test_a_mistake_in_a_list_is_found_where_it_stands(before, after, says):
    assert before in SMALL
    with pytest.raises(DiagnosticsError) as raised:
        listed(SMALL.replace(before, after, 1))
    assert says in render.text(raised.value.diagnostics)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "stacks").mkdir()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    text = (ROOT / "examples/azure/dev.yaml").read_text()
    (tmp_path / "stacks/mesh.yaml").write_text((ROOT / "stacks/mesh.yaml").read_text())
    (tmp_path / "stacks/dev.yaml").write_text(text.replace("azure:\n", "azure:\n  prices: ../prices.yaml\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_prints_the_table_by_the_stated_list(checkout):
    (checkout / "prices.yaml").write_text(SMALL)
    done = CliRunner().invoke(cli.main, ["check", "dev", "--cost"])
    assert done.exit_code == 0, done.output
    assert "1,374.00 to 3,126.00\n" in done.output
    assert "prices of 2026-11-01, westeurope: our contract" in done.output


def test_a_list_that_is_not_there_is_bad_input(checkout):
    done = CliRunner().invoke(cli.main, ["check", "dev", "--cost"])
    assert done.exit_code == 2
    assert "prices.yaml:1:1: error MESH0221: this is not a regular file" in done.output


def test_the_stack_has_the_estimate_as_an_output_and_stops_on_a_wrong_list(tmp_path):
    mesh = azure_example.load(azure_example.text_of(**{"azure:\n": "azure:\n  prices: ../prices.yaml\n"}))
    (tmp_path / "stacks").mkdir()
    for name in ("billing-vm", "db-vm"):
        (tmp_path / f"examples/shop/machines/{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"examples/shop/machines/{name}.yaml").write_text("#cloud-config\n")
    (tmp_path / "prices.yaml").write_text(SMALL)

    def read() -> platform.AzurePlatformArgs:
        return settings.read(mesh, bundle=compiler.compile_bundle(mesh), folder=tmp_path / "stacks")

    assert read().monthly_cost["atLeast"] == 1374.0
    (tmp_path / "prices.yaml").write_text(SMALL.replace("EUR", "euro"))
    with pytest.raises(pulumi.RunError, match=r"prices.yaml:1:11: error"):
        read()


def test_only_azure_has_prices(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(cli.main, ["check", "lab", "--cost"]).exit_code == 2
    assert CliRunner().invoke(cli.main, ["check", "lab", "--cost", "--json"]).exit_code == 2
