"""A plain table of clients as numbers: categories by fitted vocabulary, for trees and for lines.

Axes: N rows, F columns of the table, D columns with categories spread out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError

FloatArray = NDArray[np.float32]


class FlatTable:
    """Columns in a fixed order; numbers and flags as they are, categories as codes, missing as NaN.

    A category that `fit` saw fewer than `min_count` times, or never, is missing.
    """

    names_: tuple[str, ...]
    vocabularies_: dict[str, list[str]]
    """Values of each categorical column, most frequent first."""

    def __init__(self, *, min_count: int = 10) -> None:
        self.min_count = min_count

    def fit(self, table: pl.DataFrame) -> Self:
        """Learn columns and vocabularies.

        Raises
        ------
        InputError
            No column.
        DataError
            A column is neither number, flag nor category.
        """
        if not table.width:
            raise InputError("table", "must have at least one column", value=table.shape)
        self.names_, self.vocabularies_ = tuple(table.columns), {}
        for name in table.columns:
            column = table[name]
            if column.dtype in (pl.String, pl.Categorical, pl.Enum):
                counts = column.cast(pl.String).drop_nulls().value_counts(name="n")
                counts = counts.filter(pl.col("n") >= self.min_count).sort(
                    ["n", name], descending=[True, False]
                )
                self.vocabularies_[name] = counts[name].to_list()
            elif not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
                raise DataError(
                    "table", f"column {name!r} must be a number, a flag or a category, is {column.dtype}"
                )
        return self

    def codes(self, table: pl.DataFrame) -> FloatArray:
        """One column each, for trees. Shape (N, F).

        Raises
        ------
        InputError
            A column is missing.
        DataError
            A column that was a number or a flag is neither.
        """
        if missing := [name for name in self.names_ if name not in table.columns]:
            raise InputError("table", f"lacks {len(missing)} column(s) of the model", value=missing[:5])
        x_NF = np.empty((table.height, len(self.names_)), np.float32)
        for at, name in enumerate(self.names_):
            column = table[name]
            if name in self.vocabularies_:
                words = self.vocabularies_[name]
                column = column.cast(pl.String).replace_strict(
                    words, list(range(len(words))), default=None, return_dtype=pl.Float32
                )
            elif not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
                raise DataError("table", f"column {name!r} must be a number or a flag, is {column.dtype}")
            x_NF[:, at] = column.cast(pl.Float32).fill_null(float("nan")).to_numpy()
        return x_NF

    def spread(self, x_NF: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        """Codes spread out for lines: one 0/1 column a category; beside it the column each came from."""
        parts: list[NDArray[Any]] = []
        source: list[int] = []
        for at, name in enumerate(self.names_):
            words = self.vocabularies_.get(name)
            if words is None:
                parts.append(x_NF[:, [at]])
                source.append(at)
            else:
                parts.append((x_NF[:, [at]] == np.arange(len(words))).astype(np.float32))
                source.extend([at] * len(words))
        return np.concatenate(parts, axis=1).astype(np.float32), np.array(source, np.int64)

    def state(self) -> dict[str, Any]:
        """Everything fitted, as JSON."""
        return {"names": list(self.names_), "vocabularies": self.vocabularies_, "min_count": self.min_count}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "FlatTable":
        """What `state` described. KeyError or TypeError when it is malformed."""
        flat = cls(min_count=int(state["min_count"]))
        flat.names_ = tuple(state["names"])
        words: Mapping[str, Sequence[str]] = state["vocabularies"]
        flat.vocabularies_ = {name: list(values) for name, values in words.items()}
        return flat
