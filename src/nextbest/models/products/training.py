"""One training set for all estimators: rows of several months, their labels, and the odds of being drawn.

Knows nothing of estimators. Axes: N rows (a client in a month), F features.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError
from nextbest.models.products.features.tables import FeatureTable


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Clients in target months with features, what they held, added and dropped, and a weight.

    Only clients present in the target month and in the month before have a row: nobody else can add or drop.
    Product p is bit p of the masks and `products[p]`.

    Notes
    -----
    One stratum for both tasks. Rows where anything changed (a product added or dropped) are all kept, weight
    1; of the unchanged rows a simple random share `r` is kept, weight 1 / r. Each row is thus weighted by
    1 / P(it is kept), so weighted sums over `held` clear (additions) and over `held` set (drops) are both
    unbiased for the whole month (Horvitz & Thompson 1952), for every product.

    Raises
    ------
    InputError
        Arrays are not equally long or have another type.
    """

    names: tuple[str, ...]
    """Of the features. Length F."""
    groups: tuple[str, ...]
    """Reason group of each feature. Length F."""
    x_NF: NDArray[np.float32]
    """Features; NaN = missing. Shape (N, F)."""
    products: tuple[str, ...]
    """Column of each product, in bit order."""
    held_N: NDArray[np.uint32]
    """Packed products held in the month before the target, the true ones also where history was hidden."""
    added_N: NDArray[np.uint32]
    """Packed additions in the target month; never a product of `held_N`."""
    dropped_N: NDArray[np.uint32]
    """Packed products held before and not in the target month; always products of `held_N`."""
    month_N: NDArray[np.int16]
    """Target month as its place in `months`."""
    months: tuple[date, ...]
    """The target months, oldest first."""
    row_N: NDArray[np.int32]
    """Row of the client in the panel: the same client has the same number in every month."""
    weight_N: NDArray[np.float32]
    """Clients of the panel that the row stands for: 1 / probability of being drawn; 1 or more."""

    def __post_init__(self) -> None:
        n_rows = len(self.x_NF)
        FeatureTable(self.names, self.x_NF, self.groups)
        wanted = {
            "held_N": np.uint32,
            "added_N": np.uint32,
            "dropped_N": np.uint32,
            "month_N": np.int16,
            "row_N": np.int32,
            "weight_N": np.float32,
        }
        for name, dtype in wanted.items():
            array = getattr(self, name)
            if array.shape != (n_rows,) or array.dtype != dtype:
                raise InputError(
                    name,
                    f"must be {np.dtype(dtype)} of shape ({n_rows},)",
                    value=f"{array.dtype} {array.shape}",
                )

    def __len__(self) -> int:
        return len(self.x_NF)

    @property
    def table(self) -> FeatureTable:
        """The features alone, without a copy."""
        return FeatureTable(self.names, self.x_NF, self.groups)

    def take(self, rows: NDArray[Any]) -> "TrainingSet":
        """The set of these rows (row numbers or a mask); months keep their numbers."""
        return TrainingSet(
            self.names,
            self.groups,
            self.x_NF[rows],
            self.products,
            self.held_N[rows],
            self.added_N[rows],
            self.dropped_N[rows],
            self.month_N[rows],
            self.months,
            self.row_N[rows],
            self.weight_N[rows],
        )
