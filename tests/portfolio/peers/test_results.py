"""Luck is taken out of results before peers are weighed by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.portfolio.peers.results import peer_weights, sharpe_variance, shrink


def test_equal_noise_shrinks_by_the_textbook_share() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0])  # sample variance 2.5
    found = shrink(y, np.full(5, 0.5))
    assert found.between == pytest.approx(2.0)  # with equal noise Paule-Mandel is sample variance less noise
    assert found.mean == pytest.approx(3.0)
    assert found.value_N == pytest.approx(3 + 0.8 * (y - 3))


def test_the_variance_between_solves_the_equation_of_paule_and_mandel() -> None:
    rng = np.random.default_rng(0)
    v = rng.uniform(0.1, 2, 50)
    y = rng.normal(0, np.sqrt(1 + v))
    found = shrink(y, v)
    weight = 1 / (v + found.between)
    assert (weight * (y - found.mean) ** 2).sum() == pytest.approx(49)


def test_differences_that_may_be_luck_vanish() -> None:
    found = shrink(np.array([0.1, 0.2, 0.15]), np.full(3, 1.0))
    assert found.between == 0
    assert np.ptp(found.value_N) == 0


def test_one_lucky_client_with_a_short_history_does_not_lead() -> None:
    sharpe = np.array([*np.linspace(0.2, 0.8, 30), 6.0])
    n = np.array([1000.0] * 30 + [15.0])
    found = shrink(sharpe, sharpe_variance(sharpe, n, periods_per_year=250))
    assert found.value_N[-1] < 0.9  # 6.0 as it stands


def test_a_client_without_result_is_taken_for_average() -> None:
    found = shrink(np.array([1.0, np.nan, 3.0]), np.array([0.1, np.nan, 0.1]))
    assert found.value_N[1] == found.mean == pytest.approx(2)
    assert shrink(np.array([np.nan]), np.array([np.nan])).mean == 0
    assert shrink(np.array([5.0]), np.array([1.0])).mean == 5


def test_a_result_without_a_positive_variance_is_refused() -> None:
    with pytest.raises(InputError, match="must be positive"):
        shrink(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    with pytest.raises(InputError, match=r"must have shape \(2,\)"):
        shrink(np.array([1.0, 2.0]), np.array([1.0]))


def test_one_return_has_no_variance() -> None:
    assert np.isnan(sharpe_variance(np.array([1.0]), np.array([1.0]), periods_per_year=250)).all()


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(-50, 50)), min_size=21, max_size=60),
    st.floats(0, 2),
    st.floats(1 / 21, 0.25),
)
def test_weights_add_up_and_nobody_has_more_than_his_share(peers, strength: float, max_share: float) -> None:
    distance, result = np.array(peers).T
    weight = peer_weights(distance, result, mean=0.0, strength=strength, max_share=max_share)
    assert weight.sum() == pytest.approx(1)
    assert weight.min() > 0
    assert weight.max() <= max_share + 1e-9


def test_nearer_and_better_peers_weigh_more_and_strength_zero_ignores_results() -> None:
    distance, result = np.repeat([0.1, 0.2], 20), np.tile([0.0, 0.5], 20)
    weight = peer_weights(distance, result, mean=0.25, strength=1.0, max_share=0.25)
    assert weight[0] > weight[20]
    assert weight[1] > weight[0]
    flat = peer_weights(distance, result, mean=0.25, strength=0.0, max_share=0.25)
    assert flat[0] == flat[1]
