"""Truncated SVD (PureSVD): the users x items matrix through its strongest directions."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt
from scipy.sparse import csr_array

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray
from nextbest.models.factors import FactorModel
from nextbest.models.histories import once_per_item


class TruncatedSVDConfig(BaseModel, frozen=True, extra="forbid"):
    """How many directions, and how much popular items weigh."""

    embedding_dim: PositiveInt = 64
    """Singular directions kept; fewer where the matrix has a lower rank."""
    item_power: float = Field(default=0.0, ge=0, le=1)
    """Columns are divided by the norm of the item to this power before the decomposition (as in EigenRec):
    0 = PureSVD, 1 = all items weigh alike."""
    values: Literal["binary", "weight"] = "binary"
    """What stands in the users x items matrix: 1 for any event, or the sum of event weights."""


class TruncatedSVD(FactorModel):
    """A history is projected on the item side of the decomposition and back (Cremonesi et al., RecSys 2010).

    Score: `x V V'` with the history's row x over items; order and times don't count. One road for all users:
    nothing of a user is kept, unseen ones are folded in exactly like the fitted ones.
    """

    kind: ClassVar[str] = "svd"
    Config: ClassVar[type[BaseModel]] = TruncatedSVDConfig
    config: TruncatedSVDConfig

    projection_: FloatArray
    """Shape (n_items, embedding_dim); an item's own part in the vector of a history."""

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        X_UI = self._matrix(interactions.histories, interactions.n_items).astype(np.float64)
        norm_I = np.sqrt(np.bincount(X_UI.indices, weights=X_UI.data**2, minlength=interactions.n_items))
        self.known_items_ = norm_I > 0
        scale_I = np.where(self.known_items_, norm_I, 1.0) ** -self.config.item_power
        X_UI.data *= scale_I[X_UI.indices]
        V_IF = _right_vectors(X_UI, min(self.config.embedding_dim, *X_UI.shape), rng)
        self.projection_ = (scale_I[:, None] * V_IF).astype(np.float32)
        self.item_vectors_ = V_IF.astype(np.float32)

    def _matrix(self, histories: Histories, n_items: int) -> csr_array:
        return histories.to_csr(n_items, binary=self.config.values == "binary")

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        weighted = self.config.values == "weight"
        value = histories.weight if weighted else once_per_item(histories, self.n_items)
        own_NF = value[:, None] * self.projection_[histories.item_idx]
        parts = np.empty((histories.n_events, item_idx.shape[1]), np.float32)
        for b, items in enumerate(item_idx):
            row = histories.row(b)
            parts[row] = own_NF[row] @ self.item_vectors_[items].T
        return parts

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**super()._arrays(), "projection": self.projection_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        super()._restore(arrays)
        self.projection_ = arrays["projection"]
        if self.projection_.shape != self.item_vectors_.shape:
            raise ValueError(f"projection has shape {self.projection_.shape}")

    def _user_vectors(self, histories: Histories) -> FloatArray:
        return np.asarray(self._matrix(histories, self.n_items) @ self.projection_, dtype=np.float32)


def _right_vectors(X_UI: csr_array, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The `n` strongest right singular vectors, shape (n_items, n or fewer), strongest first.

    Lanczos where n is well below the rank, else the smaller Gram matrix whole (it is n x n or little more).
    """
    from scipy.sparse.linalg import svds

    smaller = min(X_UI.shape)
    if n < 1 or not X_UI.nnz:
        return np.zeros((X_UI.shape[1], 0))
    if 2 * n < smaller:
        _, values, Vt_FI = svds(X_UI, k=n, v0=rng.standard_normal(smaller), return_singular_vectors="vh")
        V_IF = Vt_FI.T
    elif X_UI.shape[1] == smaller:
        squares, V_IF = np.linalg.eigh((X_UI.T @ X_UI).toarray())
        values = np.sqrt(np.maximum(squares, 0))
    else:
        squares, U_UF = np.linalg.eigh((X_UI @ X_UI.T).toarray())
        values = np.sqrt(np.maximum(squares, 0))
        V_IF = (X_UI.T @ U_UF) / np.maximum(values, np.finfo(np.float64).tiny)
    strongest = np.argsort(-values, kind="stable")[:n]
    real = strongest[
        values[strongest] > 1e-7 * values.max()
    ]  # below lies the rounding error of a Gram matrix
    return np.asarray(V_IF[:, real])
