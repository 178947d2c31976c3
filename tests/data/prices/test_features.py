"""A feature of a bar knows that bar and what came before it, never what came after."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.data.prices.features import calendar, cross_rank, features, lagged, trailing
from nextbest.data.prices.panel import FIELDS, PricePanel
from nextbest.errors import InputError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAGS, WINDOWS = (0, 1, 3), (2, 5)


def candles(n_bars=40, *, n_assets=3, step=HOUR, seed=0):
    rng = np.random.default_rng(seed)
    close_AT = np.exp(np.cumsum(rng.normal(0, 0.01, (n_assets, n_bars)), axis=1))
    open_AT = close_AT * np.exp(rng.normal(0, 0.002, close_AT.shape))
    high_AT, low_AT = np.maximum(open_AT, close_AT) * 1.002, np.minimum(open_AT, close_AT) * 0.998
    time_T = np.datetime64("2024-01-01", "us") + np.arange(n_bars) * np.timedelta64(step)
    volume_AT = rng.exponential(size=close_AT.shape)
    names = tuple(f"A{i}" for i in range(n_assets))
    return PricePanel(names, time_T, step, open_AT, high_AT, low_AT, close_AT, volume_AT)


def column(found, name):
    return found.values_ATF[..., found.names.index(name)]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 39), st.integers(0, 10_000))
def test_another_future_leaves_the_features_of_the_past_as_they_are(stop, seed):
    panel, other = candles(), candles(seed=seed + 1)
    mixed = {
        f"{n}_AT": np.hstack([getattr(panel, f"{n}_AT")[:, :stop], getattr(other, f"{n}_AT")[:, stop:]])
        for n in FIELDS
    }
    mixed["close_AT"][:, stop:][0, ::3] = np.nan
    changed = PricePanel(asset_ids=panel.asset_ids, time_T=panel.time_T, step=panel.step, **mixed)
    whole = features(panel, lags=LAGS, windows=WINDOWS).values_ATF[:, :stop]
    np.testing.assert_array_equal(features(changed, lags=LAGS, windows=WINDOWS).values_ATF[:, :stop], whole)
    np.testing.assert_array_equal(features(panel.until(stop), lags=LAGS, windows=WINDOWS).values_ATF, whole)


def test_features_are_what_they_say():
    panel = candles()
    found = features(panel, lags=LAGS, windows=WINDOWS)
    a, t = 1, 20
    returns = panel.log_return_AT
    assert column(found, "return_lag_0")[a, t] == returns[a, t]
    assert column(found, "return_lag_3")[a, t] == returns[a, t - 3]
    assert column(found, "market_lag_1")[a, t] == pytest.approx(returns[[0, 2], t - 1].mean())
    last = returns[a, t - 4 : t + 1]
    assert column(found, "momentum_5")[a, t] == pytest.approx(
        np.log(panel.close_AT[a, t] / panel.close_AT[a, t - 5])
    )
    assert column(found, "volatility_5")[a, t] == pytest.approx(last.std(ddof=1))
    assert column(found, "distance_5")[a, t] == pytest.approx(
        np.log(panel.close_AT[a, t] / panel.close_AT[a, t - 4 : t + 1].max())
    )
    volume = np.log(panel.volume_AT[a, t - 4 : t + 1])
    assert column(found, "volume_z_5")[a, t] == pytest.approx(
        (volume[-1] - volume.mean()) / volume.std(ddof=1)
    )
    momentum = column(found, "momentum_5")[:, t]
    assert column(found, "relative_5")[a, t] == pytest.approx(momentum[a] - momentum.mean())
    assert column(found, "rank_5")[:, t].tolist() == [(sorted(momentum).index(m)) / 2 - 0.5 for m in momentum]
    assert found.values_ATF.shape == (3, 40, len(found.names))


def test_what_is_not_known_is_nan_and_no_number():
    panel = candles(n_assets=1)
    found = features(panel, lags=LAGS, windows=WINDOWS)
    assert np.isnan(column(found, "market_lag_0")).all()
    assert np.isnan(column(found, "rank_5")).all()
    assert np.isnan(column(found, "momentum_5")[0]).tolist() == [True] * 5 + [False] * 35
    closes_only = {f"{n}_AT": np.full_like(panel.close_AT, np.nan) for n in FIELDS} | {
        "close_AT": panel.close_AT
    }
    closes = PricePanel(asset_ids=panel.asset_ids, time_T=panel.time_T, step=HOUR, **closes_only)
    assert np.isnan(column(features(closes, windows=(2,)), "range_volatility_2")).all()
    assert np.isfinite(column(features(closes, windows=(2,)), "volatility_2")[0, 2:]).all()


def test_a_gap_is_unknown_for_as_long_as_a_window_sees_it():
    panel = candles(n_assets=1)
    close_AT = panel.close_AT.copy()
    close_AT[0, 10] = np.nan
    fields = {f"{n}_AT": getattr(panel, f"{n}_AT") for n in FIELDS} | {"close_AT": close_AT}
    found = features(PricePanel(asset_ids=("A",), time_T=panel.time_T, step=HOUR, **fields), windows=(5,))
    assert np.flatnonzero(np.isnan(column(found, "momentum_5")[0])).tolist() == [*range(5), *range(10, 16)]


def test_the_calendar_is_that_of_the_next_bar():
    waves = calendar(candles(24 * 7))
    assert waves["hour_cos"][23] == pytest.approx(1.0)  # the bar after 23:00 is midnight
    assert waves["weekday_cos"][24 * 7 - 1] == pytest.approx(1.0)  # Monday follows Sunday 23:00
    assert waves["month_sin"][0] == pytest.approx(0.0)  # January
    assert "hour_sin" not in calendar(candles(step=DAY))


def test_ties_share_a_rank_and_an_unknown_one_has_none():
    rank = cross_rank(np.array([[1.0, np.nan], [1.0, 2.0], [3.0, np.nan]]))
    np.testing.assert_allclose(rank, [[-0.25, np.nan], [-0.25, np.nan], [0.5, np.nan]])


def test_a_panel_shorter_than_its_windows_has_no_trailing_value():
    value_AT = np.ones((1, 3))
    assert np.isnan(trailing(value_AT, 5, lambda x: x.sum(-1))).all()
    assert np.isnan(lagged(value_AT, 4)).all()
    assert features(candles(3), windows=(60,)).values_ATF.shape[:2] == (3, 3)


@pytest.mark.parametrize("wrong", [{"lags": (-1,)}, {"windows": (1,)}])
def test_lags_ahead_and_windows_of_one_bar_are_refused(wrong):
    with pytest.raises(InputError):
        features(candles(), **wrong)
