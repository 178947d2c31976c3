"""Variance of a bar: of a simulated diffusion each estimator finds the truth, and says NaN where it can't know."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.volatility import (
    garman_klass,
    open_move_variance,
    parkinson,
    realised_variance,
    rogers_satchell,
)
from nextbest.errors import InputError

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SIGMA = 0.02


def bars_of_a_diffusion(drift=0.0, n_bars=4_000, n_steps=500):
    moves = np.random.default_rng(7).normal(drift / n_steps, SIGMA / np.sqrt(n_steps), (n_bars, n_steps))
    path = np.exp(np.concatenate([np.zeros((n_bars, 1)), moves.cumsum(1)], axis=1))
    return path[:, 0], path.max(1), path.min(1), path[:, -1]


@pytest.fixture(scope="module")
def diffusion():
    return bars_of_a_diffusion()


def test_every_estimator_finds_the_variance_of_a_diffusion(diffusion):
    open_, high, low, close = diffusion
    for estimate in (parkinson(high, low), garman_klass(*diffusion), rogers_satchell(*diffusion)):
        assert estimate.mean() == pytest.approx(
            SIGMA**2, rel=0.08
        )  # ranges of sampled paths are a little small
    squared = np.log(close / open_) ** 2
    assert garman_klass(*diffusion).std() < parkinson(high, low).std() < squared.std()


def test_only_rogers_satchell_is_right_when_the_price_drifts():
    open_, high, low, close = bars_of_a_diffusion(drift=2 * SIGMA, n_bars=2_000)
    assert rogers_satchell(open_, high, low, close).mean() == pytest.approx(SIGMA**2, rel=0.15)
    assert parkinson(high, low).mean() > 2 * SIGMA**2


def test_estimators_are_their_formulas_on_one_bar():
    o, h, l, c = 100.0, 110.0, 95.0, 105.0  # noqa: E741 - the usual letters
    assert parkinson(h, l) == pytest.approx(np.log(h / l) ** 2 / (4 * np.log(2)))
    assert garman_klass(o, h, l, c) == pytest.approx(
        0.5 * np.log(h / l) ** 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2
    )
    assert rogers_satchell(o, h, l, c) == pytest.approx(
        np.log(h / c) * np.log(h / o) + np.log(l / c) * np.log(l / o)
    )


prices = st.floats(0.5, 2.0)


@given(prices, prices, prices, prices)
def test_no_estimator_is_negative_and_a_flat_bar_has_none(a, b, c, d):
    low, high = min(a, b, c, d), max(a, b, c, d)
    for estimate in (parkinson(high, low), garman_klass(a, high, low, b), rogers_satchell(a, high, low, b)):
        assert estimate >= -1e-15
    assert rogers_satchell(a, a, a, a) == garman_klass(a, a, a, a) == parkinson(a, a) == 0.0


def test_unknown_prices_give_nan_and_impossible_ones_an_error():
    assert np.isnan(garman_klass([1.0, 1.0], [1.0, np.nan], [1.0, 1.0], [1.0, 1.0])).tolist() == [False, True]
    with pytest.raises(InputError, match="low: must be above zero; got 1"):
        parkinson([1.0], [0.0])
    with pytest.raises(InputError, match="one shape"):
        parkinson([1.0, 2.0], [1.0])


def panel_of(log_close, *, step=HOUR):
    close = np.exp(np.atleast_2d(log_close))
    time_T = np.datetime64("2024-01-01", "us") + np.arange(close.shape[1]) * np.timedelta64(step)
    names = tuple(f"A{i}" for i in range(len(close)))
    return PricePanel(names, time_T, step, close, close, close, close, np.ones_like(close))


def test_realised_variance_is_the_sum_of_squares_within_each_bar_of_the_resampled_panel():
    log_close = np.random.default_rng(1).normal(0, 0.01, 24 * 4 + 5).cumsum()
    panel = panel_of(log_close)
    found = realised_variance(panel, DAY)
    moves = np.diff(log_close)
    expected = [np.nan] + [sum(moves[24 * d - 1 : 24 * d + 23] ** 2) for d in (1, 2, 3)]
    np.testing.assert_allclose(found[0], expected)
    assert found.shape == (1, panel.resample(DAY).n_bars)


def test_a_bar_with_a_missing_return_is_nan_unless_the_share_that_is_there_will_do():
    log_close = np.random.default_rng(1).normal(0, 0.01, 24 * 3).cumsum()
    log_close[30] = np.nan
    panel = panel_of(log_close)
    assert np.isnan(realised_variance(panel, DAY)).tolist() == [[True, True, False]]
    there = np.nansum(panel.log_return_AT[0, 24:48] ** 2)
    assert realised_variance(panel, DAY, min_share=0.9)[0, 1] == pytest.approx(there * 24 / 22)


def test_realised_variance_of_hours_is_near_that_of_minutes():
    panel = panel_of(np.random.default_rng(2).normal(0, 1e-3, 60 * 24 * 30).cumsum(), step=MINUTE)
    fine = realised_variance(panel, DAY)[0, 1:]
    coarse = realised_variance(panel.resample(HOUR), DAY)[0, 1:]
    assert fine.mean() == pytest.approx(1e-6 * 1440, rel=0.02)
    assert coarse.mean() == pytest.approx(fine.mean(), rel=0.2)
    assert fine.std() < coarse.std()


def test_realised_variance_refuses_what_it_can_not_sum():
    panel = panel_of(np.zeros(48))
    for step, share in ((HOUR, 1.0), (timedelta(minutes=90), 1.0), (DAY, 0.0), (DAY, 1.5)):
        with pytest.raises(InputError):
            realised_variance(panel, step, min_share=share)
    assert realised_variance(panel.until(3), DAY).shape == (1, 0)


def test_the_move_overnight_is_from_close_to_open():
    panel = panel_of(np.log([1.0, 2.0, np.nan, 4.0, 8.0]))
    np.testing.assert_allclose(
        open_move_variance(panel)[0], [np.nan, np.log(2) ** 2, np.nan, np.nan, np.log(2) ** 2]
    )
