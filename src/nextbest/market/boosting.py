"""Gradient boosting on lags: one tree ensemble a horizon and quantile level, for all assets (LightGBM).

Labels are the cumulative return in units of its volatility at the cutoff. A fit is handed bars up to its cutoff only,
so a label that would reach beyond it doesn't exist: that is the purge. Axes: A assets, T bars, F features, N rows.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.models.lightgbm_library import load_lightgbm

_LAGS = 5
_SCALES = (5, 10, 20, 60)
"""Bars over which returns and squares are summed up; the third is the unit of everything."""
_UNIT = 2


@dataclass
class QuantileBoosting:
    """Direct quantiles: no path, no distribution; sorted, so that they never cross (Chernozhukov et al. 2010)."""

    n_trees: int = 60
    """Of one horizon and level."""
    learning_rate: float = 0.05
    max_leaves: int = 8
    min_leaf_rows: int = 200
    window: int = 3000
    """Newest bars that are learned from."""
    max_rows: int = 30_000
    """Rows of one ensemble, drawn where there are more."""
    name: str = "lgbm_quantile"
    seen_until: date | None = None
    boosters_: dict[tuple[int, float], Any] | None = field(default=None, repr=False)
    """By horizon and level."""

    def __post_init__(self) -> None:
        least = min(self.n_trees, self.max_leaves - 1, self.min_leaf_rows, self.window, self.max_rows)
        if least < 1 or not 0 < self.learning_rate <= 1:
            raise InputError("n_trees", "and every other setting must be above zero", value=self.config)

    @property
    def context_length(self) -> int:
        """The longest scale, and a close before it."""
        return _SCALES[-1] + 1

    @property
    def min_bars(self) -> int:
        """The same."""
        return _SCALES[-1] + 1

    @property
    def config(self) -> dict[str, Any]:
        """Sizes of trees and window."""
        names = ("n_trees", "learning_rate", "max_leaves", "min_leaf_rows", "window", "max_rows")
        return {name: getattr(self, name) for name in names}

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Grow the ensembles of `LEVELS` at these horizons.

        Raises
        ------
        InputError
            `lightgbm` isn't installed.
        """
        try:
            lightgbm = load_lightgbm()
        except ImportError as error:
            raise InputError(
                self.name, "needs lightgbm, which isn't installed", remedy="pip install nextbest[market]"
            ) from error
        h_H, _ = check_request(horizons, LEVELS)
        recent = history.until(history.n_bars, length=self.window + _SCALES[-1])
        x_ATF, unit_AT = features(recent)
        close_AT = np.log(recent.close_AT)
        self.boosters_ = {}
        for h in h_H.tolist():
            if recent.n_bars <= h:
                continue
            label_AT = (close_AT[:, h:] - close_AT[:, :-h]) / (unit_AT[:, :-h] * np.sqrt(h))
            rows = np.argwhere(~np.isnan(label_AT))
            if len(rows) > self.max_rows:
                rows = rows[np.sort(rng.choice(len(rows), self.max_rows, replace=False))]
            if len(rows) < 2 * self.min_leaf_rows:
                continue
            data = lightgbm.Dataset(
                x_ATF[rows[:, 0], rows[:, 1]],
                label_AT[rows[:, 0], rows[:, 1]],
                params={"max_bin": 63, "verbose": -1, "num_threads": 1},
                free_raw_data=False,
            )
            seed = int(rng.integers(2**31))
            for level in LEVELS:
                self.boosters_[h, level] = lightgbm.train(self._params(level, seed), data, self.n_trees)

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Sorted quantiles, interpolated between the levels grown, shape (O, A, H, Q).

        Raises
        ------
        NotFittedError
            `fit` wasn't called.
        InputError
            A level lies outside those grown, .1 to .9.
        """
        if self.boosters_ is None:
            raise NotFittedError(self.name)
        h_H, level_Q = check_request(horizons, levels)
        if level_Q[0] < LEVELS[0] - 1e-9 or level_Q[-1] > LEVELS[-1] + 1e-9:
            raise InputError("levels", f"must lie from {LEVELS[0]} to {LEVELS[-1]}", value=list(levels))
        n_assets = histories[0].n_assets if histories else 0
        found_OAHQ = np.full((len(histories), n_assets, len(h_H), len(level_Q)), np.nan)
        if not histories:
            return found_OAHQ
        newest = [features(history, last=True) for history in histories]
        x_OAF = np.stack([x_ATF[:, -1] for x_ATF, _ in newest])
        unit_OA = np.stack([unit_AT[:, -1] for _, unit_AT in newest])
        flat_NF = x_OAF.reshape(-1, x_OAF.shape[-1])
        for place, h in enumerate(h_H.tolist()):
            if (h, LEVELS[0]) not in self.boosters_:
                continue
            with warnings.catch_warnings():  # feature names that a plain array doesn't have
                warnings.simplefilter("ignore")
                said_NQ = np.stack(
                    [self.boosters_[h, q].predict(flat_NF, num_threads=1) for q in LEVELS], axis=-1
                )
            said_NQ.sort(axis=-1)
            if list(levels) != list(LEVELS):
                said_NQ = np.stack([np.interp(level_Q, LEVELS, row) for row in said_NQ])
            said_OAQ = said_NQ.reshape(*unit_OA.shape, -1)
            found_OAHQ[:, :, place] = said_OAQ * (unit_OA * np.sqrt(h))[..., None]
        return found_OAHQ

    def _params(self, level: float, seed: int) -> dict[str, Any]:
        return {
            "objective": "quantile",
            "alpha": level,
            "num_leaves": self.max_leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_leaf_rows,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "max_bin": 63,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "verbose": -1,
        }


def features(history: PricePanel, *, last: bool = False) -> tuple[FloatArray, FloatArray]:
    """What is known at each bar's close in units of its volatility, shape (A, T, F); and that volatility, (A, T).

    `last`: only the newest bar, T = 1. A gap inside a scale makes it NaN; without the unit nothing of the bar is told.
    """
    part = history.until(history.n_bars, length=_SCALES[-1] + 1) if last else history
    r_AT = part.log_return_AT
    unit_AT = np.sqrt(_rolling(r_AT**2, _SCALES[_UNIT]) / _SCALES[_UNIT])
    unit_AT = np.where(unit_AT > 0, unit_AT, np.nan)
    unit_AT = np.where(np.isnan(part.close_AT), np.nan, unit_AT)
    columns = [_lagged(r_AT, lag) / unit_AT for lag in range(_LAGS)]
    columns += [_rolling(r_AT, scale) / (unit_AT * np.sqrt(scale)) for scale in _SCALES]
    for scale in _SCALES:
        variance_AT = _rolling(r_AT**2, scale) / scale
        columns.append(np.log(np.where(variance_AT > 0, variance_AT, np.nan)) - 2 * np.log(unit_AT))
    columns += [
        np.broadcast_to(_asset_mean(column), r_AT.shape) for column in columns[: _LAGS + len(_SCALES)]
    ]
    hour_T = (part.time_T - part.time_T.astype("datetime64[D]")) / np.timedelta64(1, "h")
    weekday_T = (part.time_T.astype("datetime64[D]").astype(np.int64) + 3) % 7
    columns += [np.broadcast_to(known_T, r_AT.shape) for known_T in (hour_T, weekday_T)]
    x_ATF = np.stack(columns, axis=-1)
    return (x_ATF[:, -1:], unit_AT[:, -1:]) if last else (x_ATF, unit_AT)


def _rolling(value_AT: FloatArray, n: int) -> FloatArray:
    """Sum of the last n bars at each bar; NaN before the n-th and beside a gap."""
    found_AT = np.full(value_AT.shape, np.nan)
    if value_AT.shape[1] >= n:
        windows = np.lib.stride_tricks.sliding_window_view(value_AT, n, axis=1)
        found_AT[:, n - 1 :] = windows.sum(-1)
    return found_AT


def _lagged(value_AT: FloatArray, lag: int) -> FloatArray:
    found_AT = np.full(value_AT.shape, np.nan)
    found_AT[:, lag:] = value_AT[:, : value_AT.shape[1] - lag]
    return found_AT


def _asset_mean(value_AT: FloatArray) -> FloatArray:
    there_AT = ~np.isnan(value_AT)
    total_T = np.where(there_AT, value_AT, 0.0).sum(0)
    mean_T = np.full(total_T.shape, np.nan)
    np.divide(total_T, there_AT.sum(0), out=mean_T, where=there_AT.any(0))
    return mean_T
