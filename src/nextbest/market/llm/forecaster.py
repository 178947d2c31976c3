"""A fine-tuned language model as a forecaster: fit, forecast, save, load. Torch is imported when one of them is called.

Its answer is a class of the next bars with a probability each; quantiles are those of what came in the past when a class
did, mixed by these probabilities. Axes: O histories, A assets, H horizons, Q levels, C classes, G grid of the past.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.llm.calibration import Calibration
from nextbest.market.llm.config import LLMConfig
from nextbest.market.llm.labels import SCALE_BARS, Labels, known_volatility
from nextbest.market.llm.lesson import Lesson
from nextbest.market.llm.taught import TaughtLLM
from nextbest.market.llm.windows import Reader
from nextbest.models.store import MANIFEST, check_free, read_arrays, read_files, read_manifest, write_folder

KIND = "market_llm"
GRID = (np.arange(200) + 0.5) / 200
"""Levels at which the past of a class is kept."""
_MIN_PAST = 20
"""Moves of a class that its distribution needs."""
_DIGITS = 4
"""Of scores: what else is in a batch changes the fifth."""


class MarketLLM:
    """Quantiles of returns by a language model that was taught, or is only asked, what class the next bars are.

    Parameters
    ----------
    checkpoint
        `models.language.checkpoint.Checkpoint` without an adapter.
    config
        Window, question, training.
    source
        Where the checkpoint can be opened again, for `load`; None: its own word.
    checkpoints
        Folder to write to while it learns and to go on from; None: neither.
    progress
        Show a bar.

    Notes
    -----
    `seen_until` is the checkpoint's declared cut-off: `fit` learns nothing beyond its history. One that was read from a
    folder says the later of that day and the newest day it was taught.
    """

    def __init__(
        self,
        checkpoint: Any,
        config: LLMConfig | None = None,
        *,
        source: str | None = None,
        checkpoints: Path | None = None,
        progress: bool = False,
    ) -> None:
        self.base = checkpoint
        told = checkpoint.source if source is None else source
        # a path must be found from anywhere
        self.source = str(Path(told).resolve()) if Path(told).exists() else str(told)
        self.settings = LLMConfig() if config is None else config
        self._checkpoints, self._progress = checkpoints, progress
        self.name = f"llm_{self.settings.window}"
        self.seen_until: date | None = checkpoint.seen_until
        self.taught_: TaughtLLM | None = None
        self.labels_: Labels | None = None
        self.horizons_: tuple[int, ...] = ()
        self.past_HCG: FloatArray | None = None
        """Quantiles of what came with each class; unit as `_unit_of`."""
        self.taught_until_: date | None = None
        """Day of the newest bar that `fit` was handed."""

    @property
    def config(self) -> dict[str, Any]:
        """The settings, and which weights."""
        return {**self.settings.model_dump(mode="json"), "base": self.base.digest}

    @property
    def context_length(self) -> int:
        """Bars that a forecast reads: the window, a close before it, and what its scale needs."""
        return max(self.settings.n_bars, SCALE_BARS) + 1

    @property
    def min_bars(self) -> int:
        """Half a window, or half of what its scale needs."""
        return max(self.settings.n_bars, SCALE_BARS) // 2 + 2

    def fit(
        self, history: PricePanel, *, horizons: Sequence[int], rng: int | np.random.Generator = 0
    ) -> None:
        """Learn from a history: classes, windows, the adapter, and on its newest part the calibration.

        Parameters
        ----------
        horizons
            Bars ahead of which quantiles will be asked; the question itself is about `config.horizon` bars.
        rng
            Seed or Generator of what is drawn and of the adapter's start.

        Raises
        ------
        DataError
            The history is too short or doesn't move.
        InputError
            The tokenizer doesn't suit the window, or a setting the model.
        """
        draw = np.random.default_rng(rng)
        lesson = Lesson.of(history, self.settings, draw)
        taught = TaughtLLM.of(
            self.base,
            history,
            self.settings,
            lesson,
            rng=int(draw.integers(2**31)),
            checkpoints=self._checkpoints,
            progress=self._progress,
        )
        self.adopt(history, lesson.labels, taught, horizons=horizons)

    def adopt(
        self, history: PricePanel, labels: Labels, taught: TaughtLLM, *, horizons: Sequence[int]
    ) -> None:
        """Take what was taught elsewhere on this history; only the past of each class is still learned."""
        horizons = tuple(int(h) for h in check_request(horizons, LEVELS)[0])
        past_HCG = np.stack([_past(history, labels, h) for h in horizons])
        self.taught_, self.labels_, self.horizons_, self.past_HCG = taught, labels, horizons, past_HCG
        self.taught_until_ = history.time_T[-1].astype("datetime64[D]").item()
        self.seen_until = self.base.seen_until

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of log(close after h bars / last close), shape (O, A, H, Q).

        NaN for an asset without a bar at the cutoff, or with fewer than half of a window's bars.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A horizon wasn't learned, or bars are of another length.
        """
        _, level_Q = check_request(horizons, levels)
        taught, labels, all_HCG = self._ready()
        if unknown := [h for h in horizons if h not in self.horizons_]:
            raise InputError("horizons", f"only {self.horizons_} were learned", value=unknown[:5])
        n_assets = histories[0].n_assets if histories else 0
        found_OAHQ = np.full((len(histories), n_assets, len(horizons), len(level_Q)), np.nan)
        for origin, history in enumerate(histories):
            newest = history.until(history.n_bars, length=self.context_length) if history.n_bars else history
            unit_A = _unit_of(newest, labels)[:, -1] if newest.n_bars else np.full(n_assets, np.nan)
            p_AC = _asked(taught, newest)
            for asset in np.nonzero(np.isfinite(p_AC).all(1) & np.isfinite(unit_A))[0]:
                for place, horizon in enumerate(horizons):
                    past_CG = all_HCG[self.horizons_.index(horizon)]
                    found_OAHQ[origin, asset, place] = unit_A[asset] * _mixed(past_CG, p_AC[asset], level_Q)
        return found_OAHQ

    def probabilities(self, history: PricePanel) -> FloatArray:
        """Of each class of the next `config.horizon` bars, shape (A, C); NaN where nothing is asked."""
        return _asked(self._ready()[0], history)

    def _ready(self) -> tuple[TaughtLLM, Labels, FloatArray]:
        if self.taught_ is None or self.labels_ is None or self.past_HCG is None:
            raise NotFittedError(self.name)
        return self.taught_, self.labels_, self.past_HCG

    def save(self, folder: Path, *, metrics: Mapping[str, Any] | None = None) -> None:
        """Write a folder: the adapter's files beside arrays and a manifest; the base stays where it is, named by digest.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `folder` holds something else than a model, or this one was read from a folder: copy that.
        ExternalError
            The disk refused.
        """
        from nextbest.models.language.adapters import save_adapter

        taught, labels, past_HCG = self._ready()
        if taught.tuned is None and self.settings.steps:
            raise InputError("model", "was read from a folder", remedy="copy the folder")
        folder = Path(folder)
        check_free(folder)
        files: dict[str, bytes] = {}
        if taught.tuned is not None:
            with tempfile.TemporaryDirectory() as temporary:
                inside = Path(temporary) / "adapter"
                save_adapter(taught.tuned, inside, seen_until=self.taught_until_)
                files = {_flat(path.name): path.read_bytes() for path in inside.iterdir()}
        elif taught.extra:
            raise InputError("steps", "a map of patches that wasn't taught is worth nothing: not kept")
        write_folder(
            folder,
            kind=KIND,
            config=self.settings.model_dump(mode="json"),
            arrays={"past": past_HCG},
            ids={},
            files=files,
            about={
                "horizons": list(self.horizons_),
                "base": {"digest": self.base.digest, "source": self.source},
                "seen_until": None if self.seen_until is None else self.seen_until.isoformat(),
                "taught_until": None if self.taught_until_ is None else self.taught_until_.isoformat(),
                "labels": labels.described(),
                "windows": taught.reader.described(),
                "answers": list(taught.answers),
                "calibration": taught.calibration.described(),
                "metrics": dict(metrics or {}),
            },
        )

    @classmethod
    def load(cls, folder: Path, *, checkpoint: Any = None) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        checkpoint
            The base; None: opened from where it was.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, holds another kind of model, or its base isn't where it was
            or has other weights.
        InputError
            The extra `llm` isn't installed.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        if manifest["kind"] != KIND:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {KIND!r}")
        files = read_files(folder, manifest)
        try:
            settings = LLMConfig.model_validate(manifest["config"])
            base = _base(manifest["base"], folder) if checkpoint is None else checkpoint
            if base.digest != manifest["base"]["digest"]:
                raise ArtifactError(
                    folder,
                    f"was taught on other weights ({manifest['base']['digest'][:8]}) than these ({base.digest[:8]})",
                    remedy="open the base it was taught on",
                )
            model = cls(base, settings)
            asked, extra = _with_adapter(base, files, settings)
            model.taught_ = TaughtLLM(
                asked,
                settings,
                Reader.of(manifest["windows"]),
                tuple(manifest["answers"]),
                Calibration.of(manifest["calibration"]),
                extra,
            )
            model.labels_ = Labels.of(manifest["labels"])
            model.horizons_ = tuple(int(h) for h in manifest["horizons"])
            model.past_HCG = read_arrays(folder, manifest)["past"]
            model.taught_until_ = date.fromisoformat(manifest["taught_until"])
            told = manifest["seen_until"]
            known = [model.taught_until_] + ([] if told is None else [date.fromisoformat(told)])
            model.seen_until = max(known)
        except (KeyError, ValueError, TypeError, ValidationError) as error:
            raise ArtifactError(folder, f"lacks a part that {KIND!r} needs ({error})") from error
        return model


