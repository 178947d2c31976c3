"""Top k by inner product: the early stop must never change the answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from contracts.recommender import random_log
from nextbest.models import inner_product, make_model
from nextbest.models.inner_product import NormOrder, top_k_by_norm
from nextbest.models.topk import select_top_k

NOTHING = (np.empty(0, np.int64), np.empty(0, np.int32))


def whole_matrix(users, vectors, known, k, excluded, allowed):
    """Every product, then a sort."""
    scores = (users @ vectors.T).astype(np.float32)
    scores[:, ~known] = -np.inf
    scores[excluded] = -np.inf
    if allowed is not None:
        scores[~np.broadcast_to(allowed, scores.shape)] = -np.inf
    return select_top_k(scores, k=k)


@given(
    seed=st.integers(0, 2**31),
    k=st.integers(1, 12),
    step=st.sampled_from([1, 4, 16, 4096]),
    masks=st.sampled_from(["none", "for all", "for each"]),
)
def test_top_k_by_norm_is_the_top_k_of_all_products(seed, k, step, masks):
    rng = np.random.default_rng(seed)
    n_users, n_items = rng.integers(1, 9), rng.integers(1, 60)
    # whole numbers: products are exact in single precision, ties are common
    users = rng.integers(-2, 3, (n_users, 3)).astype(np.float32)
    vectors = (rng.integers(-2, 3, (n_items, 3)) * rng.choice([0, 1, 1, 20], (n_items, 1))).astype(np.float32)
    known = rng.random(n_items) < 0.9
    excluded = (rng.integers(0, n_users, 10), rng.integers(0, n_items, 10).astype(np.int32))
    shape = {"none": None, "for all": (n_items,), "for each": (n_users, n_items)}[masks]
    allowed = None if shape is None else rng.random(shape) < 0.6
    before, inner_product.ITEMS_AT_ONCE = inner_product.ITEMS_AT_ONCE, step
    try:
        order = NormOrder.of(vectors, known)
        found = top_k_by_norm(users, order, k=k, excluded=excluded, allowed=allowed)
    finally:
        inner_product.ITEMS_AT_ONCE = before
    expected = whole_matrix(users, vectors, known, k, excluded, allowed)
    assert_array_equal(found.item_idx, expected.item_idx)
    assert_array_equal(found.score, expected.score)


def test_short_vectors_are_not_looked_at_when_they_cannot_win(monkeypatch):
    monkeypatch.setattr(inner_product, "ITEMS_AT_ONCE", 4)
    vectors = np.ones((1000, 2), np.float32) * 1e-3
    vectors[[7, 500]] = 1
    order = NormOrder.of(vectors, np.ones(1000, bool))
    order.vectors[6:] = np.nan  # poison: any look at them would show
    found = top_k_by_norm(np.ones((3, 2), np.float32), order, k=2, excluded=NOTHING, allowed=None)
    assert found.item_idx.tolist() == [[7, 500]] * 3


@pytest.mark.parametrize("n_items", [2**15 - 1, 2**15, 2**16 + 1])
def test_items_are_left_out_wherever_they_stand_in_a_catalogue_of_any_size(n_items):
    vectors = np.ones((n_items, 1), np.float32)
    known = np.arange(n_items) != 5
    order = NormOrder.of(vectors, known)
    users = np.ones((2, 1), np.float32)
    but = np.array([0, 7, n_items // 2, n_items - 1])  # the first user may have only these
    seen = np.setdiff1d(np.arange(n_items), but)
    excluded = (np.zeros(len(seen), np.int64), seen.astype(np.int32))
    found = top_k_by_norm(users, order, k=4, excluded=excluded, allowed=None)
    assert found.item_idx.tolist() == [but.tolist(), [0, 1, 2, 3]]


def test_equal_vectors_are_ranked_by_row_number():
    order = NormOrder.of(np.ones((9, 2), np.float32), np.ones(9, bool))
    found = top_k_by_norm(np.ones((1, 2), np.float32), order, k=4, excluded=NOTHING, allowed=None)
    assert found.item_idx.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("kind", ["als", "svd"])
def test_a_large_catalogue_is_answered_as_by_its_scores(kind, monkeypatch):
    monkeypatch.setattr(inner_product, "ITEMS_AT_ONCE", 16)
    log = random_log(5, n_users=200, n_items=120)
    model = make_model(kind, {"embedding_dim": 6}).fit(log)
    best = model.top_k(log.histories, k=7, exclude_seen=False)
    assert_allclose(best.score, select_top_k(model.score(log.histories), k=7).score, rtol=1e-4, atol=1e-6)


def test_a_second_fit_orders_the_new_vectors():
    model = make_model("svd", {"embedding_dim": 3})
    first, second = random_log(1), random_log(2)
    model.fit(first).top_k(first.histories, k=3)
    again = model.fit(second).top_k(second.histories, k=3)
    fresh = make_model("svd", {"embedding_dim": 3}).fit(second).top_k(second.histories, k=3)
    assert_array_equal(again.item_idx, fresh.item_idx)
