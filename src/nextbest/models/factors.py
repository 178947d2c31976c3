"""Factor models: a history becomes a short vector, and a score is its product with the item's vector."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN
from nextbest.data.interactions import Histories
from nextbest.models.base import FloatArray, Recommender, TopK
from nextbest.models.histories import known_rows, seen_pairs
from nextbest.models.inner_product import ITEMS_AT_ONCE, NormOrder, top_k_by_norm
from nextbest.models.topk import BLOCK_CELLS


class FactorModel(Recommender):
    """Score: product of the history's vector and the item's. Negative scores are evidence too.

    An item without events in `fit`, or a history with only such items: no evidence.
    """

    item_vectors_: FloatArray
    """Shape (n_items, embedding_dim); no unit."""
    known_items_: NDArray[np.bool_]
    """Shape (n_items,); items with an event in `fit`."""

    @abstractmethod
    def _user_vectors(self, histories: Histories) -> FloatArray:
        """Vectors of checked histories, shape (B, embedding_dim); anything finite where nothing is known."""

    def user_vectors(self, histories: Histories) -> FloatArray:
        """Vectors of B histories, shape (B, embedding_dim), such that `score` is their product with
        `item_vectors_`; 0 where a history holds no known item.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A history holds a row number that this model doesn't have.
        """
        self._check_histories(histories)
        vectors = self._user_vectors(histories)
        vectors[~known_rows(histories, self.known_items_)] = 0
        return vectors

    def _score(self, histories: Histories) -> FloatArray:
        scores = np.asarray(self._user_vectors(histories) @ self.item_vectors_.T, dtype=np.float32)
        if not self.known_items_.all():
            scores[:, ~self.known_items_] = -np.inf
        scores[~known_rows(histories, self.known_items_)] = -np.inf
        return scores

    def _users_at_once(self) -> int:
        return max(1, BLOCK_CELLS // ITEMS_AT_ONCE)

    def _top_k_block(
        self,
        histories: Histories,
        *,
        k: int,
        exclude: NDArray[np.bool_],
        allowed: NDArray[np.bool_] | None,
    ) -> TopK:
        known = np.flatnonzero(known_rows(histories, self.known_items_))
        some = histories if len(known) == len(histories) else histories.take(known)
        mask = allowed[known] if allowed is not None and allowed.ndim == 2 else allowed
        found = top_k_by_norm(
            self._user_vectors(some),
            self._items_by_norm(),
            k=k,
            excluded=seen_pairs(some, exclude[known]),
            allowed=mask,
        )
        if some is histories:
            return found
        best = TopK(
            np.full((len(histories), k), UNKNOWN, np.int32), np.full((len(histories), k), -np.inf, np.float32)
        )
        best.item_idx[known], best.score[known] = found.item_idx, found.score
        return best

    def _items_by_norm(self) -> NormOrder:
        """Item vectors by length, made at the first question (twice at worst, by two threads)."""
        order: NormOrder | None = getattr(self, "_order", None)
        if order is None or order.source is not self.item_vectors_:
            order = self._order = NormOrder.of(self.item_vectors_, self.known_items_)
        return order

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """Cosine of item vectors; no evidence for an item without an event in `fit`."""
        vectors_IF = self._taste_vectors()
        norm_I = np.linalg.norm(vectors_IF, axis=1)
        unit_IF = vectors_IF / np.maximum(norm_I, np.finfo(np.float32).tiny)[:, None]
        likeness = np.asarray(unit_IF[item_idx] @ unit_IF.T, dtype=np.float32)
        nothing_I = (norm_I == 0) | ~self.known_items_
        likeness[:, nothing_I] = -np.inf
        likeness[nothing_I[item_idx]] = -np.inf
        return likeness

    def _taste_vectors(self) -> FloatArray:
        """What of the item vectors tells whom an item is for; all of it, unless a part tells how popular it is."""
        return self.item_vectors_

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"item_vectors": self.item_vectors_, "known_items": self.known_items_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.item_vectors_, self.known_items_ = arrays["item_vectors"], arrays["known_items"]
        if self.item_vectors_.ndim != 2 or len(self.item_vectors_) != self.n_items:
            raise ValueError(f"item_vectors has shape {self.item_vectors_.shape}")
        if self.known_items_.shape != (self.n_items,):
            raise ValueError(f"known_items has shape {self.known_items_.shape}")
