"""A tiny network and tiny batches to train: nothing that any model of the package is made of."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.config import TrainConfig

N_ITEMS = 7


class Bigram(nn.Module):
    """Tells the next item from the last one through a small vector; learns `item + 1` at once."""

    def __init__(self, *, dropout: float = 0.0, draws: bool = False, memory: int | None = None) -> None:
        super().__init__()
        self.vectors = nn.Embedding(N_ITEMS + 1, 4)
        self.out = nn.Linear(4, N_ITEMS)
        self.dropout = nn.Dropout(dropout)
        self.memory, self.draws = memory, draws
        self.sizes: list[tuple[int, ...]] = []

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, int]:
        """Cross-entropy; runs out of memory above `memory` windows, after it has drawn."""
        self.sizes.append(batch.input_BL.shape)
        x_BLD = self.dropout(self.vectors(torch.from_numpy(batch.input_BL)))
        if self.draws:
            x_BLD = x_BLD + 0.1 * torch.randn(x_BLD.shape[-1], generator=generator)
        if self.memory is not None and len(batch.input_BL) > self.memory:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        target_BL = torch.from_numpy(batch.target_BL)
        asked_BL = target_BL >= 0
        n = int(asked_BL.sum())
        return nn.functional.cross_entropy(self.out(x_BLD)[asked_BL], target_BL[asked_BL]), n


def network(seed: int = 0, **options: object) -> Bigram:
    """The same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Bigram(**options)  # type: ignore[arg-type]


def batch(lengths: list[int], seed: int = 0) -> Batch:
    """Windows of these lengths in which `item` is followed by `item + 1`."""
    rng = np.random.default_rng(seed)
    length_B = np.array(lengths, np.int64)
    place_L = np.arange(max(lengths))
    input_BL = (rng.integers(N_ITEMS, size=len(lengths))[:, None] + place_L) % N_ITEMS
    padding_BL = place_L >= length_B[:, None]
    return Batch(
        input_BL=np.where(padding_BL, N_ITEMS, input_BL).astype(np.int64),
        target_BL=np.where(padding_BL, -1, (input_BL + 1) % N_ITEMS).astype(np.int64),
        length_B=length_B,
    )


def joined(batches: list[Batch]) -> Batch:
    """The windows of several batches as one."""
    n_places = max(b.input_BL.shape[1] for b in batches)

    def wide(array: np.ndarray, fill: int) -> np.ndarray:
        return np.pad(array, ((0, 0), (0, n_places - array.shape[1])), constant_values=fill)

    return Batch(
        input_BL=np.concatenate([wide(b.input_BL, N_ITEMS) for b in batches]),
        target_BL=np.concatenate([wide(b.target_BL, -1) for b in batches]),
        length_B=np.concatenate([b.length_B for b in batches]),
    )


def stream(n_batches: int = 3) -> Callable[[int], Iterator[Batch]]:
    """Other batches each epoch, of uneven sizes."""

    def batches(epoch: int) -> Iterator[Batch]:
        for number in range(n_batches):
            yield batch([3, 2, 1 + number], seed=100 * epoch + number)

    return batches


def always(*batches: Batch) -> Callable[[int], Iterator[Batch]]:
    """The same batches each epoch."""
    return lambda _: iter(batches)


def settings(**changed: object) -> TrainConfig:
    """Quick and on one thread."""
    quick = {"n_epochs": 3, "learning_rate": 0.1, "device": "cpu", "n_threads": 1}
    return TrainConfig.model_validate({**quick, **changed})


def weights(one: nn.Module) -> dict[str, Tensor]:
    """Copies of all weights."""
    return {name: value.detach().clone() for name, value in one.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Equal bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference of a weight."""
    return max(float((one[name] - other[name]).abs().max()) for name in one)
