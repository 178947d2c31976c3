"""EASE: the best linear item-to-item model in closed form (Steck, WWW 2019)."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveFloat, PositiveInt

from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import InputError
from nextbest.models.base import FloatArray, Recommender
from nextbest.models.histories import known_rows, once_per_item

_GRAM_BYTES, _WEIGHT_BYTES, _PRODUCT_BYTES = 8, 4, 12
"""A cell of the Gram matrix in double precision, of the weights kept, of the sparse product it comes from."""


class EASEConfig(BaseModel, frozen=True, extra="forbid"):
    """How strongly to regularise, and how much memory the fit may take."""

    regularization: PositiveFloat = 200.0
    """L2 penalty added to the diagonal of the item Gram matrix; unit: users."""
    values: Literal["binary", "weight"] = "binary"
    """What stands in the users x items matrix: 1 for any event, or the sum of event weights."""
    max_memory_mb: PositiveInt = 6_000
    """Refuse to fit when the dense item x item matrices would take more; unit: megabytes (10**6 bytes)."""


class EASE(Recommender):
    """Each item is predicted from all others by ridge regression with a zero diagonal.

    Score: sum of learned item-to-item weights over the items of the history (each once with
    `values="binary"`, times the summed weights otherwise); order and times don't count. Negative scores
    are evidence too. An item without events in `fit`, or a history with only such items: no evidence.
    Memory n_items**2 and time n_items**3: about 10,000 items in a minute on two cores.
    """

    kind: ClassVar[str] = "ease"
    Config: ClassVar[type[BaseModel]] = EASEConfig
    config: EASEConfig

    item_weights_: FloatArray
    """Shape (n_items, n_items); row = item of the history, column = item that is scored; diagonal 0."""
    known_items_: NDArray[np.bool_]
    """Shape (n_items,); items with an event in `fit`."""

    @staticmethod
    def memory_mb(n_items: int, *, n_pairs: int | None = None) -> float:
        """What `fit` takes at its peak for this many items, in megabytes; the model itself keeps a third.

        `n_pairs` bounds the item pairs that share a user (None: all do).
        """
        n_cells = n_items**2
        n_pairs = n_cells if n_pairs is None else min(n_pairs, n_cells)
        return (_GRAM_BYTES * n_cells + max(_PRODUCT_BYTES * n_pairs, _WEIGHT_BYTES * n_cells)) / 1e6

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        from scipy.linalg import lapack

        n_items = interactions.n_items
        n_pairs = int((interactions.histories.lengths**2).sum())
        if (needed := self.memory_mb(n_items, n_pairs=n_pairs)) > self.config.max_memory_mb:
            raise InputError(
                "n_items",
                f"EASE needs {needed:,.0f} MB for {n_items:,} items, max_memory_mb is {self.config.max_memory_mb:,}",
                remedy="raise max_memory_mb, keep fewer items, or use 'item_knn' or 'als'",
            )
        X_UI = interactions.histories.to_csr(n_items, binary=self.config.values == "binary").astype(
            np.float64
        )
        gram_II = (X_UI.T @ X_UI).toarray(order="F")
        self.known_items_ = gram_II.diagonal() > 0
        gram_II[np.diag_indices(n_items)] += self.config.regularization
        if n_items:
            # positive definite, so the Cholesky road: half the work of a general inverse
            factor_II, info = lapack.dpotrf(gram_II, lower=1, overwrite_a=1)
            assert info == 0, "Gram matrix plus a positive diagonal is positive definite"
            gram_II, info = lapack.dpotri(factor_II, lower=1, overwrite_c=1)
            assert info == 0
        precision_I = gram_II.diagonal().copy()
        weights_II = np.empty((n_items, n_items), np.float32)
        for i in range(n_items):
            # only the lower triangle is filled: column i below the diagonal is also row i right of it
            column = gram_II[i:, i]
            weights_II[i:, i] = -column / precision_I[i]
            weights_II[i, i:] = -column / precision_I[i:]
            weights_II[i, i] = 0
        self.item_weights_ = weights_II

    def _score(self, histories: Histories) -> FloatArray:
        X_BI = histories.to_csr(self.n_items, binary=self.config.values == "binary")
        scores = np.asarray(X_BI @ self.item_weights_, dtype=np.float32)
        scores[:, ~self.known_items_] = -np.inf
        scores[~known_rows(histories, self.known_items_)] = -np.inf
        return scores

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """Mean of the two directed weights; only positive ones count as alike."""
        both = (self.item_weights_[item_idx] + self.item_weights_[:, item_idx].T) / 2
        return np.where(both > 0, both, np.float32(-np.inf))

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        own, wanted = histories.item_idx[:, None], np.repeat(item_idx, histories.lengths, axis=0)
        weighted = self.config.values == "weight"
        value = histories.weight if weighted else once_per_item(histories, self.n_items)
        return np.asarray(self.item_weights_[own, wanted] * value[:, None], dtype=np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"item_weights": self.item_weights_, "known_items": self.known_items_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.item_weights_, self.known_items_ = arrays["item_weights"], arrays["known_items"]
        if self.item_weights_.shape != (self.n_items, self.n_items):
            raise ValueError(f"item_weights has shape {self.item_weights_.shape}")
        if self.known_items_.shape != (self.n_items,):
            raise ValueError(f"known_items has shape {self.known_items_.shape}")
