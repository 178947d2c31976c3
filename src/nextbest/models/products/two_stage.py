"""P(any addition) x P(product | addition): two small problems instead of one for each product.

Axes: N rows, P products.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from nextbest.data.panel.masks import count_products, unpack_masks
from nextbest.models.products.base import AdditionModel, FloatArray, Frozen, State, sigmoid
from nextbest.models.products.gbm import GBM, BinnedRows, GBMConfig, fit_binary, fit_count
from nextbest.models.products.multiclass import Multiclass, MulticlassConfig
from nextbest.models.products.per_product import columns_without
from nextbest.models.products.training import TrainingSet

_BLOCK_ROWS = 50_000
_MOST_MORE = 3.0
"""Expected further additions are cut there: the booster of counts may stray on rare rows."""


class TwoStageConfig(Frozen):
    """The stages."""

    any: GBMConfig = GBMConfig()
    """Whether anything is added, and how much more than one."""
    choice: MulticlassConfig = MulticlassConfig()
    """Which product; `unit` must be `addition` for the parts to multiply to P(add)."""
    negatives: PositiveFloat = 3.0
    """Clients who add nothing drawn for each adder."""
    max_positives: PositiveInt = 100_000
    """Adders drawn for the first stage at most."""


class TwoStage(AdditionModel):
    """P(add p) = P(any) x E[additions | any] x share of p, times a factor that meets each product's total.

    The factor comes from the training set: its weighted additions over the weighted sum of the product.
    """

    kind: ClassVar[str] = "two_stage"
    Config: ClassVar[type[Frozen]] = TwoStageConfig
    config: TwoStageConfig

    any_: GBM
    more_: GBM
    """Log of the expected additions past the first, of adders."""
    choice_: Multiclass
    factor_P: NDArray[np.float64]

    def _columns(self, train: TrainingSet) -> list[int]:
        return columns_without(train.groups, self.config.choice.without_groups)

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        config = self.config
        any_rng, more_rng, choice_rng = rng.spawn(3)
        changed_N = self._changed(train)
        self.choice_ = Multiclass(config.choice, transition=self.transition, n_threads=self.n_threads).fit(
            train, rng=choice_rng, progress=progress
        )
        self.any_ = self._fit_any(train, changed_N != 0, any_rng)
        adders = train.take(changed_N != 0)
        m_N = count_products(self._changed(adders))
        binned = BinnedRows(adders.x_NF, config=config.any, n_threads=self.n_threads)
        self.more_ = fit_count(binned, m_N - 1.0, adders.weight_N / adders.weight_N.mean(), rng=more_rng)
        self.factor_P = np.ones(self.n_products)
        can_NP = self._can(unpack_masks(train.held_N, n_products=self.n_products))
        p_NP = self._probabilities(train.x_NF, can_NP)
        weight_N = train.weight_N.astype(np.float64)
        wanted_P = weight_N @ unpack_masks(changed_N, n_products=self.n_products)
        found_P = weight_N @ (p_NP * can_NP)
        self.factor_P[found_P > 0] = wanted_P[found_P > 0] / found_P[found_P > 0]

    def _fit_any(self, train: TrainingSet, y_N: NDArray[np.bool_], rng: np.random.Generator) -> GBM:
        """Booster of P(any), its prior corrected for the rows left out."""
        config, yes, no = self.config, np.flatnonzero(y_N), np.flatnonzero(~y_N)
        kept = min(1.0, config.max_positives / max(len(yes), 1))
        if kept < 1:
            yes = rng.choice(yes, config.max_positives, replace=False)
        share = min(1.0, round(config.negatives * len(yes)) / max(len(no), 1))
        if share < 1:
            no = rng.choice(no, round(config.negatives * len(yes)), replace=False)
        rows = np.sort(np.concatenate([yes, no]))
        binned = BinnedRows(train.x_NF[rows], config=config.any, n_threads=self.n_threads)
        weight_N = train.weight_N[rows] / train.weight_N[rows].mean()
        booster = fit_binary(binned, y_N[rows], weight_N, rng=rng)
        booster.bias_K = booster.bias_K + np.log(share / kept)
        return booster

    def any_addition(self, x_NF: FloatArray) -> NDArray[np.float64]:
        """P(at least one addition), shape (N,); features in the model's own order."""
        return sigmoid(self.any_.raw(x_NF)[:, 0])

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        p_NP = np.empty(can_NP.shape, np.float32)
        for start in range(0, len(x_NF), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            x = x_NF[rows]
            any_N = self.any_addition(x)
            number_N = 1 + np.minimum(np.exp(self.more_.raw(x)[:, 0]), _MOST_MORE)
            share_NP = self.choice_._probabilities(x, can_NP[rows])
            # a product can't be likelier than any addition at all
            given_NP = np.minimum(number_N[:, None] * share_NP * self.factor_P, 1.0)
            p_NP[rows] = any_N[:, None] * given_NP
        return p_NP

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        """Parts of log-odds of any addition plus parts of the product's log-score: what moves it to first order."""
        return self.any_.contributions(x_NF) + self.choice_._contributions(x_NF, product)

    def described(self) -> dict[str, Any]:
        return {**super().described(), "choice": self.choice_.described()}

    def _state(self) -> State:
        state = self.choice_._state().under("choice")
        state.update(self.any_.state().under("any"))
        state.update(self.more_.state().under("more"))
        state.arrays["factor"] = self.factor_P
        return state

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        library, n_threads = self.config.any.library, self.n_threads
        self.choice_ = Multiclass.restored(
            described["choice"], state.of("choice"), folder=Path("choice"), n_threads=n_threads
        )
        self.any_ = GBM.from_state(state.of("any"), library=library, n_threads=n_threads)
        self.more_ = GBM.from_state(state.of("more"), library=library, n_threads=n_threads)
        self.factor_P = state.arrays["factor"]
        if len(self.factor_P) != self.n_products:
            raise ValueError("factors don't fit the products")
