"""PatchTST and N-HiTS as forecasters: fit, forecast, save, load. Torch is imported when one of them is called.

Each asset is read alone: its path of closes, from the newest one back, in units of the window's own deviation of
returns; the answer comes back in those units (reversible normalisation). Axes: O histories, A assets, T bars, N
windows, C closes of a window, H horizons, Q levels.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.candles.features import outcomes
from nextbest.market.candles.model import checked_config
from nextbest.market.candles.quantiles import LEARNED_LEVELS, between
from nextbest.market.neural.config import NeuralConfig
from nextbest.models.sequence.needs import need_torch
from nextbest.models.store import read_files, read_manifest, write_folder

if TYPE_CHECKING:
    from torch import nn

_PRESENT = 0.9
"""Share of a window's returns that must be known; the others count as no move."""
_ANSWERED_AT_ONCE = 4096


class Neural:
    """A small network that reads one asset's closes; parameters are shared by all assets.

    Parameters
    ----------
    config
        Kind, sizes, training.
    checkpoints
        Folder to write to after every epoch and to go on from; None: neither.
    """

    seen_until: date | None = None

    def __init__(self, config: NeuralConfig | None = None, *, checkpoints: Path | None = None) -> None:
        self.settings = NeuralConfig() if config is None else config
        self._checkpoints = checkpoints
        self.network_: nn.Module | None = None
        self.horizons_: tuple[int, ...] = ()
        self.trained_: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The kind."""
        return self.settings.kind

    @property
    def config(self) -> dict[str, Any]:
        """The settings in JSON's own types."""
        return self.settings.model_dump(mode="json")

    @property
    def context_length(self) -> int:
        """Closes that are read."""
        return self.settings.window

    @property
    def min_bars(self) -> int:
        """As many as are read."""
        return self.settings.window

    def fit(
        self, history: PricePanel, *, horizons: Sequence[int], rng: int | np.random.Generator = 0
    ) -> None:
        """Learn from a history; its newest part stops the training, labels that reach into it aren't learned.

        Raises
        ------
        DataError
            The history holds no window to learn from or none to stop by.
        InputError
            `horizons` aren't rising whole numbers from 1 on.
        ArtifactError
            The checkpoints' folder belongs to another training.
        """
        need_torch(self.name)
        import torch

        from nextbest.market.neural.lesson import Lesson, batch_of
        from nextbest.market.neural.networks import make_network
        from nextbest.models.sequence.trainer import train

        config = self.settings
        h_H = check_request(horizons, LEVELS)[0]
        return_ATH, _ = outcomes(history, [int(h) for h in h_H])
        first_held = history.n_bars - max(1, int(history.n_bars * config.validation_fraction))
        path_NC, scale_N, row_N, end_N = windows_of(history, config)
        label_NH = return_ATH[row_N, end_N] / (scale_N[:, None] * np.sqrt(h_H))
        learned_NH = np.where(end_N[:, None] + h_H < first_held, label_NH, np.nan)
        judged_NH = np.where(end_N[:, None] >= first_held, label_NH, np.nan)
        chosen = [np.flatnonzero(np.isfinite(label).any(1)) for label in (learned_NH, judged_NH)]
        for rows, what in zip(chosen, ("learn from", "stop by"), strict=True):
            if not len(rows):
                raise DataError(
                    "history",
                    f"{history.n_bars} bars hold no window of {config.window} closes that move to {what}",
                    remedy="give more bars, or lower window, the horizons or validation_fraction",
                )
        seed = int(np.random.default_rng(rng).integers(2**31))
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = make_network(config, n_horizons=len(h_H))
        lesson = Lesson(network, path_NC, learned_NH)
        judge = Lesson(network, path_NC, judged_NH)
        asked = chosen[1][:: max(1, len(chosen[1]) // _ANSWERED_AT_ONCE)]

        def batches(epoch: int) -> Iterator[Any]:
            drawn = np.random.default_rng([seed, epoch]).choice(chosen[0], size=config.windows_per_epoch)
            for start in range(0, len(drawn), config.windows_per_batch):
                yield batch_of(drawn[start : start + config.windows_per_batch])

        about = {
            "config": config.model_dump(mode="json", exclude={"training"}),
            "horizons": h_H.tolist(),
            "history": history.digest(),
        }
        told = train(
            lesson,
            batches,
            config=config.training,
            validate=lambda: -judge.mean_loss(asked),
            checkpoints=self._checkpoints,
            about=about,
            rng=seed,
        )
        self.network_, self.horizons_, self.trained_ = network, tuple(h_H.tolist()), told.described()

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of the cumulative log-return from the last close of each history, shape (O, A, H, Q).

        NaN for an asset without a close at the cutoff or with too few known ones before it.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A horizon wasn't learned, or levels aren't rising between 0 and 1.
        """
        from nextbest.market.neural.lesson import answered

        h_H, level_Q = check_request(horizons, levels)
        if self.network_ is None:
            raise NotFittedError(self.name)
        if unknown := [int(h) for h in h_H if h not in self.horizons_]:
            raise InputError("horizons", f"only {self.horizons_} were learned", value=unknown[:5])
        chosen = [self.horizons_.index(h) for h in h_H]
        n_assets = histories[0].n_assets if histories else 0
        found = np.full((len(histories), n_assets, len(h_H), len(level_Q)), np.nan)
        for row, history in enumerate(histories):
            newest = history.until(history.n_bars, length=self.settings.window)
            path_NC, scale_N, row_N, _ = windows_of(newest, self.settings)
            if not len(path_NC):
                continue
            # one origin a call: products of larger matrices round otherwise, and an answer would know its neighbours
            quantile_NHQ = between(answered(self.network_, path_NC), known=LEARNED_LEVELS, levels=level_Q)
            scale_NH = scale_N[:, None] * np.sqrt(self.horizons_)
            found[row, row_N] = (quantile_NHQ * scale_NH[..., None])[:, chosen]
        return found

    def save(self, folder: Path) -> None:
        """Write a folder: `weights.safetensors` and a manifest; never pickle. Errors as `Candles.save`."""
        from safetensors.torch import save as as_bytes

        from nextbest.models.sequence.checkpoints import state_tensors, to_cpu

        if self.network_ is None:
            raise NotFittedError(self.name)
        write_folder(
            Path(folder),
            kind=self.name,
            config=self.config,
            arrays={},
            ids={},
            files={"weights.safetensors": as_bytes(to_cpu(state_tensors(self.network_)))},
            about={"horizons": list(self.horizons_), "trained": self.trained_},
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; an `ArtifactError` where it can't be."""
        from safetensors import SafetensorError
        from safetensors.torch import load as from_bytes

        from nextbest.market.neural.networks import make_network

        manifest = read_manifest(folder)
        try:
            model = cls(NeuralConfig.model_validate(manifest["config"]))
            model.horizons_ = tuple(int(h) for h in manifest["horizons"])
            model.trained_ = dict(manifest["trained"])
            network = make_network(model.settings, n_horizons=len(model.horizons_))
            network.load_state_dict(from_bytes(read_files(folder, manifest)["weights.safetensors"]))
        except (KeyError, ValueError, TypeError, RuntimeError, SafetensorError, ValidationError) as error:
            raise ArtifactError(folder, f"holds no model of this kind ({error})") from error
        model.network_ = network
        return model


def windows_of(
    panel: PricePanel, config: NeuralConfig
) -> tuple[NDArray[np.float32], FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """All windows that can be read: paths (N, C) in units of their deviation, deviations, assets' rows, newest bars.

    A path is log(close / newest close), over the deviation of the window's returns times the root of C.
    """
    size = config.window
    if panel.n_bars < size:
        none = np.zeros(0, np.int64)
        return np.zeros((0, size), np.float32), np.zeros(0), none, none
    return_AT = np.array(panel.log_return_AT)
    return_ANC = np.lib.stride_tricks.sliding_window_view(return_AT, size, axis=1)[..., 1:]
    there_ANC = np.isfinite(return_ANC)
    total_AN = np.where(there_ANC, return_ANC**2, 0.0).sum(-1)
    count_AN = there_ANC.sum(-1)
    deviation_AN = np.sqrt(total_AN / np.maximum(count_AN, 1))
    kept_AN = (count_AN >= _PRESENT * (size - 1)) & (deviation_AN > 1e-9)
    kept_AN &= np.isfinite(panel.close_AT[:, size - 1 :])
    row_N, start_N = np.nonzero(kept_AN)
    move_NC = np.nan_to_num(return_ANC[row_N, start_N])
    scale_N = deviation_AN[row_N, start_N]
    path_NC = np.zeros((len(row_N), size), np.float32)
    path_NC[:, :-1] = -np.cumsum(move_NC[:, ::-1], 1)[:, ::-1] / (scale_N[:, None] * np.sqrt(size))
    return path_NC, scale_N, row_N, start_N + size - 1


def make_patchtst(**config: Any) -> Neural:
    """PatchTST from settings by name; `InputError` names a wrong one."""
    return Neural(checked_config(NeuralConfig, {**config, "kind": "patchtst"}))


def make_nhits(**config: Any) -> Neural:
    """N-HiTS from settings by name; `InputError` names a wrong one."""
    return Neural(checked_config(NeuralConfig, {**config, "kind": "nhits"}))
