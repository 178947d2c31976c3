"""The best k of a row, against a full sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.pipeline.selection import top_of_row


def sorted_whole(scores: np.ndarray, k: int) -> list[int]:
    """The slow oracle."""
    places = [n for n in range(len(scores)) if scores[n] > -np.inf]
    return sorted(places, key=lambda n: (-scores[n], n))[:k]


@given(
    st.integers(0, 2000),
    st.integers(0, 30),
    st.integers(1, 1000),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_the_same_as_a_full_sort(n: int, k: int, n_values: int, share_blocked: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, n_values, n).astype(np.float32)
    scores[rng.random(n) < share_blocked] = -np.inf
    assert top_of_row(scores, k=k).tolist() == sorted_whole(scores, k)


@pytest.mark.parametrize("n", [1, 63, 64, 2560, 2561, 20_000])
def test_equal_scores_come_in_the_order_of_their_place(n: int) -> None:
    assert top_of_row(np.zeros(n, np.float32), k=10).tolist() == list(range(min(10, n)))


def test_nothing_is_chosen_where_nothing_is_allowed() -> None:
    assert top_of_row(np.full(20_000, -np.inf, np.float32), k=5).tolist() == []


def test_few_allowed_places_among_many_are_found() -> None:
    scores = np.full(20_000, -np.inf, np.float32)
    scores[[7, 19_999]] = [1, 2]
    assert top_of_row(scores, k=5).tolist() == [19_999, 7]
