"""Recommendation tables read as lists: checked, and matched with what really came.

The costly half of every ranking metric, so it works on whole columns: each list becomes a sorted
row of numbers, hash of the item above, place below. Neighbours with equal hashes tell of an item
listed twice, a binary search finds a target. A hash only ever proposes; ids decide. Knows no metric.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError
from nextbest.tables import ID_DTYPES, ITEM_ID, RECOMMENDATIONS, USER_ID

RANK = "rank"
_BLOCK_CELLS = 1 << 20
_PAD = np.uint64(2**64 - 1)
"""Greater than any key: a place never fills its bits."""


@dataclass(frozen=True, eq=False)
class ListPlaces:
    """A checked recommendations table: one list a user, packed without padding."""

    users: pl.Series
    """User of each list, unique, in table order. Length n_lists."""
    indptr: NDArray[np.int64]
    """List l holds the table's rows `indptr[l]:indptr[l + 1]`. Shape (n_lists + 1,)."""
    items: pl.Series
    """Item of each row."""
    place_bits: int
    """Low bits of a key that hold the place."""
    blocks: list["KeyBlock"]
    """All lists, those of similar length together."""


@dataclass(frozen=True, eq=False)
class KeyBlock:
    """Lists of similar length as sorted keys, short ones padded with the greatest number."""

    lists: NDArray[np.int64]
    """Which lists. Shape (n,)."""
    keys: NDArray[np.uint64]
    """Shape (n, longest)."""


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
    place_bits = max(1, int(np.diff(indptr).max(initial=0)).bit_length())
    blocks = _key_blocks(recommendations[ITEM_ID], indptr, place_bits)
    if any(_has_equal_hashes(block, indptr, place_bits) for block in blocks):
        _refuse_duplicates(recommendations)
    return ListPlaces(heads, indptr, recommendations[ITEM_ID], place_bits, blocks)


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
    rows = pl.DataFrame({USER_ID: users, "row": np.arange(len(users))})
    lists = pl.DataFrame({USER_ID: places.users, "list": np.arange(len(places.users))})
    if lists.is_empty():
        lists = lists.cast({USER_ID: users.dtype})
    numbered = rows.join(lists, on=USER_ID, how="left", maintain_order="left").with_columns(
        pl.col("list").fill_null(-1)
    )
    asked = targets.join(numbered, on=USER_ID, how="inner")
    n_relevant = np.bincount(asked["row"].to_numpy(), minlength=len(users)).astype(np.int64)
    asked = asked.filter(pl.col("list") >= 0)
    rank = _ranks(places, asked["list"].to_numpy(), asked[ITEM_ID])
    hit = (rank > 0) if max_k is None else (rank > 0) & (rank <= max_k)
    row, rank = asked["row"].to_numpy()[hit].astype(np.int64), rank[hit]
    order = np.lexsort((rank, row))
    return row[order], rank[order], n_relevant


def _ranks(places: ListPlaces, list_idx: NDArray[np.int64], items: pl.Series) -> NDArray[np.int64]:
    """Place of each item in the list beside it, 1 = best, 0 = not there. Shape (n,)."""
    rank = np.zeros(len(items), np.int64)
    block_of, row_of = np.zeros((2, len(places.indptr) - 1), np.int64)
    for number, block in enumerate(places.blocks):
        block_of[block.lists] = number
        row_of[block.lists] = np.arange(len(block.lists))
    in_block = block_of[list_idx]
    by_block = np.argsort(in_block, kind="stable")
    edges = np.searchsorted(in_block[by_block], np.arange(len(places.blocks) + 1))
    bits = np.uint64(places.place_bits)
    query = (_hashes(items) >> bits) << bits
    for number, block in enumerate(places.blocks):
        asked = by_block[edges[number] : edges[number + 1]]
        at = _lower_bound(block.keys, row_of[list_idx[asked]], query[asked])
        while len(asked):  # once, but where hashes of different items are equal
            found = block.keys[row_of[list_idx[asked]], np.minimum(at, block.keys.shape[1] - 1)]
            row = places.indptr[list_idx[asked]] + (found & ~(_PAD << bits)).astype(np.int64)
            likely = (at < block.keys.shape[1]) & ((found ^ query[asked]) >> bits == 0)
            likely &= row < places.indptr[list_idx[asked] + 1]  # padding isn't a place
            asked, at, row = asked[likely], at[likely], row[likely]
            same = (places.items.gather(row) == items.gather(asked)).to_numpy()
            rank[asked[same]] = row[same] - places.indptr[list_idx[asked[same]]] + 1
            asked, at = asked[~same], at[~same] + 1
    return rank


def _lower_bound(
    keys: NDArray[np.uint64], row: NDArray[np.int64], query: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """First column of each row whose key is at least the query; the width where there is none."""
    width = keys.shape[1]
    low, high = np.zeros(len(row), np.int64), np.full(len(row), width)
    for _ in range(width.bit_length()):
        middle = (low + high) >> 1
        below = (keys[row, np.minimum(middle, width - 1)] < query) & (low < high)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low


def _hashes(ids: pl.Series) -> NDArray[np.uint64]:
    """A number for each id, equal for equal ids; only good inside one process."""
    return ids.hash().to_numpy()


def _key_blocks(items: pl.Series, indptr: NDArray[np.int64], place_bits: int) -> list[KeyBlock]:
    """Every list as a sorted row of keys; blocks of bounded size, none wider than twice its shortest list."""
    hashed = _hashes(items)
    lengths = np.diff(indptr)
    bits = np.uint64(place_bits)
    by_length = np.argsort(lengths, kind="stable")
    blocks = []
    start = 0
    while start < len(by_length):
        shortest = lengths[by_length[start]]
        end = int(np.searchsorted(lengths[by_length], 2 * shortest, side="right"))
        end = min(end, start + max(1, _BLOCK_CELLS // int(shortest)))
        lists = by_length[start:end]
        places = np.arange(int(lengths[lists].max()))
        real = places < lengths[lists][:, None]
        cells = hashed[np.where(real, indptr[lists][:, None] + places, 0)]
        keys = np.where(real, ((cells >> bits) << bits) | places.astype(np.uint64), _PAD)
        keys.sort(axis=1)
        blocks.append(KeyBlock(lists, keys))
        start = end
    return blocks


def _has_equal_hashes(block: KeyBlock, indptr: NDArray[np.int64], place_bits: int) -> bool:
    """Whether two places of one list bear the same hash: an item twice, or, hardly ever, a chance."""
    top = block.keys >> np.uint64(place_bits)
    equal = top[:, 1:] == top[:, :-1]
    real = np.arange(1, block.keys.shape[1]) < np.diff(indptr)[block.lists][:, None]
    return bool((equal & real).any())


def _refuse_duplicates(recommendations: pl.DataFrame) -> None:
    """The exact, slower look, taken only where hashes are equal."""
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