def _asked(taught: TaughtLLM, history: PricePanel) -> FloatArray:
    """Probabilities of each class, shape (A, C)."""
    p_AC = np.full((history.n_assets, len(taught.answers)), np.nan)
    asked = [(a, prompt) for a, prompt in enumerate(taught.reader.prompts(history)) if prompt is not None]
    if asked:
        score_NC = np.round(taught.scores([prompt for _, prompt in asked]), _DIGITS)
        p_AC[[asset for asset, _ in asked]] = taught.calibration(score_NC)
    return p_AC


def _base(told: Mapping[str, Any], folder: Path) -> Any:
    from nextbest.models.language.checkpoint import open_checkpoint

    try:
        return open_checkpoint(told["source"])
    except InputError as error:
        if error.name == "source":
            raise ArtifactError(
                folder,
                f"needs its base at {told['source']}: {error}",
                remedy="bring it back, or fine-tune again",
            ) from error
        raise


def _with_adapter(base: Any, files: Mapping[str, bytes], settings: LLMConfig) -> tuple[Any, dict[str, Any]]:
    """The base with the adapter of the folder's files, and the map of patches."""
    from nextbest.market.llm import learning
    from nextbest.models.language.adapters import load_adapter

    if not settings.steps:
        return base, {}
    extra = {}
    if settings.window == "patches":
        extra = {learning.PATCHES: learning.patch_map(base, settings, seed=0)}
    with tempfile.TemporaryDirectory() as temporary:
        for name, content in files.items():
            (Path(temporary) / _unflat(name)).write_bytes(content)
        return load_adapter(base, Path(temporary), extra_modules=extra or None), extra


