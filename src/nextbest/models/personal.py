"""Personal top: what this user took most, of late; the baseline to beat wherever people buy again."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from scipy.sparse import csr_array

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray, Recommender, no_evidence


class PersonalConfig(BaseModel, frozen=True, extra="forbid"):
    """How fast a purchase is forgotten."""

    decay: float = Field(default=0.9, gt=0, le=1)
    """A purchase counts `decay` ** (later baskets of the user); a basket is all events of one moment."""
    fill_popular: bool = True
    """Give items the user never took their popularity, below all own items; else they have no evidence."""


class Personal(Recommender):
    """A user's own items by decayed frequency, then everybody's by popularity (GP-Top, recency aware).

    Score: sum over the user's events of the item of weight x decay ** (baskets since), always > 0; for
    items the user never took the share of all events minus 1, so below 0 and in order of popularity (`fill_popular`). Use
    it with `exclude_seen=False`; without repeats it is popularity. An empty history, and an item without events
    in `fit`, have no evidence.
    Li et al. 2023 ("A Next Basket Recommendation Reality Check") name it GP-TopFreq; the decay is the
    recency weight of Hu et al. 2020 (TIFU-KNN) without its groups.
    """

    kind: ClassVar[str] = "personal"
    Config: ClassVar[type[BaseModel]] = PersonalConfig
    config: PersonalConfig

    share_: FloatArray
    """Shape (n_items,); share of all events, 0 = nobody took it: no evidence."""

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        weight = interactions.histories.weight.astype(np.float64)
        total = np.bincount(interactions.histories.item_idx, weights=weight, minlength=interactions.n_items)
        self.share_ = (total / max(total.sum(), np.finfo(np.float64).tiny)).astype(np.float32)

    def _event_values(self, histories: Histories) -> NDArray[np.float64]:
        """Decayed weight of each event, shape (n_events,), > 0."""
        n = histories.n_events
        if n == 0:
            return np.zeros(0)
        starts_basket = np.ones(n, bool)
        starts_basket[1:] = np.diff(histories.time_us) != 0
        starts_basket[histories.indptr[:-1][histories.lengths > 0]] = True
        basket = np.cumsum(starts_basket)
        last = np.repeat(basket[np.maximum(histories.indptr[1:] - 1, 0)], histories.lengths)
        value = histories.weight * self.config.decay ** (last - basket).astype(np.float64)
        return np.asarray(np.maximum(value, np.finfo(np.float32).tiny))

    def _score(self, histories: Histories) -> FloatArray:
        filled = (self.share_ > 0) & self.config.fill_popular
        popular = np.where(filled, self.share_ - 1, -np.inf).astype(np.float32)
        scores = np.tile(popular, (len(histories), 1))
        own = csr_array(
            (self._event_values(histories), histories.item_idx, histories.indptr),
            shape=(len(histories), self.n_items),
            copy=True,
        )
        own.sum_duplicates()
        rows = np.repeat(np.arange(len(histories)), np.diff(own.indptr))
        known = self.share_[own.indices] > 0
        scores[rows[known], own.indices[known]] = own.data[known]
        scores[histories.lengths == 0] = -np.inf
        return scores

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        own = histories.item_idx[:, None] == np.repeat(item_idx, histories.lengths, axis=0)
        parts = np.where(own, self._event_values(histories)[:, None], 0).astype(np.float32)
        if self.config.fill_popular:
            users = np.repeat(np.arange(len(histories)), histories.lengths)
            events, places = np.nonzero(own)
            taken = np.zeros(item_idx.shape, np.bool_)
            taken[users[events], places] = True
            parts[~taken[users]] = np.nan  # such a score is popularity, which no event adds to
        return parts

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """Own frequency knows no likeness of items."""
        return no_evidence(len(item_idx), self.n_items)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"share": self.share_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.share_ = arrays["share"]
        if self.share_.shape != (self.n_items,):
            raise ValueError(f"share has shape {self.share_.shape}")
