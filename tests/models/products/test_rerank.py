"""Order by expected average precision: proved against enumeration of every outcome and every order."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.models.products.rerank import (
    CoAdditions,
    RerankConfig,
    average_precision_at_k,
    expected_average_precision,
    plackett,
    rank_products,
)

ALWAYS = 16.0


def test_a_pair_that_always_comes_together_at_four_tenths_is_beaten_by_a_single_above_294_thousandths():
    pair = CoAdditions(3, links=((0, 1, ALWAYS),))
    below, above = ([0.4, 0.4, s] for s in (0.293, 0.295))
    order = rank_products(np.array([below, above]), k=3, together=pair)
    assert order.tolist() == [[0, 1, 2], [2, 0, 1]]


def test_the_same_probabilities_without_the_link_keep_their_order():
    assert rank_products(np.array([[0.4, 0.4, 0.295]]), k=3).tolist() == [[0, 1, 2]]


def all_outcomes(p, together):
    """Every set of additions with its probability, from the definition: tree of pairs, else independent."""
    linked = {a: (b, r) for b, a, r in together.links}  # child -> parent; tests link parents first
    for outcome in product([0, 1], repeat=len(p)):
        prob = 1.0
        for child, on in enumerate(outcome):
            if child in linked:
                parent, r = linked[child]
                both = float(plackett(np.array([p[parent]]), np.array([p[child]]), r)[0])
                given_on = both / p[parent]
                given_off = (p[child] - both) / (1 - p[parent])
                chance = given_on if outcome[parent] else given_off
            else:
                chance = p[child]
            prob *= chance if on else 1 - chance
        yield outcome, prob


def slow_expected_ap(p, order, together):
    total = 0.0
    for outcome, prob in all_outcomes(p, together):
        m = sum(outcome)
        hits = 0
        for place, item in enumerate(order, 1):
            if outcome[item]:
                hits += 1
                total += prob * hits / place / m
    return total


probabilities = st.lists(st.floats(0.01, 0.95), min_size=4, max_size=4)
ratio = st.floats(0.1, 8)


@settings(max_examples=25, deadline=None)
@given(probabilities, ratio, ratio)
def test_expected_average_precision_is_that_of_all_outcomes(p, r1, r2):
    together = CoAdditions(4, links=((0, 1, r1), (1, 2, r2)))
    order = [2, 0, 3, 1]
    fast = expected_average_precision(np.array([p]), np.array([order]), together=together)
    assert fast[0] == pytest.approx(slow_expected_ap(p, order, together), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(probabilities, ratio)
def test_the_order_found_is_the_best_of_all_orders(p, r):
    together = CoAdditions(4, links=((0, 3, r),))
    best = max(slow_expected_ap(p, order, together) for order in permutations(range(4)))
    found = rank_products(np.array([p]), k=4, together=together)[0]
    assert slow_expected_ap(p, found, together) == pytest.approx(best, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(probabilities)
def test_independent_products_go_by_probability(p):
    found = rank_products(np.array([p]), k=4)[0]
    assert np.array(p)[found] == pytest.approx(np.sort(p)[::-1], abs=1e-9)


def test_held_products_are_never_listed_and_places_left_are_minus_one():
    together = CoAdditions(4, links=((0, 1, 3.0),))
    order = rank_products(np.array([[0, 0.2, 0, 0.3], [0, 0, 0, 0.0]]), k=5, together=together)
    assert order.tolist() == [[3, 1, -1, -1, -1], [-1] * 5]


def test_blocks_of_clients_and_one_client_at_a_time_are_ordered_alike(monkeypatch):
    p = np.random.default_rng(3).beta(0.5, 3, (50, 8))
    together = CoAdditions(8, links=((0, 5, 4.0), (5, 6, 2.0)))
    whole = rank_products(p, k=7, together=together)
    monkeypatch.setattr("nextbest.models.products.rerank._BLOCK_ROWS", 7)
    assert (rank_products(p, k=7, together=together) == whole).all()
    assert (np.vstack([rank_products(row[None], k=7, together=together) for row in p]) == whole).all()


def test_links_are_found_where_products_come_together_and_their_odds_ratio_gives_the_observed_number():
    rng = np.random.default_rng(0)
    n = 20_000
    p = np.column_stack([np.full(n, 0.05), np.full(n, 0.06), np.full(n, 0.1), np.full(n, 0.04)])
    added = rng.random(p.shape) < p
    pays = rng.random(n) < 0.04
    added[:, 0], added[:, 1] = pays, pays & (rng.random(n) < 0.9) | (rng.random(n) < 0.02)
    mask = (added << np.arange(4)).sum(axis=1).astype(np.uint32)
    weight = np.ones(n)
    found = CoAdditions.fit(p, mask, weight_N=weight, config=RerankConfig(min_together=30))
    assert [(a, b) for a, b, _ in found.links] == [(0, 1)]
    expected = plackett(p[:, 0], p[:, 1], found.links[0][2]).sum()
    assert expected == pytest.approx((added[:, 0] & added[:, 1]).sum(), rel=1e-3)


def test_links_come_back_from_their_arrays():
    together = CoAdditions(5, links=((4, 1, 2.5), (1, 2, 0.5)))
    assert CoAdditions.from_arrays(together.arrays(), n_products=5) == together
    assert CoAdditions.from_arrays(CoAdditions(3).arrays(), n_products=3) == CoAdditions(3)


def test_cycles_and_unknown_products_are_refused():
    with pytest.raises(InputError, match="no cycle"):
        CoAdditions(3, links=((0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)))
    with pytest.raises(InputError, match="two of 3 products"):
        CoAdditions(3, links=((0, 3, 1.0),))
    with pytest.raises(InputError, match="about 2 products"):
        rank_products(np.ones((1, 2)) / 2, together=CoAdditions(3))
    with pytest.raises(InputError, match="k: must be 1"):
        rank_products(np.ones((1, 2)) / 2, k=0)


@pytest.mark.parametrize(("log_ratio", "both"), [(0.0, 0.12), (40.0, 0.3), (-40.0, 0.0)])
def test_plackett_goes_from_never_together_over_independent_to_always(log_ratio, both):
    assert plackett(np.array([0.3]), np.array([0.4]), log_ratio)[0] == pytest.approx(both, abs=1e-6)


def test_plackett_has_the_odds_ratio_asked_for():
    a, b = np.array([0.3, 0.01]), np.array([0.4, 0.002])
    both = plackett(a, b, np.log(20.0))
    ratio_found = both * (1 - a - b + both) / ((a - both) * (b - both))
    assert ratio_found == pytest.approx([20.0, 20.0])


def test_average_precision_by_hand():
    order = np.array([[2, 0, 1], [1, -1, -1], [0, 1, 2], [2, 1, 0]])
    added = np.array([0b001, 0b010, 0, 0b011], np.uint32)
    ap = average_precision_at_k(order, added, n_products=3)
    assert ap[[0, 1, 3]] == pytest.approx([0.5, 1.0, (1 / 2 + 2 / 3) / 2])
    assert np.isnan(ap[2])


def test_average_precision_divides_by_the_length_of_the_list_when_more_was_added():
    ap = average_precision_at_k(np.array([[0, 1]]), np.array([0b1111], np.uint32), n_products=4)
    assert ap.tolist() == [1.0]
