"""Contributions of features gathered by reason group, for the offered (client, product) pairs only.

Axes: N rows, K products asked about, F features, G reason groups.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.models.products.base import AdditionModel, FloatArray
from nextbest.models.products.features.tables import FeatureTable

_BLOCK_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why these products for these clients: parts of log-odds, summed over the features of a reason group."""

    groups: tuple[str, ...]
    """Reason groups, as in `FeatureTable.groups`, each once. Length G."""
    parts_NKG: FloatArray
    """What each group adds to the log-odds against an average client, > 0 speaks for the product. NaN where
    no product was asked about. Shape (N, K, G)."""

    def __len__(self) -> int:
        return len(self.parts_NKG)


def grouped_contributions(
    model: AdditionModel, table: FeatureTable, product_NK: NDArray[Any], *, groups: Sequence[str]
) -> FloatArray:
    """Contributions of the model summed by group, shape (N, K, G); NaN where `product_NK` is -1.

    Groups that the table doesn't have get 0. Cost: one TreeSHAP for each pair asked about. A row's sums don't
    depend on how many rows stand beside it.
    """
    # float64: a matrix product adds in an order that depends on its shape, and what differs there is cast away
    gather_FG = np.zeros((table.n_features, len(groups)))
    for feature, group in enumerate(table.groups):
        gather_FG[feature, groups.index(group)] = 1
    parts_NKG = np.full((*product_NK.shape, len(groups)), np.nan, np.float32)
    for product in np.unique(product_NK[product_NK >= 0]).tolist():
        rows, places = np.nonzero(product_NK == product)
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            own_NF = model.contributions(table.take(rows[block]), product)
            parts_NKG[rows[block], places[block]] = own_NF.astype(np.float64) @ gather_FG
    return parts_NKG
