"""AutoETS, AutoARIMA, AutoTheta of `statsforecast` on log closes: chosen at a fit, carried forward between fits.

Axes: H horizons, Q levels.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.classical.series import each_asset, log_closes_of

Kind = Literal["auto_ets", "auto_arima", "auto_theta"]
_CLASSES = {"auto_ets": "AutoETS", "auto_arima": "AutoARIMA", "auto_theta": "AutoTheta"}


@dataclass
class Statistical:
    """One automatic model an asset; quantiles are the ends of its own central intervals, the median its mean."""

    kind: Kind = "auto_ets"
    window: int = 1000
    """Newest bars since the last gap that are read."""
    season: int = 1
    """Bars of a season; 1 = none."""
    min_points: int = 30
    """An asset with fewer has no answer."""
    seen_until: date | None = None
    models_: dict[str, Any] | None = field(default=None, repr=False)
    """Fitted model by asset."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError("kind", f"must be one of {get_args(Kind)}", value=self.kind)
        if not 10 <= self.min_points <= self.window or self.season < 1:
            raise InputError("min_points", "must be 10 to `window`, season 1 or more", value=self.min_points)

    @property
    def name(self) -> str:
        """Its kind."""
        return self.kind

    @property
    def context_length(self) -> int:
        """The window."""
        return self.window

    @property
    def min_bars(self) -> int:
        """The fewest points."""
        return self.min_points

    @property
    def config(self) -> dict[str, Any]:
        """Kind, window, season, fewest points."""
        return {
            "kind": self.kind,
            "window": self.window,
            "season": self.season,
            "min_points": self.min_points,
        }

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Choose and estimate each asset's model on its newest bars.

        Raises
        ------
        InputError
            `statsforecast` isn't installed.
        """
        try:
            from statsforecast import models  # type: ignore[import-untyped]  # no stubs
        except ImportError as error:
            raise InputError(
                self.name, "needs statsforecast, which isn't installed", remedy="pip install nextbest[market]"
            ) from error
        found: dict[str, Any] = {}
        for asset, closes in zip(history.asset_ids, log_closes_of(history), strict=True):
            x = closes[-self.window :]
            if len(x) < self.min_points or not x.std() > 0:
                continue
            with warnings.catch_warnings():  # of its numerics; what comes out is checked by whoever asks
                warnings.simplefilter("ignore")
                found[asset] = getattr(models, _CLASSES[self.kind])(season_length=self.season).fit(x)
        self.models_ = found

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles, shape (O, A, H, Q); NaN for an asset that had too few points at the last fit.

        Raises
        ------
        NotFittedError
            `fit` wasn't called.
        """
        if self.models_ is None:
            raise NotFittedError(self.name)
        h_H, level_Q = check_request(horizons, levels)
        share_Q = np.round(
            100 * np.abs(2 * level_Q - 1), 6
        )  # of the central interval that ends at the level, in percent
        asked = sorted({float(share) for share in share_Q} - {0.0})
        names = [
            f"{'lo' if q < 0.5 else 'hi'}-{s:g}" if s else "mean"
            for q, s in zip(level_Q, share_Q, strict=True)
        ]
        models = [self.models_.get(asset) for asset in (histories[0].asset_ids if histories else ())]

        def answer(asset: int, known: FloatArray) -> FloatArray | None:
            x = known[-self.window :]
            model = models[asset]
            if model is None or len(x) < self.min_points:
                return None
            said = model.forward(y=x, h=int(h_H[-1]), level=[int(s) if s == int(s) else s for s in asked])
            found: FloatArray = np.stack([np.asarray(said[name])[h_H - 1] for name in names], axis=-1) - x[-1]
            return np.sort(found, axis=-1)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return each_asset(histories, log_closes_of, answer, horizons=horizons, levels=levels)
