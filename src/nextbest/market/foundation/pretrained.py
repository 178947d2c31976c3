"""A pretrained model as a `Forecaster`: where its weights lie, until when they have seen the world, one way to answer.

The subclasses, a file each, bring their package's own loading code and one call that answers a batch. Nothing here
is fitted. Packages and torch are imported when the first forecast is asked for. Axes as in `context.py`.
"""

import contextlib
import hashlib
import importlib
import importlib.metadata
import io
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeInt, PositiveInt, ValidationError

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, ExternalError, InputError, NextbestError
from nextbest.market.base import LEVELS, check_request
from nextbest.market.foundation.context import (
    Contexts,
    FloatArray,
    Gaps,
    Scale,
    Tally,
    check_levels,
    contexts,
    return_quantiles,
)
from nextbest.models.sequence.config import Device

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
_NOT_THE_MODEL = {"batch_size", "device", "n_threads", "seen_until", "label"}


ConfigT = TypeVar("ConfigT", bound=BaseModel)


@dataclass(frozen=True)
class Card:
    """What is known of published weights, and from where."""

    licence: str
    """Of the weights; the code's may differ."""
    seen_until: date | None
    """The newest data that their authors say they were trained on; None = nobody says."""
    released: date
    """Nothing after it can have been seen."""
    source: str


class PretrainedConfig(BaseModel, frozen=True, extra="forbid"):
    """What every pretrained model is told."""

    weights: str
    """A folder with the checkpoint in the model's own format, or an id on the Hugging Face hub."""
    context_length: PositiveInt = 512
    """Bars it reads, fewer where an asset or the model itself has fewer."""
    scale: Scale = "log"
    """What it sees: logs of closes relative to the last one, or the ratios themselves."""
    batch_size: PositiveInt = 64
    """Series answered in one call; memory grows with it."""
    device: Device = "auto"
    """`auto` is the GPU where there is one."""
    n_threads: NonNegativeInt = 0
    """Threads of torch; 0 = as many as it has."""
    seen_until: date | None = None
    """Last day of the training data, for weights of your own; without it what the card of published ones says."""
    label: str | None = None
    """Its name in a leaderboard; without it the kind and the last part of `weights`."""


class Pretrained(ABC):
    """Base of the adapters; see the module. Made by the fields of its `Settings`, as keywords."""

    kind: ClassVar[str]
    """First part of the name."""
    Settings: ClassVar[type[PretrainedConfig]]
    distributions: ClassVar[Sequence[str]]
    """Whose code answers, by the names that they are installed by."""
    cards: ClassVar[Mapping[str, Card]] = {}
    """Published weights by id on the hub."""
    gaps: ClassVar[Gaps] = "keep"
    min_bars: int = 16
    """Known closes in the context without which there is no answer."""

    def __init__(self, **settings: Any) -> None:
        self.settings = checked_settings(self.Settings, self.kind, settings)
        self.context_length = self.settings.context_length
        self.name = self.settings.label or self._name()
        self.tally = Tally()
        self._model: Any = None

    @property
    def card(self) -> Card | None:
        """What is known of these weights; None = not published ones."""
        return self.cards.get(self.settings.weights)

    @property
    def seen_until(self) -> date:
        """The day until which the weights may have seen the world; a leaderboard flags origins up to it.

        What their authors say; where nobody says, the day they were released; where that isn't known either
        (weights of your own without `seen_until`), the last day there is.
        """
        if self.settings.seen_until:
            return self.settings.seen_until
        return (self.card.seen_until or self.card.released) if self.card else date.max

    @cached_property
    def config(self) -> dict[str, Any]:
        """What decides an answer: no setting of speed or name, a checkpoint by what is in it and not by where it lies.

        `packages` are those whose code answers (None: not installed); `seen_until_documented` says whether
        `seen_until` is the authors' word or only a bound.
        """
        return {
            "kind": self.kind,
            **self.settings.model_dump(mode="json", exclude=_NOT_THE_MODEL),
            **identity("weights", self.settings.weights),
            "packages": {name: _version(name) for name in self.distributions},
            "seen_until_documented": bool(self.settings.seen_until or (self.card and self.card.seen_until)),
        }

    def _name(self) -> str:
        return f"{self.kind}:{Path(self.settings.weights).name}"

    @property
    @abstractmethod
    def own_levels(self) -> Sequence[float]:
        """The levels that `_quantiles` answers; may load the model."""

    @abstractmethod
    def _load(self, weights: str, device: "torch.device") -> Any:
        """The model, by its package's own code."""

    @abstractmethod
    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of log-returns, shape (O, A, H, Q); `PretrainedOnCloses.forecast` says all."""

    def fit(  # noqa: B027 - there is nothing that a subclass should do
        self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator
    ) -> None:
        """Nothing: the weights are what they are."""

    @property
    def model(self) -> Any:
        """The package's own object, loaded once.

        Raises
        ------
        InputError, ArtifactError, ExternalError
            As `forecast` says.
        """
        if self._model is None:
            package("torch", install="nextbest[foundation]", why=self.kind)
            from nextbest.models.sequence.devices import choose_device

            check_weights(self.settings.weights)
            device = choose_device(self.settings.device)
            with loading(self.settings.weights):
                self._model = self._load(self.settings.weights, device)
            log.info("loaded", extra={"model": self.name, "device": str(device)})
        return self._model

    def _threads(self) -> AbstractContextManager[None]:
        package("torch", install="nextbest[foundation]", why=self.kind)
        from nextbest.models.sequence.devices import threads

        return threads(self.settings.n_threads)


class PretrainedOnCloses(Pretrained):
    """A model of one series of closes that answers its own quantiles, a batch of series a call."""

    @property
    def longest_horizon(self) -> int | None:
        """Bars ahead that the weights were trained to answer; None = no such bound."""
        return None

    @abstractmethod
    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        """Own quantiles at steps 1 to `n_steps` in the scale of the context, shape (B, n_steps, K)."""

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of the log-return from each cutoff's close.

        Parameters
        ----------
        histories
            What was known at each origin, of the same assets.
        horizons
            Bars ahead, 1 or more, and not beyond `longest_horizon`.
        levels
            Inside the model's own; between two of them a straight line.

        Returns
        -------
        ndarray of shape (O, A, H, Q), float64
            Never crossing (`tally` counts what was sorted). NaN = no answer: no close at the cutoff, too few bars,
            or nothing finite from the model.

        Raises
        ------
        InputError
            A horizon or a level that the model doesn't know, its package isn't installed, or no such folder.
        ArtifactError
            The folder holds no such checkpoint.
        ExternalError
            The hub can't be reached.
        """
        horizon_H, _ = check_request(horizons, levels)
        check_levels(levels, self.own_levels)
        longest = self.longest_horizon
        if longest is not None and horizon_H.max() > longest:
            raise InputError(
                "horizons", f"{self.name} answers {longest} bars at most", value=int(horizon_H.max())
            )
        n_assets = histories[0].n_assets if histories else 0
        out_OAHQ = np.full((len(histories), n_assets, len(horizon_H), len(levels)), np.nan)
        n_answered = 0
        with self._threads():
            for batch in self._contexts(histories):
                value_BHK = self._quantiles(batch, int(horizon_H.max()))[:, horizon_H - 1]
                out_OAHQ[batch.origin_B, batch.asset_B] = return_quantiles(
                    value_BHK, self.own_levels, levels, scale=self.settings.scale, tally=self.tally
                )
                n_answered += len(batch.origin_B)
        self.tally.n_series += len(histories) * n_assets
        self.tally.n_no_context += len(histories) * n_assets - n_answered
        return out_OAHQ

    def _contexts(self, histories: Sequence[PricePanel]) -> Iterator[Contexts]:
        settings = self.settings
        return contexts(
            histories,
            length=settings.context_length,
            min_bars=self.min_bars,
            batch_size=settings.batch_size,
            scale=settings.scale,
            gaps=self.gaps,
        )


