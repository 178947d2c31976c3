"""The candle transformer as a forecaster: fit, forecast, save, load. Torch is imported when one of them is called.

Axes: O histories, A assets, T bars, H horizons, Q levels.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.features import facts_of, outcomes
from nextbest.market.candles.quantiles import answered_quantiles
from nextbest.market.candles.scaling import Scaling
from nextbest.models.sequence.needs import need_torch
from nextbest.models.store import read_arrays, read_files, read_manifest, write_folder

if TYPE_CHECKING:
    from nextbest.market.candles.network import CandleNetwork

KIND = "candles"
Config = TypeVar("Config", bound=BaseModel)


class Candles:
    """Quantiles of returns at several horizons by a causal transformer over patches of candles.

    A return is divided by a volatility known at the window's end (`CandlesConfig.scaling`); what is learned is the
    shape of what is left and a correction of the width, of all assets together. No asset has parameters of its own, so
    that any asset with a history can be asked about.

    Parameters
    ----------
    config
        Without it the defaults, which are for hourly bars.
    checkpoints
        Folder to write to after every epoch and to go on from; None: neither. It changes nothing in the result.
    progress
        Show a bar.

    Notes
    -----
    Nie et al. 2023 for patches, Kim et al. 2022 for reversible scaling, Corsi 2009 for the scales of volatility.
    """

    name = KIND
    seen_until: date | None = None
    """No pretraining: what it knows it has from `fit`."""

    def __init__(
        self,
        config: CandlesConfig | None = None,
        *,
        checkpoints: Path | None = None,
        progress: bool = False,
    ) -> None:
        self.settings = CandlesConfig() if config is None else config
        self._checkpoints, self._progress = checkpoints, progress
        self.networks_: list[CandleNetwork] = []
        self.scaling_: Scaling | None = None
        self.horizons_: tuple[int, ...] = ()
        self.trained_: list[dict[str, Any]] = []
        """Of each member: curve, cost, parameters, as `Trained.described` says."""

    @property
    def config(self) -> dict[str, Any]:
        """The settings in JSON's own types."""
        return self.settings.model_dump(mode="json")

    @property
    def context_length(self) -> int:
        """Bars that a forecast reads."""
        return self.settings.context_length

    @property
    def min_bars(self) -> int:
        """Bars from which on an asset has a forecast: half of the longest scale."""
        return self.settings.volatility_scales[-1] // 2 + 2

    def fit(
        self, history: PricePanel, *, horizons: Sequence[int], rng: int | np.random.Generator = 0
    ) -> None:
        """Learn from a history; its newest part stops the training and is never learned.

        Parameters
        ----------
        history
            What is known. A label is learned if it ends before the held-out part begins.
        horizons
            Bars ahead, rising; all are learned at once.
        rng
            Seed or Generator: start, order and dropout. The same history and `rng` give the same weights on a CPU.

        Raises
        ------
        DataError
            The history is too short for a window of the settings, or nothing in it moves.
        InputError
            `horizons` aren't rising whole numbers from 1 on.
        ArtifactError
            The checkpoints' folder belongs to another training.
        """
        need_torch(KIND)
        from nextbest.market.candles.learning import Tape, Targets, teach

        config = self.settings
        horizons = tuple(int(h) for h in check_request(horizons, LEVELS)[0])
        weights = config.horizon_weights
        if weights is not None and (len(weights) != len(horizons) or not sum(weights)):
            raise InputError(
                "horizon_weights", f"must be {len(horizons)} numbers, one above zero at least", value=weights
            )
        held = max(1, int(history.n_bars * config.validation_fraction))
        first_held = history.n_bars - held
        need = config.window + config.volatility_scales[-1] // 2 + horizons[0]
        if first_held < need:
            raise DataError(
                "history",
                f"{history.n_bars} bars are too few: {need} are needed before the newest {held}, held out to stop by",
                remedy="give more bars, or lower patch, n_patches or volatility_scales",
            )
        facts = facts_of(history, config, horizons=horizons)
        return_ATH, variance_ATH = outcomes(history, horizons)
        bar_TH = np.arange(history.n_bars)[:, None]
        learned_TH = bar_TH + np.array(horizons) < first_held
        judged_TH = np.broadcast_to(bar_TH >= first_held, learned_TH.shape)
        if not (facts.known_AT & learned_TH.any(-1)).any():
            raise DataError("history", "no bar has a known volatility: are there closes, and do they move?")
        learned_ATH = np.broadcast_to(learned_TH, return_ATH.shape)
        scaling = Scaling.fit(facts, return_ATH, config=config, horizons=horizons, learned_ATH=learned_ATH)
        tape = Tape(facts, config, scaling)
        targets = Targets.of(tape, return_ATH, variance_ATH)
        draw = np.random.default_rng(rng)
        about = {
            "config": config.model_dump(mode="json", exclude={"training"}),
            "horizons": list(horizons),
            "history": history.digest(),
        }
        networks, told = [], []
        for member in range(config.n_members):
            network, trained = teach(
                tape,
                targets,
                learned_TH=learned_TH,
                judged_TH=judged_TH,
                horizons=horizons,
                seed=int(draw.integers(2**31)),
                checkpoints=None if self._checkpoints is None else self._checkpoints / f"member-{member}",
                about=about,
                progress=self._progress,
            )
            networks.append(network)
            told.append(trained.described())
        self.networks_, self.scaling_, self.horizons_, self.trained_ = networks, scaling, horizons, told

    def forecast(
        self,
        histories: Sequence[PricePanel],
        *,
        horizons: Sequence[int],
        levels: Sequence[float] = LEVELS,
    ) -> FloatArray:
        """Quantiles of log(close after h bars / last close), shape (O, A, H, Q).

        Parameters
        ----------
        histories
            What is known at each cutoff, all with the same number of assets.
        horizons
            Some of those that were learned.
        levels
            Rising, each above 0 and below 1.

        Returns
        -------
        ndarray
            NaN for an asset without a close at the cutoff, or whose volatility isn't known yet (`min_bars`).

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A horizon wasn't learned, a level isn't one, or the histories differ in assets or step.
        """
        _, level_Q = check_request(horizons, levels)
        told = self._told(histories, horizons)
        quantile_OAHQ = np.mean(
            [answered_quantiles(shape, levels=level_Q, head=self.settings.head) for shape, _ in told.answers],
            axis=0,
        )
        scaled: FloatArray = quantile_OAHQ * np.exp(told.log_scale_OAH)[..., None]
        return scaled[:, :, told.chosen_H]

    def volatility(self, histories: Sequence[PricePanel], *, horizons: Sequence[int]) -> FloatArray:
        """Expected realised variance (sum of squared bar returns) over each horizon, shape (O, A, H).

        Parameters, NaN and errors as `forecast`; of several members the geometric mean.
        """
        told = self._told(histories, horizons)
        log_OAH = np.mean([log_variance for _, log_variance in told.answers], axis=0)
        variance: FloatArray = np.exp(log_OAH + 2 * told.log_scale_OAH)
        return variance[:, :, told.chosen_H]

    def _told(self, histories: Sequence[PricePanel], horizons: Sequence[int]) -> "_Told":
        from nextbest.market.candles.learning import Tape, answers

        if self.scaling_ is None:
            raise NotFittedError(KIND)
        if unknown := [h for h in horizons if h not in self.horizons_]:
            raise InputError("horizons", f"only {self.horizons_} were learned", value=unknown[:5])
        if len({(h.asset_ids, h.step) for h in histories}) > 1:
            raise InputError("histories", "must be of the same assets and step")
        config, n_assets = self.settings, histories[0].n_assets if histories else 0
        shape_OA = (len(histories), n_assets, len(self.horizons_))
        told = _Told([], np.full(shape_OA, np.nan), [self.horizons_.index(h) for h in horizons])
        n_shape = [3 if config.head == "student" else network.n_shape for network in self.networks_]
        shapes = [np.full((*shape_OA, n), np.nan) for n in n_shape]
        variances = [np.full(shape_OA, np.nan) for _ in self.networks_]
        for row, history in enumerate(histories):
            if not history.n_bars:
                continue
            newest = history.until(history.n_bars, length=config.context_length)
            facts = facts_of(newest, config, horizons=self.horizons_, length=config.window)
            tape = Tape(facts, config, self.scaling_)
            end = np.array([len(facts.calendar_THK) - 1])
            known_A = tape.known_AT[:, -1]
            told.log_scale_OAH[row] = np.where(known_A[:, None], tape.log_scale_ATH[:, -1], np.nan)
            for network, shape, variance in zip(self.networks_, shapes, variances, strict=True):
                found = answers(network, tape, end)
                shape[row], variance[row] = found[0][0], found[1][0]
        told.answers += list(zip(shapes, variances, strict=True))
        return told

    def save(self, folder: Path) -> None:
        """Write a folder: `weights.safetensors`, arrays of the scaling, a manifest; never pickle.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `folder` is there and holds something else than a model.
        ExternalError
            The disk refused.
        """
        from safetensors.torch import save as as_bytes

        from nextbest.models.sequence.checkpoints import prefixed, state_tensors, to_cpu

        if self.scaling_ is None:
            raise NotFittedError(KIND)
        tensors = {}
        for member, network in enumerate(self.networks_):
            tensors.update(prefixed(str(member), to_cpu(state_tensors(network))))
        write_folder(
            Path(folder),
            kind=KIND,
            config=self.config,
            arrays=self.scaling_.arrays(),
            ids={},
            files={"weights.safetensors": as_bytes(tensors)},
            about={"horizons": list(self.horizons_), "trained": self.trained_},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, or holds another kind of model.
        """
        need_torch(KIND)
        from safetensors import SafetensorError
        from safetensors.torch import load as from_bytes

        from nextbest.market.candles.network import network_of
        from nextbest.models.sequence.checkpoints import put_state, unprefixed

        manifest = read_manifest(folder)
        if manifest["kind"] != KIND:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {KIND!r}")
        try:
            model = cls(CandlesConfig.model_validate(manifest["config"]))
            model.horizons_ = tuple(int(h) for h in manifest["horizons"])
            model.trained_ = list(manifest["trained"])
            model.scaling_ = Scaling.of(read_arrays(folder, manifest))
            tensors = from_bytes(read_files(folder, manifest)["weights.safetensors"])
            for member in range(model.settings.n_members):
                own = unprefixed(str(member), tensors)
                network = network_of(model.settings, own, n_horizons=len(model.horizons_))
                put_state(network, own)
                model.networks_.append(network)
        except (KeyError, ValueError, TypeError, RuntimeError, SafetensorError, ValidationError) as error:
            raise ArtifactError(folder, f"lacks a part that {KIND!r} needs ({error})") from error
        return model


class _Told:
    """What the members answered, before it is put together."""

    def __init__(
        self,
        answers: list[tuple[FloatArray, FloatArray]],
        log_scale_OAH: FloatArray,
        chosen_H: list[int],
    ) -> None:
        self.answers, self.log_scale_OAH, self.chosen_H = answers, log_scale_OAH, chosen_H


def make_candles(**config: Any) -> Candles:
    """A transformer from settings by name, as the registry of forecasters has them.

    Raises
    ------
    InputError
        A setting is unknown or out of range.
    """
    return Candles(checked_config(CandlesConfig, config))


def checked_config(kind: type[Config], config: Mapping[str, Any]) -> Config:
    """Settings by name as a config; an `InputError` names the first that is wrong."""
    try:
        return kind.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "config"
        raise InputError(name, first["msg"], value=first["input"]) from error
