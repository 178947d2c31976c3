"""What the classical models read of a panel: one asset's returns, gaps left out.

An asset without a close at the cutoff has no price to forecast from: its series is empty, its forecast NaN.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.market.base import FloatArray, check_request


def returns_of(history: PricePanel) -> list[FloatArray]:
    """One-step log-returns of each asset, oldest first, those beside a gap left out; none without a last close."""
    return [
        row[~np.isnan(row)] if alive else np.empty(0)
        for row, alive in zip(history.log_return_AT, live(history), strict=True)
    ]


def log_closes_of(history: PricePanel) -> list[FloatArray]:
    """Log closes of each asset after its newest gap, oldest first; none without a last close."""
    found = []
    for row in np.log(history.close_AT):
        gaps = np.flatnonzero(np.isnan(row))
        found.append(row[gaps[-1] + 1 :] if len(gaps) else row)
    return found


def live(history: PricePanel) -> list[bool]:
    """Whether each asset has a close at the cutoff."""
    if not history.n_bars:
        return [False] * history.n_assets
    known: list[bool] = (~np.isnan(history.close_AT[:, -1])).tolist()
    return known


def each_asset(
    histories: Sequence[PricePanel],
    series: Callable[[PricePanel], list[FloatArray]],
    answer: Callable[[int, FloatArray], FloatArray | None],
    *,
    horizons: Sequence[int],
    levels: Sequence[float],
) -> FloatArray:
    """`answer(asset, series)` for every origin and asset, shape (O, A, H, Q); None is a row of NaN."""
    check_request(horizons, levels)
    n_assets = histories[0].n_assets if histories else 0
    found_OAHQ = np.full((len(histories), n_assets, len(horizons), len(levels)), np.nan)
    for origin, history in enumerate(histories):
        for asset, values in enumerate(series(history)):
            said = answer(asset, values)
            if said is not None:
                found_OAHQ[origin, asset] = said
    return found_OAHQ


def is_intraday(step: timedelta) -> bool:
    """Bars shorter than a day."""
    return step < timedelta(days=1)