def checked_settings(config: type[ConfigT], kind: str, settings: Mapping[str, Any]) -> ConfigT:
    """The config made of these keywords; a field that is unknown or wrong is an `InputError`."""
    try:
        return config(**settings)
    except ValidationError as error:
        wrong = "; ".join(": ".join([".".join(map(str, e["loc"])), e["msg"]]) for e in error.errors())
        remedy = f"fields of {config.__name__}: {sorted(config.model_fields)}"
        raise InputError(f"config of {kind}", wrong, remedy=remedy) from error


class loading:  # noqa: N801  (reads as a statement: with loading(weights): ...)
    """Whatever a package raises while it loads, as one of our errors that says what to do."""

    def __init__(self, weights: str) -> None:
        self.weights = weights
        self._quiet = contextlib.redirect_stdout(io.StringIO())

    def __enter__(self) -> None:
        # two packages print where they load from
        self._quiet.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._quiet.__exit__(None, None, None)
        if error is None or isinstance(error, NextbestError) or not isinstance(error, Exception):
            return
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if Path(self.weights).exists():
            raise ArtifactError(
                self.weights,
                f"isn't a checkpoint that can be loaded ({said})",
                remedy="fetch the weights again",
            ) from error
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}
        raise ExternalError(
            "Hugging Face hub",
            f"{self.weights}: {'HF_HUB_OFFLINE is set and it is not in the cache' if offline else said}",
            retryable=not offline,
            remedy="fetch the weights where there is a network, and give their folder",
        ) from error


def package(module: str, *, install: str, why: str) -> ModuleType:
    """An optional package, or an `InputError` that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(why, f"{module} can't be imported ({error})", remedy=f"install {install}") from error


def check_weights(weights: str) -> None:
    """Refuse a path without a folder, before a package takes it for an id on the hub and asks the network."""
    hub_like = weights.count("/") <= 1 and not weights.startswith((".", "/", "~"))
    if not Path(weights).exists() and not hub_like:
        raise InputError("weights", "no such folder", value=weights)


def identity(name: str, weights: str) -> dict[str, str]:
    """Weights as a config keeps them: an id on the hub as it is, a folder by its name and the digest of its files."""
    digest = weights_digest(weights)
    return {name: Path(weights).name, f"{name}_sha256": digest} if digest else {name: weights}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def weights_digest(weights: str) -> str | None:
    """SHA-256 of the files of a local checkpoint, by name, as hex; None for an id on the hub."""
    folder = Path(weights)
    if not folder.exists():
        return None
    said = hashlib.sha256()
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        name = path.relative_to(folder).as_posix() if path != folder else path.name
        if any(part.startswith(".") for part in Path(name).parts):
            continue
        said.update(f"{len(name)}:{name}:{path.stat().st_size}:".encode())
        with path.open("rb") as content:
            said.update(hashlib.file_digest(content, "sha256").digest())
    return said.hexdigest()
