"""What is asked of the next bars, as classes whose edges the past has fixed. Knows no model.

Axes: A assets, T bars, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, DataError
from nextbest.market.classical.har import bar_variance
from nextbest.market.llm.config import LLMConfig, Target

FloatArray = NDArray[np.float64]
SCALE_BARS = 22
"""Bars of the known volatility that a return is divided by; half of them must be there."""
MIN_ROWS = 50
"""Labels that edges need."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Classes of the next `horizon` bars."""

    target: Target
    horizon: int
    edge_C: FloatArray  # noqa: N815 - axes in the name
    """Between neighbouring classes, rising, one fewer than classes; a value on an edge belongs below."""

    @classmethod
    def fit(cls, history: PricePanel, config: LLMConfig) -> Self:
        """Edges at equal shares of all labels that lie whole inside the history; of `direction` 0.

        Raises
        ------
        DataError
            Fewer than `MIN_ROWS` labels, or so many equal ones that classes have no room.
        """
        if config.target == "direction":
            return cls(config.target, config.horizon, np.zeros(1))
        value_AT = ahead(history, config.target, config.horizon)
        known = value_AT[~np.isnan(value_AT)]
        if len(known) < MIN_ROWS:
            raise DataError(
                "history",
                f"{len(known)} labels of {config.horizon} bars ahead, {MIN_ROWS} needed",
                remedy="more bars, or a shorter horizon",
            )
        edges = np.quantile(known, np.arange(1, config.n_classes) / config.n_classes)
        if (np.diff(edges) <= 0).any() or not (known.min() <= edges[0] < known.max()):
            raise DataError("history", "too many equal moves for classes: do the prices move?")
        return cls(config.target, config.horizon, edges)

    @property
    def n_classes(self) -> int:
        """One more than edges."""
        return len(self.edge_C) + 1

    def ahead_of(self, panel: PricePanel) -> NDArray[np.int64]:
        """Class of the bars after each bar, shape (A, T); -1 where a bar is missing or lies ahead of the panel."""
        return self._classes(ahead(panel, self.target, self.horizon))

    def at(self, panel: PricePanel) -> NDArray[np.int64]:
        """Class of the newest `horizon` bars at each bar, shape (A, T), -1 unknown: what persistence goes by."""
        known_AT = np.full(panel.close_AT.shape, np.nan)
        value_AT = ahead(panel, self.target, self.horizon)
        if panel.n_bars > self.horizon:
            known_AT[:, self.horizon :] = value_AT[:, : -self.horizon]
        return self._classes(known_AT)

    def _classes(self, value_AT: FloatArray) -> NDArray[np.int64]:
        class_AT = np.searchsorted(self.edge_C, value_AT, side="left")
        return np.where(np.isnan(value_AT), -1, class_AT)

    def described(self) -> dict[str, Any]:
        """In JSON's own types."""
        return {"target": self.target, "horizon": self.horizon, "edges": self.edge_C.tolist()}

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """What `described` gave; `ArtifactError` where it isn't."""
        try:
            return cls(described["target"], int(described["horizon"]), np.array(described["edges"], float))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("labels", f"are not readable ({error!r})") from error


def ahead(panel: PricePanel, target: Target, horizon: int) -> FloatArray:
    """What is cut into classes: of bars t + 1 to t + horizon, shape (A, T); NaN where one of them isn't known.

    `volatility`: the root of the mean bar variance (`har.bar_variance`); `return` and `direction`: the log-return
    over `known_volatility` times the root of the horizon.
    """
    found_AT = np.full(panel.close_AT.shape, np.nan)
    if panel.n_bars <= horizon:
        return found_AT
    if target == "volatility":
        variance_AT = bar_variance(panel)
        windows_ATH = np.lib.stride_tricks.sliding_window_view(variance_AT[:, 1:], horizon, axis=1)
        found_AT[:, :-horizon] = np.sqrt(windows_ATH.mean(-1))
        return found_AT
    close_AT = np.log(panel.close_AT)
    move_AT = close_AT[:, horizon:] - close_AT[:, :-horizon]
    found_AT[:, :-horizon] = move_AT / known_volatility(panel)[:, :-horizon] / np.sqrt(horizon)
    return found_AT


def known_volatility(panel: PricePanel) -> FloatArray:
    """Deviation of a bar's return by the newest `SCALE_BARS` bars, shape (A, T); NaN where half are missing or none moved."""
    variance_AT = bar_variance(panel)
    there_AT = ~np.isnan(variance_AT)
    width = np.ones(SCALE_BARS)

    def sums(value_AT: FloatArray) -> FloatArray:
        return np.stack([np.convolve(row, width)[: panel.n_bars] for row in value_AT])

    if not panel.n_bars:
        return np.full(variance_AT.shape, np.nan)
    count_AT = np.rint(sums(there_AT.astype(np.float64)))
    mean_AT = sums(np.where(there_AT, variance_AT, 0.0)) / np.maximum(count_AT, 1)
    is_known = (count_AT >= SCALE_BARS / 2) & (mean_AT > 0)
    return np.where(is_known, np.sqrt(np.where(is_known, mean_AT, 1.0)), np.nan)
