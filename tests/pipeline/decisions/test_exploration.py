"""Probabilities of places: exact, summing to 1, and met by what is drawn."""

import itertools
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.data.panel.masks import pack_masks
from nextbest.pipeline.decisions.exploration import (
    SOURCES,
    Choice,
    Places,
    draw,
    fill_places,
    place_probabilities,
)
from nextbest.pipeline.decisions.hashing import id_hash
from nextbest.pipeline.decisions.policy import Exploration

KINDS = [
    Exploration(kind="none"),
    Exploration(kind="epsilon_greedy", epsilon=0.3),
    Exploration(kind="softmax", temperature=0.5),
    Exploration(kind="softmax", temperature=3.0),
]
MONTH = date(2016, 6, 28)


def fill(
    score: list[float],
    exploration: Exploration,
    *,
    n_clients: int = 1,
    n_places: int = 2,
    possible: int | None = None,
    held: int = 0,
    rng: int = 0,
    first_id: int = 0,
    month: date = MONTH,
    **options: Any,
) -> Places:
    """The same scores for every client."""
    n_products = len(score)
    one = np.ones(n_clients, np.uint32)
    choice = Choice(
        score_NP=np.tile(np.array(score, float), (n_clients, 1)),
        possible_N=one * np.uint32((1 << n_products) - 1 if possible is None else possible),
        held_N=one * np.uint32(held),
        limit_N=options.pop("limit", np.full(n_clients, 99, np.int16)),
        is_control_N=options.pop("is_control", np.zeros(n_clients, np.bool_)),
        **options,
    )
    hashes = id_hash(pl.Series(np.arange(first_id, first_id + n_clients)))
    return fill_places(choice, exploration, n_places=n_places, hash_N=hashes, rng=rng, month=month)


scores_and_masks = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(1e-9, 1e9), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
    )
)


class TestPlaceProbabilities:
    @given(scores_and_masks, st.sampled_from(KINDS))
    def test_they_sum_to_1_over_the_possible_alone(
        self, row: tuple[list[float], list[bool]], exploration: Exploration
    ) -> None:
        possible = np.array([row[1]])
        p = place_probabilities(np.array([row[0]]), possible, exploration)
        assert (p >= 0).all()
        assert (p[~possible] == 0).all()
        assert p.sum() == pytest.approx(float(possible.any()))

    def test_greedy_is_on_the_best_and_of_equals_on_the_first(self) -> None:
        p = place_probabilities(
            np.array([[1.0, 3, 3], [5, 1, 1]]), np.array([[True] * 3, [False, True, True]]), KINDS[0]
        )
        assert p.tolist() == [[0, 1, 0], [0, 1, 0]]

    def test_epsilon_is_spread_evenly(self) -> None:
        p = place_probabilities(np.array([[1.0, 3, 2, 9]]), np.array([[True, True, True, False]]), KINDS[1])
        assert p.tolist() == [pytest.approx([0.1, 0.8, 0.1, 0])]

    def test_softmax_at_temperature_1_is_in_proportion_to_the_score(self) -> None:
        p = place_probabilities(
            np.array([[1.0, 3, 4]]), np.array([[True] * 3]), Exploration(kind="softmax", temperature=1)
        )
        assert p.tolist() == [pytest.approx([1 / 8, 3 / 8, 4 / 8])]

    @given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=5), st.floats(0.1, 10), st.floats(1e-3, 1e3))
    def test_softmax_does_not_depend_on_the_currency(
        self, score: list[float], temperature: float, rate: float
    ) -> None:
        exploration = Exploration(kind="softmax", temperature=temperature)
        possible = np.ones((1, len(score)), np.bool_)
        a = place_probabilities(np.array([score]), possible, exploration)
        b = place_probabilities(np.array([score]) * rate, possible, exploration)
        assert a == pytest.approx(b, rel=1e-6, abs=1e-9)

    def test_a_cold_softmax_is_greedy_also_where_the_rest_underflows(self) -> None:
        cold = Exploration(kind="softmax", temperature=1e-4)
        p = place_probabilities(np.array([[1e-8, 2e-8, 1e8]]), np.array([[True, True, False]]), cold)
        assert p.tolist() == [[0, 1, 0]]


