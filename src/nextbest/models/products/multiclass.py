"""Which product, given that something is added: one booster over adders alone, the Kaggle trick made exact.

Cheap, because adders are 3 % of the clients, and sharp, because products compete for the same addition.
Axes: N rows, P products, K products that a booster could learn.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from nextbest.data.panel.masks import unpack_masks
from nextbest.errors import DataError
from nextbest.models.products.base import AdditionModel, FloatArray, Frozen, State
from nextbest.models.products.gbm import GBM, BinnedRows, GBMConfig, fit_choice, softmax
from nextbest.models.products.per_product import columns_without
from nextbest.models.products.training import TrainingSet

_BLOCK_ROWS = 50_000


class MulticlassConfig(Frozen):
    """What counts as one choice."""

    gbm: GBMConfig = GBMConfig()
    unit: Literal["addition", "client"] = "addition"
    """`addition`: a client who adds m products counts m times, and shares are of additions. `client`: counts
    once, each product 1 / m, which is its share in the average precision of that client."""
    min_positives: PositiveInt = 50
    """A product with fewer additions gets its constant share instead of trees; unit: rows."""
    without_groups: tuple[str, ...] = ()
    """Reason groups (or their heads before `:`) whose features are left out."""


class Multiclass(AdditionModel):
    """Share of each product in the additions of a client who adds something; rows sum to 1 over what isn't held.

    A softmax over the products that the client doesn't hold (`gbm.fit_choice`). No P(add) by itself: multiply
    by P(any addition) and the number of additions (`two_stage`).
    """

    kind: ClassVar[str] = "multiclass"
    Config: ClassVar[type[Frozen]] = MulticlassConfig
    config: MulticlassConfig

    booster_: GBM
    learned_K: NDArray[np.int64]
    """Products with an output of the booster, ascending."""
    log_share_P: NDArray[np.float64]
    """Constant log-score of each product, for those without an output; -inf for one never added."""

    def _columns(self, train: TrainingSet) -> list[int]:
        return columns_without(train.groups, self.config.without_groups)

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        config = self.config
        adders = train.take(self._changed(train) != 0)
        added_NP = unpack_masks(self._changed(adders), n_products=self.n_products)
        n_P = added_NP.sum(axis=0)
        self.learned_K = np.flatnonzero(n_P >= config.min_positives)
        if len(self.learned_K) < 2:
            raise DataError(
                "train",
                f"needs two products with {config.min_positives} additions or more",
                examples=np.sort(n_P)[::-1][:5].tolist(),
                remedy="more months, or a smaller min_positives",
            )
        can_NP = self._can(unpack_masks(adders.held_N, n_products=self.n_products))
        added_NK, can_NK = added_NP[:, self.learned_K], can_NP[:, self.learned_K]
        m_N = added_NK.sum(axis=1)
        chose = m_N > 0
        target_NK = added_NK[chose] / m_N[chose, None]
        weight_N = adders.weight_N[chose] * (m_N[chose] if config.unit == "addition" else 1)
        binned = BinnedRows(adders.x_NF[chose], config=config.gbm, n_threads=self.n_threads)
        self.booster_ = fit_choice(binned, target_NK, can_NK[chose], weight_N, rng=rng, progress=progress)
        self.log_share_P = self._constant_scores(adders, added_NP, can_NP)

    def _constant_scores(
        self, adders: TrainingSet, added_NP: NDArray[np.bool_], can_NP: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Log-scores that give products without an output their share beside the booster's."""
        score_P = np.full(self.n_products, -np.inf)
        rest = np.setdiff1d(np.flatnonzero(added_NP.any(axis=0)), self.learned_K)
        if len(rest):
            raw_NK = self.booster_.raw(adders.x_NF)
            shut_NK = np.where(can_NP[:, self.learned_K], raw_NK, -np.inf)
            mass_N = np.exp(shut_NK - shut_NK.max()).sum(axis=1)
            top = float(shut_NK.max())
            for p in rest:
                free = can_NP[:, p]
                weight_N = adders.weight_N[free]
                odds = (weight_N @ added_NP[free, p]) / weight_N.sum()
                score_P[p] = np.log(odds) + np.log(np.average(mass_N[free], weights=weight_N)) + top
        return score_P

    def scores(self, x_NF: FloatArray) -> NDArray[np.float64]:
        """Log-scores of all products, held or not; -inf for one never added. Shape (N, P)."""
        score_NP = np.tile(self.log_share_P, (len(x_NF), 1))
        score_NP[:, self.learned_K] = self.booster_.raw(x_NF)
        return score_NP

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        share_NP = np.empty(can_NP.shape, np.float32)
        for start in range(0, len(x_NF), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            share_NP[rows] = softmax(np.where(can_NP[rows], self.scores(x_NF[rows]), -np.inf))
        return share_NP

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        """Parts of the product's log-score (not of its share, which depends on the other products too)."""
        if product not in self.learned_K:
            return np.zeros(x_NF.shape, np.float32)
        return self.booster_.contributions(x_NF, int(np.searchsorted(self.learned_K, product)))

    def _state(self) -> State:
        state = self.booster_.state()
        state.arrays |= {"learned": self.learned_K, "log_share": self.log_share_P}
        return state

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        self.booster_ = GBM.from_state(state, library=self.config.gbm.library, n_threads=self.n_threads)
        self.learned_K, self.log_share_P = state.arrays["learned"], state.arrays["log_share"]
        if len(self.learned_K) != self.booster_.n_outputs or len(self.log_share_P) != self.n_products:
            raise ValueError("shares don't fit the booster")
