"""Who is who: which user of the shop is which customer of the bank and which client of the book, as a workspace knows it.

`identities.parquet`, written by whoever may join these (`nextbest demo` for its simulated people), read by the doors that
know who asks. A text changes nothing of it.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from nextbest.assistant.base import Caller
from nextbest.data.ids import OutsideId
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
    path = Path(store) / FILE
    if not path.is_file():
        return caller
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(FILE, "can't be read", remedy="write it again, or remove it") from error
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise DataError(FILE, f"lacks column(s) {missing}", remedy="write it again, or remove it")
    told = {name: getattr(caller, name) for name in COLUMNS if getattr(caller, name) is not None}
    if not told:
        return caller
    same = pl.all_horizontal(pl.col(name).cast(pl.String) == str(value) for name, value in told.items())
    rows = table.filter(same).to_dicts()
    if len(rows) != 1:
        return caller
    row: dict[str, OutsideId | None] = rows[0]
    return replace(caller, **{name: row[name] for name in COLUMNS if name not in told})  # type: ignore[arg-type]
