"""From returns with a known law to candles: a path within each bar gives it high and low.

Opens are the closes before (a market that never closes). Knows no law of returns; `laws` has them.
"""

# ruff: noqa: N815  (names suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import check_step
from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
START = datetime(2020, 1, 1, tzinfo=UTC)
_WITHIN = 12
"""Steps of the path within a bar: its range is about a sixth smaller than that of a continuous one."""
_FIRST_CLOSE = 100.0
_VOLUME = 1_000.0


@dataclass(frozen=True)
class SimulatedMarket:
    """Candles, and what was true of each bar before it began. Axes: A assets, T bars, as in the panel."""

    panel: PricePanel
    expected_AT: FloatArray
    """Mean of the bar's simple return close / close before - 1, given everything before the bar; no unit."""
    volatility_AT: FloatArray
    """Standard deviation of the same, given everything before the bar; > 0."""
    ic: float
    """Correlation of expected and realised standardised returns; 0 = a random walk."""
    state_T: NDArray[np.int8]
    """Regime of the bar; 0 where there is one only."""


def candles(
    return_AT: FloatArray,
    volatility_AT: FloatArray,
    *,
    rng: np.random.Generator,
    step: timedelta,
    start: datetime = START,
) -> PricePanel:
    """A panel whose simple returns are these.

    Parameters
    ----------
    return_AT
        Simple returns, above -1, shape (A, T).
    volatility_AT
        Size of the moves within each bar, of the log price, same shape.
    """
    log_AT = np.log1p(return_AT)
    close_AT = _FIRST_CLOSE * np.exp(np.cumsum(log_AT, axis=1))
    open_AT = close_AT / np.exp(log_AT)
    high_AT, low_AT = np.empty_like(close_AT), np.empty_like(close_AT)
    volume_AT = np.empty_like(close_AT)
    for row in range(len(return_AT)):
        high_T, low_T = _extremes(log_AT[row], volatility_AT[row], rng)
        high_AT[row] = np.maximum(open_AT[row] * np.exp(high_T), np.maximum(open_AT[row], close_AT[row]))
        low_AT[row] = np.minimum(open_AT[row] * np.exp(low_T), np.minimum(open_AT[row], close_AT[row]))
        liveliness_T = 1 + np.abs(log_AT[row]) / volatility_AT[row]
        volume_AT[row] = _VOLUME * liveliness_T * np.exp(rng.normal(0, 0.3, len(liveliness_T)))
    first = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us")
    return PricePanel(
        asset_ids=tuple(f"SIM{row:03d}" for row in range(len(return_AT))),
        time_T=first + np.arange(return_AT.shape[1]) * np.timedelta64(step),
        step=step,
        open_AT=open_AT,
        high_AT=high_AT,
        low_AT=low_AT,
        close_AT=close_AT,
        volume_AT=volume_AT,
    )


def check_size(n_assets: int, n_bars: int, step: timedelta) -> None:
    """`InputError` for a market of no asset, fewer than two bars, or no step."""
    if n_assets < 1:
        raise InputError("n_assets", "must be 1 or more", value=n_assets)
    if n_bars < 2:
        raise InputError("n_bars", "must be 2 or more", value=n_bars)
    check_step(step)


def _extremes(
    log_T: FloatArray, volatility_T: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Highest and lowest of a Brownian bridge from 0 to each log return."""
    moves_TW = rng.normal(size=(len(log_T), _WITHIN)) * (volatility_T / np.sqrt(_WITHIN))[:, None]
    path_TW = np.cumsum(moves_TW, axis=1)
    share_W = np.arange(1, _WITHIN + 1) / _WITHIN
    path_TW += share_W * (log_T - path_TW[:, -1])[:, None]
    return path_TW.max(1), path_TW.min(1)
