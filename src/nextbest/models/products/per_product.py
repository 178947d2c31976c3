"""One booster a product, grown on the clients who could make the transition, few negatives, priors corrected.

The workhorse: `transition='add'` learns from clients who don't hold the product, `'drop'` from those who do.
Axes: N rows, P products, F features.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt
from tqdm import tqdm

from nextbest.models.products.base import (
    AdditionModel,
    FloatArray,
    Frozen,
    State,
    bit_N,
    sigmoid,
)
from nextbest.models.products.baselines import SegmentRates, SegmentRatesConfig
from nextbest.models.products.gbm import GBM, BinnedRows, GBMConfig, fit_binary
from nextbest.models.products.stacked import Stacked
from nextbest.models.products.training import TrainingSet

_BLOCK_ROWS = 20_000


class PerProductConfig(Frozen):
    """How many rows a product's booster sees, and which features."""

    gbm: GBMConfig = GBMConfig()
    negatives: PositiveFloat = 5.0
    """Clients without the transition drawn for each client with it."""
    min_negatives: PositiveInt = 10_000
    """But at least so many, where there are."""
    max_positives: PositiveInt | None = 60_000
    """At most so many with the transition are drawn; None: all."""
    min_positives: PositiveInt = 50
    """A product with fewer in the training set gets `rates` instead of a booster; unit: rows."""
    rates: SegmentRatesConfig = SegmentRatesConfig()
    without_groups: tuple[str, ...] = ()
    """Reason groups (or their heads before `:`) whose features are left out."""
    known_products: bool = True
    """False: products held aren't known when the model is asked, so clients who hold a product are rows
    without an addition of it, and nothing is 0 because it is held."""
    row_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows that is used at all."""


class PerProduct(AdditionModel):
    """P(transition) = sigmoid(booster's log-odds + log of the share of negatives kept).

    Downsampling keeps a share r of the rows without the transition, which moves the log-odds by -log(r);
    adding log(r) gives the panel's probability back (King & Zeng 2001, prior correction).
    """

    kind: ClassVar[str] = "per_product"
    Config: ClassVar[type[Frozen]] = PerProductConfig
    config: PerProductConfig

    boosters_: dict[int, GBM]
    """By product; absent for a product that has rates only."""
    rates_: SegmentRates
    fitted_rows_: dict[int, int]
    """Rows each booster was grown on."""
    _stacked: Stacked

    def _columns(self, train: TrainingSet) -> list[int]:
        return columns_without(train.groups, self.config.without_groups)

    def _can(self, held_NP: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return super()._can(held_NP) if self.config.known_products else np.ones_like(held_NP)

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        config = self.config
        draw, *streams = rng.spawn(1 + self.n_products)
        if config.row_fraction < 1:
            train = train.take(draw.random(len(train)) < config.row_fraction)
        self.rates_ = SegmentRates(config.rates, transition=self.transition).fit(train)
        binned = BinnedRows(train.x_NF, config=config.gbm, n_threads=self.n_threads)
        self.boosters_, self.fitted_rows_ = {}, {}
        bar = tqdm(range(self.n_products), desc=f"{self.kind} {self.transition}", disable=not progress)
        for p in bar:
            y_N, can_N = self._task(train, p)
            rows, share = self._drawn(np.flatnonzero(can_N & y_N), np.flatnonzero(can_N & ~y_N), streams[p])
            if not len(rows):
                continue
            checked = None
            if valid is not None and config.gbm.early_stopping is not None:
                y, can = self._task(valid, p)
                checked = (valid.x_NF[can], y[can].astype(np.float32), valid.weight_N[can])
            # weights around 1, so that the floor of a leaf's hessian means rows
            weight_N = train.weight_N[rows] / train.weight_N[rows].mean()
            booster = fit_binary(binned, y_N[rows], weight_N, rng=streams[p], rows=rows, valid=checked)
            booster.bias_K = booster.bias_K + np.log(share)
            self.boosters_[p], self.fitted_rows_[p] = booster, len(rows)
        self._stacked = Stacked(list(self.boosters_.values()))

    def _task(self, train: TrainingSet, product: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Did the transition happen, and could it, for one product. Shapes (N,)."""
        held_N = bit_N(train.held_N, product)
        if not self.config.known_products:
            can_N = np.ones_like(held_N)
        else:
            can_N = held_N if self.transition == "drop" else ~held_N
        return bit_N(self._changed(train), product), can_N

    def _drawn(
        self, positives: NDArray[np.int64], negatives: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], float]:
        """Rows to learn from (ascending; none when too few) and odds of keeping a negative over a positive's."""
        config = self.config
        if len(positives) < config.min_positives or not len(negatives):
            return np.zeros(0, np.int64), 1.0
        kept = 1.0
        if config.max_positives is not None and len(positives) > config.max_positives:
            kept = config.max_positives / len(positives)
            positives = rng.choice(positives, config.max_positives, replace=False)
        wanted = max(config.min_negatives, round(config.negatives * len(positives)))
        share = min(1.0, wanted / len(negatives))
        if share < 1:
            negatives = rng.choice(negatives, wanted, replace=False)
        return np.sort(np.concatenate([positives, negatives])), share / kept

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        p_NP = self.rates_._probabilities(self._rates_x(x_NF), can_NP)
        learned = list(self.boosters_)
        for start in range(0, len(x_NF), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            p_NP[rows, learned] = sigmoid(self._stacked.raw(x_NF[rows]))
        return p_NP

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        if product in self.boosters_:
            return self.boosters_[product].contributions(x_NF)
        parts_NF = np.zeros(x_NF.shape, np.float32)
        for name, part_N in zip(
            self.rates_.names_, self.rates_._contributions(self._rates_x(x_NF), product).T, strict=True
        ):
            parts_NF[:, self.names_.index(name)] = part_N
        return parts_NF

    def _rates_x(self, x_NF: FloatArray) -> FloatArray:
        """The columns that the rates read."""
        return x_NF[:, [self.names_.index(name) for name in self.rates_.names_]]

    def described(self) -> dict[str, Any]:
        return {
            **super().described(),
            "boosters": sorted(self.boosters_),
            "fitted_rows": {str(p): n for p, n in self.fitted_rows_.items()},
            "rates": self.rates_.described(),
        }

    def _state(self) -> State:
        state = self.rates_._state().under("rates")
        for p, booster in self.boosters_.items():
            state.update(booster.state().under(f"p{p:02}"))
        return state

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        library = self.config.gbm.library
        self.boosters_ = {
            int(p): GBM.from_state(state.of(f"p{int(p):02}"), library=library, n_threads=self.n_threads)
            for p in described["boosters"]
        }
        self._stacked = Stacked(list(self.boosters_.values()))
        self.fitted_rows_ = {int(p): int(n) for p, n in described["fitted_rows"].items()}
        self.rates_ = SegmentRates.restored(described["rates"], state.of("rates"), folder=Path("rates"))


def columns_without(groups: Sequence[str], without: Sequence[str]) -> list[int]:
    """Places of the features whose group is none of `without`, whole or before its first `:`."""
    left_out = set(without)
    return [at for at, g in enumerate(groups) if g not in left_out and g.split(":")[0] not in left_out]
