"""Kronos: K-lines (open, high, low, close, volume, amount) as tokens, future bars sampled one by one.

Its package `kronos-model-arch` (MIT, weights too) installs a top-level module `model` and pins old libraries
(`pip install --no-deps` it, or give the folder `model` of its repository): that folder is loaded under a name of our
own, so that nobody's `model` is shadowed. `predict()` there returns the mean of the paths, which is no forecast of
anything that can happen; here each path is kept and quantiles are taken over paths. Sampled bars whose high lies
below their open, say, are counted. Axes: L bars of context, S sample paths, H steps, F the six fields.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import LEVELS, check_request
from nextbest.market.foundation.context import (
    FloatArray,
    Tally,
    check_levels,
    sample_quantiles,
)
from nextbest.market.foundation.pretrained import (
    Card,
    Pretrained,
    PretrainedConfig,
    check_weights,
    identity,
    loading,
)

if TYPE_CHECKING:
    import torch

_DISTRIBUTION, _MODULE = "kronos-model-arch", "nextbest_kronos_model"
_CARD = Card(
    licence="MIT",
    seen_until=date(2024, 2, 29),
    released=date(2025, 8, 2),
    source="shiyu-coder/Kronos issue 204: training to 2024-02 inclusive; weights chosen on 2024-03 to 2024-05",
)
_TOKENIZERS = {
    "NeoQuasar/Kronos-mini": "NeoQuasar/Kronos-Tokenizer-2k",
    "NeoQuasar/Kronos-small": "NeoQuasar/Kronos-Tokenizer-base",
    "NeoQuasar/Kronos-base": "NeoQuasar/Kronos-Tokenizer-base",
}
_CLIP = 5.0
"""Standardised inputs are cut there, as in its own `predict`."""
_EPS = 1e-5
_OPEN, _HIGH, _LOW, _CLOSE = range(4)


class KronosConfig(PretrainedConfig, frozen=True):
    """What Kronos is told."""

    weights: str = "NeoQuasar/Kronos-small"
    tokenizer: str | None = None
    """Folder or id of its tokenizer; None = the one that belongs to published weights."""
    code: str | None = None
    """Folder `model` of its repository; None = of the installed `kronos-model-arch`."""
    n_paths: PositiveInt = 64
    """Sampled futures of each series."""
    temperature: PositiveFloat = 1.0
    """Its own default."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability that is sampled from. Its own default of .9 cuts the tails off, which is one reason
    why users find its cones too narrow; 1 is the distribution that was learnt."""
    seed: NonNegativeInt = 0
    """With a series' own bars it decides that series' paths: neither order nor company changes them."""


@dataclass
class KronosTally(Tally):
    """As for the others, with what the sampled bars looked like."""

    n_bars: int = 0
    """Sampled bars."""
    n_inconsistent_bars: int = 0
    """Of them with a high below, or a low above, their own open or close."""
    n_bad_paths: int = 0
    """Paths with a close of zero or less, or NaN, at an asked horizon; left out of the quantiles."""


class Kronos(Pretrained):
    """Kronos mini, small or base by its own `KronosPredictor`, its paths kept."""

    kind = "kronos"
    Settings = KronosConfig
    distributions = (_DISTRIBUTION,)
    cards: ClassVar = dict.fromkeys(_TOKENIZERS, _CARD)
    min_bars = 32
    settings: KronosConfig
    tally: KronosTally

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        tokenizer = self.settings.tokenizer or _TOKENIZERS.get(self.settings.weights)
        if tokenizer is None:
            raise InputError(
                "tokenizer", "must be given with weights of your own", value=self.settings.weights
            )
        self._tokenizer = tokenizer
        self.tally = KronosTally()

    @cached_property
    def config(self) -> dict[str, Any]:
        """As `Pretrained.config`, and the tokenizer's digest."""
        told = {name: value for name, value in super().config.items() if name != "code"}
        return {**told, **identity("tokenizer", self._tokenizer)}

    @property
    def own_levels(self) -> Sequence[float]:
        """The outermost levels that so many paths have a quantile at."""
        edge = 1 / (self.settings.n_paths + 1)
        return (edge, 1 - edge)

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles over sampled paths; see `PretrainedOnCloses.forecast`.

        An asset without opens, highs and lows (a source of closes only) has no answer. Bars that are missing are
        left out, their neighbours' times tell the model so; an unknown volume is zero, as in its own code.
        """
        horizon_H, _ = check_request(horizons, levels)
        check_levels(levels, self.own_levels)
        n_assets = histories[0].n_assets if histories else 0
        out_OAHQ = np.full((len(histories), n_assets, len(horizon_H), len(levels)), np.nan)
        with self._threads():
            for origin, history in enumerate(histories):
                for asset in range(history.n_assets):
                    self.tally.n_series += 1
                    bars = Bars.of(history, asset, length=self.context_length)
                    if bars is None or len(bars.value_LF) < self.min_bars:
                        self.tally.n_no_context += 1
                        continue
                    return_SH = self._returns(bars, horizon_H, history)
                    out_OAHQ[origin, asset] = sample_quantiles(return_SH, levels)
                    self.tally.n_refused += int(np.isnan(out_OAHQ[origin, asset]).any(-1).sum())
        return out_OAHQ

    def paths(self, bars: "Bars", time_H: NDArray[np.datetime64]) -> FloatArray:
        """Sampled futures of one series, relative to its last close, shape (S, H, F): open, high, low, close, volume, amount.

        `time_H` are the opens of the bars to come.
        """
        import torch

        predictor = self.model
        mean_F, std_F = bars.value_LF.mean(0), bars.value_LF.std(0)
        scaled_LF = np.clip((bars.value_LF - mean_F) / (std_F + _EPS), -_CLIP, _CLIP)
        stamp_L, stamp_H = _stamps(bars.time_L), _stamps(time_H)
        settings = self.settings
        done: list[NDArray[np.float32]] = []
        cuda = [predictor.device] if torch.device(predictor.device).type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(_seed(settings.seed, bars))
            for start in range(0, settings.n_paths, settings.batch_size):
                rows = min(settings.n_paths - start, settings.batch_size)
                x, x_stamp, y_stamp = (
                    np.repeat(array[None], rows, axis=0) for array in (scaled_LF, stamp_L, stamp_H)
                )
                # one path of each of these rows; several of one row would come back as their mean
                path_SHF = predictor.generate(
                    x,
                    x_stamp,
                    y_stamp,
                    pred_len=len(time_H),
                    T=settings.temperature,
                    top_k=0,
                    top_p=settings.top_p,
                    sample_count=1,
                    verbose=False,
                )
                done.append(path_SHF)
        out_SHF: FloatArray = np.concatenate(done).astype(np.float64) * (std_F + _EPS) + mean_F
        return out_SHF

    def _returns(self, bars: "Bars", horizon_H: NDArray[np.int64], history: PricePanel) -> FloatArray:
        """Log-returns of the paths' closes at the horizons, shape (S, H)."""
        path_SHF = self.paths(bars, next_times(history, int(horizon_H.max())))
        body = path_SHF[..., [_OPEN, _CLOSE]]
        fits = (path_SHF[..., _HIGH] >= body.max(-1)) & (path_SHF[..., _LOW] <= body.min(-1))
        self.tally.n_bars += fits.size
        self.tally.n_inconsistent_bars += int((~fits).sum())
        close_SH = path_SHF[:, horizon_H - 1, _CLOSE] / bars.value_LF[-1, _CLOSE]
        close_SH = np.where(close_SH > 0, close_SH, np.nan)
        self.tally.n_bad_paths += int(np.isnan(close_SH).any(-1).sum())
        return np.log(close_SH)

    def _load(self, weights: str, device: "torch.device") -> Any:
        code = kronos_code(self.settings.code)
        check_weights(self._tokenizer)
        with loading(self._tokenizer):
            tokenizer = code.KronosTokenizer.from_pretrained(self._tokenizer)
        model = code.Kronos.from_pretrained(weights)
        # in training mode dropout would be sampled too (its pull request 391)
        return code.KronosPredictor(
            model.eval(), tokenizer.eval(), device=str(device), max_context=self.context_length
        )


