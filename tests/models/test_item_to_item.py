"""Item kNN and transitions: against slow, plain loops, and on worlds with a known answer."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from contracts.recommender import checkerboard, journal, random_log
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import item_to_item, knn, make_model, transitions


def weighted_log(seed=0):
    """`random_log` with weights between 0.5 and 3."""
    rng = np.random.default_rng(seed)
    rows = [(u, int(i)) for u in range(30) for i in rng.integers(0, 12, 1 + u % 7)]
    table = journal(rows).with_columns(w=pl.Series(rng.uniform(0.5, 3, len(rows))))
    return Interactions.from_journal(table, weight="w")


def slow_likeness(log, weighting, shrinkage, values, k1=100.0, b=0.8):
    """Every pair of items by a double loop over a dense table."""
    X = np.zeros((log.n_users, log.n_items))
    for u in range(log.n_users):
        for e in range(*log.histories.row(u).indices(log.histories.n_events)):
            i = log.histories.item_idx[e]
            X[u, i] = 1 if values == "binary" else X[u, i] + log.histories.weight[e]
    W = X.copy()
    for u in range(log.n_users):
        idf = np.log(1 + log.n_items / max(1, (X[u] > 0).sum()))
        for i in range(log.n_items):
            if weighting == "tfidf":
                W[u, i] = np.sqrt(X[u, i]) * idf
            if weighting == "bm25":
                norm = (1 - b) + b * X[:, i].sum() / X.sum(axis=0).mean()
                W[u, i] = X[u, i] * (k1 + 1) / (k1 * norm + X[u, i]) * idf
    S = np.zeros((log.n_items, log.n_items))
    for i in range(log.n_items):
        for j in range(log.n_items):
            dot = W[:, i] @ W[:, j]
            if i != j and dot > 0:
                norms = np.sqrt(W[:, i] @ W[:, i]) * np.sqrt(W[:, j] @ W[:, j])
                S[i, j] = dot if weighting == "bm25" else dot / (norms + shrinkage)
    return S, X


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("shrinkage", [0.0, 4.0])
@pytest.mark.parametrize("values", ["binary", "weight"])
def test_knn_is_the_slow_double_loop(weighting, shrinkage, values, monkeypatch):
    monkeypatch.setattr(knn, "_PRODUCTS_AT_ONCE", 50)  # many blocks
    log = weighted_log()
    config = {"weighting": weighting, "shrinkage": shrinkage, "values": values, "n_neighbours": 99}
    model = make_model("item_knn", config).fit(log)
    S, X = slow_likeness(log, weighting, shrinkage, values)
    assert_allclose(model.item_weights_.toarray(), S, rtol=1e-4)
    scores = model.score(log.histories)
    assert_allclose(np.where(np.isfinite(scores), scores, 0), X @ S, rtol=1e-4)


def test_knn_keeps_only_the_strongest_neighbours_of_each_item():
    log = weighted_log()
    S, _ = slow_likeness(log, "cosine", 0.0, "binary")
    kept = make_model("item_knn", {"n_neighbours": 2, "shrinkage": 0}).fit(log).item_weights_.toarray()
    for full, few in zip(S, kept, strict=True):
        best = sorted(range(len(full)), key=lambda j: (-np.float32(full[j]), j))[:2]
        assert set(np.flatnonzero(few)) == {j for j in best if full[j] > 0}


def test_knn_blocks_do_not_change_the_answer(monkeypatch):
    log = random_log()
    whole = make_model("item_knn").fit(log).item_weights_.toarray()
    monkeypatch.setattr(knn, "_PRODUCTS_AT_ONCE", 1)
    assert_allclose(make_model("item_knn").fit(log).item_weights_.toarray(), whole)


def slow_transitions(log, c):
    """Every pair of events of every user."""
    h = log.histories
    weight = h.weight if c.values == "weight" else np.ones_like(h.weight)
    counts, events = np.zeros((log.n_items, log.n_items)), np.zeros(log.n_items)
    for u in range(len(h)):
        for first in range(h.indptr[u], h.indptr[u + 1]):
            events[h.item_idx[first]] += weight[first]
            for later in range(first + 1, h.indptr[u + 1]):
                if later - first <= c.window:
                    value = weight[later] * c.decay ** (later - first - 1)
                    counts[h.item_idx[first], h.item_idx[later]] += value
                    counts[h.item_idx[later], h.item_idx[first]] += c.backward * value
    base = events + c.shrinkage
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = counts / base[:, None] ** c.source_power / base**c.target_power
    weights[counts == 0] = 0
    scores = np.zeros((len(h), log.n_items))
    for u in range(len(h)):
        for since, e in enumerate(range(h.indptr[u + 1] - 1, h.indptr[u] - 1, -1)):
            if c.history_length is None or since < c.history_length:
                scores[u] += c.history_decay**since * weight[e] * weights[h.item_idx[e]]
    return weights, scores


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"window": 1, "history_length": 2},
        {"window": 3, "decay": 1.0, "history_decay": 1.0, "history_length": None},
        {"backward": 0.4, "source_power": 1.0, "target_power": 0.0},
        {"values": "weight", "shrinkage": 2.5, "target_power": 1.0},
    ],
)
def test_transitions_are_the_slow_double_loop(config, monkeypatch):
    monkeypatch.setattr(transitions, "_PAIRS_AT_ONCE", 30)  # many blocks
    log = weighted_log(1)
    model = make_model("transitions", config).fit(log)
    weights, expected = slow_transitions(log, model.config)
    assert_allclose(model.item_weights_.toarray(), weights, rtol=1e-4)
    scores = model.score(log.histories)
    assert_allclose(np.where(np.isfinite(scores), scores, 0), expected, rtol=1e-4)


def test_transitions_know_what_comes_after_but_not_before():
    log = Interactions.from_journal(journal([(u, i) for u in range(3) for i in "abc"]))
    model = make_model("transitions", {"window": 1, "backward": 0}).fit(log)
    table = model.recommend(Interactions.from_journal(journal([(7, "b")])), k=3)
    assert table["item_id"].to_list() == ["c"]


def test_a_transition_of_an_item_to_itself_counts_where_repeats_may_be_recommended():
    log = Interactions.from_journal(journal([(1, "milk")] * 3 + [(2, "milk"), (2, "tea")]))
    best = make_model("transitions", {"target_power": 0}).fit(log).recommend(log, k=2, exclude_seen=False)
    assert best.filter(user_id=1)["item_id"].to_list() == ["milk", "tea"]


def test_the_newest_event_votes_loudest():
    log = Interactions.from_journal(journal([(1, "a"), (1, "x"), (2, "b"), (2, "y")]))
    model = make_model("transitions").fit(log)
    a, b = (log.item_ids.find(i) for i in "ab")
    best = model.top_k(Histories.from_lists([[a, b], [b, a]]), k=1).item_idx.ravel()
    assert log.item_ids.decode(best).to_list() == ["y", "x"]


def test_events_long_past_have_no_vote():
    log = Interactions.from_journal(journal([(1, "a"), (1, "x"), (2, "b"), (2, "y")]))
    model = make_model("transitions", {"history_length": None}).fit(log)
    a, b, x = (log.item_ids.find(i) for i in "abx")
    scores = model.score(Histories.from_lists([[a] + [b] * 60]))[0]  # 0.7**60 is no longer single precision
    assert scores[x] == -np.inf
    assert model.contributions(Histories.from_lists([[a] + [b] * 60]), np.array([[x]])).sum() == 0


@pytest.mark.parametrize("kind", ["item_knn", "transitions", "ease", "als", "svd"])
def test_the_one_right_answer_of_the_checkerboard_is_found(kind):
    n = 12
    log = checkerboard(n)
    config = {"als": {"embedding_dim": 4}, "svd": {"embedding_dim": 2}, "ease": {"regularization": 1}}
    if kind == "transitions":
        config[kind] = {"backward": 1.0, "window": n}
    best = make_model(kind, config.get(kind)).fit(log).top_k(log.histories, k=1).item_idx.ravel()
    assert best.tolist() == [(u + 2) % n for u in range(n)]


@pytest.mark.parametrize("kind", ["item_knn", "transitions", "ease", "als", "svd"])
def test_similar_items_of_the_checkerboard_have_the_same_colour(kind):
    config = {"als": {"embedding_dim": 2}, "svd": {"embedding_dim": 2}}.get(kind)
    similar = make_model(kind, config).fit(checkerboard()).similar_items(np.arange(12), k=3).item_idx
    same = similar % 2 == np.arange(12)[:, None] % 2
    assert same[similar >= 0].all()
    assert (similar[:, 0] >= 0).sum() >= 10  # with transitions, the last items of all rows lead nowhere


@pytest.mark.parametrize("kind", ["item_knn", "transitions"])
@pytest.mark.parametrize("masks", ["none", "for all", "for each"])
def test_sparse_and_full_blocks_give_the_same_answer(kind, masks, monkeypatch):
    log = weighted_log()
    model = make_model(kind).fit(log)
    rng = np.random.default_rng(0)
    shape = {"none": None, "for all": log.n_items, "for each": (log.n_users, log.n_items)}[masks]
    allowed = None if shape is None else rng.random(shape) < 0.6
    exclude = rng.random(log.n_users) < 0.7
    answers = []
    for full in (0.0, 1.0):
        monkeypatch.setattr(item_to_item, "FULL", full)
        answers.append(model.top_k(log.histories, k=4, exclude_seen=exclude, allowed=allowed))
    assert (answers[0].item_idx == answers[1].item_idx).all()
    assert (answers[0].score == answers[1].score).all()


@given(st.lists(st.lists(st.integers(0, 7), max_size=9), max_size=6))
def test_every_score_of_an_item_to_item_model_is_the_sum_of_its_contributions(lists):
    model = make_model("transitions", {"window": 2}).fit(random_log(3))
    histories = Histories.from_lists(lists)
    for b in range(len(histories)):
        scores = model.score(histories.take([b]))[0]
        wanted = np.array([1, 5])
        for item, parts in zip(wanted, model.contributions(histories.take([b]), wanted[None]).T, strict=True):
            assert_allclose(
                parts.sum(), scores[item] if np.isfinite(scores[item]) else 0, rtol=1e-4, atol=1e-7
            )
