"""How a network of candles is taught: windows drawn from a history, its newest part kept out to stop by.

Axes: B windows, A assets, T bars, L places, H horizons, Q levels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nextbest.errors import DataError
from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.features import Facts, FloatArray
from nextbest.market.candles.network import CandleNetwork, Window
from nextbest.market.candles.quantiles import LEARNED_LEVELS, answered_quantiles
from nextbest.market.candles.scaling import Scaling
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.trained import Trained
from nextbest.models.sequence.trainer import train

_ANSWERED_AT_ONCE = 16
"""Windows."""
_WIDTHS = np.linspace(-0.3, 0.3, 61)
"""Logs of factors that a calibration tries."""


class Tape:
    """A history as tensors that windows are cut from."""

    def __init__(self, facts: Facts, config: CandlesConfig, scaling: Scaling) -> None:
        self.config = config
        log_scale_ATH = scaling.log_scale(facts, config)
        self.known_AT = facts.known_AT & np.isfinite(log_scale_ATH).all(-1)
        self.log_scale_ATH = np.where(self.known_AT[..., None], log_scale_ATH, 0.0)
        self.bars = _float(facts.bars(config))
        self.state = _float(scaling.state(facts, config))
        self.calendar = _float(facts.calendar_THK.reshape(len(facts.calendar_THK), -1))
        self.known = torch.from_numpy(self.known_AT)

    def windows(self, end_B: NDArray[np.int64]) -> Window:
        """The windows whose newest bar these are."""
        config = self.config
        bar_BT = torch.from_numpy(end_B[:, None] + np.arange(1 - config.window, 1))
        place_BL = torch.from_numpy(self.places(end_B))
        n_assets = len(self.known)
        bars = self.bars[:, bar_BT].view(n_assets, len(end_B), config.n_patches, -1).transpose(0, 1)
        return Window(
            bars,
            self.state[:, place_BL].transpose(0, 1),
            self.calendar[place_BL],
            self.known[:, place_BL].transpose(0, 1),
        )

    def places(self, end_B: NDArray[np.int64], n_last: int | None = None) -> NDArray[np.int64]:
        """The newest bar of each of a window's newest places, shape (B, L)."""
        n_last = self.config.n_patches if n_last is None else n_last
        return end_B[:, None] + self.config.patch * np.arange(1 - n_last, 1)


@dataclass(frozen=True, eq=False)
class Targets:
    """What came after, in units of the scaling; NaN = not asked."""

    z_ATH: FloatArray  # noqa: N815 - axes in the name
    """Standardised return."""
    log_ratio_ATH: FloatArray  # noqa: N815
    """Log of the realised variance over the scaling's own."""
    weight_ATH: FloatArray  # noqa: N815

    @staticmethod
    def of(tape: Tape, return_ATH: FloatArray, variance_ATH: FloatArray) -> "Targets":
        """Targets wherever the network could be asked."""
        asked_ATH = tape.known_AT[..., None] & np.isfinite(return_ATH)
        scale_ATH = np.exp(tape.log_scale_ATH)
        with np.errstate(divide="ignore"):
            log_ratio_ATH = np.log(variance_ATH) - 2 * tape.log_scale_ATH
        usual_H = np.array(
            [
                np.mean(s[a]) if a.any() else 1.0
                for s, a in zip(np.moveaxis(scale_ATH, -1, 0), np.moveaxis(asked_ATH, -1, 0), strict=True)
            ]
        )
        weight_ATH = np.minimum((scale_ATH / usual_H) ** tape.config.money_weight, 4.0)
        if tape.config.horizon_weights is not None:
            weight_ATH = weight_ATH * np.array(tape.config.horizon_weights)
        return Targets(
            np.where(asked_ATH, return_ATH / scale_ATH, np.nan),
            np.where(asked_ATH, log_ratio_ATH, np.nan),
            weight_ATH,
        )

    def where(self, kept_TH: NDArray[np.bool_]) -> "Targets":
        """Only those."""
        return Targets(np.where(kept_TH, self.z_ATH, np.nan), self.log_ratio_ATH, self.weight_ATH)


