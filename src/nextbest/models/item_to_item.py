"""Sparse item-to-item models: what both kNN and transitions do once their weights are learned."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextbest.data.interactions import Histories
from nextbest.models.base import FloatArray, Recommender, TopK
from nextbest.models.histories import seen_pairs
from nextbest.models.topk import select_top_k, select_top_k_sparse

FULL = 0.02
"""Share of stored votes above which a block is scanned whole."""
_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


class ItemToItem(Recommender):
    """Each event of a history votes for items through a sparse matrix of positive weights.

    Score: sum over events of event value x weight to the item. No vote = no evidence.
    """

    item_weights_: csr_array
    """Shape (n_items, n_items), > 0 where stored; row = item of the history, column = item voted for."""

    @abstractmethod
    def _event_values(self, histories: Histories) -> FloatArray:
        """What each event's vote counts, shape (n_events,), >= 0."""

    def _score(self, histories: Histories) -> FloatArray:
        scores = self._votes(histories).toarray()
        scores[scores == 0] = -np.inf
        return np.asarray(scores, dtype=np.float32)

    def _votes(self, histories: Histories) -> csr_array:
        """Summed votes, shape (B, n_items); 0 or not stored = no vote."""
        values = self._event_values(histories)
        votes = values > 0
        indptr = np.concatenate([[0], np.cumsum(votes)])[histories.indptr]
        shape = (len(histories), self.n_items)
        return csr_array((values[votes], histories.item_idx[votes], indptr), shape=shape) @ self.item_weights_

    def _top_k_block(
        self,
        histories: Histories,
        *,
        k: int,
        exclude: NDArray[np.bool_],
        allowed: NDArray[np.bool_] | None,
    ) -> TopK:
        """From the sparse votes while they are few; a block of numbers is quicker to scan when they aren't."""
        votes = self._votes(histories)
        seen_rows, seen_items = seen_pairs(histories, exclude)
        if votes.nnz > FULL * len(histories) * self.n_items:
            scores = votes.toarray()
            scores[seen_rows, seen_items] = 0
            if allowed is not None:
                np.copyto(scores, 0, where=~allowed)
            return select_top_k(scores, k=k, floor=_SMALLEST)
        rows = np.repeat(np.arange(len(histories)), np.diff(votes.indptr))
        seen = np.zeros(votes.shape, bool)
        seen[seen_rows, seen_items] = True
        votes.data[seen[rows, votes.indices]] = 0
        if allowed is not None:
            mask = allowed[votes.indices] if allowed.ndim == 1 else allowed[rows, votes.indices]
            votes.data[~mask] = 0
        return select_top_k_sparse(votes, k=k)

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        likeness = self.item_weights_[item_idx].toarray()
        likeness[likeness == 0] = -np.inf
        return np.asarray(likeness, dtype=np.float32)

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        events = np.arange(histories.n_events)[:, None]
        wanted = np.repeat(item_idx, histories.lengths, axis=0)
        weights = self.item_weights_[histories.item_idx][np.broadcast_to(events, wanted.shape), wanted]
        return np.asarray(weights.toarray() * self._event_values(histories)[:, None], dtype=np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        weights = self.item_weights_
        return {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        shape = (self.n_items, self.n_items)
        weights = csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
        weights.check_format(full_check=True)
        self.item_weights_ = weights
