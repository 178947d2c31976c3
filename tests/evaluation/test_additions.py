"""Order of products against additions: plain loops, the competition's own function, laws, bad input."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.oracles import average_precision_capped
from nextbest.data.panel.masks import pack_masks
from nextbest.errors import DataError, InputError
from nextbest.evaluation.additions import (
    NO_PRODUCT,
    addition_precision,
    list_precision,
    popularity_order,
    top_products,
    zero_without_additions,
)
from nextbest.evaluation.significance import bootstrap_mean

PRODUCTS = 5


def apk(actual: Sequence[int], predicted: Sequence[int], k: int) -> float:
    """`ml_metrics.average_precision.apk`, as the competition published it."""
    if len(predicted) > k:
        predicted = predicted[:k]
    score, num_hits = 0.0, 0.0
    for i, p in enumerate(predicted):
        if p in actual and p not in predicted[:i]:
            num_hits += 1.0
            score += num_hits / (i + 1.0)
    if not actual:
        return 0.0
    return score / min(len(actual), k)


def masks(*clients: Sequence[int]) -> np.ndarray:
    return np.array([sum(1 << p for p in client) for client in clients], np.uint32)


@st.composite
def months(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, what is held, and what of the rest is added."""
    n = draw(st.integers(1, 8))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    score = rng.integers(0, draw(st.integers(1, 6)), size=(n, PRODUCTS)).astype(np.float32) / 4
    held = rng.integers(0, 2**PRODUCTS, n).astype(np.uint32)
    added = rng.integers(0, 2**PRODUCTS, n).astype(np.uint32) & ~held
    return score, held, added


def plain_list(score: np.ndarray, held: int, k: int) -> list[int]:
    free = [p for p in range(len(score)) if not held >> p & 1]
    return sorted(free, key=lambda p: (-score[p], p))[:k]


@given(month=months(), k=st.integers(1, 7))
def test_lists_and_precision_equal_plain_loops_and_the_competition_s_function(
    month: tuple[np.ndarray, np.ndarray, np.ndarray], k: int
) -> None:
    score, held, added = month
    lists = top_products(score, held_N=held, k=k)
    found = addition_precision(score, added, held_N=held, k=k)
    again = list_precision(lists, added, n_products=PRODUCTS, k=k)
    for i in range(len(score)):
        wanted = [p for p in range(PRODUCTS) if added[i] >> p & 1]
        ours = plain_list(score[i], int(held[i]), k)
        assert [p for p in lists[i].tolist() if p != NO_PRODUCT] == ours
        assert zero_without_additions(found)[i] == pytest.approx(apk(wanted, ours, k))
        if wanted:
            assert found[i] == pytest.approx(average_precision_capped(ours, set(wanted), k))
    assert np.array_equal(found, again, equal_nan=True)
    assert np.array_equal(np.isnan(found), added == 0)