class Lesson(nn.Module):
    """A network and what it learns from, as the trainer wants it: batches name windows by their newest bar."""

    def __init__(self, network: CandleNetwork, tape: Tape, targets: Targets) -> None:
        super().__init__()
        self.network = network
        self._tape, self._n_last = tape, max(1, tape.config.n_patches // 2)
        self._z, self._weight = _float(targets.z_ATH), _float(targets.weight_ATH)
        self._log_ratio = _float(targets.log_ratio_ATH)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """Mean over the targets at the newer half of each window's places: older ones have seen too little."""
        end_B = batch.input_BL[:, 0]
        device = next(self.network.parameters()).device
        place_BL = torch.from_numpy(self._tape.places(end_B, self._n_last))
        z, weight, log_ratio = (
            values[:, place_BL].transpose(0, 1).to(device)
            for values in (self._z, self._weight, self._log_ratio)
        )
        asked = torch.isfinite(z)
        n = int(asked.sum())
        if not n:
            return z.new_zeros(()), 0
        answer = self.network(_to(self._tape.windows(end_B), device), n_last=self._n_last)
        first, second = self.network.losses(answer, z.nan_to_num(), log_ratio.nan_to_num())
        weighted = torch.where(asked, weight * first, 0.0).sum() / n
        share = self._tape.config.variance_weight
        if share:
            measured = asked & ~log_ratio.isnan()
            weighted = weighted + share * torch.where(measured, second, 0.0).sum() / n
        return weighted, n


def teach(
    tape: Tape,
    targets: Targets,
    *,
    learned_TH: NDArray[np.bool_],
    judged_TH: NDArray[np.bool_],
    horizons: Sequence[int],
    seed: int,
    checkpoints: Path | None,
    about: Mapping[str, Any],
    progress: bool,
) -> tuple[CandleNetwork, Trained]:
    """One network.

    Parameters
    ----------
    learned_TH, judged_TH
        Bars and horizons whose targets are learned, and by which the training is stopped.

    Raises
    ------
    DataError
        There is no window with a target to learn, or none to judge by.
    """
    config = tape.config
    learned, judged = targets.where(learned_TH), targets.where(judged_TH)
    end_N, judged_N = _ends(learned, config), _judged_ends(judged, config)
    if not len(end_N) or not len(judged_N):
        what = "learn from" if not len(end_N) else "stop by"
        raise DataError(
            "history",
            f"{learned_TH.shape[0]} bars hold no window of {config.window} bars with a known volatility to {what}",
            remedy="give more bars, or lower patch, n_patches, volatility_scales, the horizons or validation_fraction",
        )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = CandleNetwork(
            config,
            n_bar=tape.bars.shape[-1],
            n_state=tape.state.shape[-1],
            n_calendar=tape.calendar.shape[-1],
            n_horizons=len(horizons),
        )
    network.begin(*_begun(learned))
    lesson = Lesson(network, tape, learned)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([seed, epoch])
        drawn_W = rng.choice(end_N, size=config.windows_per_epoch)
        for start in range(0, len(drawn_W), config.windows_per_batch):
            yield _batch(drawn_W[start : start + config.windows_per_batch])

    trained = train(
        lesson,
        batches,
        config=config.training,
        validate=lambda: -_judged_loss(network, tape, judged, judged_N),
        checkpoints=checkpoints,
        about=about,
        rng=seed,
        progress=progress,
    )
    if config.calibrate:
        _calibrate(network, tape, judged, judged_N)
    return network, trained


@torch.no_grad()
def answers(network: CandleNetwork, tape: Tape, end_N: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Shape and log-variance at windows' ends, as `Answer` says, of shape (N, A, H, ...)."""
    device = next(network.parameters()).device
    shapes, variances = [], []
    network.eval()
    for start in range(0, len(end_N), _ANSWERED_AT_ONCE):
        answer = network(_to(tape.windows(end_N[start : start + _ANSWERED_AT_ONCE]), device))
        shapes.append(answer.shape[:, :, 0].double().cpu().numpy())
        variances.append(answer.log_variance[:, :, 0].double().cpu().numpy())
    return np.concatenate(shapes), np.concatenate(variances)


def _judged_loss(network: CandleNetwork, tape: Tape, judged: Targets, end_N: NDArray[np.int64]) -> float:
    """Mean weighted pinball loss, twice, and QLIKE by its weight: over each horizon's targets, then over horizons."""
    shape, log_variance = answers(network, tape, end_N)
    quantile_NAHQ = answered_quantiles(shape, levels=LEARNED_LEVELS, head=network.config.head)
    z_NAH, log_ratio_NAH = (
        judged.z_ATH[:, end_N].swapaxes(0, 1),
        judged.log_ratio_ATH[:, end_N].swapaxes(0, 1),
    )
    loss_NAH = _pinball(z_NAH, quantile_NAHQ)
    distance = np.maximum(log_ratio_NAH, np.log(1e-4)) - log_variance
    share = network.config.variance_weight
    loss_NAH = loss_NAH * judged.weight_ATH[:, end_N].swapaxes(0, 1)
    loss_NAH += share * np.where(np.isnan(distance), 0.0, np.expm1(np.minimum(distance, 8)) - distance)
    asked_NAH = ~np.isnan(z_NAH)
    by_horizon = [
        loss_NAH[..., i][asked_NAH[..., i]].mean() for i in range(z_NAH.shape[-1]) if asked_NAH[..., i].any()
    ]
    return float(np.mean(by_horizon))


@torch.no_grad()
def _calibrate(network: CandleNetwork, tape: Tape, judged: Targets, end_N: NDArray[np.int64]) -> None:
    """Widen or narrow each horizon by one factor, to fit the held-out part best.

    What is learned is years old at its mean; the held-out part is the newest that is known. The variance is left alone:
    a few days decide its mean ratio, and a factor taken from them made it worse.
    """
    shape, _ = answers(network, tape, end_N)
    quantile_NAHQ = answered_quantiles(shape, levels=LEARNED_LEVELS, head=network.config.head)
    z_NAH = judged.z_ATH[:, end_N].swapaxes(0, 1)
    for i in range(z_NAH.shape[-1]):
        asked_NA = np.isfinite(z_NAH[..., i])
        if not asked_NA.any():
            continue
        z_M, quantile_MQ = z_NAH[..., i][asked_NA], quantile_NAHQ[..., i, :][asked_NA]
        losses = [_pinball(z_M, quantile_MQ * np.exp(width)).mean() for width in _WIDTHS]
        network.start[i, 0] += float(_WIDTHS[int(np.argmin(losses))])


def _pinball(z: FloatArray, quantile: FloatArray) -> FloatArray:
    """Twice the mean pinball loss over the learned levels, the last axis of `quantile`."""
    levels = np.array(LEARNED_LEVELS)
    error = z[..., None] - quantile
    loss: FloatArray = 2 * np.maximum(levels * error, (levels - 1) * error).mean(-1)
    return loss


def _ends(targets: Targets, config: CandlesConfig) -> NDArray[np.int64]:
    """Newest bars of windows with a target at one of the places that are learned."""
    asked_T = _asked(targets)
    n_bars = len(asked_T)
    end_N = np.arange(n_bars - 1, config.window - 2, -config.align)[::-1]
    back = config.patch * np.arange(max(1, config.n_patches // 2))
    has_N = asked_T[end_N[:, None] - back].any(-1) if len(end_N) else np.zeros(0, bool)
    kept: NDArray[np.int64] = end_N[has_N]
    return kept


def _judged_ends(targets: Targets, config: CandlesConfig) -> NDArray[np.int64]:
    """Windows that end at a judged bar, a patch apart as seen from the newest bar."""
    asked_T = _asked(targets)
    end_N = np.arange(len(asked_T) - 1, config.window - 2, -config.patch)[::-1]
    kept: NDArray[np.int64] = end_N[asked_T[end_N]] if len(end_N) else end_N
    return kept


def _asked(targets: Targets) -> NDArray[np.bool_]:
    """Bars with a target of any asset and horizon."""
    return np.asarray(np.isfinite(targets.z_ATH).any(axis=(0, 2)), np.bool_)


def _begun(targets: Targets) -> tuple[Tensor, Tensor]:
    """Shape and variance of the standardised returns, around nothing: the mean of both sides."""
    quantiles, ratios = [], []
    for z_AT, log_AT in zip(
        np.moveaxis(targets.z_ATH, -1, 0), np.moveaxis(targets.log_ratio_ATH, -1, 0), strict=True
    ):
        z_N = z_AT[np.isfinite(z_AT)]
        z_N = np.concatenate([z_N, -z_N]) if len(z_N) else np.array([-1.0, 0.0, 1.0])
        quantiles.append(np.quantile(z_N, LEARNED_LEVELS))
        ratio = np.exp(log_AT[np.isfinite(z_AT) & ~np.isnan(log_AT)])
        ratios.append(np.log(ratio.mean()) if len(ratio) and ratio.mean() > 0 else 0.0)
    return _float(np.array(quantiles)), _float(np.array(ratios))


def _batch(end_B: NDArray[np.int64]) -> Batch:
    return Batch(
        input_BL=end_B[:, None],
        target_BL=np.zeros((len(end_B), 1), np.int64),
        length_B=np.ones(len(end_B), np.int64),
    )


def _float(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _to(window: Window, device: torch.device) -> Window:
    return Window(
        window.bars_BALX.to(device),
        window.state_BALF.to(device),
        window.calendar_BLK.to(device),
        window.known_BAL.to(device),
    )