class TestDraw:
    @given(
        st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(lambda p: sum(p) > 1e-6),
        st.floats(0, 1, exclude_max=True),
    )
    def test_nothing_of_probability_0_is_drawn(self, p: list[float], u: float) -> None:
        grid = np.floor(u * 2**52) / 2**52
        assert p[int(draw(np.array([p]), np.array([grid]))[0])] > 0

    def test_each_number_falls_on_its_part(self) -> None:
        p = np.array([[0.25, 0.0, 0.75]] * 4)
        assert draw(p, np.array([0, 0.24, 0.25, 0.999])).tolist() == [0, 0, 2, 2]


def plain_list_law(
    score: list[float], exploration: Exploration, before: list[tuple[int, int]], n_places: int
) -> dict[tuple[int, ...], float]:
    """P(list) by walking through all lists, the exploration read from its definition."""
    found: dict[tuple[int, ...], float] = {}

    def law(possible: list[int]) -> dict[int, float]:
        best = max(possible, key=lambda p: (score[p], -p))
        if exploration.kind == "none":
            return {best: 1.0}
        if exploration.kind == "epsilon_greedy":
            even = exploration.epsilon / len(possible)
            return {p: even + (1 - exploration.epsilon) * (p == best) for p in possible}
        weights = {p: score[p] ** (1 / exploration.temperature) for p in possible}
        return {p: w / sum(weights.values()) for p, w in weights.items()}

    def walk(done: tuple[int, ...], mass: float) -> None:
        possible = [
            p for p in range(len(score)) if p not in done and all(a in done for a, b in before if b == p)
        ]
        if len(done) == n_places or not possible:
            found[done] = found.get(done, 0) + mass
            return
        for p, share in law(possible).items():
            walk((*done, p), mass * share)

    walk((), 1.0)
    return found


class TestLists:
    SCORE = [4.0, 2.0, 3.0, 1.0]  # noqa: RUF012

    @pytest.mark.parametrize("exploration", KINDS)
    @pytest.mark.parametrize("before", [[], [(1, 0)], [(3, 2), (2, 0)]])
    def test_lists_come_as_often_as_their_law_says_and_log_it(
        self, exploration: Exploration, before: list[tuple[int, int]]
    ) -> None:
        n = 20_000
        places = fill(self.SCORE, exploration, n_clients=n, n_places=3, before=before)
        law = plain_list_law(self.SCORE, exploration, before, 3)
        assert sum(law.values()) == pytest.approx(1)
        lists, index, counts = np.unique(places.product_NK, axis=0, return_inverse=True, return_counts=True)
        keys = [tuple(row) for row in lists.tolist()]
        assert set(keys) <= set(law)
        logged = places.probability_NK.prod(axis=1)
        for n_th, key in enumerate(keys):
            assert logged[index.ravel() == n_th] == pytest.approx(law[key])
        observed = dict(zip(keys, counts.tolist(), strict=True))
        likely = {key: p for key, p in law.items() if p * n >= 5}
        if len(likely) > 1:
            expected = np.array([*likely.values(), 1 - sum(likely.values())]) * n
            found = np.array([observed.get(key, 0) for key in likely] + [0])
            found[-1] = n - found.sum()
            keep = expected > 1e-6
            assert stats.chisquare(found[keep], expected[keep]).pvalue > 1e-4

    def test_what_was_not_the_best_possible_is_called_exploration(self) -> None:
        places = fill(self.SCORE, KINDS[1], n_clients=500)
        for row, source in zip(places.product_NK.tolist(), places.source_NK.tolist(), strict=True):
            rest = [p for p in (0, 2, 1, 3) if p not in row[:1]]
            assert SOURCES[source[0]] == ("arbitration" if row[0] == 0 else "exploration")
            assert SOURCES[source[1]] == ("arbitration" if row[1] == rest[0] else "exploration")

    def test_inverse_probabilities_give_the_value_of_another_policy_without_bias(self) -> None:
        # the point of the log: what always showing product 3 would have earned
        places = fill(self.SCORE, KINDS[2], n_clients=50_000, n_places=1)
        reward = np.array([0.1, 0.2, 0.3, 0.4])[places.product_NK[:, 0]]
        estimate = ((places.product_NK[:, 0] == 3) * reward / places.probability_NK[:, 0]).mean()
        assert estimate == pytest.approx(0.4, rel=0.15)


