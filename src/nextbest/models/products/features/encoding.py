"""Columns of attributes as float32 arrays: the same numbers for one posted row and for a month of them.

NaN: missing. Knows nothing of what a column means.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEW = 64
"""Rows up to which a Python loop over values beats a query over a column."""
Floats = NDArray[np.float32]


def numbers(column: pl.Series) -> Floats:
    """A number, integer or flag column; NaN where null. Shape (N,)."""
    values: Floats = column.cast(pl.Float32).to_numpy()
    return np.ascontiguousarray(values)


def category_codes(column: pl.Series, codes: Mapping[str, float], *, other: float = np.nan) -> Floats:
    """The code of each value, `other` for a value without one, NaN for null. Shape (N,)."""
    if len(column) <= FEW:
        found = [np.nan if value is None else codes.get(value, other) for value in column.to_list()]
        return np.array(found, np.float32)
    if isinstance(column.dtype, pl.Enum):
        names = column.dtype.categories.to_list()
        table = np.array([codes.get(name, other) for name in names] + [np.nan], np.float32)
        values: Floats = table[column.to_physical().fill_null(len(names)).to_numpy()]
        return values
    text = column.cast(pl.String)
    is_null = text.is_null().to_numpy()
    if not codes or bool(is_null.all()):
        return np.where(is_null, np.nan, other).astype(np.float32)
    coded = text.replace_strict(
        list(codes), list(codes.values()), default=pl.lit(other, dtype=pl.Float32), return_dtype=pl.Float32
    )
    return np.where(is_null, np.float32(np.nan), coded.to_numpy())


def month_numbers(column: pl.Series) -> Floats:
    """Months since January of year 0 of a date column; NaN where null. Shape (N,)."""
    if len(column) <= FEW:
        return np.array(
            [np.nan if day is None else day.year * 12 + day.month - 1 for day in column.to_list()], np.float32
        )
    return numbers(column.dt.year().cast(pl.Int32) * 12 + column.dt.month().cast(pl.Int32) - 1)
