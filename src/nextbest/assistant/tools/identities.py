"""Who is who: which user of the shop is which customer of the bank and which client of the book, as a workspace knows it.

`identities.parquet`, written by whoever may join these (`nextbest demo` for its simulated people), read by the doors that
know who asks. A text changes nothing of it.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import polars as pl

from nextbest.assistant.base import Caller
from nextbest.data.manifest import disk_errors
from nextbest.errors import DataError, InputError

FILE = "identities.parquet"
COLUMNS = ("user_id", "customer_id", "client_id")


def keep_identities(store: str | Path, table: pl.DataFrame) -> Path:
    """Write the table `user_id` (integer or text), `customer_id` (integer), `client_id` (text); null = not there.

    Raises
    ------
    InputError
        A column is missing or an id stands twice in its column.
    ExternalError
        The disk is full or can't be written to.
    """
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise InputError("identities", f"must have column(s) {missing}", remedy=f"it has {table.columns}")
    for name in COLUMNS:
        there = table[name].drop_nulls()
        if there.n_unique() < len(there):
            twice = there.filter(there.is_duplicated()).unique().sort().head(5).to_list()
            raise InputError("identities", f"{name} must not repeat", value=twice)
    path = Path(store) / FILE
    draft = path.with_suffix(".new")
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        table.select(
            "user_id", pl.col("customer_id").cast(pl.Int64), pl.col("client_id").cast(pl.String)
        ).write_parquet(draft)
        draft.replace(path)
    return path


def complete(caller: Caller, store: str | Path) -> Caller:
    """The caller with the ids that the workspace knows to be the same person's; as it is where it knows none.

    What the door told stays: only what it left open is filled, from the one row that all told ids agree with. An id that
    is in no row, or rows that contradict each other, fill nothing. A clerk's own ids are filled like anybody's.

    Raises
    ------
    DataError
        The file can't be read or lacks a column.
    """
    told = {name: getattr(caller, name) for name in COLUMNS if getattr(caller, name) is not None}
    path = Path(store) / FILE
    try:
        stat = path.stat()
    except FileNotFoundError:
        return caller
    who = _read(path, (stat.st_mtime_ns, stat.st_size, stat.st_ino))
    if not told:
        return caller
    rows = set.intersection(*(who.rows_of(name, str(value)) for name, value in told.items()))
    if len(rows) != 1:
        return caller
    row = who.table.row(rows.pop(), named=True)
    return replace(caller, **{name: row[name] for name in COLUMNS if name not in told})


class _Who:
    """The table, and each of its columns in order, so that an id is found without looking at all of them."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        places = table.select(pl.int_range(pl.len()).alias("row"), *COLUMNS)
        self._sorted = {
            name: places.select("row", pl.col(name).cast(pl.String)).drop_nulls(name).sort(name)
            for name in COLUMNS
        }

    def rows_of(self, name: str, value: str) -> set[int]:
        """Rows whose column `name` holds this id."""
        column = self._sorted[name][name]
        first, end = column.search_sorted(value, "left"), column.search_sorted(value, "right")
        return set(self._sorted[name]["row"][first:end])


@lru_cache(maxsize=4)
def _read(path: Path, state: tuple[int, int, int]) -> _Who:
    """The file in this state: who asks is looked up at every question, the file changes seldom.

    Raises
    ------
    DataError
        It can't be read or lacks a column.
    """
    del state
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(FILE, "can't be read", remedy="write it again, or remove it") from error
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise DataError(FILE, f"lacks column(s) {missing}", remedy="write it again, or remove it")
    return _Who(table.select(COLUMNS))