@dataclass(frozen=True, eq=False)
class Bars:
    """Whole bars of one asset, prices relative to the last close in percent: what Kronos reads."""

    value_LF: FloatArray
    """Open, high, low, close (the last close is 100), volume, amount."""
    time_L: NDArray[np.datetime64]
    """Bar opens, UTC."""

    @classmethod
    def of(cls, history: PricePanel, asset: int, *, length: int) -> "Bars | None":
        """The last `length` bars, those that are missing left out; None when the last one isn't whole."""
        price_LF = np.stack(
            [getattr(history, f"{name}_AT")[asset, -length:] for name in ("open", "high", "low", "close")],
            axis=1,
        )
        whole_L = ~np.isnan(price_LF).any(1)
        if not len(whole_L) or not whole_L[-1]:
            return None
        volume_L = history.volume_AT[asset, -length:]
        # relative prices, because its scaling adds 1e-5 to a standard deviation: nothing on 100, much on a coin of 1e-5
        price_LF = price_LF[whole_L] / price_LF[-1, _CLOSE] * 100
        volume_L = np.zeros(len(price_LF)) if np.isnan(volume_L[whole_L]).any() else volume_L[whole_L]
        amount_L = volume_L * price_LF.mean(1)
        return cls(np.column_stack([price_LF, volume_L, amount_L]), history.time_T[-length:][whole_L])


