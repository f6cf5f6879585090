"""Names of Kubernetes objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.mesh import names

PARTS = st.lists(st.text("ab-./Aé", min_size=1, max_size=50), min_size=1, max_size=4)


def test_a_legal_name_stays():
    assert names.label("orders", "shop") == "orders-shop"
    assert names.subdomain("orders", "example.com") == "orders.example.com"


def test_a_long_name_keeps_its_tail_and_a_hash():
    name = names.label("a" * 80, "orders")
    assert len(name) == 63
    assert "orders-" in name
    assert name != names.label("a" * 81, "orders")


def test_a_changed_name_differs_from_the_name_it_looks_like():
    assert names.label("a.b") != names.label("a-b")
    assert names.label("A") != names.label("a")


def test_impossible_names_are_errors():
    with pytest.raises(ValueError, match="no name of at most 63 characters"):
        names.label("---")
    with pytest.raises(ValueError, match="no name of at most 8 characters"):
        names.label("a" * 20, limit=8)


@given(PARTS, st.integers(12, 63))
def test_made_names_are_legal_and_stable(parts, limit):
    try:
        name = names.label(*parts, limit=limit)
    except ValueError:
        assert not any(char in "abA" for part in parts for char in part)
        return
    assert names.parse_label(name) == name == names.label(*parts, limit=limit)
    assert len(name) <= limit
    made = names.subdomain(*parts)
    assert names.parse_subdomain(made) == made
