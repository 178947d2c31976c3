"""Baselines that stand in every table of results: a model that doesn't beat them has learned nothing.

`persistence` (nothing is added), `popularity` (how often each product is added, even to who holds it),
`masked_popularity` (the same, held products left out), `segment_rates` (rate among those who don't hold it,
by segment), which also answers for products too rare for boosting.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat

from nextbest.data.panel.masks import unpack_masks
from nextbest.models.products.base import AdditionModel, FloatArray, Frozen, State, logit
from nextbest.models.products.training import TrainingSet


class NoSettings(Frozen):
    """A model without settings."""


class Persistence(AdditionModel):
    """Same products as last month: P = 0 for every addition and every drop."""

    kind: ClassVar[str] = "persistence"
    Config: ClassVar[type[Frozen]] = NoSettings

    def _columns(self, train: TrainingSet) -> list[int]:
        return []

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        pass

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        return np.zeros(can_NP.shape, np.float32)

    def _state(self) -> State:
        return State()

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        pass


class MaskedPopularity(AdditionModel):
    """Share of all clients who add the product in a month, the same for everyone; 0 where held.

    It orders by number of additions, as published for this panel; it is no P(add | not held), which
    `segment_rates` gives.
    """

    kind: ClassVar[str] = "masked_popularity"
    Config: ClassVar[type[Frozen]] = NoSettings

    share_P: NDArray[np.float64]

    def _columns(self, train: TrainingSet) -> list[int]:
        return []

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        changed_NP = unpack_masks(self._changed(train), n_products=self.n_products)
        weight_N = train.weight_N.astype(np.float64)
        self.share_P = weight_N @ changed_NP / weight_N.sum()

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        return np.tile(self.share_P.astype(np.float32), (len(can_NP), 1))

    def _state(self) -> State:
        return State({"share": self.share_P})

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        self.share_P = _of_shape(state.arrays["share"], (self.n_products,))


class Popularity(MaskedPopularity):
    """The same for all products, held or not: what a list of best sellers does.

    The one model whose `probabilities` aren't 0 where held, on purpose.
    """

    kind: ClassVar[str] = "popularity"
    masks_impossible: ClassVar[bool] = False


class SegmentRatesConfig(Frozen):
    """Whose rates are kept apart."""

    by: str | None = "segment"
    """Feature, or reason group of a single feature, whose values are the segments (NaN is one of its own).
    None, or one that the training set doesn't have: one rate for all."""
    strength: NonNegativeFloat = Field(default=2000.0)
    """Weight of the overall rate in each segment's; unit: clients."""


class SegmentRates(AdditionModel):
    """P(add | not held) by segment, drawn towards the overall rate where a segment has few clients.

    rate = (additions + strength x overall) / (clients who don't hold it + strength). A segment that `fit`
    didn't see gets the overall rate.
    """

    kind: ClassVar[str] = "segment_rates"
    Config: ClassVar[type[Frozen]] = SegmentRatesConfig
    config: SegmentRatesConfig

    values_S: NDArray[np.float32]
    """Values of the feature, ascending; NaN last. One value when rates aren't kept apart."""
    rate_SP: NDArray[np.float64]
    """Rate of each segment; the last row is the overall one."""

    def _columns(self, train: TrainingSet) -> list[int]:
        by = self.config.by
        if by in train.names:
            return [train.names.index(by)]
        return [train.groups.index(by)] if train.groups.count(by or "") == 1 else []

    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        n_products = self.n_products
        can_NP = self._can(unpack_masks(train.held_N, n_products=n_products))
        changed_NP = unpack_masks(self._changed(train), n_products=n_products)
        weight_N = train.weight_N.astype(np.float64)
        n_can_P, n_changed_P = weight_N @ can_NP, weight_N @ changed_NP
        overall_P = n_changed_P / np.maximum(n_can_P, 1)
        self.values_S = np.unique(train.x_NF[:, 0]) if train.x_NF.shape[1] else np.zeros(0, np.float32)
        place_N = self._places(train.x_NF)
        n_segments, k = len(self.values_S), self.config.strength
        self.rate_SP = np.tile(overall_P, (n_segments + 1, 1))
        for s in range(n_segments):
            rows = place_N == s
            clients_P = weight_N[rows] @ can_NP[rows]
            changed_P = weight_N[rows] @ changed_NP[rows]
            some = clients_P + k > 0
            self.rate_SP[s, some] = (changed_P + k * overall_P)[some] / (clients_P + k)[some]

    def _places(self, x_NF: FloatArray) -> NDArray[np.int64]:
        """Row of `rate_SP` for each client."""
        n_segments = len(self.values_S)
        if not n_segments:
            return np.zeros(len(x_NF), np.int64)
        values_N = x_NF[:, 0]
        place_N = np.minimum(np.searchsorted(self.values_S, values_N), n_segments - 1)
        found_N = self.values_S[place_N]
        same_N = (found_N == values_N) | (np.isnan(found_N) & np.isnan(values_N))
        return np.asarray(np.where(same_N, place_N, n_segments), np.int64)

    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        return self.rate_SP[self._places(x_NF)].astype(np.float32)

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        """Log-odds of the segment's rate less those of the overall rate: exact for one feature."""
        rates_S = logit(self.rate_SP[:, product])
        parts_NF = np.zeros_like(x_NF)
        if parts_NF.shape[1]:
            parts_NF[:, 0] = (rates_S - rates_S[-1])[self._places(x_NF)]
        return parts_NF

    def _state(self) -> State:
        return State({"values": self.values_S, "rate": self.rate_SP})

    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        self.values_S = state.arrays["values"]
        self.rate_SP = _of_shape(state.arrays["rate"], (len(self.values_S) + 1, self.n_products))


def _of_shape(array: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    if array.shape != shape:
        raise ValueError(f"an array has shape {array.shape}, not {shape}")
    return array
