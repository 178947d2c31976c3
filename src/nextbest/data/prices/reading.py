"""Candles from files, tables and databases into one checked table; what can't be a candle goes to quarantine.

Nothing is filled and nothing repaired but what the report's notes say. Reasons of quarantine: `ragged_row`,
`no_time`, `unreadable_time`, `no_asset_id`, `no_close`, `unreadable_price`, `non_finite_price`, `nonpositive_price`,
`unreadable_volume`, `non_finite_volume`, `negative_volume`, `ohlc_inconsistent`, `off_step`, `duplicate_same`,
`duplicate_conflict`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from nextbest.data.holdings.reading import RawRows
from nextbest.data.prices.candles import SCHEMA, CandleReader
from nextbest.data.prices.checking import (
    choose_step,
    label_days,
    mark_duplicates,
    mark_off_step,
    settle_clock_changes,
    steps_of,
)
from nextbest.data.prices.layouts import Layout, find_layout, open_candles, plain
from nextbest.data.prices.report import PriceReport, counted, describe
from nextbest.data.prices.steps import DAY, check_step
from nextbest.data.sources.base import Source
from nextbest.data.sources.columnar import Frame
from nextbest.data.sources.opening import Readable
from nextbest.errors import DataError
from nextbest.tables import PRICES, QUARANTINE


@dataclass(frozen=True)
class PriceTable:
    """What a reading gives."""

    prices: pl.DataFrame
    """As `tables.PRICES`, with all its columns, sorted by asset and time; null where the source doesn't say."""
    quarantine: pl.DataFrame
    """Rows that are no candle, as `tables.QUARANTINE`."""
    report: PriceReport

    @property
    def step(self) -> timedelta:
        """Length of the bars."""
        return self.report.step


@dataclass
class _Rows:
    """Everything read so far."""

    raw: RawRows
    tables: list[pl.DataFrame]
    rejected: list[pl.DataFrame]
    notes: list[str]
    n_read: int = 0
    n_named_by_file: int = 0


def read_prices(
    sources: Readable | Sequence[Readable],
    *,
    source: str | None = None,
    asset_id: str | None = None,
    zone: str = "UTC",
    step: timedelta | None = None,
) -> PriceTable:
    """Candles of one step, with what was wrong with the rest.

    Parameters
    ----------
    sources
        Files (CSV, Parquet, Feather, one text file in a zip), folders, globs, database URLs or tables in memory.
        Columns go by their usual names (`time`, `timestamp`, `date`, `open_time`, ...; OHLCV in any case); a table
        without a close but with numbers beside its time is one of times x assets.
    source
        A known archive, a name of `layouts.LAYOUTS`: for files without a header, and for what a layout leaves unsaid.
    asset_id
        Name of the one asset; without it a column (`asset_id`, `symbol`, `ticker`, ...), else the file's name.
    zone
        IANA zone of times without one. Of daily and longer bars it is the zone whose days they are: each opens at
        00:00 UTC of its day there.
    step
        Length of a bar; bars of sources with another are left out and counted. None = the one that all have.

    Raises
    ------
    InputError
        An argument breaks its rule, or a file's kind isn't known.
    DataError
        A source is missing, broken, without header, time or close; sources have several steps; no row is a candle.
    ExternalError
        A database can't be reached.
    """
    layout = find_layout(source)
    if step is not None:
        check_step(step)
    opened = open_candles(sources, layout)
    return _read_all(opened, layout=layout, asset_id=asset_id, zone=zone, step=step, sure_of_step=False)


def check_candles(table: pl.DataFrame, *, step: timedelta, name: str) -> PriceTable:
    """Candles whose step is known, however few and sparse they are, and whose times are their opens: an exchange's answer.

    Parameters
    ----------
    table
        Columns `asset_id`, `time` (UTC), OHLCV.
    name
        What quarantine and report call the source.

    Returns
    -------
    PriceTable
        Without a row where none is a candle.
    """
    source = Frame(table, name=name)
    return _read_all(
        [source], layout=None, asset_id=None, zone="UTC", step=check_step(step), sure_of_step=True
    )