def next_times(history: PricePanel, n_steps: int) -> NDArray[np.datetime64]:
    """Opens of the bars to come, as far as the past tells: times of the week at which there was never a bar are
    skipped (weekends, nights), holidays are not known. Shape (n_steps,).
    """
    step = np.timedelta64(history.step)
    week = np.timedelta64(7 * 86_400_000_000, "us")
    known = np.unique((history.time_T - np.datetime64(0, "us")) % week)
    # the coarsest case leaves one bar a week
    ahead = history.time_T[-1] + step * np.arange(1, n_steps * max(1, int(week / step)) + 1)
    if step <= week and len(history.time_T) > 2 * len(known):
        ahead = ahead[np.isin((ahead - np.datetime64(0, "us")) % week, known)]
    coming: NDArray[np.datetime64] = ahead[:n_steps]
    return coming


def kronos_code(folder: str | None) -> ModuleType:
    """Kronos' package `model`, under a name of our own.

    Raises
    ------
    InputError
        It is neither in `folder` nor installed.
    """
    if folder is None:
        try:
            folder = str(importlib.metadata.distribution(_DISTRIBUTION).locate_file("model"))
        except importlib.metadata.PackageNotFoundError as error:
            raise InputError(
                "kronos",
                f"{_DISTRIBUTION} is not installed",
                remedy=f"pip install --no-deps {_DISTRIBUTION}, or give `code`, the folder `model` of its repository",
            ) from error
    path = Path(folder).resolve() / "__init__.py"
    if not (path.parent / "kronos.py").exists():
        raise InputError("code", "must be the folder `model` of Kronos' repository", value=folder)
    name = f"{_MODULE}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _stamps(time_L: NDArray[np.datetime64]) -> NDArray[np.float32]:
    """Minute, hour, weekday (Monday 0), day, month, as its `calc_time_stamps`."""
    day_L = time_L.astype("datetime64[D]")
    month_L = time_L.astype("datetime64[M]")
    minute_L = (time_L - day_L).astype("timedelta64[m]").astype(np.int64)
    weekday_L = (day_L.astype(np.int64) + 3) % 7
    parts = (
        minute_L % 60,
        minute_L // 60,
        weekday_L,
        (day_L - month_L.astype("datetime64[D]")).astype(np.int64) + 1,
        month_L.astype(np.int64) % 12 + 1,
    )
    return np.stack(parts, axis=1).astype(np.float32)


def _seed(seed: int, bars: Bars) -> int:
    said = hashlib.sha256(f"{seed}:".encode())
    said.update(bars.time_L.astype("<i8").tobytes())
    # rounded, so that a price in another unit is the same series
    said.update(np.round(bars.value_LF, 6).astype("<f8").tobytes())
    return int.from_bytes(said.digest()[:7], "little")