_MANIFEST = f"adapter_{MANIFEST}"


def _flat(name: str) -> str:
    """Name of an adapter's file beside the model's own."""
    return {MANIFEST: _MANIFEST, "arrays.npz": "adapter_arrays.npz"}.get(name, name)


def _unflat(name: str) -> str:
    return {_MANIFEST: MANIFEST, "adapter_arrays.npz": "arrays.npz"}.get(name, name)


def _unit_of(panel: PricePanel, labels: Labels) -> FloatArray:
    """What a kept move is counted in, shape (A, T): of volatility's classes nothing, else the known volatility."""
    if labels.target == "volatility":
        return np.where(np.isfinite(panel.close_AT), 1.0, np.nan)
    return known_volatility(panel)


def _past(history: PricePanel, labels: Labels, horizon: int) -> FloatArray:
    """Quantiles of the move over `horizon` bars by class of the next bars, shape (C, G).

    A class of volatility says nothing of direction: its moves count with both signs.
    """
    class_AT = labels.ahead_of(history)
    move_AT = np.full(history.close_AT.shape, np.nan)
    close_AT = np.log(history.close_AT)
    if history.n_bars > horizon:
        move_AT[:, :-horizon] = close_AT[:, horizon:] - close_AT[:, :-horizon]
    move_AT = move_AT / _unit_of(history, labels)
    found = []
    for number in range(labels.n_classes):
        moves = move_AT[(class_AT == number) & np.isfinite(move_AT)]
        if len(moves) < _MIN_PAST:
            raise DataError(
                "history",
                f"{len(moves)} moves over {horizon} bars in class {number}, {_MIN_PAST} needed",
                remedy="more bars, shorter horizons or fewer classes",
            )
        if labels.target == "volatility":
            moves = np.concatenate([moves, -moves])
        found.append(np.quantile(moves, GRID))
    return np.stack(found)


def _mixed(past_CG: FloatArray, p_C: FloatArray, level_Q: FloatArray) -> FloatArray:
    """Quantiles of the classes' pasts, each with its probability; straight between its steps."""
    value = past_CG.ravel()
    order = np.argsort(value, kind="stable")
    weight = np.repeat(p_C / past_CG.shape[1], past_CG.shape[1])[order]
    middle = np.cumsum(weight) - 0.5 * weight
    found: FloatArray = np.interp(level_Q, middle, value[order])
    return found
