"""Item kNN: items taken by the same users (cosine, tf-idf, BM25), nearest neighbours only."""

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.sparse import csr_array, vstack

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray
from nextbest.models.histories import once_per_item
from nextbest.models.item_to_item import ItemToItem
from nextbest.models.topk import keep_best

_PRODUCTS_AT_ONCE = 20_000_000


class ItemKNNConfig(BaseModel, frozen=True, extra="forbid"):
    """Which likeness, and how many neighbours of an item vote."""

    weighting: Literal["cosine", "tfidf", "bm25"] = "cosine"
    """How the users x items matrix is weighted before items are compared; `bm25` is not normalised."""
    n_neighbours: PositiveInt = 200
    """Strongest neighbours kept for each item, itself not counted."""
    shrinkage: NonNegativeFloat = 20.0
    """Added to the product of the two norms (cosine, tfidf): few common users then mean less likeness."""
    bm25_k1: PositiveFloat = 100.0
    """Saturation of repeated events (`bm25` only)."""
    bm25_b: float = Field(default=0.8, ge=0, le=1)
    """How much an item's popularity is held against it, 0..1 (`bm25` only)."""
    values: Literal["binary", "weight"] = "binary"
    """What an item of a history counts, in `fit` and in `score`: 1, or the sum of its events' weights."""


class ItemKNN(ItemToItem):
    """Items whose users are the users of the items in the history; order and times don't count.

    Likeness of items: `dot(a, b) / (norm_a * norm_b + shrinkage)` over weighted users; `bm25`: the dot
    product alone. tf-idf: `sqrt(value) * log(1 + n_items / items of the user)`, so that users who take
    everything count less; BM25 (Robertson) with items as documents and that same, never negative idf.
    Score: sum of likeness over the history. An item that only shares no user with it has no evidence.
    """

    kind: ClassVar[str] = "item_knn"
    Config: ClassVar[type[BaseModel]] = ItemKNNConfig
    config: ItemKNNConfig

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        n_items = interactions.n_items
        X_UI = interactions.histories.to_csr(n_items, binary=self.config.values == "binary")
        X_UI.data = self._weighted(X_UI)
        X_IU = X_UI.T.tocsr()
        norm_I = np.sqrt(np.bincount(X_UI.indices, weights=X_UI.data**2, minlength=n_items))
        # products of an item row = lengths of its users' rows; bounds the block, not the catalogue
        work = np.concatenate([[0], np.cumsum(np.diff(X_UI.indptr)[X_IU.indices])])[X_IU.indptr]
        steps = np.searchsorted(work, np.arange(0, work[-1], _PRODUCTS_AT_ONCE), side="left")
        borders = np.unique(np.concatenate([[0], steps, [n_items]]))
        parts = [csr_array((0, n_items), dtype=np.float32)]
        for first, last in pairwise(borders):
            likeness = X_IU[first:last] @ X_UI
            rows = np.repeat(np.arange(first, last), np.diff(likeness.indptr))
            if self.config.weighting != "bm25":
                both = norm_I[rows] * norm_I[likeness.indices] + self.config.shrinkage
                likeness.data = (likeness.data / both).astype(np.float32)
            likeness.data[rows == likeness.indices] = 0
            parts.append(keep_best(likeness, n=self.config.n_neighbours))
        self.item_weights_ = vstack(parts, format="csr", dtype=np.float32)
        self.item_weights_.sort_indices()

    def _weighted(self, X_UI: csr_array) -> FloatArray:
        """New values of the users x items matrix, shape (nnz,)."""
        n_items = X_UI.shape[1]
        if self.config.weighting == "cosine":
            return np.asarray(X_UI.data, dtype=np.float32)
        per_user = np.diff(X_UI.indptr)
        idf_U = np.log1p(n_items / np.maximum(per_user, 1))
        idf = np.repeat(idf_U, per_user)
        if self.config.weighting == "tfidf":
            return np.asarray(np.sqrt(X_UI.data) * idf, dtype=np.float32)
        length_I = np.bincount(X_UI.indices, weights=X_UI.data, minlength=n_items)
        b, k1 = self.config.bm25_b, self.config.bm25_k1
        norm_I = (1 - b) + b * length_I * n_items / max(length_I.sum(), np.finfo(np.float64).tiny)
        return np.asarray(X_UI.data * (k1 + 1) / (k1 * norm_I[X_UI.indices] + X_UI.data) * idf, np.float32)

    def _event_values(self, histories: Histories) -> FloatArray:
        if self.config.values == "weight":
            return histories.weight
        return once_per_item(histories, self.n_items)
