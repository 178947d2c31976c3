"""Small panels and scripted forecasters for the tests of the bench and of the classical models."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.market.base import LEVELS

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def panel_of(close_AT, *, step=DAY, candles=False):
    """A panel of these closes; with `candles` the open is the close before and the range holds both."""
    close_AT = np.asarray(close_AT, float)
    n_assets, n_bars = close_AT.shape
    start = np.datetime64("2024-01-01", "us")
    time_T = start + np.arange(n_bars) * np.timedelta64(step // timedelta(microseconds=1), "us")
    nothing = np.full(close_AT.shape, np.nan)
    open_AT, high_AT, low_AT = nothing, nothing, nothing
    if candles:
        open_AT = np.concatenate([close_AT[:, :1], close_AT[:, :-1]], axis=1)
        high_AT, low_AT = np.fmax(open_AT, close_AT) * 1.002, np.fmin(open_AT, close_AT) / 1.002
    return PricePanel(
        asset_ids=tuple("ABCDEF"[:n_assets]),
        time_T=time_T,
        step=step,
        open_AT=open_AT,
        high_AT=high_AT,
        low_AT=low_AT,
        close_AT=close_AT,
        volume_AT=nothing,
    )


def random_closes(n_bars=120, *, n_assets=2, seed=0, spread=0.02):
    steps_AT = np.random.default_rng(seed).normal(0, spread, (n_assets, n_bars))
    return 100 * np.exp(np.cumsum(steps_AT, axis=1))


@dataclass
class Scripted:
    """Answers what `say(histories, shape)` returns, and counts."""

    say: Any = None
    name: str = "scripted"
    context_length: int = 0
    min_bars: int = 1
    seen_until: date | None = None
    config: dict[str, Any] = field(default_factory=dict)
    fits: list[PricePanel] = field(default_factory=list)
    asked: list[tuple[PricePanel, ...]] = field(default_factory=list)

    def fit(self, history, *, horizons, rng):
        self.fits.append(history)

    def forecast(self, histories, *, horizons, levels=LEVELS):
        self.asked.append(tuple(histories))
        shape = (len(histories), histories[0].n_assets, len(horizons), len(levels))
        return self.say(histories, shape) if self.say else rising(shape)


def rising(shape):
    """The same small quantiles everywhere."""
    return np.broadcast_to(np.linspace(-0.02, 0.02, shape[-1]), shape).copy()
