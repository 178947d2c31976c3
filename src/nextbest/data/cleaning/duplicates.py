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
    moment = same.gather(near).not_().cast(pl.Int64).cum_sum().to_numpy()  # equal rows share user and time
    order, group = _grouped(table.select(pl.col(keys).gather(near)), moment)
    place = near.to_numpy().astype(np.int64)[order]
    is_old = np.zeros(len(place), bool) if old is None else old.to_numpy()[place]
    first, end = (np.searchsorted(group, group, side=side) for side in ("left", "right"))
    olds_before = np.concatenate([[0], np.cumsum(is_old)])
    news_before = np.concatenate([[0], np.cumsum(~is_old)])
    nth = news_before[:-1] - news_before[first]
    n_old = olds_before[end] - olds_before[first]
    new = np.flatnonzero(~is_old & ((nth > 0) | (n_old > 0)))
    new = new[np.argsort(place[new])]
    match = np.full(len(new), -1)
    matched = nth[new] < n_old[new]
    match[matched] = place[is_old][(olds_before[first] + nth)[new[matched]]]
    return place[new], nth[new], match


def _grouped(
    rows: pl.DataFrame, moment: NDArray[np.int64], code: NDArray[np.integer] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An order in which equal rows stand together, in their own order, and the number of each row's group.

    Rows of one `moment` (not decreasing) are compared; `code` is a number that equal rows share, None = a hash.
    """
    key = rows.hash_rows().to_numpy() if code is None else code
    order = np.lexsort((key, moment))
    ordered = rows.select(pl.all().gather(pl.Series(order.astype(np.uint32))))
    before, after = ordered.head(len(rows) - 1), ordered.tail(len(rows) - 1)
    equal = np.logical_and.reduce([before[c].eq_missing(after[c]).to_numpy() for c in rows.columns])
    alike = (np.diff(moment[order]) == 0) & (np.diff(key[order]) == 0)
    if code is None and (alike & ~equal).any():  # different rows of one hash: compare them all
        first = rows.with_row_index("_first").select(pl.col("_first").min().over(rows.columns))
        return _grouped(rows, moment, first.to_series().to_numpy())
    return order, np.cumsum(np.concatenate([[True], ~equal]))


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
