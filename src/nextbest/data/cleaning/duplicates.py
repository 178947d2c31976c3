"""Copies: rows that agree in every column, and rows that nearly do."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.tables import ITEM_ID, TIME, USER_ID


def copies(
    table: pl.DataFrame, *, old: pl.Series | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Places of rows that have an equal before them, how many new equals stand before, and the old equal.

    Parameters
    ----------
    table
        Sorted by user and time; compared over all columns whose names don't start with `_`.
    old
        Which rows the store held before; they come first among equals. None: none did.

    Returns
    -------
    (place, n_new_before, match)
        For each *new* row that has an equal before it: its place, the number of new equals before it, and
        the place of the old row that it repeats (the n-th new copy repeats the n-th old one), -1 if none.
    """
    n = len(table)
    nothing = np.empty(0, np.int64)
    if n < 2:
        return nothing, nothing, nothing
    same = ((table[USER_ID] == table[USER_ID].shift(1)) & (table[TIME] == table[TIME].shift(1))).fill_null(
        value=False
    )
    if not same.any():
        return nothing, nothing, nothing
    near = (same | same.shift(-1, fill_value=False)).arg_true()
    keys = [c for c in table.columns if not c.startswith("_")]
    rows = table.select(pl.col(keys).gather(near)).with_columns(near.alias("_place").cast(pl.Int64))
    rows = rows.filter(rows.select(keys).hash_rows().is_duplicated())
    if not len(rows):
        return nothing, nothing, nothing
    rows = rows.with_columns(
        _old=pl.lit(value=False) if old is None else old.gather(rows["_place"].cast(pl.UInt32))
    )
    rows = rows.with_columns(
        _nth=pl.int_range(pl.len(), dtype=pl.Int64).over([*keys, "_old"]),
        _group=pl.col("_place").min().over(keys),
    )
    olds = rows.filter("_old").select("_group", "_nth", match="_place")
    new = rows.filter(~pl.col("_old")).join(olds, on=["_group", "_nth"], how="left").sort("_place")
    first_old = set(olds["_group"].to_list())
    has_equal = (new["_nth"] > 0) | new["match"].is_not_null()
    if first_old:
        has_equal |= new["_group"].is_in(pl.Series(list(first_old), dtype=pl.Int64).implode())
    new = new.filter(has_equal)
    return (
        new["_place"].to_numpy(),
        new["_nth"].to_numpy(),
        new["match"].fill_null(-1).to_numpy(),
    )


def near_copies(table: pl.DataFrame, *, seconds: float) -> pl.Series:
    """Mask of rows whose user, item and amount a *kept* row had at most `seconds` before.

    The table is sorted by user and time. Of a run of near copies the first is kept; a row that is
    too far from the last kept one is kept again.
    """
    keys = [USER_ID, ITEM_ID, *(c for c in ("amount", "currency", "kind") if c in table.columns)]
    rows = table.select(*keys, TIME).with_row_index("_place")
    gap_us = int(seconds * 1e6)
    rows = rows.with_columns(_gap=pl.col(TIME).to_physical() - pl.col(TIME).to_physical().shift(1).over(keys))
    suspects = rows.filter((pl.col("_gap") <= gap_us).fill_null(value=False)).select(keys).unique()
    out = np.zeros(len(table), bool)
    if not len(suspects):
        return pl.Series(out)
    rows = rows.join(suspects, on=keys, how="semi", nulls_equal=True).sort([*keys, TIME, "_place"])
    last: tuple[object, ...] | None = None
    kept_at = 0
    times = rows[TIME].to_physical().to_list()
    for place, key, at in zip(rows["_place"].to_list(), rows.select(keys).iter_rows(), times, strict=True):
        if key == last and at - kept_at <= gap_us:
            out[place] = True
        else:
            last, kept_at = key, at
    return pl.Series(out)
