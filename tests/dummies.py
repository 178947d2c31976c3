"""Tiny recommenders with answers that are visible to the eye."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray, Recommender


class CoOccurrenceConfig(BaseModel, frozen=True, extra="forbid"):
    pass


class CoOccurrence(Recommender):
    """Score: how many users had both the item and one of the history, summed over the history's events."""

    kind: ClassVar[str] = "co_occurrence"
    Config: ClassVar[type[BaseModel]] = CoOccurrenceConfig

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        seen = interactions.histories.to_csr(interactions.n_items, binary=True).toarray()
        self.both_ = (seen.T @ seen).astype(np.float32)
        np.fill_diagonal(self.both_, 0)

    def _score(self, histories: Histories) -> FloatArray:
        scores = histories.to_csr(self.n_items).toarray() @ self.both_
        scores[scores == 0] = -np.inf
        return np.asarray(scores, dtype=np.float32)

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        rows = self.both_[item_idx].copy()
        rows[rows == 0] = -np.inf
        return rows

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        wanted = np.repeat(item_idx, histories.lengths, axis=0)
        parts = self.both_[histories.item_idx[:, None], wanted] * histories.weight[:, None]
        return np.asarray(parts, dtype=np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"both": self.both_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.both_ = arrays["both"]


class Opaque(CoOccurrence):
    """The same scores without a reading of their parts."""

    kind: ClassVar[str] = "opaque"

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        return np.full((histories.n_events, item_idx.shape[1]), np.nan, np.float32)


class Staged(CoOccurrence):
    """What nobody looks for but the shop wants to show: a score for everybody, the last item first."""

    kind: ClassVar[str] = "staged"

    def _score(self, histories: Histories) -> FloatArray:
        return np.tile(np.arange(self.n_items, dtype=np.float32), (len(histories), 1))

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        return np.full((histories.n_events, item_idx.shape[1]), np.nan, np.float32)


DUMMIES = {"staged": Staged, "co_occurrence": CoOccurrence, "opaque": Opaque}