def _read_all(
    opened: Sequence[Source],
    *,
    layout: Layout | None,
    asset_id: str | None,
    zone: str,
    step: timedelta | None,
    sure_of_step: bool,
) -> PriceTable:
    by_moment = layout is not None and layout.label == "close"
    with TemporaryDirectory(prefix="nextbest-prices-") as folder:
        rows = _Rows(RawRows(Path(folder)), [], [], [])
        for number, item in enumerate(opened):
            reader = CandleReader(item, layout=layout, asset_id=asset_id, zone=zone)
            _read(item, number, reader, rows)
            by_moment |= plain(reader.mapping["time"]) == "snapped_at"
        table = pl.concat([_empty(), *rows.tables])
        names = [item.name for item in opened]
        if rows.n_named_by_file:
            rows.notes.append(f"asset taken from the file's name: {rows.n_named_by_file} file(s)")
        if step is not None and sure_of_step:
            chosen, left_out = step, 0
        else:
            table, chosen, left_out = _one_step(table, names, step, rows)
        if chosen >= DAY and not sure_of_step:
            table = label_days(table, zone=zone)
        table = _checked(table, zone=zone, step=chosen, by_moment=by_moment, rows=rows)
        quarantine = _quarantine(table, names, rows)
    prices = table.filter(pl.col("reason").is_null()).select(*SCHEMA).sort("asset_id", "time")
    reasons = counted(quarantine["reason"])
    if not len(prices) and not sure_of_step:
        told = [*reasons.items(), *([("of another step", left_out)] if left_out else [])]
        raise DataError("prices", "no row is a candle", examples=[f"{r}: {n}" for r, n in told])
    report = PriceReport(
        read=rows.n_read,
        stored=len(prices),
        quarantined=len(quarantine),
        reasons=reasons,
        left_out=left_out,
        step=chosen,
        zone=zone,
        sources=tuple(names),
        notes=tuple(rows.notes),
        assets=describe(prices, chosen),
    )
    return PriceTable(PRICES.check(prices), quarantine, report)


def _empty() -> pl.DataFrame:
    schema = {**SCHEMA, "_row": pl.Int64(), "_at": pl.Int64(), "_source": pl.Int32(), "reason": pl.String()}
    return pl.DataFrame(schema=schema)


def _read(source: Source, number: int, reader: CandleReader, rows: _Rows) -> None:
    for chunk in source.chunks():
        if len(chunk.rejected):
            rows.n_read += len(chunk.rejected)
            rows.rejected.append(chunk.rejected.select(pl.lit(source.name).alias("source"), pl.all()))
        if not len(chunk.rows):
            continue
        raw, table, reason = reader.read(chunk)
        first = rows.raw.keep(raw, in_memory=isinstance(source, Frame))
        rows.n_read += len(raw)
        places = pl.int_range(first, first + len(raw), dtype=pl.Int64)
        rows.tables.append(
            table.with_columns(places.alias("_at"), pl.lit(number, pl.Int32).alias("_source"), reason)
        )
    label = Path(source.name).name
    rows.notes += [f"{label}: {note}" for note in (*reader.times.notes, *reader.notes)]
    rows.n_named_by_file += reader.named_by_file


def _one_step(
    table: pl.DataFrame, names: Sequence[str], asked: timedelta | None, rows: _Rows
) -> tuple[pl.DataFrame, timedelta, int]:
    """The rows whose source has the step, the step, and how many rows are left out."""
    steps = steps_of(table)
    if not len(steps):
        reasons = counted(pl.concat([table["reason"], *(part["reason"] for part in rows.rejected)]))
        raise DataError("prices", "no row is a candle", examples=[f"{r}: {n}" for r, n in reasons.items()])
    chosen = choose_step(steps, names, asked)
    other = steps.filter(pl.col("step").is_not_null() & (pl.col("step") != chosen))
    kept = table.join(other, on="_source", how="anti", maintain_order="left")
    return kept, chosen, len(table) - len(kept)


def _checked(
    table: pl.DataFrame, *, zone: str, step: timedelta, by_moment: bool, rows: _Rows
) -> pl.DataFrame:
    """The table with the reason of every row that breaks a rule of more than one."""
    if step < DAY:
        table, moved = settle_clock_changes(table, zone=zone)
        if moved:
            rows.notes.append(f"{moved} bar(s) in the hour that {zone} has twice read as its second pass")
    table = mark_off_step(table, step=step)
    if by_moment:
        rows.notes.append("times are the moments of the prices: each bar opens one step before")
        table = table.with_columns(pl.col("time") - pl.lit(step))
    return mark_duplicates(table)


def _quarantine(table: pl.DataFrame, names: Sequence[str], rows: _Rows) -> pl.DataFrame:
    bad = table.filter(pl.col("reason").is_not_null()).sort("_at")
    told = bad.select(
        source=pl.lit(pl.Series(names, dtype=pl.String)).gather("_source")
        if len(bad)
        else pl.lit(None, pl.String),
        row="_row",
        reason="reason",
        raw=rows.raw.as_json(bad["_at"]),
    )
    schema = {name: dtype for name, dtype in QUARANTINE.required.items() if dtype is not None}
    return pl.concat([pl.DataFrame(schema=schema), *rows.rejected, told]).sort(
        "source", "row", maintain_order=True
    )
