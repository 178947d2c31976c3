"""Volatility by its own past at three lengths, one regression for all assets: HAR on logs (Corsi 2009).

The spread of the next h bars is what the regression says; its shape is that of the past standardised moves of all
assets, made symmetric, so that the median claims no direction. Axes: A assets, T bars, S scales, N rows, H, Q.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.volatility import garman_klass
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.classical.series import is_intraday

_PRESENT = 0.5
"""Share of a scale's bars that must be there."""
_FLOOR = 1e-10
"""Variance of a bar that didn't move: logs must be finite."""


@dataclass
class HAR:
    """HAR-log-RV, pooled over assets, with the mean over assets of each scale beside the asset's own."""

    scales: tuple[int, ...] | None = None
    """Bars over which the variance is averaged, rising; None: 1, 5, 22 of daily and longer bars (5, 22, 66 without
    opens, highs and lows), 6, 24, 168 of shorter ones."""
    market: bool = True
    """Mean over assets as regressors."""
    min_rows: int = 100
    """Rows of the regression, all assets together; with fewer there is no answer."""
    name: str = "har"
    seen_until: date | None = None
    fitted_: dict[int, tuple[FloatArray, FloatArray]] | None = field(default=None, repr=False)
    """By horizon: coefficients, and the absolute standardised moves of the past, ascending."""

    def __post_init__(self) -> None:
        if self.scales is not None and (not self.scales or sorted(set(self.scales)) != list(self.scales)):
            raise InputError("scales", "must be one or more lengths, rising", value=self.scales)

    @property
    def context_length(self) -> int:
        """The longest scale, and a close before it."""
        return (self.scales[-1] if self.scales else 168) + 1

    @property
    def min_bars(self) -> int:
        """As many as the longest scale needs."""
        return self.context_length // 2 + 1

    @property
    def config(self) -> dict[str, Any]:
        """Scales, market, fewest rows."""
        return {"scales": list(self.scales or ()), "market": self.market, "min_rows": self.min_rows}

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Least squares of the log mean variance over the next h bars, on rows whose labels lie in the history."""
        h_H, _ = check_request(horizons, (0.5,))
        variance_AT = bar_variance(history)
        x_ATR = self._regressors(history, variance_AT)
        close_AT = np.log(history.close_AT)
        self.fitted_ = {}
        for h in h_H.tolist():
            if history.n_bars <= h + 1:
                continue
            ahead_AT = np.log(np.maximum(_mean_of_last(variance_AT, h)[:, h:], _FLOOR))
            move_AT = close_AT[:, h:] - close_AT[:, :-h]
            rows_ATR = x_ATR[:, :-h]
            there_AT = ~(np.isnan(ahead_AT) | np.isnan(move_AT) | np.isnan(rows_ATR).any(-1))
            if there_AT.sum() < self.min_rows:
                continue
            x_NR, y_N = rows_ATR[there_AT], ahead_AT[there_AT]
            coefficient_R = np.linalg.lstsq(x_NR, y_N, rcond=None)[0]
            unit_N = np.abs(move_AT[there_AT]) / np.exp(0.5 * (x_NR @ coefficient_R)) / np.sqrt(h)
            self.fitted_[h] = (coefficient_R, np.sort(unit_N))

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Symmetric quantiles, shape (O, A, H, Q); NaN where half a scale's bars are missing.

        Raises
        ------
        NotFittedError
            `fit` wasn't called, or not with these horizons.
        """
        h_H, level_Q = check_request(horizons, levels)
        if self.fitted_ is None:
            raise NotFittedError(self.name)
        n_assets = histories[0].n_assets if histories else 0
        found_OAHQ = np.full((len(histories), n_assets, len(h_H), len(level_Q)), np.nan)
        for origin, history in enumerate(histories):
            x_AR = self._regressors(history, bar_variance(history))[:, -1]
            x_AR = np.where(np.isnan(history.close_AT[:, -1:]), np.nan, x_AR)
            for place, h in enumerate(h_H.tolist()):
                if h not in self.fitted_:
                    continue
                coefficient_R, unit_N = self.fitted_[h]
                shape_Q = np.sign(level_Q - 0.5) * np.quantile(unit_N, np.abs(2 * level_Q - 1))
                shape_Q = np.where(np.abs(level_Q - 0.5) < 1e-12, 0.0, shape_Q)
                spread_A = np.exp(0.5 * (x_AR @ coefficient_R)) * np.sqrt(h)
                found_OAHQ[origin, :, place] = spread_A[:, None] * shape_Q
        return found_OAHQ

    def _regressors(self, history: PricePanel, variance_AT: FloatArray) -> FloatArray:
        """(A, T, R): one, the log mean variance over each scale, and its mean over assets."""
        scales = self.scales or _scales_of(history)
        log_SAT = np.log(np.maximum([_mean_of_last(variance_AT, scale) for scale in scales], _FLOOR))
        columns = [np.ones_like(variance_AT), *log_SAT]
        if self.market:
            there_SAT = ~np.isnan(log_SAT)
            total_ST = np.where(there_SAT, log_SAT, 0.0).sum(1)
            mean_ST = np.divide(
                total_ST, there_SAT.sum(1), out=np.full(total_ST.shape, np.nan), where=there_SAT.any(1)
            )
            columns += [np.broadcast_to(mean_T, variance_AT.shape) for mean_T in mean_ST]
        return np.stack(columns, axis=-1)


def bar_variance(history: PricePanel) -> FloatArray:
    """Variance of each bar, shape (A, T): Garman-Klass and the squared move from close to open; where open, high or low
    isn't known, the squared return."""
    close_AT = np.log(history.close_AT)
    squared_AT = history.log_return_AT**2
    range_AT = garman_klass(history.open_AT, history.high_AT, history.low_AT, history.close_AT)
    gap_AT = np.full(close_AT.shape, np.nan)
    gap_AT[:, 1:] = np.log(history.open_AT[:, 1:]) - close_AT[:, :-1]
    full_AT = np.maximum(range_AT, 0.0) + gap_AT**2
    return np.where(np.isnan(full_AT), squared_AT, full_AT)


def _scales_of(history: PricePanel) -> tuple[int, ...]:
    if is_intraday(history.step):
        return (6, 24, 168)
    return (5, 22, 66) if np.isnan(history.high_AT).all() else (1, 5, 22)


def _mean_of_last(value_AT: FloatArray, n: int) -> FloatArray:
    """Mean of the last n bars at each bar, shape (A, T); NaN where half of them or more are missing."""
    there_AT = ~np.isnan(value_AT)
    sums = []
    for part in (np.where(there_AT, value_AT, 0.0), there_AT.astype(np.float64)):
        total = np.cumsum(part, axis=1)
        total[:, n:] = total[:, n:] - total[:, :-n] if n < total.shape[1] else total[:, n:]
        sums.append(total)
    enough_AT = sums[1] > _PRESENT * n
    return np.where(enough_AT, np.maximum(sums[0], 0.0) / np.maximum(sums[1], 1.0), np.nan)
