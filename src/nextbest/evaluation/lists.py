"""Recommendation tables read as lists: checked, and matched with what really came.

The costly half of every ranking metric, so it works on whole columns. Knows no metric.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError
from nextbest.tables import ID_DTYPES, ITEM_ID, RECOMMENDATIONS, USER_ID

RANK = "rank"


@dataclass(frozen=True, eq=False)
class ListPlaces:
    """A checked recommendations table: one list a user, packed without padding."""

    users: pl.Series
    """User of each list, unique, in table order. Length n_lists."""
    indptr: NDArray[np.int64]
    """List l holds the table's rows `indptr[l]:indptr[l + 1]`. Shape (n_lists + 1,)."""
    items: pl.Series
    """Item of each row."""


def list_places(recommendations: pl.DataFrame) -> ListPlaces:
    """The table as lists.

    Raises
    ------
    DataError
        A column is missing or null, a user's rows don't stand together, ranks aren't 1, 2, 3, ... in
        order, or a list holds an item twice.
    """
    _check_ids(recommendations, RECOMMENDATIONS.name, extra=[RANK])
    if not recommendations.schema[RANK].is_integer():
        raise DataError("recommendations", f"rank must be whole numbers, is {recommendations.schema[RANK]}")
    rank = recommendations[RANK].to_numpy()
    users = recommendations[USER_ID]
    n = len(rank)
    fresh = np.ones(n, np.bool_)
    if n > 1:
        fresh[1:] = (users.slice(1) != users.slice(0, n - 1)).to_numpy()
    starts = np.flatnonzero(fresh)
    wrong = fresh & (rank != 1)
    wrong[1:] |= ~fresh[1:] & (rank[1:] != rank[:-1] + 1)
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise DataError(
            "recommendations",
            "each user's rows must stand together with ranks 1, 2, 3, ... in order",
            n_bad=len(rows),
            examples=rows[:5].tolist(),
            remedy="sort by user_id and rank",
        )
    heads = users.gather(starts)
    if heads.n_unique() != len(heads):
        again = heads.filter(heads.is_duplicated()).unique(maintain_order=True)
        raise DataError(
            "recommendations",
            "each user must have one list",
            n_bad=len(again),
            examples=again.head(5).to_list(),
            remedy="sort by user_id and rank",
        )
    indptr = np.append(starts, n).astype(np.int64)
    places = ListPlaces(heads, indptr, recommendations[ITEM_ID])
    _refuse_duplicates(recommendations, places)
    return places


def checked_targets(targets: pl.DataFrame, recommendations: pl.DataFrame) -> pl.DataFrame:
    """Unique `user_id, item_id` pairs of targets whose ids have the types of `recommendations`.

    Raises
    ------
    DataError
        A column is missing or null, a type differs, or there is no row.
    """
    _check_ids(targets, "targets")
    if targets.is_empty():
        raise DataError("targets", "must hold at least one row")
    for column in (USER_ID, ITEM_ID):
        if len(recommendations) and targets.schema[column] != recommendations.schema[column]:
            raise DataError(
                "targets",
                f"{column} is {targets.schema[column]}, in recommendations {recommendations.schema[column]}",
                remedy="cast one of them",
            )
    return targets.select(USER_ID, ITEM_ID).unique()


def target_hits(
    places: ListPlaces, targets: pl.DataFrame, users: pl.Series, *, max_k: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row (in sorted `users`) and rank of each hit, sorted by both, and targets per user.

    `targets` holds unique pairs; places past `max_k` are left out.
    """
    n_relevant = targets.group_by(USER_ID).len().sort(USER_ID)["len"].to_numpy().astype(np.int64)
    numbered = pl.DataFrame({USER_ID: users, "row": np.arange(len(users))})
    lengths = np.diff(places.indptr)
    kept = lengths if max_k is None else np.minimum(lengths, max_k)
    lists = pl.DataFrame({USER_ID: places.users, "list": np.arange(len(lengths))})
    asked = lists.join(numbered, on=USER_ID, how="inner") if len(lists) else None
    if asked is None or asked.is_empty():
        return np.empty(0, np.int64), np.empty(0, np.int64), n_relevant
    order = asked.sort("row")
    list_idx, rows = order["list"].to_numpy(), order["row"].to_numpy()
    kept = kept[list_idx]
    ends = np.cumsum(kept)
    picks = np.repeat(places.indptr[list_idx] - (ends - kept), kept) + np.arange(ends[-1])
    rank = picks - np.repeat(places.indptr[list_idx], kept) + 1
    listed = pl.DataFrame({"row": np.repeat(rows, kept), ITEM_ID: places.items.gather(picks), RANK: rank})
    wanted = targets.join(numbered, on=USER_ID, how="inner").select("row", ITEM_ID)
    found = listed.join(wanted, on=["row", ITEM_ID], how="semi").sort("row", RANK)
    return found["row"].to_numpy(), found[RANK].to_numpy(), n_relevant


def _refuse_duplicates(recommendations: pl.DataFrame, places: ListPlaces) -> None:
    twice = recommendations.select(pl.struct(USER_ID, ITEM_ID).is_duplicated()).to_series()
    if twice.any():
        pairs = recommendations.filter(twice).select(USER_ID, ITEM_ID).unique(maintain_order=True)
        raise DataError(
            "recommendations",
            "a list must not hold an item twice",
            n_bad=len(pairs),
            examples=pairs.head(5).rows(),
        )


def _check_ids(table: pl.DataFrame, name: str, *, extra: list[str] | None = None) -> None:
    wanted = [USER_ID, ITEM_ID, *(extra or [])]
    if missing := [c for c in wanted if c not in table.columns]:
        raise DataError(name, f"column(s) {missing} missing", remedy=f"the table has {table.columns[:20]}")
    for column in wanted:
        if n_null := table[column].null_count():
            rows = table[column].is_null().arg_true().head(5).to_list()
            raise DataError(name, f"{column} must not be null", n_bad=n_null, examples=rows)
    for column in (USER_ID, ITEM_ID):
        if len(table) and table.schema[column] not in ID_DTYPES:
            raise DataError(name, f"{column} must be Int64 or String, is {table.schema[column]}")
