"""The table `tables.FORECASTS` as a portfolio takes it: read from a file, and refused as a whole where its numbers can't be meant.

Knows no model and no client. Whether a row is still of use is `outlook`'s question.
"""

from datetime import UTC, datetime

import polars as pl

from nextbest.data.sources.opening import Readable, open_sources
from nextbest.errors import DataError
from nextbest.tables import FORECASTS, TIME_DTYPE

LEVELS = ("q10", "q50", "q90")
NUMBERS = (*LEVELS, "close", "mean")
"""Columns that are numbers where they are there; `close` is the last known."""
HORIZON = "horizon"
"""Bars ahead, where it is there."""
TIMES = ("cutoff", "time")
NAME = FORECASTS.name


def read_forecasts(source: Readable) -> pl.DataFrame:
    """Forecasts of a file as `nextbest market forecast --out` writes it: CSV, Parquet or Feather.

    Returns
    -------
    DataFrame
        As `check_forecasts`.

    Raises
    ------
    InputError
        The file's kind isn't known.
    DataError
        The file is missing or broken, a cell is no number or no time with a zone, or as `check_forecasts`.
    """
    parts: list[pl.DataFrame] = []
    for each in open_sources(source):
        for chunk in each.chunks():
            if chunk.rejected.height:
                rows = chunk.rejected["row"].head(5).to_list()
                raise DataError(NAME, "rows must have the header's columns", n_bad=chunk.rejected.height, examples=rows)  # fmt: skip
            table = chunk.table.rename({c: c.strip() for c in chunk.table.columns})
            parts.append(_typed(table))
    if not parts:
        raise DataError(NAME, "holds no row", remedy="run `nextbest market forecast --out FILE`")
    return check_forecasts(pl.concat(parts))


def check_forecasts(table: pl.DataFrame) -> pl.DataFrame:
    """The same rows in their order, if every number can be meant.

    Returns
    -------
    DataFrame
        By asset, cutoff and time.

    Raises
    ------
    DataError
        The table is empty, lacks a column or has one of another type; quantiles are NaN, infinite, zero or less, or
        cross; a time isn't after its cutoff; an asset has two currencies, or two rows of one cutoff and time.
    """
    FORECASTS.check(table)
    if not table.height:
        raise DataError(NAME, "holds no row", remedy="run `nextbest market forecast --out FILE`")
    numbers = [c for c in (*LEVELS, "close") if c in table.columns]
    if bad := [c for c in numbers if not table.schema[c].is_numeric()]:
        raise DataError(NAME, f"column(s) {bad} must be numbers")
    whole = pl.all_horizontal(pl.col(c).is_finite() & (pl.col(c) > 0) for c in numbers).fill_null(value=False)
    _demand(table, whole, f"{', '.join(numbers)} must be numbers above zero")
    rising = (pl.col("q10") <= pl.col("q50")) & (pl.col("q50") <= pl.col("q90"))
    _demand(table, rising, "quantiles must not cross: q10 <= q50 <= q90")
    _demand(table, pl.col("time") > pl.col("cutoff"), "time must lie after the cutoff")
    key = ["asset_id", "cutoff", "time"]
    _demand(table, ~pl.struct(key).is_duplicated(), "an asset must have one row for each cutoff and time")
    if "currency" in table.columns:
        _demand(
            table,
            pl.col("currency").n_unique().over("asset_id") == 1,
            "an asset must have one currency",
            remedy="keep the rows of the currency that the book counts the asset in",
        )
    return table.sort(key)


def _demand(table: pl.DataFrame, rule: pl.Expr, words: str, *, remedy: str | None = None) -> None:
    """An error that shows the first assets and times of which the rule isn't true."""
    bad = table.filter(~rule)
    if bad.height:
        rows = bad.head(5).select("asset_id", pl.col("time").dt.to_string("%Y-%m-%d %H:%M")).rows()
        raise DataError(NAME, words, n_bad=bad.height, examples=[f"{asset} {time}" for asset, time in rows], remedy=remedy)  # fmt: skip


def _typed(table: pl.DataFrame) -> pl.DataFrame:
    """Text as numbers and times, and whatever precision times have as ours; what can't be is an error."""
    made: dict[str, pl.Series] = {}
    numbers = {**dict.fromkeys(NUMBERS, pl.Float64()), HORIZON: pl.Int64()}
    for column, dtype in numbers.items():
        if column in table.columns and table.schema[column] != dtype:
            found = table[column].cast(dtype, strict=False)
            _check_cells(
                column, table[column], found, f"must be {'whole ' if column == HORIZON else ''}numbers"
            )
            made[column] = found
    for column in TIMES:
        if column not in table.columns or (there := table.schema[column]) == TIME_DTYPE:
            continue
        if isinstance(there, pl.Datetime) and there.time_zone is not None:
            made[column] = table[column].cast(pl.Datetime("us", there.time_zone)).dt.convert_time_zone("UTC")
            continue
        texts = table[column].cast(pl.String)
        found = pl.Series(column, [_moment(text) for text in texts], dtype=TIME_DTYPE)
        _check_cells(column, texts, found, "must be times with a zone, as 2026-03-31T00:00:00+00:00")
        made[column] = found
    return table.with_columns(**made)


def _check_cells(column: str, raw: pl.Series, found: pl.Series, words: str) -> None:
    bad = raw.filter(raw.is_not_null() & found.is_null())
    if len(bad):
        raise DataError(NAME, f"{column} {words}", n_bad=len(bad), examples=bad.head(5).to_list())


def _moment(text: str | None) -> datetime | None:
    """A moment in UTC; None for what isn't one, or has no zone."""
    try:
        found = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None
    return None if found is None or found.tzinfo is None else found.astimezone(UTC)
