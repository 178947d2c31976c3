"""What every forecaster of prices promises, and the names by which they are made.

A forecaster answers the distribution of log(close[t + h] / close[t]), t the last bar of the history it is handed.
Only `bench.harness` calls one, on copies that end at the cutoff: nothing here reads files or knows a metric.
Axes: O origins, A assets, H horizons, Q quantile levels.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.evaluation.forecast import quantiles

FloatArray = NDArray[np.float64]
LEVELS = quantiles.LEVELS
"""Asked of every forecaster unless told otherwise."""


@runtime_checkable
class Forecaster(Protocol):
    """One model of prices.

    Conventions of every forecaster

    - An answer to one history doesn't depend on the others in the call: they may hold its future. The harness asks
      one of them alone and compares.
    - `fit` forgets what it learned before; two fits on equal histories with equal `rng` are equal.
    - Quantiles rise with the level. A row of NaN is "no answer": an asset without a bar at the cutoff, or too short.
    - A gap is NaN and stays one: nothing is filled.
    """

    @property
    def name(self) -> str:
        """Its row in a leaderboard."""

    @property
    def context_length(self) -> int:
        """Bars it reads before a cutoff; 0 = all."""

    @property
    def min_bars(self) -> int:
        """Fewer bars than that and it isn't asked."""

    @property
    def seen_until(self) -> date | None:
        """Last day of the data it was pretrained on; None = it has only seen what it was handed."""

    @property
    def config(self) -> dict[str, Any]:
        """Everything that makes it another model; JSON values."""

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Learn from all bars up to a cutoff; nothing, for a model that learns nothing."""

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of the cumulative log-return from the last close of each history, shape (O, A, H, Q)."""


class _Registry(Mapping[str, Callable[..., Forecaster]]):
    """Name -> maker; a maker's module is imported when it is asked for."""

    def __init__(self, where: dict[str, tuple[str, str, dict[str, Any]]]) -> None:
        self._where = where

    def __getitem__(self, name: str) -> Callable[..., Forecaster]:
        module, attribute, preset = self._where[name]

        def make(**config: Any) -> Forecaster:
            made: Forecaster = getattr(import_module(module), attribute)(**{**preset, **config})
            return made

        return make

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)


_CLASSICAL = "nextbest.market.classical"
FORECASTERS = _Registry(
    {
        "rw_gauss": (f"{_CLASSICAL}.walks", "GaussianWalk", {}),
        "rw_ewma": (f"{_CLASSICAL}.walks", "EWMAWalk", {}),
        "rw_hist_sim": (f"{_CLASSICAL}.walks", "HistoricalSimulation", {}),
        "rw_garch_t": (f"{_CLASSICAL}.garch", "GarchWalk", {}),
        "drift": (f"{_CLASSICAL}.walks", "Drift", {}),
        "seasonal_naive": (f"{_CLASSICAL}.walks", "SeasonalNaive", {}),
        "auto_ets": (f"{_CLASSICAL}.statistical", "Statistical", {"kind": "auto_ets"}),
        "auto_arima": (f"{_CLASSICAL}.statistical", "Statistical", {"kind": "auto_arima"}),
        "auto_theta": (f"{_CLASSICAL}.statistical", "Statistical", {"kind": "auto_theta"}),
        "har": (f"{_CLASSICAL}.har", "HAR", {}),
        "lgbm_quantile": ("nextbest.market.boosting", "QuantileBoosting", {}),
    }
)
"""Makers by name. A model that needs an extra names it when it is made or fitted."""
_FOUNDATION = "nextbest.market.foundation"
PRETRAINED = _Registry(
    {
        "fracast": (f"{_FOUNDATION}.fracast", "Fracast", {}),
        "chronos_bolt": (f"{_FOUNDATION}.chronos", "Chronos", {"weights": "amazon/chronos-bolt-small"}),
        "chronos_2": (f"{_FOUNDATION}.chronos", "Chronos", {"weights": "amazon/chronos-2"}),
        "timesfm": (f"{_FOUNDATION}.timesfm", "TimesFM", {}),
        "tirex": (f"{_FOUNDATION}.tirex", "TiRex", {}),
        "moirai": (f"{_FOUNDATION}.moirai", "Moirai", {}),
        "toto": (f"{_FOUNDATION}.toto", "Toto", {}),
        "kronos": (f"{_FOUNDATION}.kronos", "Kronos", {}),
        "text_llm": (f"{_FOUNDATION}.text_llm", "TextLLM", {}),
    }
)
"""Makers of pretrained models by name, with the published weights that are meant unless `weights` says others. Apart
from `FORECASTERS`, because all but `fracast` want weights that have to be fetched."""


_NEURAL = "nextbest.market.neural.forecaster"
TRAINED = _Registry(
    {
        "candles": ("nextbest.market.candles.model", "make_candles", {}),
        "candles_days": (
            "nextbest.market.candles.model",
            "make_candles",
            {"patch": 5, "n_patches": 12, "volatility_scales": (1, 5, 22, 66)},
        ),
        "patchtst": (_NEURAL, "make_patchtst", {}),
        "nhits": (_NEURAL, "make_nhits", {}),
    }
)
"""Makers of our own networks by name, by settings for hourly bars (`candles_days`: for daily ones). Apart from
`FORECASTERS`, because they want torch and a training."""
_ALL = (FORECASTERS, PRETRAINED, TRAINED)


def make_forecaster(name: str, **config: Any) -> Forecaster:
    """The forecaster of that name with these settings.

    Raises
    ------
    InputError
        No forecaster of that name, a setting that it doesn't have, or a value that breaks its rule.
    """
    makers = next((makers for makers in _ALL if name in makers), None)
    if makers is None:
        known = sorted(name for makers in _ALL for name in makers)
        raise InputError("forecaster", f"must be one of {known}", value=name)
    try:
        return makers[name](**config)
    except TypeError as error:
        raise InputError(name, f"has no such setting: {error}", value=sorted(config)) from error


def load_forecaster(folder: str | Path) -> Forecaster:
    """The forecaster that `nextbest market train` or `finetune` wrote there; it has learned already.

    Raises
    ------
    ArtifactError
        The folder is missing, incomplete, changed, or holds a model of another kind; or its base isn't where it was.
    """
    from nextbest.market.llm import forecaster as llm
    from nextbest.models.store import read_manifest

    if read_manifest(Path(folder))["kind"] == llm.KIND:
        return llm.MarketLLM.load(Path(folder))
    from nextbest.market.candles.model import Candles

    return Candles.load(Path(folder))


def check_request(horizons: Sequence[int], levels: Sequence[float]) -> tuple[NDArray[np.int64], FloatArray]:
    """Horizons and levels as arrays.

    Raises
    ------
    InputError
        A horizon below 1, a level outside (0, 1), either not rising, or none.
    """
    h_H, level_Q = np.asarray(horizons, np.int64), np.asarray(levels, np.float64)
    if h_H.ndim != 1 or not len(h_H) or h_H[0] < 1 or (np.diff(h_H) <= 0).any():
        raise InputError("horizons", "must be whole numbers of 1 or more, rising", value=list(horizons))
    if level_Q.ndim != 1 or not len(level_Q) or not ((level_Q > 0) & (level_Q < 1)).all():
        raise InputError("levels", "must lie between 0 and 1", value=list(levels))
    if (np.diff(level_Q) <= 0).any():
        raise InputError("levels", "must rise", value=list(levels))
    return h_H, level_Q
