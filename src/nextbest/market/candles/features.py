"""Candles -> what is known at each bar's close, free of units; and what came after it. Knows no torch, no network.

Everything in `Facts` at bar t is made of bars t and older ones only, so that a window cut from it is what a
forecast at its end would have seen. Axes: A assets, T bars, S volatility scales, H horizons, K calendar inputs,
R regressors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.volatility import garman_klass
from nextbest.market.candles.config import CandlesConfig

FloatArray = NDArray[np.float64]
_PRESENT = 0.5
"""Share of a window's bars that must be there for its mean to be."""
_FLOOR = 1e-3
"""A bar without movement has this share of its level's variance: logs must be finite."""
_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000
N_CALENDAR = 7 + 8
"""Weekdays, and four harmonics of the day."""


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known at each bar's close."""

    return_AT: FloatArray  # noqa: N815 - axes in the name
    """Log-return of the bar; NaN beside a gap."""
    variance_AT: FloatArray  # noqa: N815
    """Of the bar: Garman & Klass 1980 and the square of the gap before it; the squared return where only closes are."""
    scale_SAT: FloatArray  # noqa: N815
    """Log of the mean variance over each scale."""
    close_SAT: FloatArray  # noqa: N815
    """Log of the mean squared return over each scale but those shorter than five bars, which are `scale_SAT`."""
    trend_SAT: FloatArray  # noqa: N815
    """Return over each scale in units of its standard deviation."""
    volume_AT: FloatArray  # noqa: N815
    """Log of the bar's volume over its mean of the level's bars; NaN where it isn't known."""
    calendar_THK: FloatArray  # noqa: N815
    """Share of each weekday, and mean harmonics of the day, among the bars of each horizon."""
    known_AT: NDArray[np.bool_]  # noqa: N815
    """Whether there is a close and every scale, so that a forecast can be made here."""

    def regressors(self, config: CandlesConfig, *, horizon: int) -> FloatArray:
        """What the scale of the return over horizon number `horizon` is regressed on, shape (A, T, R)."""
        parts = [*self.scale_SAT, *self.close_SAT]
        if config.market_inputs:
            parts += [_market(part) for part in self.scale_SAT]
        if config.calendar:
            shape = self.known_AT.shape
            parts += [np.broadcast_to(c, shape) for c in self.calendar_THK[:, horizon].T]
        return np.stack(parts, axis=-1)

    def state(self, config: CandlesConfig) -> FloatArray:
        """What a place is told beside its bars, shape (A, T, F); NaN where it isn't known."""
        level_AT = self.scale_SAT[config.level]
        parts = [level_AT]
        parts += [part - level_AT for i, part in enumerate(self.scale_SAT) if i != config.level]
        parts += [part - level_AT for part in self.close_SAT]
        if config.market_inputs:
            market_AT = _market(level_AT)
            parts += [market_AT]
            parts += [_market(part) - market_AT for i, part in enumerate(self.scale_SAT) if i != config.level]
        if config.trend_inputs:
            parts += list(self.trend_SAT)
            if config.market_inputs:
                parts += [_market(part) for part in self.trend_SAT]
        return np.stack(parts, axis=-1)

    def bars(self, config: CandlesConfig) -> FloatArray:
        """Return, log variance and volume of each bar, without unit, shape (A, T, 3); 0 where one isn't known.

        The return is divided by the level known at the bar's own close.
        """
        level_AT = self.scale_SAT[config.level]
        if config.scaling == "none":
            level_AT = np.where(np.isnan(level_AT), np.nan, np.nanmean(level_AT))
        with np.errstate(divide="ignore"):
            log_AT = np.log(self.variance_AT) - level_AT
        bars = np.stack(
            [
                np.clip(self.return_AT * np.exp(-level_AT / 2), -6, 6),
                np.clip(log_AT, np.log(_FLOOR), 6),
                np.clip(self.volume_AT, -4, 4),
            ],
            axis=-1,
        )
        return np.asarray(np.nan_to_num(bars, nan=0.0))


def facts_of(panel: PricePanel, config: CandlesConfig, *, horizons: Sequence[int], length: int = 0) -> Facts:
    """What is known at each bar.

    Parameters
    ----------
    panel
        Any assets; a bar without a close is a gap.
    length
        At least so many bars: a shorter history gets gaps before its first bar.
    """
    missing = max(0, length - panel.n_bars)
    fields = {
        name: np.pad(np.array(getattr(panel, f"{name}_AT")), ((0, 0), (missing, 0)), constant_values=np.nan)
        for name in ("open", "high", "low", "close", "volume")
    }
    log_close_AT = np.log(fields["close"])
    return_AT = np.full(log_close_AT.shape, np.nan)
    return_AT[:, 1:] = np.diff(log_close_AT, axis=1)
    gap_AT = np.zeros(log_close_AT.shape)
    gap_AT[:, 1:] = np.log(fields["open"][:, 1:]) - log_close_AT[:, :-1]
    range_AT = garman_klass(*(fields[name] for name in ("open", "high", "low", "close")))
    range_AT += np.nan_to_num(gap_AT) ** 2
    variance_AT = np.where(np.isnan(range_AT), return_AT**2, range_AT)
    scale_SAT = np.stack([_log_mean(variance_AT, w) for w in config.volatility_scales])
    close_SAT = np.stack(
        [
            _log_mean(return_AT**2, w) if w >= 5 else scale_AT
            for w, scale_AT in zip(config.volatility_scales, scale_SAT, strict=True)
        ]
    )
    trend_SAT = np.stack(
        [
            np.clip(_mean(return_AT, w) * np.sqrt(w) * np.exp(-scale_AT / 2), -5, 5)
            for w, scale_AT in zip(config.volatility_scales, scale_SAT, strict=True)
        ]
    )
    usual_AT = _mean(fields["volume"], config.volatility_scales[config.level])
    with np.errstate(divide="ignore", invalid="ignore"):
        volume_AT = np.log(fields["volume"] / usual_AT)
    known_AT = np.isfinite(log_close_AT) & np.isfinite(scale_SAT).all(0) & np.isfinite(close_SAT).all(0)
    return Facts(
        return_AT=return_AT,
        variance_AT=variance_AT,
        scale_SAT=scale_SAT,
        close_SAT=close_SAT,
        trend_SAT=trend_SAT,
        volume_AT=np.where(np.isneginf(volume_AT), -4.0, volume_AT),
        calendar_THK=_calendar(panel, horizons, missing),
        known_AT=known_AT,
    )


