"""What is known of each asset when a bar has closed, as numbers for a model: as-of features of a panel.

Row t of a feature is made of bars up to t and of nothing later; the calendar is of the bar that follows, which is
known beforehand. A test changes the future and finds the past as it was. Knows no target and no model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import DAY
from nextbest.data.prices.volatility import garman_klass
from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
LAGS, WINDOWS = (0, 1, 2, 3, 5, 10), (5, 20, 60)
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Features:
    """Named features of every asset and bar; F axis: features."""

    names: tuple[str, ...]
    values_ATF: FloatArray  # noqa: N815 - axes of the array
    """NaN = not known at that bar: too early, a gap within its window, or an asset without such a column."""


def features(panel: PricePanel, *, lags: Sequence[int] = LAGS, windows: Sequence[int] = WINDOWS) -> Features:
    """All features, in one array.

    Parameters
    ----------
    lags
        Bars back, 0 or more; lag 0 is the return of the bar itself, which its close makes known.
    windows
        Bars of trailing windows, 2 or more; each ends with the bar itself.

    Returns
    -------
    Features
        `return_lag_K` log-returns. Over each window W: `momentum_W` their sum, `volatility_W` their standard
        deviation (n - 1), `range_volatility_W` root of the mean Garman-Klass variance, `volume_z_W` log volume
        against the window's mean in its standard deviations (NaN where a volume is zero or all are equal),
        `distance_W` log close over the window's highest close. Of the other assets: `market_lag_K` mean return of
        those that have one, `market_volatility_W`, `relative_W` the asset's momentum minus the mean of all,
        `rank_W` its rank among them from -0.5 to 0.5 (NaN where only one is known). Of the next bar's time:
        `hour_sin`, `hour_cos` (bars shorter than a day), `weekday_sin`, `weekday_cos`, `month_sin`, `month_cos`.

    Raises
    ------
    InputError
        A lag or window is out of range.
    """
    if any(lag < 0 for lag in lags):
        raise InputError("lags", "must be 0 or more", value=list(lags))
    if any(window < 2 for window in windows):
        raise InputError("windows", "must be 2 or more", value=list(windows))
    named: dict[str, FloatArray] = {}
    return_AT = panel.log_return_AT
    market_AT = _mean_of_others(return_AT)
    for lag in lags:
        named[f"return_lag_{lag}"] = lagged(return_AT, lag)
        named[f"market_lag_{lag}"] = lagged(market_AT, lag)
    range_AT = garman_klass(panel.open_AT, panel.high_AT, panel.low_AT, panel.close_AT)
    with np.errstate(divide="ignore"):
        volume_AT = np.where(panel.volume_AT > 0, np.log(panel.volume_AT), np.nan)
    log_close_AT = np.log(panel.close_AT)
    for window in windows:
        momentum_AT = trailing(return_AT, window, _total)
        named[f"momentum_{window}"] = momentum_AT
        named[f"volatility_{window}"] = trailing(return_AT, window, _deviation)
        named[f"range_volatility_{window}"] = np.sqrt(np.maximum(trailing(range_AT, window, _mean), 0.0))
        deviation_AT = trailing(volume_AT, window, _deviation)
        centred_AT = volume_AT - trailing(volume_AT, window, _mean)
        named[f"volume_z_{window}"] = _over(centred_AT, deviation_AT)
        named[f"distance_{window}"] = log_close_AT - trailing(log_close_AT, window, _highest)
        named[f"market_volatility_{window}"] = trailing(market_AT, window, _deviation)
        named[f"relative_{window}"] = momentum_AT - _mean_of_all(momentum_AT)
        named[f"rank_{window}"] = cross_rank(momentum_AT)
    for name, value_T in calendar(panel).items():
        named[name] = np.broadcast_to(value_T, panel.close_AT.shape)
    return Features(tuple(named), np.stack(list(named.values()), axis=-1))


def lagged(value_AT: FloatArray, lag: int) -> FloatArray:
    """The value `lag` bars before, NaN in the first `lag` bars."""
    out_AT = np.full(value_AT.shape, np.nan)
    out_AT[:, lag:] = value_AT[:, : max(0, value_AT.shape[1] - lag)]
    return out_AT


def trailing(value_AT: FloatArray, window: int, statistic: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """A statistic of the last axis over each bar and the `window - 1` before it; NaN where one of them is NaN."""
    out_AT = np.full(value_AT.shape, np.nan)
    if value_AT.shape[1] >= window:
        out_AT[:, window - 1 :] = statistic(sliding_window_view(value_AT, window, axis=1))
    return out_AT


def cross_rank(value_AT: FloatArray) -> FloatArray:
    """Rank among the assets known at each bar, from -0.5 (lowest) to 0.5; ties share theirs; NaN of fewer than two."""
    known_AT = ~np.isnan(value_AT)
    n_T = known_AT.sum(0)
    below_AT = (value_AT[None] < value_AT[:, None]).sum(1)
    equal_AT = (value_AT[None] == value_AT[:, None]).sum(1)
    place_AT = below_AT + (equal_AT - 1) / 2
    return np.where(known_AT & (n_T > 1), place_AT / np.maximum(n_T - 1, 1) - 0.5, np.nan)


def calendar(panel: PricePanel) -> dict[str, FloatArray]:
    """Hour, weekday and month of the time one step after each bar's open, as sine and cosine, shape (T,).

    Where a market closes, Friday's next bar says Saturday: when it opens again is not known from here.
    """
    next_us = panel.time_T.astype(np.int64) + panel.step // timedelta(microseconds=1)
    days = next_us // _DAY_US
    months = next_us.view("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12
    shares = {"weekday": (days + 3) % 7 / 7, "month": months / 12}  # the epoch is a Thursday
    if panel.step < DAY:
        shares["hour"] = next_us % _DAY_US / _DAY_US
    waves: dict[str, FloatArray] = {}
    for name, share_T in shares.items():
        waves[f"{name}_sin"], waves[f"{name}_cos"] = np.sin(2 * np.pi * share_T), np.cos(2 * np.pi * share_T)
    return waves


def _mean_of_others(value_AT: FloatArray) -> FloatArray:
    """At each bar the mean of the other assets that are known; NaN where none is."""
    known_AT = ~np.isnan(value_AT)
    zeroed_AT = np.where(known_AT, value_AT, 0.0)
    return _over(zeroed_AT.sum(0) - zeroed_AT, (known_AT.sum(0) - known_AT).astype(np.float64))


def _mean_of_all(value_AT: FloatArray) -> FloatArray:
    known_AT = ~np.isnan(value_AT)
    return _over(np.where(known_AT, value_AT, 0.0).sum(0), known_AT.sum(0).astype(np.float64))


def _over(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """The ratio, NaN where the divisor is zero."""
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan)


def _total(value_ATW: FloatArray) -> FloatArray:
    return np.asarray(value_ATW.sum(-1), np.float64)


def _mean(value_ATW: FloatArray) -> FloatArray:
    return np.asarray(value_ATW.mean(-1), np.float64)


def _deviation(value_ATW: FloatArray) -> FloatArray:
    return np.asarray(value_ATW.std(-1, ddof=1), np.float64)


def _highest(value_ATW: FloatArray) -> FloatArray:
    return np.asarray(value_ATW.max(-1), np.float64)
