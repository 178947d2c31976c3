"""A model of a folder in a bench: it has learned already, learns nothing more, and says until when it knows the prices."""

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.market.base import LEVELS, FloatArray, load_forecaster
from nextbest.market.ledger import code_version
from nextbest.models.store import MANIFEST


class KeptForecaster:
    """What `nextbest market train` or `finetune` wrote, as it is: origins before the day it was taught until are flagged.

    Parameters
    ----------
    folder
        Of the model.

    Raises
    ------
    ArtifactError
        As `load_forecaster`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.model = load_forecaster(folder)
        self.name = self.model.name
        self.context_length, self.min_bars = self.model.context_length, self.model.min_bars
        taught_until: date | None = getattr(self.model, "taught_until_", None)
        # a folder that doesn't say until when it learned may have learned any day
        self.seen_until: date | None = (
            date.max if taught_until is None else max(taught_until, self.model.seen_until or date.min)
        )
        self.config: dict[str, Any] = {
            **self.model.config,
            "manifest": hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest(),
            "code": code_version(self.model),
        }

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Nothing: it has learned."""

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """The model's own answer."""
        return self.model.forecast(histories, horizons=horizons, levels=levels)
