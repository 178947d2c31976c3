"""Signals on tables small enough to check by eye, and what they may not know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextbest.errors import InputError
from nextbest.market.trading.signals import (
    long_flat,
    long_short,
    no_trade_band,
    top_minus_bottom,
    trailing_volatility,
    volatility_target,
)

NAN = np.nan


def test_top_minus_bottom_is_long_the_highest_and_short_the_lowest():
    position = top_minus_bottom(np.array([[0.3, 0.1, -0.2, 0.2]]), k=1)
    assert position.tolist() == [[0.5, 0.0, -0.5, 0.0]]


def test_top_minus_bottom_leaves_out_an_asset_without_a_forecast():
    position = top_minus_bottom(np.array([[NAN, 0.1, -0.2, 0.2]]), k=1)
    assert position.tolist() == [[0.0, 0.0, -0.5, 0.5]]


def test_top_minus_bottom_decides_nothing_with_too_few_forecasts():
    assert np.isnan(top_minus_bottom(np.array([[NAN, 0.1, NAN, NAN]]), k=1)).all()


def test_top_minus_bottom_holds_nothing_when_all_forecasts_are_equal():
    assert top_minus_bottom(np.array([[0.1, 0.1, 0.1]]), k=1).tolist() == [[0.0, 0.0, 0.0]]


def test_a_strategy_axis_before_the_bars_is_kept():
    forecast = np.array([[[0.1, -0.1]], [[-0.1, 0.1]]])
    assert np.array_equal(long_short(forecast)[1], long_short(forecast[1]))
    assert np.array_equal(top_minus_bottom(forecast, k=1)[1], top_minus_bottom(forecast[1], k=1))


@given(arrays(np.float64, (4, 5), elements=st.floats(-1, 1) | st.just(NAN)))
def test_no_signal_holds_more_than_the_equity(forecast):
    for position in (long_short(forecast), long_flat(forecast), top_minus_bottom(forecast, k=2)):
        assert np.nansum(np.abs(position), axis=1).max() <= 1 + 1e-12


@given(arrays(np.float64, (3, 6), elements=st.integers(-50, 50).map(lambda i: i / 100)))
def test_top_minus_bottom_is_neutral_and_turns_over_with_the_forecast(forecast):
    position = top_minus_bottom(forecast, k=2)
    assert np.allclose(position.sum(axis=1), 0)
    distinct = np.array([len(set(row)) == 6 for row in forecast])
    assert np.allclose(top_minus_bottom(-forecast, k=2)[distinct], -position[distinct])


def test_inside_the_band_nothing_is_decided_or_all_is_closed():
    forecast = np.array([[0.002, -0.0004]])
    position = long_short(forecast)
    held = no_trade_band(position, forecast, cost=0.0005)
    assert held[0, 0] == 0.5
    assert np.isnan(held[0, 1])
    assert no_trade_band(position, forecast, cost=0.0005, inside="flat").tolist() == [[0.5, 0.0]]


def test_twice_the_volatility_is_half_the_position_and_calm_is_no_licence():
    position = np.array([[0.5, 0.5, 0.5]])
    scaled = volatility_target(position, np.array([[0.02, 0.04, 0.0]]), target=0.02, max_scale=2.0)
    assert scaled.tolist() == [[0.5, 0.25, 1.0]]


def test_trailing_volatility_is_that_of_a_plain_loop():
    returns = np.random.default_rng(0).normal(size=(2, 30))
    returns[0, 10:14] = NAN
    found = trailing_volatility(returns, length=6)
    for t in range(30):
        for a in range(2):
            window = returns[a, max(0, t - 5) : t + 1]
            known = window[~np.isnan(window)]
            expected = known.std(ddof=1) if t >= 5 and len(known) >= 3 else NAN
            assert found[t, a] == pytest.approx(expected, nan_ok=True)


def test_trailing_volatility_does_not_know_the_next_bar():
    returns = np.random.default_rng(1).normal(size=(2, 30))
    other = returns.copy()
    other[:, 20:] *= 9
    assert np.array_equal(
        trailing_volatility(returns, length=5)[:20],
        trailing_volatility(other, length=5)[:20],
        equal_nan=True,
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: long_short(np.array([0.1, 0.2])), "forecast_TA"),
        (lambda: long_flat(np.array([[np.inf, 0.2]])), "forecast_TA"),
        (lambda: top_minus_bottom(np.zeros((2, 3)), k=2), "k"),
        (lambda: no_trade_band(np.zeros((1, 2)), np.zeros((1, 3)), cost=0.0), "position_TA"),
        (lambda: no_trade_band(np.zeros((1, 2)), np.zeros((1, 2)), cost=-1.0), "cost"),
        (lambda: no_trade_band(np.zeros((1, 2)), np.zeros((1, 2)), cost=0.1, inside="out"), "inside"),
        (lambda: volatility_target(np.zeros((1, 2)), np.ones((1, 2)), target=0.0), "target"),
        (lambda: volatility_target(np.zeros((1, 2)), np.ones((2, 2)), target=1.0), "volatility_TA"),
        (lambda: volatility_target(np.zeros((1, 2)), -np.ones((1, 2)), target=1.0), "volatility_TA"),
        (lambda: trailing_volatility(np.zeros((1, 9)), length=1), "length"),
    ],
)
def test_a_wrong_call_names_its_argument(call, name):
    with pytest.raises(InputError) as error:
        call()
    assert error.value.name == name
