"""Personal top: own items first, newest baskets most, then what is popular."""

from typing import ClassVar

import numpy as np

from contracts.recommender import RecommenderContract, journal
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import make_model


class TestPersonal(RecommenderContract):
    kind = "personal"
    knows_likeness = False

    def test_contributions_add_up_to_the_score(self, fitted, log):
        """Of own items: what only popularity fills in has no parts."""
        history = log.histories.take([8])
        scores = fitted.score(history)[0]
        own = np.unique(history.item_idx)
        parts = fitted.contributions(history, own[None])
        np.testing.assert_allclose(parts.sum(axis=0), scores[own], rtol=1e-5)
        others = np.setdiff1d(np.flatnonzero(np.isfinite(scores)), own)
        assert np.isnan(fitted.contributions(history, others[None])).all()


class TestPersonalWithoutDecay(TestPersonal):
    config: ClassVar = {"decay": 1.0}


def fitted(**config):
    # shares: a 1/2, b 1/3, c 1/6
    log = Interactions.from_journal(journal([("x", i) for i in "aaabbc"]))
    return make_model("personal", config).fit(log)


def history(items: str, times: list[int]) -> Histories:
    return Histories.from_lists([["abc".index(i) for i in items]], time_us=[times])


def test_without_decay_own_items_are_ordered_by_how_often_they_were_taken() -> None:
    scores = fitted(decay=1.0).score(history("cbb", [0, 1, 2]))[0]
    np.testing.assert_allclose(scores, [1 / 2 - 1, 2, 1], rtol=1e-6)


def test_a_purchase_counts_decay_to_the_number_of_later_baskets_and_a_basket_is_one_moment() -> None:
    scores = fitted(decay=0.5).score(history("abc", [0, 7, 7]))[0]
    np.testing.assert_allclose(scores, [0.5, 1, 1])


def test_two_users_baskets_are_counted_apart() -> None:
    both = Histories.from_lists([[0], [1, 2]], time_us=[[5], [5, 9]])
    scores = fitted(decay=0.5).score(both)
    np.testing.assert_allclose(scores[0], [1, 1 / 3 - 1, 1 / 6 - 1], rtol=1e-6)
    np.testing.assert_allclose(scores[1], [1 / 2 - 1, 0.5, 1], rtol=1e-6)


def test_the_score_of_an_own_item_is_explained_by_its_own_events_only() -> None:
    model, own = fitted(decay=0.5), history("aba", [0, 1, 2])
    parts = model.contributions(own, np.array([[0, 2]]))
    np.testing.assert_allclose(parts.T, [[0.25, 0, 1], [np.nan] * 3])


def test_an_old_purchase_keeps_evidence_however_many_baskets_came_after() -> None:
    times = list(range(3000))
    scores = fitted(decay=0.5).score(history("c" + "b" * 2999, times))[0]
    assert scores[2] > 0


def test_without_filling_only_own_items_have_evidence() -> None:
    scores = fitted(decay=1.0, fill_popular=False).score(history("cb", [0, 1]))[0]
    np.testing.assert_allclose(scores, [-np.inf, 1, 1])
