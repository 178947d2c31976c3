"""Filters written in a URL, where everything is text, in the types of the catalogue's columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from nextbest.errors import InputError


def filters_from_text(
    filters: Mapping[str, Sequence[str]], columns: Mapping[str, pl.DataType]
) -> dict[str, list[Any]]:
    """Conditions for `Query.where` from query parameters; several values of one column mean any of them.

    Parameters
    ----------
    filters
        Column -> values as text. A value becomes what the column holds: a number, true or false, text.
    columns
        Types of the catalogue's columns.

    Raises
    ------
    InputError
        There is no such column, or the text can't be a value of it.

    >>> filters_from_text({"year": ["1999", "2001"]}, {"year": pl.Int64()})
    {'year': [1999, 2001]}
    """
    where: dict[str, list[Any]] = {}
    for column, values in filters.items():
        dtype = columns.get(column)
        if dtype is None:
            raise InputError(
                column[:100],
                "is no parameter and no column of the catalogue",
                remedy=f"columns are {list(columns)[:20]}",
            )
        where[column] = [_value(column, text, dtype) for text in values]
    return where


def _value(column: str, text: str, dtype: pl.DataType) -> Any:
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    try:
        if inner == pl.Boolean:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(inner, pl.DataType) and inner.is_integer():
            return int(text)
        if isinstance(inner, pl.DataType) and inner.is_numeric():
            return float(text)
    except (ValueError, KeyError):
        raise InputError(column, f"must be a value of type {inner}", value=text[:100]) from None
    return text