def outcomes(panel: PricePanel, horizons: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """What came after each bar: (log-return, realised variance) over each horizon, each of shape (A, T, H).

    The realised variance is the sum of squared returns of single bars. NaN where the panel ends first, where
    the close isn't there, and for the variance where any of the bars isn't.
    """
    log_close_AT = np.log(panel.close_AT)
    shape = (*log_close_AT.shape, len(horizons))
    return_ATH, variance_ATH = np.full(shape, np.nan), np.full(shape, np.nan)
    squared_AT = np.array(panel.log_return_AT) ** 2
    for i, h in enumerate(horizons):
        if h >= panel.n_bars:
            continue
        return_ATH[:, :-h, i] = log_close_AT[:, h:] - log_close_AT[:, :-h]
        variance_ATH[:, :-h, i] = (_mean(squared_AT, h, present=1.0) * h)[:, h:]
    return return_ATH, variance_ATH


def mean_after(value_AT: FloatArray, horizon: int) -> FloatArray:
    """Mean over the `horizon` bars after each bar, shape (A, T); NaN where less than half of them are there."""
    after_AT = np.full(value_AT.shape, np.nan)
    if horizon < value_AT.shape[1]:
        after_AT[:, :-horizon] = _mean(value_AT, horizon)[:, horizon:]
    return after_AT


def _mean(value_AT: FloatArray, window: int, *, present: float = _PRESENT) -> FloatArray:
    """Mean over the newest `window` bars; NaN where fewer than the share `present` of them are there."""
    there_AT = np.isfinite(value_AT)
    padded = ((0, 0), (window, 0))
    sums = np.cumsum(np.pad(np.where(there_AT, value_AT, 0.0), padded), axis=1)
    counts = np.cumsum(np.pad(there_AT, padded), axis=1)
    total_AT, count_AT = sums[:, window:] - sums[:, :-window], counts[:, window:] - counts[:, :-window]
    enough_AT = count_AT >= max(1, present * window)
    return np.where(enough_AT, total_AT / np.maximum(count_AT, 1), np.nan)


def _log_mean(variance_AT: FloatArray, window: int) -> FloatArray:
    """Log of the mean variance; a window in which nothing moved is unknown, not infinitely calm."""
    mean_AT = _mean(variance_AT, window)
    # differences of long sums leave rests of their own: they aren't movement
    return np.log(np.where(mean_AT > 1e-14, mean_AT, np.nan))


def _market(value_AT: FloatArray) -> FloatArray:
    """Mean over the assets that have a number, for all of them."""
    there_AT = np.isfinite(value_AT)
    mean_T = np.where(there_AT, value_AT, 0.0).sum(0) / np.maximum(there_AT.sum(0), 1)
    return np.where(there_AT, mean_T, np.nan)


def _calendar(panel: PricePanel, horizons: Sequence[int], missing: int) -> FloatArray:
    """Weekday and hour of the bars to come; of the bar itself where the market closes, so that they aren't known."""
    step_us = int(panel.step.total_seconds() * 1e6)
    time_us = panel.time_T.astype(np.int64)
    always_open = bool((np.diff(time_us) == step_us).all())
    before = np.arange(-missing, 0) * step_us + (time_us[0] if len(time_us) else 0)
    time_us = np.concatenate([before, time_us])
    if not always_open:
        return np.repeat(_clock(time_us)[:, None], len(horizons), axis=1)
    longest = max(horizons)
    last = time_us[-1] if len(time_us) else 0
    after = last + step_us * np.arange(1, longest + 1)
    sums = np.cumsum(np.pad(_clock(np.concatenate([time_us, after])), ((1, 0), (0, 0))), axis=0)
    n = len(time_us)
    return np.stack([(sums[1 + h : 1 + h + n] - sums[1 : 1 + n]) / h for h in horizons], axis=1)


def _clock(time_us: NDArray[np.int64]) -> FloatArray:
    """Weekday as seven columns of 0 and 1 (1970-01-01 was a Thursday), and four harmonics of the day."""
    weekday = (time_us // _DAY_US + 3) % 7
    angle = 2 * np.pi * (time_us % _DAY_US) / _DAY_US
    waves = [f(k * angle) for k in (1, 2, 3, 4) for f in (np.sin, np.cos)]
    return np.column_stack([np.eye(7)[weekday], *waves])
