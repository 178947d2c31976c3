"""A weighted mean of several forecasters' quantiles, as one forecaster. Knows no model by name."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import LEVELS, FloatArray, Forecaster


class Blend:
    """Quantiles averaged level by level (Vincent 1912): errors of width that differ cancel out.

    Parameters
    ----------
    parts
        Two or more.
    weights
        One for each, above 0; they are divided by their sum. Choose them on a period before the test.
    name
        Its row in a leaderboard.
    """

    def __init__(self, parts: Sequence[Forecaster], *, weights: Sequence[float], name: str = "blend") -> None:
        if len(parts) < 2 or len(parts) != len(weights) or not all(0 < w < np.inf for w in weights):
            raise InputError(
                "weights", "must be one above 0 for each of two or more parts", value=list(weights)
            )
        self.name = name
        self._parts = tuple(parts)
        self._weights = [w / sum(weights) for w in weights]

    @property
    def context_length(self) -> int:
        """Of the part that reads most; 0 = all."""
        lengths = [part.context_length for part in self._parts]
        return 0 if 0 in lengths else max(lengths)

    @property
    def min_bars(self) -> int:
        """Of the part that needs most."""
        return max(part.min_bars for part in self._parts)

    @property
    def seen_until(self) -> date | None:
        """The latest of the parts'."""
        return max((p.seen_until for p in self._parts if p.seen_until is not None), default=None)

    @property
    def config(self) -> dict[str, Any]:
        """Names, settings and weights of the parts."""
        return {
            "parts": [{"name": part.name, "config": part.config} for part in self._parts],
            "weights": self._weights,
        }

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Fit each part, in order, with its own child of `rng`; errors are the parts' own."""
        for part, child in zip(self._parts, rng.spawn(len(self._parts)), strict=True):
            part.fit(history, horizons=horizons, rng=child)

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles, shape (O, A, H, Q); NaN where any part has no answer. Each part reads its own context only."""
        total: FloatArray = np.zeros(())
        for part, weight in zip(self._parts, self._weights, strict=True):
            length = part.context_length
            own = [h.until(h.n_bars, length=length or None) for h in histories]
            total = total + weight * part.forecast(own, horizons=horizons, levels=levels)
        return total
