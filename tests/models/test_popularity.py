"""Popularity: counts that can be checked by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from contracts.recommender import journal
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import load_model, make_model
from nextbest.models.topk import select_top_k

DAY = 24 * 60
NOBODY = Histories.from_lists([[]])


def shares(log, **config):
    """Share of each item by name; -inf left out."""
    row = make_model("popularity", config).fit(log).score(NOBODY)[0]
    return {i: round(float(s), 4) for i, s in zip(log.item_ids.ids, row, strict=True) if s > -np.inf}


@pytest.fixture
def log():
    """One event a day: a, a, b, a, c; the second `a` is the first user's repeat."""
    return Interactions.from_journal(journal([(1, "a"), (1, "a"), (2, "b"), (3, "a"), (4, "c")], minutes=DAY))


def test_events_are_counted_as_shares(log):
    assert shares(log) == {"a": 0.6, "b": 0.2, "c": 0.2}


def test_users_are_counted_once_an_item(log):
    assert shares(log, count="users") == {"a": 0.5, "b": 0.25, "c": 0.25}


def test_a_window_counts_back_from_the_newest_event_and_includes_its_edge(log):
    assert shares(log, window_days=1) == {"a": 0.5, "c": 0.5}
    assert shares(log, window_days=0.5) == {"c": 1.0}


def test_a_half_life_halves_the_count_of_each_older_day(log):
    # newest first: c 1, a 1/2, b 1/4, a 1/8, a 1/16
    assert_allclose(list(shares(log, half_life_days=1).values()), np.array([11, 4, 16]) / 31, atol=1e-4)


def test_a_repeating_user_counts_with_the_newest_event_under_a_half_life(log):
    # a: user 3 at 1/2, user 1 at 1/8 (the repeat, not the older 1/16)
    assert_allclose(
        list(shares(log, half_life_days=1, count="users").values()), np.array([5, 2, 8]) / 15, atol=1e-4
    )


def test_weights_add_up_but_not_for_users():
    table = journal([(1, "a"), (2, "b"), (2, "b")]).with_columns(hours=pl.Series([6.0, 1.0, 1.0]))
    log = Interactions.from_journal(table, weight="hours")
    assert shares(log) == {"a": 0.75, "b": 0.25}
    assert shares(log, count="users") == {"a": 0.5, "b": 0.5}


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_crossing_out_seen_items_is_the_top_k_of_the_scores(seed, k):
    rng = np.random.default_rng(seed)
    rows = [(u, int(i)) for u in range(12) for i in rng.integers(0, 20, rng.integers(1, 15))]
    segments = pl.DataFrame({"user_id": list(range(9)), "segment": [f"s{u % 3}" for u in range(9)]})
    log = Interactions.from_journal(journal(rows), segments=segments)
    model = make_model("popularity", {"by_segment": True, "shrinkage": 1}).fit(log)
    allowed, exclude = rng.random(log.n_items) < 0.7, rng.random(log.n_users) < 0.7
    best = model.top_k(log.histories, k=k, exclude_seen=exclude, allowed=allowed)
    scores = model.score(log.histories)
    scores[:, ~allowed] = -np.inf
    for u in np.flatnonzero(exclude):
        scores[u, log.histories.item_idx[log.histories.row(u)]] = -np.inf
    expected = select_top_k(scores, k=k)
    assert_array_equal(best.item_idx, expected.item_idx)
    assert_array_equal(best.score, expected.score)


class TestSegments:
    @pytest.fixture
    def log(self):
        """North takes n and all, south takes s and all; user 9 has no segment."""
        rows = [(1, "n"), (2, "n"), (1, "all"), (3, "s"), (4, "s"), (3, "all"), (9, "rare")]
        segments = pl.DataFrame({"user_id": [1, 2, 3, 4], "segment": ["north", "north", "south", "south"]})
        return Interactions.from_journal(journal(rows), segments=segments)

    def test_without_shrinkage_a_segment_knows_only_its_own_events(self, log):
        model = make_model("popularity", {"by_segment": True, "shrinkage": 0}).fit(log)
        best = model.recommend(log, user_ids=pl.Series([1, 3]), k=4, exclude_seen=False)
        assert best.filter(user_id=1)["item_id"].to_list() == ["n", "all"]
        assert best.filter(user_id=3)["item_id"].to_list() == ["s", "all"]

    def test_shrinkage_pulls_towards_the_overall_shares(self, log):
        model = make_model("popularity", {"by_segment": True, "shrinkage": 3}).fit(log)
        score = model.score(log.histories_of([1]))[0, log.item_ids.find("n")]
        # two of three events of north, pulled by three events with the overall share 2 of 7
        assert score == pytest.approx((2 + 3 * 2 / 7) / (3 + 3))

    def test_a_user_without_segment_gets_the_overall_shares(self, log):
        model = make_model("popularity", {"by_segment": True}).fit(log)
        assert_allclose(model.score(log.histories_of([9]))[0], np.array([2, 2, 1, 2]) / 7, rtol=1e-6)
        assert_allclose(model.score(NOBODY), model.score(log.histories_of([9])))

    def test_segments_of_another_log_are_matched_by_name(self, log):
        segments = pl.DataFrame({"user_id": [5, 6], "segment": ["east", "south"]})
        other = Interactions.from_journal(journal([(5, "x"), (6, "x")]), segments=segments)
        model = make_model("popularity", {"by_segment": True, "shrinkage": 0}).fit(log)
        best = model.recommend(other, k=1)
        assert best["item_id"].to_list() == ["all", "s"]  # east is unknown: overall, ties by id

    def test_segments_survive_saving(self, log, tmp_path):
        model = make_model("popularity", {"by_segment": True}).fit(log)
        model.save(tmp_path / "m")
        loaded = load_model(tmp_path / "m")
        assert loaded.segment_ids_ == log.segment_ids
        assert loaded.recommend(log).equals(model.recommend(log))

    def test_a_log_with_segments_meets_a_model_without(self, log):
        plain = Interactions.from_journal(journal([(1, "n")]))
        assert make_model("popularity").fit(plain).recommend(log, user_ids=pl.Series([3]))[
            "item_id"
        ].to_list() == ["n"]
