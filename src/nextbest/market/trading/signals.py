"""Forecasts become positions: signed fractions of the equity, decided at a bar's close. Knows no price and no cost model.

T axis: bars, A axis: assets; any axes before them (strategies) are kept. A position of NaN is "no decision": the
back-test then leaves what is held. Row t may use what was known at the close of bar t, and nothing here looks further.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

FloatArray = NDArray[np.float64]


def long_short(forecast_TA: FloatArray) -> FloatArray:
    """Long what should rise, short what should fall, the same fraction of the equity in each.

    Parameters
    ----------
    forecast_TA
        Forecast of the next return, or any score whose sign is its direction. Shape (..., T, A); NaN = no forecast.

    Returns
    -------
    ndarray of shape (..., T, A)
        Sign over the number of assets with a forecast, so that the absolute values sum to 1 at most; NaN where
        the forecast is NaN.

    Raises
    ------
    InputError
        Fewer than two axes, or an infinite forecast.

    Examples
    --------
    >>> long_short(np.array([[0.02, -0.01, 0.0, np.nan]])).round(2).tolist()
    [[0.33, -0.33, 0.0, nan]]
    """
    forecast = _checked(forecast_TA)
    return np.sign(forecast) / _n_known(forecast)


def long_flat(forecast_TA: FloatArray) -> FloatArray:
    """Long what should rise, nothing in the rest; arguments, result and errors as `long_short`.

    >>> long_flat(np.array([[0.02, -0.01]])).tolist()
    [[0.5, 0.0]]
    """
    forecast = _checked(forecast_TA)
    return np.where(np.isnan(forecast), np.nan, (forecast > 0) / _n_known(forecast))


def top_minus_bottom(forecast_TA: FloatArray, *, k: int) -> FloatArray:
    """Long the k assets with the highest forecast, short the k with the lowest: no bet on the market as a whole.

    Parameters
    ----------
    forecast_TA
        As in `long_short`; only its order within a bar counts.
    k
        Assets on each side, 1 or more.

    Returns
    -------
    ndarray of shape (..., T, A)
        1 / (2 k) on each side; NaN in a bar with fewer than 2 k forecasts; 0 in a bar in which all forecasts are
        equal. Other ties go by the order of the assets. An asset without a forecast gets 0.

    Raises
    ------
    InputError
        As `long_short`; `k` is below 1, or two sides of k need more assets than there are.
    """
    forecast = _checked(forecast_TA)
    n_assets = forecast.shape[-1]
    if not 1 <= k <= n_assets // 2:
        raise InputError("k", f"must be 1 to half of the {n_assets} assets", value=k)
    known = ~np.isnan(forecast)
    low = np.where(known, forecast, np.inf)
    order = np.argsort(low, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1, kind="stable")  # 0 = lowest; assets without a forecast come last
    n_known = known.sum(axis=-1, keepdims=True)
    side = (known & (rank >= n_known - k)).astype(np.float64) - (known & (rank < k))
    high = np.where(known, forecast, -np.inf)
    spread = high.max(axis=-1, keepdims=True) > low.min(axis=-1, keepdims=True)
    position = np.where(spread, side / (2 * k), 0.0)
    return np.where(n_known >= 2 * k, position, np.nan)


def no_trade_band(
    position_TA: FloatArray,
    forecast_TA: FloatArray,
    *,
    cost: float,
    inside: Literal["hold", "flat"] = "hold",
) -> FloatArray:
    """The positions of the bars whose forecast is worth a trade: |forecast| > cost.

    Parameters
    ----------
    position_TA
        Positions as a rule above gives them. Shape (..., T, A).
    forecast_TA
        Forecast of the next return they were made of, a fraction. Same shape.
    cost
        What a trade costs, a fraction of its value, 0 or more: once a side to hold longer, twice for in and out.
    inside
        What happens inside the band: `hold` keeps what is held (no decision, NaN), `flat` closes it.

    Raises
    ------
    InputError
        The shapes differ, `cost` is negative or not finite, or `inside` is unknown.

    Examples
    --------
    >>> no_trade_band(np.array([[0.5, -0.5]]), np.array([[0.02, -0.0001]]), cost=0.0005).tolist()
    [[0.5, nan]]
    """
    forecast = _checked(forecast_TA)
    if position_TA.shape != forecast.shape:
        raise InputError("position_TA", f"must have the forecasts' shape {forecast.shape}", value=position_TA.shape)  # fmt: skip
    if not (np.isfinite(cost) and cost >= 0):
        raise InputError("cost", "must be 0 or more", value=cost)
    if inside not in ("hold", "flat"):
        raise InputError("inside", "must be 'hold' or 'flat'", value=inside)
    quiet = np.abs(forecast) <= cost
    return np.where(quiet, np.nan if inside == "hold" else 0.0, position_TA)


def volatility_target(
    position_TA: FloatArray, volatility_TA: FloatArray, *, target: float, max_scale: float = 3.0
) -> FloatArray:
    """Positions scaled by target / volatility, so that a quiet asset gets more and a wild one less.

    Parameters
    ----------
    position_TA
        Shape (..., T, A).
    volatility_TA
        Of one bar's return of each asset, as forecast or measured by the close of bar t (see
        `trailing_volatility`). Shape (T, A); >= 0, NaN = not known.
    target
        The volatility of one bar at which a position stays as it is; above zero.
    max_scale
        At most this many times the position, so that a calm week is no licence for any leverage; above zero.

    Returns
    -------
    ndarray of shape (..., T, A)
        NaN where the position or the volatility is.

    Raises
    ------
    InputError
        A number is out of range, a volatility is negative, or the shapes don't fit.
    """
    for name, value in (("target", target), ("max_scale", max_scale)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(name, "must be above zero", value=value)
    if volatility_TA.shape != position_TA.shape[-2:]:
        raise InputError("volatility_TA", f"must have shape {position_TA.shape[-2:]}", value=volatility_TA.shape)  # fmt: skip
    if (volatility_TA < 0).any():
        raise InputError("volatility_TA", "must not be negative", value=float(np.nanmin(volatility_TA)))
    with np.errstate(divide="ignore"):
        return position_TA * np.minimum(target / volatility_TA, max_scale)


def trailing_volatility(return_AT: FloatArray, *, length: int) -> FloatArray:
    """Standard deviation of the last `length` returns of each asset, known at the close of bar t.

    Parameters
    ----------
    return_AT
        Returns of the bars, e.g. `panel.log_return_AT`. Shape (A, T); NaN = no return, left out.
    length
        Bars of the window, 2 or more; the window holds bar t itself and none after it.

    Returns
    -------
    ndarray of shape (T, A)
        Root of the mean square about the window's mean (n - 1 below); NaN before `length` bars and where fewer
        than half of the window's returns are there.
    """
    if length < 2:
        raise InputError("length", "must be 2 or more", value=length)
    n_assets, n_bars = return_AT.shape
    volatility_TA = np.full((n_bars, n_assets), np.nan)
    if n_bars < length:
        return volatility_TA
    known = ~np.isnan(return_AT)
    n_AW = _window_sum(known.astype(np.float64), length)
    mean_AW = _window_sum(np.where(known, return_AT, 0.0), length) / np.maximum(n_AW, 1)
    square_AW = _window_sum(np.where(known, return_AT, 0.0) ** 2, length)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance_AW = np.maximum(square_AW - n_AW * mean_AW**2, 0.0) / (n_AW - 1)
    enough_AW = (n_AW >= max(2, length / 2)) & (n_AW > 1)
    volatility_TA[length - 1 :] = np.where(enough_AW, np.sqrt(variance_AW), np.nan).T
    return volatility_TA


def _window_sum(value_AT: FloatArray, length: int) -> FloatArray:
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(value_AT, length, axis=1).sum(axis=-1)
    return windows


def _checked(forecast_TA: FloatArray) -> FloatArray:
    forecast = np.asarray(forecast_TA, np.float64)
    if forecast.ndim < 2:
        raise InputError("forecast_TA", "must have bars and assets as its last axes", value=forecast.shape)
    if np.isinf(forecast).any():
        raise InputError("forecast_TA", "must be finite or NaN", value=int(np.isinf(forecast).sum()))
    return forecast


def _n_known(forecast: FloatArray) -> FloatArray:
    """Assets with a forecast in each bar, 1 where there is none, so that it can stand below a fraction."""
    n: FloatArray = np.maximum((~np.isnan(forecast)).sum(axis=-1, keepdims=True), 1).astype(np.float64)
    return n
