"""Drawn items that a target has to beat, and how often each of them is to be expected. Knows no loss.

Axes: I items, K negatives, U different items among them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextbest.errors import InputError


@dataclass(frozen=True, eq=False)
class Candidates:
    """Different items with the number of times each stands for."""

    items_U: Tensor  # noqa: N815 - axes in the name, as in the rest of the torch code
    """int64, ascending."""
    times_U: Tensor  # noqa: N815
    """float32; how often each was drawn (or met), 1 or more."""

    @classmethod
    def of(cls, items_K: Tensor) -> "Candidates":
        """Different items of a draw; equal ones are worked out once, which is exact and cheaper."""
        items_U, times_U = torch.unique(items_K, sorted=True, return_counts=True)
        return cls(items_U, times_U.float())

    def column_of(self, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        """Where targets stand among the candidates, as (rows, columns) of those that do."""
        column_N = torch.searchsorted(self.items_U, targets_N).clamp_(max=len(self.items_U) - 1)
        rows = (self.items_U[column_N] == targets_N).nonzero().squeeze(1)
        return rows, column_N[rows]


class NegativeSampler:
    """Draws items with replacement, each with a chance like its count to a power.

    An item without events is never drawn, except at power 0, where all items are alike, or where no item
    has events.

    Parameters
    ----------
    item_counts
        Events of each item in the training log. Shape (I,); 0 or more.
    power
        From 0 (all alike) to 1 (as often as it occurs).

    Attributes
    ----------
    log_q_I
        Log of the chance of each item in one draw. Shape (I,); -inf for an item that is never drawn.
    log_share_I
        Log of each item's share of the events, as if it had one event at least. Shape (I,).

    Raises
    ------
    InputError
        No item, a negative count, or a power outside 0..1.
    """

    def __init__(self, item_counts: NDArray[np.integer], power: float) -> None:
        counts_I = np.asarray(item_counts, dtype=np.float64)
        if counts_I.ndim != 1 or not len(counts_I):
            raise InputError("item_counts", "must hold one count for each item", value=counts_I.shape)
        if (bad := ~(counts_I >= 0)).any():
            raise InputError("item_counts", "must be 0 or more", value=counts_I[bad][:5].tolist())
        if not 0 <= power <= 1:
            raise InputError("power", "must lie between 0 and 1", value=power)
        weight_I = counts_I**power if counts_I.any() else np.ones(len(counts_I))
        cumulative_I = np.cumsum(weight_I / weight_I.sum())
        cumulative_I /= cumulative_I[-1]
        with np.errstate(divide="ignore"):
            log_q_I = np.log(weight_I / weight_I.sum())
        share_I = np.maximum(counts_I, 1)
        self.n_items = len(counts_I)
        self.log_q_I = torch.from_numpy(log_q_I.astype(np.float32))
        self.log_share_I = torch.from_numpy(np.log(share_I / share_I.sum()).astype(np.float32))
        self._cumulative_I = torch.from_numpy(cumulative_I)
        self._copies: dict[tuple[str, torch.device], Tensor] = {}

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Item row numbers of `n` draws on the generator's device, shape (n,), int64.

        Where `n` is the number of items or more, every item once: then nothing is left to chance.

        Raises
        ------
        InputError
            `n` < 1.
        """
        if n < 1:
            raise InputError("n_negatives", "must be 1 or more", value=n)
        device = generator.device
        if n >= self.n_items:
            return torch.arange(self.n_items, device=device)
        chance_K = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        # right=True: the first item whose cumulative chance is above the draw, so never one without a chance
        return torch.searchsorted(self._on(device, "_cumulative_I"), chance_K, right=True)

    def log_expected(self, items_U: Tensor, *, n: int) -> Tensor:
        """Log of how often each of these items is expected among `n` draws, shape (U,), float32."""
        if n >= self.n_items:
            return torch.zeros(len(items_U), device=items_U.device)
        return self._on(items_U.device, "log_q_I")[items_U] + float(np.log(n))

    def log_expected_in_batch(self, items_U: Tensor, *, n: int) -> Tensor:
        """Log of how often each of these items is expected among `n` targets of the log, shape (U,), float32."""
        return self._on(items_U.device, "log_share_I")[items_U] + float(np.log(n))

    def _on(self, device: torch.device, name: str) -> Tensor:
        """A table on the device that asks, copied there once."""
        key = (name, device)
        if key not in self._copies:
            table: Tensor = getattr(self, name)
            self._copies[key] = table.to(device)
        return self._copies[key]
