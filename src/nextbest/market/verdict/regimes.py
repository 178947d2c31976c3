"""Kinds of market by what was known at the time, so that one bull market isn't taken for skill.

Prices in, a label a bar out; knows no strategy. The label of bar t is made of closes up to bar t - 1.
"""

# ruff: noqa: N815  (names suffixed by their axes are the house style for arrays)

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
TRENDS = ("bear", "sideways", "bull")
CALM = ("low_volatility", "high_volatility")


@dataclass(frozen=True, eq=False)
class Regimes:
    """A label a bar on each of two scales; "" where too little was known."""

    trend_T: NDArray[np.str_]
    """`bear`, `sideways` or `bull`."""
    volatility_T: NDArray[np.str_]
    """`low_volatility` or `high_volatility`."""

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Bars of each kind, kinds without a bar left out."""
        found = {name: self.trend_T == name for name in TRENDS[::-1]}
        found |= {name: self.volatility_T == name for name in CALM}
        return {name: mask for name, mask in found.items() if mask.any()}


def regimes(panel: PricePanel, *, length: int = 90, band: float = 1.0) -> Regimes:
    """Trend and volatility of the market, the mean of the panel's assets, as they stood before each bar.

    Parameters
    ----------
    panel
        Its closes are read; an asset counts in the bars it has.
    length
        Bars of the window, 10 or more.
    band
        The mean log-return of the window counts as a trend when its t-statistic is beyond this; above zero.

    Returns
    -------
    Regimes
        Volatility is high when that of the window is above the median of all windows before it, itself included.

    Raises
    ------
    InputError
        `length` or `band` is out of range.
    """
    if length < 10:
        raise InputError("length", "must be 10 or more", value=length)
    if not band > 0:
        raise InputError("band", "must be above zero", value=band)
    move_AT = panel.log_return_AT
    n_T = (~np.isnan(move_AT)).sum(axis=0)
    market_T = np.where(n_T > 0, np.nansum(move_AT, axis=0) / np.maximum(n_T, 1), 0.0)
    trend_T = np.full(panel.n_bars, "", dtype="<U16")
    calm_T = trend_T.copy()
    if panel.n_bars <= length + 1:
        return Regimes(trend_T, calm_T)
    windows = np.lib.stride_tricks.sliding_window_view(market_T[1:-1], length)
    spread_W = windows.std(axis=1, ddof=1)
    t_W = windows.mean(axis=1) / np.maximum(spread_W, 1e-300) * np.sqrt(length)
    known = slice(length + 1, None)
    trend_T[known] = np.array(TRENDS)[1 + np.sign(np.where(np.abs(t_W) > band, t_W, 0.0)).astype(np.int64)]
    middle_W = _running_median(spread_W)
    calm_T[known] = np.array(CALM)[(spread_W > middle_W).astype(np.int64)]
    return Regimes(trend_T, calm_T)


def _running_median(value_W: FloatArray) -> FloatArray:
    """Median of the values up to each one."""
    from bisect import insort

    seen: list[float] = []
    median = np.empty(len(value_W))
    for w, value in enumerate(value_W):
        insort(seen, float(value))
        half = len(seen) // 2
        median[w] = seen[half] if len(seen) % 2 else (seen[half - 1] + seen[half]) / 2
    return median
