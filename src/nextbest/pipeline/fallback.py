"""Lists that fill an answer up where the model has no more evidence, down to the catalogue's own order.

A fallback whose scores don't need a history (popularity: overall, of late, by segment) is sorted once for
each segment, when the pipeline is made; any other recommender is asked for the user's own history.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.models.base import FloatArray, Recommender
from nextbest.pipeline.explain import Reason, popularity_reason

CATALOG_SOURCE = "catalog"


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Items with evidence, best first, equal scores in the order of their row numbers."""

    item_idx: NDArray[np.int64]
    """Shape (n,)."""
    score: FloatArray
    """Shape (n,); not increasing."""


def ranking_of(scores: FloatArray) -> Ranking:
    """All finite scores of one row, sorted."""
    places = np.flatnonzero(scores > -np.inf)
    order = places[np.argsort(-scores[places], kind="stable")]
    return Ranking(order, scores[order])


def empty_history(segment: int | None) -> Histories:
    """Nothing is known but the segment (None: nobody has one)."""
    group = None if segment is None else np.array([segment], np.int32)
    nothing = np.zeros(2, np.int64)
    return Histories(nothing, np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64), group)


class Fallback:
    """One recommender of the chain, with its name, its reason and its sorted lists.

    A recommender that answers an empty history is asked with an empty one, for everybody: a fallback has to
    be cheap and the same for all (of a segment).
    """

    def __init__(self, model: Recommender, *, name: str, n_segments: int) -> None:
        self.model, self.name = model, name
        self.n_segments = n_segments
        self._rankings: dict[int, Ranking] = {}
        self._lock = threading.Lock()
        self._overall = self._scores(-1)
        self.reason = popularity_reason(model)
        self.is_personal = self.reason is None and not has_evidence(self._overall)
        """Whether it needs a history: an empty one says nothing about any item."""
        self._by_segment = bool(getattr(model.config, "by_segment", False)) and n_segments > 0
        if not self.is_personal:
            self._rankings[-1] = ranking_of(self._overall)

    def _scores(self, segment: int) -> FloatArray:
        scores: FloatArray = self.model.score(empty_history(segment if self.n_segments else None))[0]
        return scores

    def ranking(self, segment: int) -> Ranking:
        """The list of a segment (-1 = unknown); made on first use, kept for ever."""
        if not self._by_segment:
            segment = -1
        found = self._rankings.get(segment)
        if found is None:
            with self._lock:
                found = self._rankings[segment] = ranking_of(self._scores(segment))
        return found

    def reason_for(self, item_idx: int, score: float, segment: int) -> Reason:
        """Why this item is in the list of this segment."""
        if self.reason is None:
            return Reason("general")
        if self._by_segment and segment >= 0 and score > self._overall[item_idx]:
            return Reason("popular_in_segment")
        return self.reason


def has_evidence(scores: FloatArray) -> bool:
    """Whether one row of scores prefers anything: some item is finite, and not all items are equal."""
    return (
        bool(len(scores))
        and bool(scores.max() > -np.inf)
        and (len(scores) == 1 or bool(scores.max() > scores.min()))
    )


def fallback_name(model: Recommender) -> str:
    """Its `source`: `segment_popularity`, `recent_popularity`, `popularity`, or the kind of another model."""
    if model.kind != "popularity":
        return model.kind
    if getattr(model.config, "by_segment", False):
        return "segment_popularity"
    recent = ("window_days", "half_life_days")
    return "recent_popularity" if any(getattr(model.config, f, None) for f in recent) else "popularity"


def default_fallbacks(*, segments: bool, recent_days: float | None = 28.0) -> list[Recommender]:
    """Popularity by segment, of late, overall; unfitted, to be passed to `Pipeline.fit`.

    Parameters
    ----------
    segments
        Whether the log has segments.
    recent_days
        Window of "of late", days before the newest event; None where the journal has no real time.
    """
    from nextbest.models import make_model

    chain: list[Recommender] = []
    if segments:
        chain.append(make_model("popularity", {"by_segment": True}))
    if recent_days is not None:
        chain.append(make_model("popularity", {"window_days": recent_days}))
    return [*chain, make_model("popularity", {})]


def named_chain(fallbacks: Sequence[Recommender] | Mapping[str, Recommender]) -> dict[str, Recommender]:
    """Fallbacks with their names, in their order; a second one of the same name gets its place as a number."""
    if isinstance(fallbacks, Mapping):
        return dict(fallbacks)
    chain: dict[str, Recommender] = {}
    for place, model in enumerate(fallbacks, start=1):
        name = fallback_name(model)
        chain[name if name not in chain else f"{name}_{place}"] = model
    return chain
