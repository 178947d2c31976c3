"""What a strategy has to be compared with: holding the assets, and entering at random with the same turnover.

Positions and prices in, returns out, through the same back-test and the same costs. Knows no statistic of money.
"""

# ruff: noqa: N815  (names suffixed by their axes are the house style for arrays)

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.trading.backtest import Costs, Fill, Result, backtest

FloatArray = NDArray[np.float64]
Rng = int | np.random.Generator
BUY_AND_HOLD, EQUAL_WEIGHT = "buy_and_hold", "equal_weight"


@dataclass(frozen=True, eq=False)
class RandomEntry:
    """A strategy's own positions at other times: same turnover, same exposure, no knowledge of when."""

    sharpe_N: FloatArray
    """Net Sharpe ratios a bar of the random entries, with the same costs."""
    p_value: float
    """(1 + entries at or above the strategy's own) / (1 + entries)."""


def holding(panel: PricePanel, costs: Costs, *, first: int, fill: Fill = "open", latency: int = 1) -> Result:
    """Equal parts of all assets, bought once and held, and the same brought back to equal parts every bar.

    Parameters
    ----------
    panel, costs, fill, latency
        As in `backtest`.
    first
        The bar in which the strategies compared could trade first; assets without a price then are left out.

    Returns
    -------
    Result
        `buy_and_hold` and `equal_weight`, both decided `latency` bars before `first`.

    Raises
    ------
    InputError
        `first` leaves no bar before it to decide in.
    """
    decided = first - latency
    if not 0 <= decided < panel.n_bars:
        raise InputError("first", f"must be {latency} to {panel.n_bars - 1}", value=first)
    there = ~np.isnan(panel.close_AT[:, min(first, panel.n_bars - 1)])
    parts = there / max(int(there.sum()), 1)
    position = np.full((2, panel.n_bars, panel.n_assets), np.nan)
    position[0, decided] = parts
    position[1, decided:] = parts
    return backtest(position, panel, costs, names=(BUY_AND_HOLD, EQUAL_WEIGHT), fill=fill, latency=latency)


def random_entry(
    position_TA: FloatArray,
    panel: PricePanel,
    costs: Costs,
    *,
    rng: Rng,
    n_entries: int = 200,
    fill: Fill = "open",
    latency: int = 1,
) -> RandomEntry:
    """Whether a strategy's timing is better than its own positions at random times.

    Parameters
    ----------
    position_TA
        The strategy's decisions. Shape (T, A).
    panel, costs, fill, latency
        As in `backtest`.
    rng
        Of the shifts.
    n_entries
        Random entries, 19 or more.

    Returns
    -------
    RandomEntry
        Each entry is the strategy's positions moved in a circle by a random number of bars, a twentieth of the
        test at least: what it holds, how long, how much at once and how often it trades stay, the moment is chance.

    Raises
    ------
    InputError
        `n_entries` is too small, or the strategy decides on fewer than 40 bars.
    """
    if n_entries < 19:
        raise InputError("n_entries", "must be 19 or more", value=n_entries)
    decided = ~np.isnan(position_TA).all(axis=1)
    start = int(np.argmax(decided)) if decided.any() else len(position_TA)
    n = len(position_TA) - start
    if n < 40:
        raise InputError("position_TA", "must decide on 40 bars or more", value=n)
    gen = np.random.default_rng(rng)
    least = max(1, n // 20)
    shifts = gen.integers(least, n - least + 1, size=n_entries)
    held = _carried(position_TA[start:])
    own = _sharpes(backtest(position_TA, panel, costs, fill=fill, latency=latency))[0]
    found = np.empty(n_entries)
    step = max(1, 20_000_000 // max(1, position_TA.size))  # 160 MB of positions at once
    for begin in range(0, n_entries, step):
        some = shifts[begin : begin + step]
        position = np.full((len(some), *position_TA.shape), np.nan)
        for place, shift in enumerate(some):
            position[place, start:] = np.roll(held, shift, axis=0)
        found[begin : begin + step] = _sharpes(backtest(position, panel, costs, fill=fill, latency=latency))
    return RandomEntry(found, float((1 + (found >= own).sum()) / (1 + n_entries)))


def _carried(position_NA: FloatArray) -> FloatArray:
    """Positions with "no decision" filled by the last one: moved in time, a hold has nothing before it to keep."""
    place = np.where(np.isnan(position_NA), 0, np.arange(len(position_NA))[:, None])
    filled = np.take_along_axis(position_NA, np.maximum.accumulate(place, axis=0), axis=0)
    return np.nan_to_num(filled)


def _sharpes(result: Result) -> FloatArray:
    """Sharpe ratio a bar of each strategy; 0 where nothing varies."""
    net = result.net_ST[:, result.period]
    spread = net.std(axis=1, ddof=1)
    return np.where(spread > 0, net.mean(axis=1) / np.where(spread > 0, spread, 1.0), 0.0)