@given(month=months())
def test_lists_without_held_products_are_never_better_when_those_held_stay_in(
    month: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    score, held, added = month
    masked = addition_precision(score, added, held_N=held, k=3)
    plain = addition_precision(score, added, k=3)
    assert (zero_without_additions(masked) >= zero_without_additions(plain) - 1e-12).all()


@given(month=months(), k=st.integers(1, 5))
def test_only_the_order_of_scores_counts(month: tuple[np.ndarray, np.ndarray, np.ndarray], k: int) -> None:
    score, held, added = month
    found = addition_precision(score, added, held_N=held, k=k)
    moved = addition_precision(np.exp(3 * score), added, held_N=held, k=k)
    assert np.array_equal(found, moved, equal_nan=True)


def test_the_true_additions_first_give_one() -> None:
    added = masks([0, 3], [4], [])
    score = np.array([[(mask >> p & 1) for p in range(PRODUCTS)] for mask in added.tolist()], np.float32)
    assert addition_precision(score, added).tolist()[:2] == [1.0, 1.0]


def test_the_mean_over_all_is_the_mean_on_adders_times_their_share() -> None:
    score = np.tile(np.array([[0.1, 0.2, 0.3, 0.4, 0.5]], np.float32), (4, 1))
    found = addition_precision(score, masks([4], [3], [], []))
    assert found.tolist()[:2] == [1.0, 0.5]
    assert np.nanmean(found) == 0.75
    assert zero_without_additions(found).mean() == 0.375
    assert bootstrap_mean(found, rng=0).n == 2


def test_equal_scores_keep_the_products_order() -> None:
    assert top_products(np.zeros((1, 4)), k=3).tolist() == [[0, 1, 2]]


def test_a_list_ends_where_all_else_is_held() -> None:
    score = np.array([[0.1, 0.9, 0.5]], np.float32)
    assert top_products(score, held_N=masks([1]), k=7).tolist() == [[2, 0, -1, -1, -1, -1, -1]]
    assert top_products(score, held_N=masks([0, 1, 2]), k=2).tolist() == [[-1, -1]]


def test_a_score_of_minus_infinity_is_last_but_listed() -> None:
    score = np.array([[-np.inf, 0.0, -1.0]], np.float32)
    assert top_products(score, k=3).tolist() == [[1, 2, 0]]


def test_more_rows_than_a_chunk_are_ranked_like_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    score, held = rng.random((50, 6), dtype=np.float32), rng.integers(0, 64, 50).astype(np.uint32)
    whole = top_products(score, held_N=held, k=4)
    monkeypatch.setattr("nextbest.evaluation.additions._CHUNK", 7)
    assert np.array_equal(top_products(score, held_N=held, k=4), whole)


def test_popularity_is_the_same_order_for_everyone_until_held_products_are_left_out() -> None:
    score = popularity_order(np.array([5, 9, 1]), 2)
    assert top_products(score, k=3).tolist() == [[1, 0, 2], [1, 0, 2]]
    assert top_products(score, held_N=masks([1], []), k=3).tolist() == [[0, 2, -1], [1, 0, 2]]


def test_a_bank_of_clients_takes_less_than_a_second() -> None:
    rng = np.random.default_rng(0)
    score = rng.random((200_000, 24), dtype=np.float32)
    added = np.where(rng.random(200_000) < 0.03, 1 << rng.integers(0, 24, 200_000), 0).astype(np.uint32)
    start = time.process_time()
    addition_precision(score, added, held_N=np.zeros(200_000, np.uint32))
    assert time.process_time() - start < 0.5


class TestBadInput:
    score = np.zeros((2, 3), np.float32)

    def test_nan_is_named_with_its_rows(self) -> None:
        bad = np.array([[0.1, np.nan], [0.2, 0.3]])
        with pytest.raises(DataError, match=r"score_NP: must not be NaN; 1 row\(s\) break it, first: \[0\]"):
            top_products(bad)

    def test_a_held_product_can_t_be_added(self) -> None:
        with pytest.raises(DataError, match="held can't be added"):
            addition_precision(self.score, masks([1], []), held_N=masks([1], []))

    def test_a_bit_past_the_products_is_refused(self) -> None:
        with pytest.raises(DataError, match="past the 3 products"):
            addition_precision(self.score, masks([3], []))

    @pytest.mark.parametrize("k", [0, -1])
    def test_k_is_1_or_more(self, k: int) -> None:
        with pytest.raises(InputError, match="k: must be 1 or more"):
            top_products(self.score, k=k)

    @pytest.mark.parametrize(
        ("lists", "rule"),
        [
            ([[0, 0], [1, 2]], "twice"),
            ([[-1, 0], [1, 2]], "after its end"),
            ([[3, 0], [1, 2]], r"products 0\.\.2"),
            ([[-2, 0], [1, 2]], r"products 0\.\.2"),
        ],
    )
    def test_broken_lists_are_refused(self, lists: list[list[int]], rule: str) -> None:
        with pytest.raises(DataError, match=rule):
            list_precision(np.array(lists, np.int8), masks([], []), n_products=3)

    def test_lists_of_another_shape_or_type_are_refused(self) -> None:
        with pytest.raises(InputError, match="integers with two axes"):
            list_precision(np.zeros((2, 2)), masks([], []), n_products=3)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="floats with two axes"):
            top_products(np.zeros(3, np.float32))

    def test_masks_of_another_type_or_length_are_refused(self) -> None:
        with pytest.raises(InputError, match="uint32"):
            addition_precision(self.score, np.zeros(2, np.int64))  # type: ignore[arg-type]
        with pytest.raises(InputError, match="each of 2 clients"):
            addition_precision(self.score, masks([1]))

    def test_negative_counts_have_no_order(self) -> None:
        with pytest.raises(InputError, match="finite and >= 0"):
            popularity_order(np.array([1, -1]), 2)


def test_masks_pack_to_what_the_oracle_reads() -> None:
    matrix = np.array([[True, False, True]])
    assert pack_masks(matrix).tolist() == masks([0, 2]).tolist()
