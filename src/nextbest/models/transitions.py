"""Transition counts: what is taken soon after what. The counting model that equals published transformers."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray
from nextbest.models.item_to_item import ItemToItem
from nextbest.models.topk import keep_best

_PAIRS_AT_ONCE = 4_000_000
_NEGLIGIBLE = 1e-7


class TransitionsConfig(BaseModel, frozen=True, extra="forbid"):
    """How pairs are counted in `fit`, and how a history is read in `score`.

    The defaults reach 86-100 % of the NDCG@10 that a search reaches on the validation items of five public
    sets (docs/rooms/models.md).
    """

    window: PositiveInt = 20
    """Two events of a user make a pair when at most this many places lie between them; unit: events."""
    decay: float = Field(default=0.85, gt=0, le=1)
    """A pair one place further apart counts this much of the nearer one, in (0, 1]."""
    history_decay: float = Field(default=0.7, gt=0, le=1)
    """The event before the newest votes this much of the newest one, and so on, in (0, 1]."""
    history_length: PositiveInt | None = 100
    """Newest events of a history that vote; None = all. Unit: events."""
    backward: float = Field(default=0.0, ge=0, le=1)
    """A pair counts this much in the other direction too, 0..1: 1 = symmetric, for a journal whose order
    means little."""
    source_power: NonNegativeFloat = 0.5
    """Votes of an item are divided by its count to this power: 0 = raw, 1 = per event."""
    target_power: NonNegativeFloat = 0.25
    """Votes for an item are divided by its count to this power: 0 favours popular, 1 rare items."""
    shrinkage: NonNegativeFloat = 20.0
    """Added to every item's count before the powers, so that rare items aren't trusted blindly; unit: events."""
    n_neighbours: PositiveInt | None = 1000
    """Strongest votes kept for each item; None = all."""
    values: Literal["binary", "weight"] = "binary"
    """What an event counts, as the later one of a pair and as a voter: 1, or its weight."""


class Transitions(ItemToItem):
    """Items that followed the user's latest items in other histories.

    Pair (a, b), b at most `window` places after a: `decay ** (places - 1)` in `fit`, summed, divided by
    `(count_a + shrinkage) ** source_power * (count_b + shrinkage) ** target_power`. Score: sum over the
    history of `history_decay ** (events since)` x that. Order counts, time doesn't: events of one moment
    count in the journal's order. Repeats count, also of an item after itself.
    """

    kind: ClassVar[str] = "transitions"
    Config: ClassVar[type[BaseModel]] = TransitionsConfig
    config: TransitionsConfig

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        histories, n_items = interactions.histories, interactions.n_items
        counts = csr_array((n_items, n_items), dtype=np.float32)
        per_block = max(1, _PAIRS_AT_ONCE // self.config.window)
        ends = np.arange(per_block, histories.n_events + per_block, per_block)
        borders = np.unique(np.concatenate([[0], np.searchsorted(histories.indptr, ends), [len(histories)]]))
        for first, last in zip(borders[:-1], np.minimum(borders[1:], len(histories)), strict=True):
            counts = counts + self._pairs(histories.take(slice(int(first), int(last))), n_items)
        if self.config.backward:
            counts = (counts + self.config.backward * counts.T).tocsr()
        events = np.bincount(histories.item_idx, weights=self._weights(histories), minlength=n_items)
        base = np.maximum(events + self.config.shrinkage, np.finfo(np.float64).tiny)
        rows = np.repeat(np.arange(n_items), np.diff(counts.indptr))
        divisor = base[rows] ** self.config.source_power * base[counts.indices] ** self.config.target_power
        counts.data = (counts.data / divisor).astype(np.float32)
        if self.config.n_neighbours is not None:
            counts = keep_best(counts, n=self.config.n_neighbours)
        counts.sort_indices()
        self.item_weights_ = counts

    def _pairs(self, histories: Histories, n_items: int) -> csr_array:
        """Decayed pair counts of some users, shape (n_items, n_items)."""
        items, weight = histories.item_idx, self._weights(histories)
        users = np.repeat(np.arange(len(histories), dtype=np.int32), histories.lengths)
        sources, targets, values = [], [], []
        for places in range(1, self.config.window + 1):
            same = np.flatnonzero(users[places:] == users[:-places])
            if not len(same):
                break
            sources.append(items[same])
            targets.append(items[same + places])
            values.append(weight[same + places] * np.float32(self.config.decay ** (places - 1)))
        if not sources:
            return csr_array((n_items, n_items), dtype=np.float32)
        cells = (np.concatenate(sources), np.concatenate(targets))
        pairs = csr_array((np.concatenate(values), cells), shape=(n_items, n_items), dtype=np.float32)
        pairs.sum_duplicates()
        return pairs

    def _weights(self, histories: Histories) -> FloatArray:
        if self.config.values == "weight":
            return histories.weight
        return np.ones(histories.n_events, np.float32)

    def _event_values(self, histories: Histories) -> FloatArray:
        since = np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(histories.n_events)
        values = np.power(self.config.history_decay, since, dtype=np.float64) * self._weights(histories)
        if self.config.history_length is not None:
            values[since >= self.config.history_length] = 0
        values[values < _NEGLIGIBLE] = 0  # too small to move a sum of single precision numbers
        return np.asarray(values, dtype=np.float32)
