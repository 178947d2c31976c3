"""How much a price moved within a bar, from finer bars or from open, high, low and close alone.

Everything here is a variance of the log price over one bar: no unit, not annual; its square root is the bar's
volatility. Range estimators assume a price without jumps between bars and without drift (Rogers-Satchell allows a
drift); sampled trades make their ranges a little too small. None sees the move from one bar's close to the next
one's open: add `open_move_variance` where a market closes overnight.
"""

from datetime import timedelta

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import bar_start, step_name
from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
_LOG2 = float(np.log(2.0))


def parkinson(high_T: ArrayLike, low_T: ArrayLike) -> FloatArray:
    """Variance of each bar by its range: ln(high / low)^2 / (4 ln 2).

    Parameters
    ----------
    high_T, low_T
        Prices, > 0, of one shape (any number of axes); NaN = not known.

    Returns
    -------
    ndarray of that shape
        >= 0; NaN where one of the two is.

    Raises
    ------
    InputError
        Shapes differ, or a price isn't above zero.

    Notes
    -----
    Parkinson 1980; 4.9 times as efficient as the squared return of the bar, for a driftless diffusion.
    """
    high, low = _logs(high=high_T, low=low_T)
    return np.asarray((high - low) ** 2 / (4 * _LOG2), np.float64)


def garman_klass(open_T: ArrayLike, high_T: ArrayLike, low_T: ArrayLike, close_T: ArrayLike) -> FloatArray:
    """Variance of each bar: ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2.

    Arguments, NaN rule and errors as of `parkinson`; never below zero where high and low hold open and close.

    Notes
    -----
    Garman & Klass 1980, their practical estimator (7.4 times as efficient as the squared return), without the
    overnight term.
    """
    open_, high, low, close = _logs(open=open_T, high=high_T, low=low_T, close=close_T)
    return np.asarray(0.5 * (high - low) ** 2 - (2 * _LOG2 - 1) * (close - open_) ** 2, np.float64)


def rogers_satchell(open_T: ArrayLike, high_T: ArrayLike, low_T: ArrayLike, close_T: ArrayLike) -> FloatArray:
    """Variance of each bar: ln(h / c) ln(h / o) + ln(l / c) ln(l / o); right also when the price drifts.

    Arguments, NaN rule and errors as of `parkinson`; never below zero where high and low hold open and close.

    Notes
    -----
    Rogers & Satchell 1991.
    """
    open_, high, low, close = _logs(open=open_T, high=high_T, low=low_T, close=close_T)
    return np.asarray((high - close) * (high - open_) + (low - close) * (low - open_), np.float64)


def open_move_variance(panel: PricePanel) -> FloatArray:
    """Squared log move from one bar's close to the next one's open, shape (A, T).

    NaN in the first bar, beside a gap and where opens aren't known. Add it to a range estimator to have the variance
    from close to close.
    """
    move_AT = np.full(panel.close_AT.shape, np.nan)
    move_AT[:, 1:] = np.log(panel.open_AT[:, 1:]) - np.log(panel.close_AT[:, :-1])
    return move_AT**2


def realised_variance(panel: PricePanel, step: timedelta, *, min_share: float = 1.0) -> FloatArray:
    """Sum of the squared returns of the panel's bars within each longer bar, close to close.

    Parameters
    ----------
    panel
        The finer bars.
    step
        The longer bars, a multiple of the panel's step; they are those of `panel.resample(step)`.
    min_share
        Share of a bar's returns that must be known, above 0 to 1. Where some are missing the sum is divided by the
        share that is there, which takes the missing ones for as lively as the others.

    Returns
    -------
    ndarray of shape (n_assets, panel.resample(step).n_bars)
        NaN where fewer are known; with `min_share` 1 the first bar always is, because the return into its first
        finer bar isn't known.

    Raises
    ------
    InputError
        `step` isn't a multiple, at least twice the panel's step, or `min_share` is out of range.

    Notes
    -----
    Andersen & Bollerslev 1998. The return into a bar's first finer bar belongs to the bar, so that the sums add up
    to the variance from close to close.
    """
    if not 0 < min_share <= 1:
        raise InputError("min_share", "must be above 0, at most 1", value=min_share)
    if step <= panel.step:
        raise InputError("step", f"must be longer than {step_name(panel.step)}", value=step_name(step))
    bars = panel.resample(step)
    if not bars.n_bars:
        return np.full((panel.n_assets, 0), np.nan)
    opens_us, first_N = np.unique(bar_start(panel.time_T.astype(np.int64), step), return_index=True)
    squared_AT = panel.log_return_AT**2
    known_AN = np.add.reduceat(~np.isnan(squared_AT), first_N, axis=1, dtype=np.float64)
    sum_AN = np.add.reduceat(np.nan_to_num(squared_AT), first_N, axis=1)
    count_N = np.diff(np.append(first_N, panel.n_bars))
    share_AN = known_AN / count_N
    enough_AN = share_AN >= min_share - 1e-12
    value_AN = np.where(enough_AN, sum_AN / np.where(enough_AN, share_AN, 1.0), np.nan)
    return value_AN[:, np.isin(opens_us, bars.time_T.astype(np.int64))]


def _logs(**prices: ArrayLike) -> list[FloatArray]:
    arrays = {name: np.asarray(price, np.float64) for name, price in prices.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1:
        raise InputError(", ".join(arrays), "must have one shape", value=sorted(shapes))
    for name, array in arrays.items():
        if (array <= 0).any():
            raise InputError(
                name, "must be above zero", value=int((array <= 0).sum()), remedy="NaN = not known"
            )
    return [np.log(array) for array in arrays.values()]
