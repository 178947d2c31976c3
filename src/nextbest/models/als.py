"""ALS: matrix factorisation for implicit feedback (Hu, Koren & Volinsky, ICDM 2008)."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeInt, PositiveFloat, PositiveInt
from scipy.sparse import csr_array

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray
from nextbest.models.factors import FactorModel
from nextbest.models.folding import fold_in, precision_matrix, toward_items
from nextbest.models.threads import single_threaded_blas


class ALSConfig(BaseModel, frozen=True, extra="forbid"):
    """Size, strength and length of the factorisation."""

    embedding_dim: PositiveInt = 64
    """Length of user and item vectors."""
    regularization: PositiveFloat = 0.01
    """L2 penalty on both sides; unit: squared vector length per user or item."""
    alpha: PositiveFloat = 5.0
    """Confidence of an item in a history is 1 + alpha x its summed event weights; of any other item 1."""
    n_iterations: PositiveInt = 15
    """Rounds over users and items."""
    keep_user_vectors: bool = True
    """Keep the vectors of the fitted histories (4 x embedding_dim bytes a user), so that a batch over known,
    unchanged users costs no solving; scores are the same without."""
    n_threads: NonNegativeInt = 0
    """Threads of `fit`; 0 = all cores. The result doesn't depend on it."""


class ALS(FactorModel):
    """Confidence-weighted least squares; a history's vector is the exact solution given the item vectors.

    Score: product of the two vectors, about 0..1. Event weights of an item add up to its confidence;
    order and times don't count. A history that is the same as in `fit` (a fingerprint of its items and
    weights tells) gets the vector computed then, any other is solved for: the same numbers up to rounding,
    so that a user's first new event doesn't move them to another model. `fit` is implicit's.
    """

    kind: ClassVar[str] = "als"
    Config: ClassVar[type[BaseModel]] = ALSConfig
    config: ALSConfig

    precision_: NDArray[np.float64]
    """Shape (embedding_dim, embedding_dim); what all users share in the normal equations: Y'Y + regularization."""
    covariance_: FloatArray
    """Its inverse, same shape."""
    fingerprints_: NDArray[np.uint64]
    """Shape (n,); of the different fitted histories, ascending."""
    fitted_vectors_: FloatArray
    """Shape (n, embedding_dim); row n belongs to fingerprint n."""

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        histories, n_items = interactions.histories, interactions.n_items
        self.known_items_ = np.bincount(histories.item_idx, minlength=n_items) > 0
        self.item_vectors_ = np.zeros((n_items, self.config.embedding_dim), np.float32)
        if histories.n_events:
            self.item_vectors_ = self._factorise(histories.to_csr(n_items), rng)
            self.item_vectors_[~self.known_items_] = 0
        self.precision_ = precision_matrix(self.item_vectors_, self.config.regularization)
        self.covariance_ = np.linalg.inv(self.precision_).astype(np.float32)
        self.fingerprints_ = np.empty(0, np.uint64)
        self.fitted_vectors_ = np.empty((0, self.config.embedding_dim), np.float32)
        if self.config.keep_user_vectors:
            prints, first = np.unique(fingerprint(histories), return_index=True)
            self.fitted_vectors_ = self._solve(histories.take(first))
            self.fingerprints_ = prints

    def _factorise(self, X_UI: csr_array, rng: np.random.Generator) -> FloatArray:
        """Item vectors by implicit's conjugate gradient, shape (n_items, embedding_dim)."""
        from implicit.cpu.als import AlternatingLeastSquares  # before the limit: it brings a BLAS along
        from scipy.sparse import csr_matrix

        confidence = csr_matrix(X_UI)
        confidence.data = (1 + self.config.alpha * confidence.data).astype(np.float32)
        # implicit starts its own threads: with BLAS threads on top it gets slower, and says so in a warning
        with single_threaded_blas():
            model = AlternatingLeastSquares(
                factors=self.config.embedding_dim,
                regularization=self.config.regularization,
                iterations=self.config.n_iterations,
                num_threads=self.config.n_threads,
                random_state=rng,
            )
            model.fit(confidence, show_progress=False)
        return np.asarray(model.item_factors, dtype=np.float32)

    def _user_vectors(self, histories: Histories) -> FloatArray:
        vectors = np.empty((len(histories), self.config.embedding_dim), np.float32)
        found = np.zeros(len(histories), bool)
        if len(self.fingerprints_):
            prints = fingerprint(histories)
            place = np.minimum(np.searchsorted(self.fingerprints_, prints), len(self.fingerprints_) - 1)
            found = self.fingerprints_[place] == prints
            vectors[found] = self.fitted_vectors_[place[found]]
        if not found.all():
            vectors[~found] = self._solve(histories.take(np.flatnonzero(~found)))
        return vectors

    def _solve(self, histories: Histories) -> FloatArray:
        X_BI = histories.to_csr(len(self.item_vectors_))
        return fold_in(
            X_BI,
            self.item_vectors_,
            precision=self.precision_,
            covariance=self.covariance_,
            alpha=self.config.alpha,
        )

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        """Hu et al., section 5: the scores as sums over the history's items, split by event weight."""
        n_items = len(self.item_vectors_)
        users = np.repeat(np.arange(len(histories)), histories.lengths)
        pairs, pair_of = np.unique(users * n_items + histories.item_idx, return_inverse=True)
        weight = np.bincount(pair_of, weights=histories.weight, minlength=len(pairs))
        indptr = np.searchsorted(pairs, np.arange(len(histories) + 1) * n_items)
        toward_NK = toward_items(
            pairs % n_items,
            np.asarray(weight, dtype=np.float64),
            indptr,
            item_idx,
            self.item_vectors_,
            precision=self.precision_,
            covariance=self.covariance_,
            alpha=self.config.alpha,
        )
        share = histories.weight / weight[pair_of] * (1 + self.config.alpha * weight[pair_of])
        return np.asarray(toward_NK[pair_of] * share.astype(np.float32)[:, None], dtype=np.float32)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            **super()._arrays(),
            "precision": self.precision_,
            "fingerprints": self.fingerprints_,
            "fitted_vectors": self.fitted_vectors_,
        }

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        super()._restore(arrays)
        self.precision_ = arrays["precision"]
        self.fingerprints_, self.fitted_vectors_ = arrays["fingerprints"], arrays["fitted_vectors"]
        dim = self.config.embedding_dim
        if self.item_vectors_.shape[1] != dim or self.precision_.shape != (dim, dim):
            raise ValueError(f"item_vectors has shape {self.item_vectors_.shape}")
        self.covariance_ = np.linalg.inv(self.precision_).astype(np.float32)
        if self.fitted_vectors_.shape != (len(self.fingerprints_), dim):
            raise ValueError(f"fitted_vectors has shape {self.fitted_vectors_.shape}")


def fingerprint(histories: Histories) -> NDArray[np.uint64]:
    """A number for what ALS reads of each history: items and weights, in any order. Shape (B,).

    Different histories share one with probability 2**-64 a pair.
    """
    keys = histories.item_idx.astype(np.uint64) << np.uint64(32) | histories.weight.view(np.uint32)
    mixed = _mixed(keys)
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])  # wraps on purpose
    sums = total[histories.indptr[1:]] - total[histories.indptr[:-1]]
    return _mixed(sums + histories.lengths.astype(np.uint64))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele et al. 2014): every input bit moves every output bit."""
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
