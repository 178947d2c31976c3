"""Rows of files, queries and tables as typed rows of one kind; what can't be typed is rejected with its raw row.

Knows the names that columns usually go by, tables of days x assets, and files whose name is the asset.
Knows no database: rules that need other tables come later.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from nextbest.data.cleaning.raw import as_json
from nextbest.data.cleaning.times import TimeReader
from nextbest.data.cleaning.values import decimal_sign, read_numbers
from nextbest.data.holdings.kinds import Kind
from nextbest.data.sources.base import Chunk, Source
from nextbest.data.sources.columnar import Frame
from nextbest.data.sources.opening import Readable, open_sources
from nextbest.errors import DataError

SOURCE, ROW, AT = "_source", "_row", "_at"
REJECTED = {"source": pl.String(), "row": pl.Int64(), "reason": pl.String(), "raw": pl.String()}
_CURRENCY_CODE = r"^[A-Z]{3}$"


@dataclass
class Rows:
    """What was read of one kind."""

    table: pl.DataFrame
    """The kind's columns, typed, with `_source` (place in `sources`), `_row` and `_at` (place among all rows read)."""
    sources: list[str]
    raw: "RawRows"
    n_read: int = 0
    rejected: list[pl.DataFrame] = field(default_factory=list)
    repaired: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def reject(self, reasons: pl.Series) -> None:
        """Move the rows that have a reason (String, null = none) out of the table, with the row as it was read."""
        bad = reasons.is_not_null()
        if not bad.any():
            return
        gone = self.table.filter(bad)
        names = dict(enumerate(self.sources))
        self.rejected.append(
            pl.DataFrame(
                {
                    "source": gone[SOURCE].replace_strict(names, return_dtype=pl.String),
                    "row": gone[ROW],
                    "reason": reasons.filter(bad),
                    "raw": self.raw.as_json(gone[AT]),
                }
            )
        )
        self.table = self.table.filter(~bad)

    def reject_where(self, reason: str, bad: pl.Series) -> None:
        """The same, of one reason, where `bad` is true."""
        self.reject(pl.select(pl.when(bad).then(pl.lit(reason))).to_series())

    def rejections(self) -> pl.DataFrame:
        """Columns `source, row, reason, raw`, in the order of the sources."""
        found = pl.concat([pl.DataFrame(schema=REJECTED), *self.rejected])
        return found.sort("source", "row", maintain_order=True)


