"""Popularity: what most people took, over all time, of late, or among the user's own segment."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeFloat, PositiveFloat

from nextbest.data.ids import UNKNOWN
from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray, Recommender, TopK, no_evidence
from nextbest.models.histories import seen_pairs
from nextbest.models.topk import select_top_k

_DAY_US = 86_400_000_000


class PopularityConfig(BaseModel, frozen=True, extra="forbid"):
    """How events are counted."""

    count: Literal["weight", "users"] = "weight"
    """Sum of event weights (events, where weights are 1), or different users."""
    window_days: PositiveFloat | None = None
    """Only events of this many days before the newest event in `fit` count; None = all. Unit: days."""
    half_life_days: PositiveFloat | None = None
    """An event this much older than the newest one counts half; None = age doesn't matter. Unit: days."""
    by_segment: bool = False
    """Count inside the user's segment; users without one get the overall counts."""
    shrinkage: NonNegativeFloat = 100.0
    """Pull of a segment's shares towards the overall ones; unit: events of the segment (as counted)."""


class Popularity(Recommender):
    """The same list for everyone (of a segment), most popular first; no personal taste, no cold users.

    Score: the item's share of all counted events, 0..1. Items without a counted event have no evidence.
    An empty history is as good as any other. Weights add up (`count="weight"`); times only matter in
    `fit`, against the newest event there, so use windows only on a journal with real time.
    """

    kind: ClassVar[str] = "popularity"
    Config: ClassVar[type[BaseModel]] = PopularityConfig
    config: PopularityConfig

    share_: FloatArray
    """Shape (1 + n_segments, n_items); row 0 overall, row 1 + s of segment s; 0 = no evidence."""

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        histories, n_items = interactions.histories, interactions.n_items
        n_segments = len(self.segment_ids_) if self.config.by_segment and self.segment_ids_ else 0
        value = self._event_values(histories)
        totals = np.zeros((1 + n_segments, n_items))
        totals[0] = np.bincount(histories.item_idx, weights=value, minlength=n_items)
        if n_segments and histories.segment is not None:
            segment = np.repeat(histories.segment, histories.lengths)
            own = segment >= 0
            cells = segment[own].astype(np.int64) * n_items + histories.item_idx[own]
            totals[1:] = np.bincount(cells, weights=value[own], minlength=n_segments * n_items).reshape(
                n_segments, n_items
            )
        overall = totals[0] / max(totals[0].sum(), np.finfo(np.float64).tiny)
        sums = totals[1:].sum(axis=1, keepdims=True)
        pull = self.config.shrinkage
        shares = (totals[1:] + pull * overall) / np.maximum(sums + pull, np.finfo(np.float64).tiny)
        self.share_ = np.vstack([overall, shares]).astype(np.float32)

    def _event_values(self, histories: Histories) -> NDArray[np.float64]:
        """What each event counts, shape (n,), 0 outside the window."""
        value = histories.weight.astype(np.float64)
        age_days = (histories.time_us.max(initial=0) - histories.time_us) / _DAY_US
        if self.config.half_life_days is not None:
            value = value * np.exp2(-age_days / self.config.half_life_days)
        if self.config.window_days is not None:
            value = np.where(age_days <= self.config.window_days, value, 0.0)
        if self.config.count == "weight":
            return value
        # each (user, item) pair counts once, with its best event's decay and without weights
        decay = np.divide(value, histories.weight, dtype=np.float64)
        users = np.repeat(np.arange(len(histories)), histories.lengths)
        order = np.lexsort((-decay, histories.item_idx, users))
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(users[order]) != 0) | (np.diff(histories.item_idx[order]) != 0)
        once = np.zeros(len(order))
        once[order[first]] = decay[order[first]]
        return once

    def _row(self, histories: Histories) -> NDArray[np.int64]:
        """Row of `share_` that each user reads, shape (B,)."""
        if len(self.share_) > 1 and histories.segment is not None:
            return np.asarray(histories.segment, dtype=np.int64) + 1
        return np.zeros(len(histories), np.int64)

    def _score(self, histories: Histories) -> FloatArray:
        scores = self.share_[self._row(histories)]
        scores[scores == 0] = -np.inf
        return scores

    def _users_at_once(self) -> int:
        return 512  # lists are shared: what a user costs is the own history, not the catalogue

    def _top_k_block(
        self,
        histories: Histories,
        *,
        k: int,
        exclude: NDArray[np.bool_],
        allowed: NDArray[np.bool_] | None,
    ) -> TopK:
        """Each list is sorted once, k places and the longest history deep; users then cross out what they saw."""
        if not len(histories) or (allowed is not None and allowed.ndim == 2):
            return super()._top_k_block(histories, k=k, exclude=exclude, allowed=allowed)
        lists, row = np.unique(self._row(histories), return_inverse=True)
        users, items = seen_pairs(histories, exclude)
        n_places = k + int(np.bincount(users, minlength=1).max())
        share = self.share_[lists]
        if allowed is not None:
            share[:, ~allowed] = 0
        best = select_top_k(share, k=n_places, floor=float(np.finfo(np.float32).smallest_subnormal))
        place = np.full(share.shape, n_places)
        found, where = np.nonzero(best.item_idx != UNKNOWN)
        place[found, best.item_idx[found, where]] = where
        crossed = np.zeros((len(histories), n_places + 1), bool)
        crossed[users, place[row[users], items]] = True
        picks = np.argsort(crossed[:, :-1], axis=1, kind="stable")[:, :k]
        none = np.take_along_axis(crossed, picks, axis=1)
        return TopK(
            np.where(none, UNKNOWN, best.item_idx[row[:, None], picks]).astype(np.int32),
            np.where(none, -np.inf, best.score[row[:, None], picks]).astype(np.float32),
        )

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """Popularity knows no likeness: nothing is similar."""
        return no_evidence(len(item_idx), self.n_items)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"share": self.share_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.share_ = arrays["share"]
        if self.share_.ndim != 2 or self.share_.shape[1] != self.n_items:
            raise ValueError(f"share has shape {self.share_.shape}")
