"""How the small networks are taught and asked. Axes: N windows, C closes of a window, H horizons, Q learned levels."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nextbest.market.base import FloatArray
from nextbest.market.candles.network import pinball
from nextbest.models.sequence.batches import Batch

_AT_ONCE = 2048


class Lesson(nn.Module):
    """A network, its windows and their labels (NaN = not asked), as the trainer wants it."""

    def __init__(self, network: nn.Module, path_NC: NDArray[np.float32], label_NH: FloatArray) -> None:
        super().__init__()
        self.network = network
        self._path = torch.from_numpy(path_NC)
        self._label = torch.from_numpy(label_NH.astype(np.float32))

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """Mean of twice the pinball loss over the labels of a batch, and how many they are."""
        return self._loss(torch.from_numpy(batch.input_BL[:, 0]))

    @torch.no_grad()
    def mean_loss(self, row_N: NDArray[np.int64]) -> float:
        """Mean over the labels of these windows."""
        total, n_labels = 0.0, 0
        for start in range(0, len(row_N), _AT_ONCE):
            loss, n = self._loss(torch.from_numpy(row_N[start : start + _AT_ONCE]))
            total, n_labels = total + float(loss) * n, n_labels + n
        return total / n_labels

    def _loss(self, row_N: Tensor) -> tuple[Tensor, int]:
        device = next(self.network.parameters()).device
        label_NH = self._label[row_N].to(device)
        asked_NH = torch.isfinite(label_NH)
        n = int(asked_NH.sum())
        loss_NH = pinball(label_NH.nan_to_num(), self.network(self._path[row_N].to(device)))
        return torch.where(asked_NH, loss_NH, 0.0).sum() / max(n, 1), n


def batch_of(row_B: NDArray[np.int64]) -> Batch:
    """A batch of windows by their numbers."""
    ones = np.ones(len(row_B), np.int64)
    return Batch(input_BL=row_B[:, None], target_BL=ones[:, None], length_B=ones)


@torch.no_grad()
def answered(network: nn.Module, path_NC: NDArray[np.float32]) -> FloatArray:
    """Quantiles in units of the window's deviation times the root of the horizon, (N, H, Q)."""
    network.eval()
    device = next(network.parameters()).device
    found: FloatArray = network(torch.from_numpy(path_NC).to(device)).double().cpu().numpy()
    return found