class RawRows:
    """Rows as they were read, so that a later rule can show them: tables in memory as they are, others on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[tuple[int, int, pl.DataFrame | Path]] = []
        self._n = 0

    def keep(self, table: pl.DataFrame, *, in_memory: bool) -> int:
        """Take rows in; the place of the first among all."""
        first = self._n
        kept: pl.DataFrame | Path = table
        if not in_memory:
            kept = self._folder / f"{len(self._parts)}.arrow"
            table.write_ipc(kept, compression="lz4")
        self._parts.append((first, table.height, kept))
        self._n += table.height
        return first

    def as_json(self, at: pl.Series) -> pl.Series:
        """Rows at those places, ascending, one JSON object each."""
        found = [pl.Series([], dtype=pl.String)]
        for first, n, kept in self._parts:
            here = at.filter(at.is_between(first, first + n - 1)) - first
            if len(here):
                table = pl.read_ipc(kept) if isinstance(kept, Path) else kept
                found.append(as_json(table[here]))
        return pl.concat(found)


def read_rows(
    kind: Kind,
    inputs: Readable | Sequence[Readable],
    *,
    stage: Path,
    exchange_zone: str = "UTC",
    day_first: bool | None = None,
    now: date | None,
) -> Rows:
    """Typed rows of `inputs`, and those that break a rule a row can break alone.

    Raises
    ------
    InputError
        The inputs name nothing that is read.
    DataError
        A source is missing, broken, lacks a column of the kind, or its dates can be read two ways.
    ExternalError
        A database can't be reached.
    """
    sources = open_sources(inputs)
    rows = Rows(pl.DataFrame(), [s.name for s in sources], RawRows(stage))
    tables = []
    for i, source in enumerate(sources):
        reader = _Reader(kind, source, exchange_zone=exchange_zone, day_first=day_first)
        for chunk in source.chunks():
            rows.n_read += len(chunk.rejected)
            if len(chunk.rejected):
                rows.rejected.append(chunk.rejected.select(pl.lit(source.name).alias("source"), pl.all()))
            if not len(chunk.rows):
                continue
            raw, numbers = reader.unpivot(chunk)
            first = rows.raw.keep(raw, in_memory=isinstance(source, Frame))
            rows.n_read += raw.height
            table, reasons = reader.read(raw, rows.repaired)
            rows.table = table.with_columns(
                pl.lit(i, pl.Int32).alias(SOURCE),
                numbers.alias(ROW),
                pl.int_range(first, first + raw.height, dtype=pl.Int64).alias(AT),
            )
            rows.reject(_break_rules(kind, table, reasons, now))
            tables.append(rows.table)
        rows.notes += [f"{Path(source.name).name}: {note}" for note in reader.notes()]
    schema = {**kind.columns, SOURCE: pl.Int32(), ROW: pl.Int64(), AT: pl.Int64()}
    rows.table = pl.concat([pl.DataFrame(schema=schema), *tables])
    return rows


def _break_rules(kind: Kind, table: pl.DataFrame, reasons: pl.Series, now: date | None) -> pl.Series:
    """`reasons` filled up: what can't be read comes first, then the kind's own rules, then the future."""
    rules = list(kind.rules)
    if now is not None:
        rules += [("future_day", pl.col(c) > now) for c in kind.not_future]
    found = [pl.when(broken.fill_null(value=False)).then(pl.lit(code)) for code, broken in rules]
    if not found:
        return reasons
    return table.select(pl.coalesce(reasons, *found)).to_series().alias("reason")


class _Reader:
    """Reads the chunks of one source; what its first chunk tells (signs, day first) holds for the rest."""

    def __init__(self, kind: Kind, source: Source, *, exchange_zone: str, day_first: bool | None) -> None:
        self.kind, self.source, self.zone = kind, source, exchange_zone
        self.times = TimeReader(time_zone=exchange_zone, day_first=day_first)
        self.decimal: dict[str, str] = {}
        there = source.columns()
        self.mapping = match_columns(kind, there)
        missing = [c for c in kind.spec.required if c not in self.mapping]
        self.from_name: dict[str, str] = {}
        self.melted: list[str] = []
        if kind.wide and {kind.wide, kind.value} <= set(missing) and "day" in self.mapping:
            self.melted = [c for c in there if c != self.mapping["day"]]
            self.mapping |= {kind.wide: kind.wide, kind.value: kind.value}
            missing = [c for c in missing if c not in (kind.wide, kind.value)]
        elif kind.wide in missing and isinstance(path := getattr(source, "path", None), Path):
            self.from_name[kind.wide] = path.name.split(".")[0]
            missing.remove(kind.wide)
        if kind.name == "trades" and "trade_id" in missing:
            missing.remove("trade_id")
        if missing:
            raise DataError(
                source.name,
                f"column(s) {missing} of {kind.name} missing",
                remedy=f"it has {there[:20]}; rename them"
                f" ({missing[0]} is also read from: {', '.join(kind.aliases.get(missing[0], ())) or 'no other name'})",
            )

    def notes(self) -> list[str]:
        found = list(self.times.notes)
        if self.from_name:
            found.append(f"{self.kind.wide} taken from the file's name")
        return found

    def unpivot(self, chunk: Chunk) -> tuple[pl.DataFrame, pl.Series]:
        """The chunk's rows with the number of each; of a table of days x ids one row for each cell that isn't empty."""
        if not self.melted:
            return chunk.table, chunk.rows
        day, value = self.mapping["day"], self.kind.value
        cells = chunk.table.with_columns(chunk.rows.alias(ROW)).unpivot(
            self.melted, index=[ROW, day], variable_name=self.kind.wide, value_name=value
        )
        cells = cells.drop_nulls(value)
        if cells.schema[value].is_float():
            cells = cells.filter(pl.col(value).is_not_nan())
        return cells.drop(ROW), cells[ROW]

    def read(self, raw: pl.DataFrame, repaired: Counter[str]) -> tuple[pl.DataFrame, pl.Series]:
        """The rows with the kind's columns and types, and the reason of each that can't be typed."""
        table = raw.select(pl.col(theirs).alias(ours) for ours, theirs in self.mapping.items())
        table = table.with_columns(pl.lit(v).alias(c) for c, v in self.from_name.items())
        columns, reasons = [], []
        for name, dtype in self.kind.columns.items():
            if name not in table.columns:
                columns.append(pl.Series(name, [None], dtype=dtype).new_from_index(0, table.height))
                continue
            values, bad = self._typed(table[name], name, dtype, repaired)
            columns.append(values.alias(name))
            if bad is not None and bad.any():
                reasons.append(pl.select(pl.when(bad).then(pl.lit(f"bad_{name}"))).to_series())
            if name in self.kind.spec.required and values.null_count():
                reasons.append(pl.select(pl.when(values.is_null()).then(pl.lit(f"no_{name}"))).to_series())
        none = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, table.height)
        reason = pl.select(pl.coalesce(*reasons, none)).to_series() if reasons else none
        return pl.DataFrame(columns), reason.alias("reason")

    def _typed(
        self, values: pl.Series, name: str, dtype: pl.DataType, repaired: Counter[str]
    ) -> tuple[pl.Series, pl.Series | None]:
        if dtype == pl.Date:
            if values.dtype == pl.Date:
                return values, None
            moments, bad = self.times.read(values)
            return moments.dt.convert_time_zone(self.zone).dt.date(), bad
        if dtype.is_numeric():
            if values.dtype == pl.String and name not in self.decimal:
                self.decimal[name] = decimal_sign(values.head(10_000))
            numbers, bad = read_numbers(values, decimal=self.decimal.get(name, "."))  # type: ignore[arg-type]
            if dtype.is_integer():
                whole = numbers.cast(dtype, strict=False)
                bad = bad | (
                    numbers.is_not_null() & (whole.cast(pl.Float64) != numbers).fill_null(value=True)
                )
                return whole, bad
            return numbers, bad
        text = _text(values)
        if name == "currency":
            plain = text.str.to_uppercase().str.replace(r"^RUR$", "RUB")
            if n := int((plain != text).sum()):
                repaired["currency_spelling"] += n
            return plain, (~plain.str.contains(_CURRENCY_CODE)).fill_null(value=False)
        return text, None


def _text(values: pl.Series) -> pl.Series:
    """Text without spaces at its ends, null where nothing is left; whole floats without their fraction."""
    if values.dtype.is_float():
        values = values.fill_nan(None).cast(pl.String).str.replace(r"\.0$", "")
    elif values.dtype in (pl.List, pl.Struct):
        values = pl.Series([json.dumps(v, default=str) for v in values.to_list()], dtype=pl.String)
    text = values.cast(pl.String, strict=False).str.strip_chars()
    return text.set((text == "").fill_null(value=False), None)


def match_columns(kind: Kind, there: Sequence[str]) -> dict[str, str]:
    """Our column -> the source's: by our name first, then by the usual ones; case and spaces don't count."""
    by_name = {name.strip().casefold(): name for name in reversed(there)}
    found: dict[str, str] = {c: by_name[c] for c in kind.columns if c in by_name}
    for ours in kind.columns:
        if ours in found:
            continue
        for alias in kind.aliases.get(ours, ()):
            theirs = by_name.get(alias)
            if theirs is not None and theirs not in found.values():
                found[ours] = theirs
                break
    return found
