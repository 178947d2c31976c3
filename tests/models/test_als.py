"""ALS: exact fold-in, fingerprints of known histories, and what fitting must not disturb."""

import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info

from contracts.recommender import journal, random_log
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import folding, make_model
from nextbest.models.als import fingerprint


def slow_fold_in(model, weights):
    """One user by the normal equations of the paper; `weights` is {item: weight}."""
    Y = model.item_vectors_.astype(float)
    c = np.ones(len(Y))
    p = np.zeros(len(Y))
    for item, weight in weights.items():
        c[item], p[item] = 1 + model.config.alpha * weight, 1
    A = Y.T @ np.diag(c) @ Y + model.config.regularization * np.eye(Y.shape[1])
    return np.linalg.solve(A, Y.T @ (c * p))


@pytest.mark.parametrize("dim", [2, 4, 16])
@pytest.mark.parametrize("alpha", [0.5, 30.0])
@pytest.mark.parametrize("cells", [1, 1 << 20])
def test_fold_in_solves_the_normal_equations(dim, alpha, cells, monkeypatch):
    monkeypatch.setattr(folding, "_CELLS_AT_ONCE", cells)
    rng = np.random.default_rng(0)
    rows = [(u, int(i)) for u in range(25) for i in rng.integers(0, 15, u % 12)]
    table = journal(rows).with_columns(w=pl.Series(rng.uniform(0.2, 5, len(rows))))
    log = Interactions.from_journal(table, weight="w")
    config = {"embedding_dim": dim, "alpha": alpha, "regularization": 0.1, "keep_user_vectors": False}
    model = make_model("als", config).fit(log)
    vectors = model.user_vectors(log.histories)
    for u in range(log.n_users):
        h, weights = log.histories, {}
        for item, w in zip(h.item_idx[h.row(u)], h.weight[h.row(u)], strict=True):
            weights[item] = weights.get(item, 0) + float(w)
        assert_allclose(vectors[u], slow_fold_in(model, weights), rtol=2e-3, atol=2e-4)


_EVENTS = st.lists(st.tuples(st.integers(0, 14), st.floats(0.25, 4, width=32)), max_size=9)


@pytest.mark.parametrize("cells", [1, 1 << 20])
@given(rows=st.lists(st.tuples(_EVENTS, st.lists(st.integers(-1, 14), min_size=3, max_size=3)), max_size=5))
def test_parts_of_a_batch_are_those_of_the_normal_equations(cells, rows):
    model = make_model("als", {"embedding_dim": 4, "regularization": 0.1}).fit(random_log(n_items=15))
    plain = Histories.from_lists([[item for item, _ in events] for events, _ in rows])
    weights = np.array([w for events, _ in rows for _, w in events], np.float32)
    histories = replace(plain, weight=weights)
    wanted = np.array([items for _, items in rows], np.int32).reshape(-1, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "_CELLS_AT_ONCE", cells)
        parts = model.contributions(histories, wanted)
    Y, alpha = model.item_vectors_.astype(float), model.config.alpha
    for b in range(len(rows)):
        own, w = histories.item_idx[histories.row(b)], histories.weight[histories.row(b)].astype(float)
        total = np.bincount(own, weights=w, minlength=len(Y))
        inverse = np.linalg.inv(Y.T @ np.diag(1 + alpha * total) @ Y + 0.1 * np.eye(4))
        expected = ((1 + alpha * total[own]) * w / total[own])[:, None] * (Y[own] @ inverse @ Y[wanted[b]].T)
        expected[:, wanted[b] == -1] = np.nan
        assert_allclose(parts[histories.row(b)], expected, rtol=2e-3, atol=2e-4)


def test_a_known_history_has_the_vector_that_solving_gives():
    log = random_log()
    config = {"embedding_dim": 5}
    kept = make_model("als", config).fit(log)
    solved = make_model("als", {**config, "keep_user_vectors": False}).fit(log)
    assert len(kept.fingerprints_) > 0
    assert len(solved.fingerprints_) == 0
    assert_allclose(
        kept.user_vectors(log.histories), solved.user_vectors(log.histories), rtol=1e-4, atol=1e-5
    )


def test_a_known_history_takes_the_stored_vector():
    log = random_log()
    model = make_model("als", {"embedding_dim": 5}).fit(log)
    model.fitted_vectors_ = np.zeros_like(model.fitted_vectors_)
    assert (model.user_vectors(log.histories) == 0).all()


def test_one_new_event_makes_a_history_unknown():
    log = random_log()
    model = make_model("als", {"embedding_dim": 5}).fit(log)
    model.fitted_vectors_ = np.zeros_like(model.fitted_vectors_)
    longer = Histories.from_lists([[*log.histories.item_idx[log.histories.row(8)].tolist(), 0]])
    assert (model.user_vectors(longer) != 0).any()


lists_of_items = st.lists(st.integers(0, 5), max_size=6)


@settings(max_examples=200)
@given(lists_of_items, lists_of_items)
def test_fingerprints_are_equal_exactly_for_the_same_items_in_any_order(a, b):
    prints = fingerprint(Histories.from_lists([a, b]))
    assert (prints[0] == prints[1]) == (sorted(a) == sorted(b))


def test_a_fingerprint_knows_weights_and_ignores_neighbours_in_the_batch():
    plain = Histories.from_lists([[1, 2], [3]])
    heavier = replace(plain, weight=np.array([1, 2, 1], np.float32))
    assert fingerprint(plain)[0] != fingerprint(heavier)[0]
    assert fingerprint(plain)[1] == fingerprint(heavier)[1] == fingerprint(Histories.from_lists([[3]]))[0]


def test_more_weight_means_more_confidence():
    table = journal([(u, i) for u in range(6) for i in range(4)])
    log = Interactions.from_journal(table)
    model = make_model("als", {"embedding_dim": 2, "alpha": 5.0}).fit(log)
    light = Histories.from_lists([[0]])
    heavy = replace(light, weight=np.array([20], np.float32))
    assert abs(1 - model.score(heavy)[0, 0]) < abs(1 - model.score(light)[0, 0])


def test_the_number_of_threads_does_not_change_the_fit():
    log = random_log()
    one, two = (make_model("als", {"embedding_dim": 5, "n_threads": n}).fit(log) for n in (1, 2))
    assert_array_equal(one.item_vectors_, two.item_vectors_)


def test_fitting_warns_of_nothing_and_leaves_the_blas_threads_as_they_were():
    def blas_threads():
        return {i["filepath"]: i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    make_model("als", {"embedding_dim": 2}).fit(random_log())  # loads every library
    before = blas_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_model("als", {"embedding_dim": 2}).fit(random_log())
    assert blas_threads() == before