class TestReproducible:
    def test_the_same_seed_client_and_month_give_the_same_list_in_any_batch(self) -> None:
        whole = fill([1, 1, 1, 1], KINDS[3], n_clients=200)
        part = fill([1, 1, 1, 1], KINDS[3], n_clients=50, first_id=100)
        assert (part.product_NK == whole.product_NK[100:150]).all()

    @pytest.mark.parametrize("change", [{"rng": 1}, {"month": date(2016, 7, 28)}])
    def test_another_seed_or_month_gives_other_draws(self, change: dict[str, Any]) -> None:
        a = fill([1, 1, 1, 1], KINDS[3], n_clients=400, n_places=1)
        b = fill([1, 1, 1, 1], KINDS[3], n_clients=400, n_places=1, **change)
        same = (a.product_NK == b.product_NK).mean()
        assert same == pytest.approx(0.25, abs=0.08)

    def test_places_of_one_list_are_drawn_independently(self) -> None:
        places = fill([1, 1, 1, 1, 1], Exploration(kind="softmax"), n_clients=10_000)
        pairs = dict.fromkeys(itertools.permutations(range(5), 2), 0)
        for row in places.product_NK.tolist():
            pairs[tuple(row)] += 1
        assert stats.chisquare(list(pairs.values())).pvalue > 1e-4


class TestControlAndMandatory:
    CONTROL = np.array([True, False])

    def test_control_clients_get_nothing_where_no_place_is_left_to_them(self) -> None:
        limit = np.array([0, 9], np.int16)
        places = fill([1, 2], KINDS[0], n_clients=2, is_control=self.CONTROL, limit=limit)
        assert places.product_NK.tolist() == [[-1, -1], [1, 0]]

    def test_a_random_offer_of_the_control_group_is_even_over_the_possible(self) -> None:
        n = 9_000
        places = fill(
            [1, 5, 9, 1000],
            KINDS[0],
            n_clients=n,
            possible=0b1011,
            is_control=np.ones(n, np.bool_),
            limit=np.ones(n, np.int16),
        )
        assert (places.product_NK[:, 1] == -1).all()
        assert set(places.source_NK[:, 0].tolist()) == {SOURCES.index("control")}
        assert places.probability_NK[:, 0] == pytest.approx(1 / 3)
        counts = np.bincount(places.product_NK[:, 0], minlength=4)
        assert counts[2] == 0
        assert stats.chisquare(counts[[0, 1, 3]]).pvalue > 1e-4

    def test_mandatory_products_lead_in_the_policys_order_then_by_the_schema(self) -> None:
        must = np.full(1, 0b1110, np.uint32)
        places = fill([9, 1, 1, 1], KINDS[1], n_places=4, mandatory_N=must, mandatory_first=(2,))
        assert places.product_NK.tolist() == [[2, 1, 3, 0]]
        assert [SOURCES[s] for s in places.source_NK[0]] == ["mandatory"] * 3 + ["arbitration"]
        assert places.probability_NK[0, :3].tolist() == [1, 1, 1]

    def test_mandatory_products_need_no_place_from_the_contact_policy_and_reach_control_clients(self) -> None:
        places = fill(
            [1, 2, 3],
            KINDS[0],
            n_clients=2,
            is_control=self.CONTROL,
            limit=np.array([0, 1], np.int16),
            mandatory_N=np.full(2, 0b001, np.uint32),
        )
        assert places.product_NK.tolist() == [[0, -1], [0, 2]]

    def test_a_mandatory_product_waits_for_what_must_come_before_it(self) -> None:
        places = fill(
            [1, 2, 3], KINDS[0], before=[(0, 1)], mandatory_N=np.full(1, 0b010, np.uint32), n_places=3
        )
        assert places.product_NK.tolist() == [[2, 0, 1]]

    def test_nothing_possible_fills_no_place(self) -> None:
        places = fill([1, 2], KINDS[2], possible=0)
        assert places.product_NK.tolist() == [[-1, -1]]
        assert pack_masks(places.product_NK >= 0).tolist() == [0]
