"""CatBoost MultiLogloss: one set of trees for all products, the first system's choice, kept selectable.

All rows, all products at once: rows of holders can't be left out for each product, nor can a product have
weights of its own, so it learns that holders don't add, and held products are masked after.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nextbest.data.panel.masks import unpack_masks
from nextbest.models.products.base import AdditionModel, FloatArray, Frozen, State, sigmoid
from nextbest.models.products.gbm import GBM, GBMConfig, fit_multilabel
from nextbest.models.products.per_product import columns_without
from nextbest.models.products.training import TrainingSet


class CatBoostMultiLoglossConfig(Frozen):
    """Its trees."""

    gbm: GBMConfig = GBMConfig(library="catboost", n_trees=100, max_depth=6, feature_fraction=1.0)
    row_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows that is used."""
    without_groups: tuple[str, ...] = ()


class CatBoostMultiLogloss(AdditionModel):
    """P(add) of every product from one booster with a leaf value for each product."""

    kind: ClassVar[str] = "catboost_multilogloss"
    Config: ClassVar[type[Frozen]] = CatBoostMultiLoglossConfig
    config: CatBoostMultiLoglossConfig

    booster_: GBM
    learned_K: NDArray[np.int64]
    """Products that have both values in the training rows: the loss knows no others; the rest get 0."""

    def _columns(self, train: TrainingSet) -> list[int]:
        return columns_without(train.groups, self.config.without_groups)

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        if self.config.row_fraction < 1:
            train = train.take(rng.random(len(train)) < self.config.row_fraction)
        y_NP = unpack_masks(self._changed(train), n_products=self.n_products)
        self.learned_K = np.flatnonzero(y_NP.any(axis=0) & ~y_NP.all(axis=0))
        self.booster_ = fit_multilabel(
            train.x_NF,
            y_NP[:, self.learned_K],
            train.weight_N,
            config=self.config.gbm,
            rng=rng,
            n_threads=self.n_threads,
        )

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        p_NP = np.zeros(can_NP.shape, np.float32)
        p_NP[:, self.learned_K] = sigmoid(self.booster_.raw(x_NF))
        return p_NP

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        if product not in self.learned_K:
            return np.zeros(x_NF.shape, np.float32)
        return self.booster_.contributions(x_NF, int(np.searchsorted(self.learned_K, product)))

    def _state(self) -> State:
        state = self.booster_.state()
        state.arrays["learned"] = self.learned_K
        return state

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        self.booster_ = GBM.from_state(state, library="catboost", n_threads=self.n_threads)
        self.learned_K = state.arrays["learned"]
        if len(self.learned_K) != self.booster_.n_outputs:
            raise ValueError("products don't fit the booster")
