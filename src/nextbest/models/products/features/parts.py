"""What every part of the features has: columns with names and groups, and a way to fill them.

Axes: N rows, F features, L months back.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nextbest.models.products.features.tables import FeatureInput
from nextbest.models.products.features.words import HistoryWords

Floats = NDArray[np.float32]


class Column(NamedTuple):
    """One feature."""

    name: str
    group: str
    """Whose contributions are added up to one reason."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows on their way through the parts; what several parts need is made once."""

    inputs: FeatureInput
    n_products: int
    max_months: int

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def n_months(self) -> int:
        """Months back that are looked at and given, L."""
        return min(self.max_months, int(self.inputs.held_NL.shape[1]))

    @cached_property
    def words(self) -> HistoryWords:
        """The rows' histories as bit words."""
        months = slice(self.n_months)
        return HistoryWords.from_masks(
            self.inputs.held_NL[:, months], self.inputs.present_NL[:, months], n_products=self.n_products
        )

    def months_back(self, lag: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """Masks and presence `lag` months before the target (1 = the month before), absent where not given."""
        if lag > self.n_months:
            return np.zeros(len(self), np.uint32), np.zeros(len(self), np.bool_)
        return self.inputs.held_NL[:, lag - 1], self.inputs.present_NL[:, lag - 1]


class Part(Protocol):
    """Some features, made together."""

    columns: tuple[Column, ...]

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """Write the columns as rows of `out_FN`, all of it; shape (number of columns, rows of the chunk)."""
