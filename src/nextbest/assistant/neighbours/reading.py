"""A file of interactions with texts as the two tables that a workspace keeps: a journal and a catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextbest.data.sources.opening import find_files, open_sources
from nextbest.errors import DataError, InputError
from nextbest.tables import ITEM_ID, TIME, TIME_DTYPE, USER_ID, TimeKind

OURS = (USER_ID, ITEM_ID, TIME, "title", "text", "category", "hours", "rating")
"""Columns that a mapping may name."""
_OF_ITEM = ("title", "text", "category")


@dataclass(frozen=True)
class Texts:
    """What a file holds."""

    journal: pl.DataFrame
    """`user_id, item_id, time` and, where the file has them, `hours`, `rating`; a row for each of the file's."""
    catalog: pl.DataFrame
    """`item_id, title`, and `text`, `category` where there are any; a row for each item, sorted."""
    time_kind: TimeKind
    """"none" where the file has no time; `time` is 1970-01-01 then."""


def read_texts(files: Sequence[str | Path], *, mapping: Mapping[str, str] | None = None) -> Texts:
    """Read Parquet, CSV or whatever `nextbest ingest` opens; all of it in memory.

    Parameters
    ----------
    files
        Files, folders or globs.
    mapping
        Our column -> theirs, such as `{"user_id": "user", "item_id": "game", "text": "description"}`. One that isn't named is
        read under our own name where it is there. `user_id` and `item_id` are needed.

    Raises
    ------
    InputError
        The mapping names a column that isn't ours or isn't in the file.
    DataError
        No row, or an id column is missing or empty everywhere.

    Notes
    -----
    An item's title, text and category are the first that any of its rows has; without a title the id stands for it. Of a list
    of words (genres, tags) the text is all of them, the category the first.
    """
    named = dict(mapping or {})
    if unknown := sorted(set(named) - set(OURS)):
        raise InputError("map", f"must name our columns {list(OURS)}", value=unknown)
    paths = [path for file in files for path in find_files(file)]
    tables = [chunk.table for source in open_sources(paths) for chunk in source.chunks()]
    if not tables or not sum(map(len, tables)):
        raise DataError("interactions", "the files hold no row", examples=[str(path) for path in paths])
    table = pl.concat(tables, how="diagonal_relaxed")
    if missing := sorted(set(named.values()) - set(table.columns)):
        raise InputError(
            "map", "names columns that the file hasn't", value=missing, remedy=f"it has {table.columns[:20]}"
        )
    columns = {ours: named.get(ours, ours) for ours in OURS if named.get(ours, ours) in table.columns}
    if missing := [ours for ours in (USER_ID, ITEM_ID) if ours not in columns]:
        raise DataError(
            "interactions",
            f"column(s) {missing} missing",
            remedy=f"name them with --map; it has {table.columns[:20]}",
        )
    table = table.select(pl.col(theirs).alias(ours) for ours, theirs in columns.items())
    table = table.filter(pl.col(USER_ID).is_not_null() & pl.col(ITEM_ID).is_not_null())
    if table.is_empty():
        raise DataError("interactions", "no row has both ids")
    kind: TimeKind = "real" if TIME in columns else "none"
    if kind == "none":
        table = table.with_columns(pl.lit(0).cast(TIME_DTYPE).alias(TIME))
    return Texts(table.drop([c for c in _OF_ITEM if c in columns]), _catalog(table), kind)


def _catalog(table: pl.DataFrame) -> pl.DataFrame:
    """One row an item, its texts the first that say something."""
    said = [name for name in _OF_ITEM if name in table.columns]
    texts = [_words(table, name).str.strip_chars().replace("", None).alias(name) for name in said]
    items = (
        table.select(ITEM_ID, *texts)
        .group_by(ITEM_ID)
        .agg(pl.col(name).drop_nulls().first() for name in said)
        .sort(ITEM_ID)
    )
    title = pl.col("title") if "title" in said else pl.lit(None, dtype=pl.String)
    return items.with_columns(title.fill_null(pl.col(ITEM_ID).cast(pl.String)).alias("title"))


def _words(table: pl.DataFrame, name: str) -> pl.Expr:
    """A column as text."""
    column = pl.col(name)
    if isinstance(table.schema[name], pl.List | pl.Array):
        words = column.cast(pl.List(pl.String))
        return words.list.first() if name == "category" else words.list.join(", ", ignore_nulls=True)
    return column.cast(pl.String)
