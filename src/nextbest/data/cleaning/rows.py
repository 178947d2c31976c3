"""The steps that need no more than one row: types, text, missing, time range, currency.

One `RowCleaner` per input; it reads a chunk as it came and hands back typed rows, and the
rejected ones with their reason and raw values. What its first chunk decides holds for the rest.
"""

from dataclasses import dataclass

import polars as pl

from nextbest.data.cleaning.config import CleaningConfig, Step
from nextbest.data.cleaning.context import ColumnTypes, read_context
from nextbest.data.cleaning.money import to_base
from nextbest.data.cleaning.raw import RawValues
from nextbest.data.cleaning.times import TimeReader
from nextbest.data.cleaning.values import (
    Decimal,
    decimal_sign,
    normalise_text,
    read_ids,
    read_numbers,
    were_floats,
)
from nextbest.data.report import Tally
from nextbest.data.sources.base import REJECTED_SCHEMA, Chunk, Input
from nextbest.data.sources.mapping import apply_mapping, check_mapping
from nextbest.errors import DataError
from nextbest.tables import ITEM_ID, JOURNAL, TIME, USER_ID, TableSpec

ROW = "_row"
_NUMBERS = ("amount", "quantity", "price", "mcc")
_WORDS = ("currency", "kind", "text", "merchant", "title", "category")
_SINGLE = frozenset({USER_ID, ITEM_ID, TIME, *_NUMBERS, *_WORDS})
"""Columns of one value a row; any other may hold lists and is kept as context."""


@dataclass(frozen=True)
class CleanRows:
    """What became of one chunk."""

    kept: pl.DataFrame
    """Typed columns of the table and `_row`."""
    raw: pl.DataFrame
    """Source columns that the typed ones can't give back, aligned with `kept`; may have no column."""
    rejected: pl.DataFrame
    """Columns `row, reason, raw`."""
    n_read: int


class RowCleaner:
    """Cleans the chunks of one input of the journal, or of its companions (`spec`)."""

    def __init__(
        self, item: Input, config: CleaningConfig, tally: Tally, *, spec: TableSpec = JOURNAL
    ) -> None:
        self.input, self.spec, self.tally = item, spec, tally
        self.config = config
        columns = [c for c in item.source.columns() if c not in item.drop]
        needed = () if item.derive else tuple(spec.required)
        self.mapping = check_mapping(spec, columns, item.mapping, source=item.source.name, needed=needed)
        self.times = TimeReader(
            time_zone=self.config.time_zone,
            time_format=self.config.time_format,
            day_first=self.config.day_first,
        )
        self.types = ColumnTypes()
        self.raw_values = RawValues(item, self.mapping, self.config)
        self._decimal: dict[str, Decimal] = {}
        self._zero_fraction: dict[str, bool] = {}

    def clean(self, chunk: Chunk) -> CleanRows:
        """Typed rows, and the rejected ones."""
        table = apply_mapping(chunk.table, self.mapping) if chunk.table.width else chunk.table
        bad = _Rejects(len(chunk.rows), self.tally)
        if len(chunk.rejected):
            for (reason,), group in chunk.rejected.group_by("reason"):
                self.tally.reject("structure", str(reason), len(group))
        if len(table):
            for reason, condition in self.input.reject:
                bad.add("structure", reason, chunk.table.select(condition.fill_null(value=False)).to_series())
            if self.input.derive:
                table = self.input.derive(table)
            if missing := [c for c in self.spec.required if c not in table.columns]:
                raise DataError(self.input.source.name, f"column(s) {missing} missing after reading")
            table = self._typed(table, bad)
            table = self._missing(table, bad)
            table = self._time_range(table, bad)
            table = self._currency(table, bad)
        keep = None if bad.reason is None else bad.reason.is_null()
        kept = table if keep is None else table.filter(keep)
        if len(kept):
            self.types.see(kept, text=self.input.source.is_text)
        table = table.with_columns(chunk.rows.alias(ROW))
        if bad.reason is None or keep is None:
            return CleanRows(
                table,
                self.raw_values.staged(chunk.table),
                chunk.rejected,
                len(chunk.rows) + len(chunk.rejected),
            )
        gone = chunk.table.filter(~keep)
        rejected = pl.DataFrame(
            {
                "row": chunk.rows.filter(~keep),
                "reason": bad.reason.filter(~keep),
                "raw": self.raw_values.as_json(gone),
            },
            schema=REJECTED_SCHEMA,
        )
        return CleanRows(
            table.filter(keep),
            self.raw_values.staged(chunk.table.filter(keep)),
            pl.concat([chunk.rejected, rejected]) if len(chunk.rejected) else rejected,
            len(chunk.rows) + len(chunk.rejected),
        )

    def _nested(self, name: str, values: pl.Series) -> DataError:
        """What to say of a list or a structure where one value a row belongs: a catalogue's genres as its category."""
        theirs = self.mapping.get(name, name)
        told = f"column {theirs!r} is {values.dtype}, and {name} takes one value a row"
        return DataError(
            self.input.source.name,
            told,
            examples=values.drop_nulls().head(5).to_list(),
            remedy=f"name {name} a column of single values, such as the list's first; under a name of its own "
            f"{theirs!r} is kept as JSON",
        )

    def _typed(self, table: pl.DataFrame, bad: "_Rejects") -> pl.DataFrame:
        out: list[pl.Series] = []
        for name in table.columns:
            values = table[name]
            if values.dtype.is_nested() and name in _SINGLE:
                raise self._nested(name, values)
            if name in (USER_ID, ITEM_ID):
                typed = self._ids(name, values)
            elif name == TIME and TIME in self.spec.required:
                typed, unreadable = self.times.read(values)
                bad.add("types", f"{name}_unreadable", unreadable)
            elif name in _NUMBERS:
                typed, unreadable = self._number(name, values)
                if self.config.unreadable == "quarantine":
                    bad.add("types", f"{name}_unreadable", unreadable)
            elif name in _WORDS:
                typed = _as_text(values)
                if name == "currency":
                    typed = typed.str.strip_chars().str.to_uppercase()
            else:
                typed = read_context(values, time_zone=self.config.time_zone)
            if typed.dtype == pl.String and name not in (USER_ID, ITEM_ID):
                typed = self._text(name, typed)
            out.append(typed.alias(name))
        for note in self.times.notes:
            self.tally.note("types", note)
        return pl.DataFrame(out)

    def _ids(self, name: str, values: pl.Series) -> pl.Series:
        if name not in self._zero_fraction:
            self._zero_fraction[name] = were_floats(values)
            if self._zero_fraction[name]:
                self.tally.note("types", f"{name}: `.0` of former floats dropped")
        return read_ids(values, drop_zero_fraction=self._zero_fraction[name])

    def _number(self, name: str, values: pl.Series) -> tuple[pl.Series, pl.Series]:
        if values.dtype == pl.String and name not in self._decimal:
            if self.config.decimal == "auto":
                semicolons = getattr(self.input.source, "separator", ",") == ";"
                self._decimal[name] = decimal_sign(values, default="," if semicolons else ".")
                if self._decimal[name] == ",":
                    self.tally.note("types", f"{name}: decimal comma")
            else:
                self._decimal[name] = self.config.decimal
        numbers, unreadable = read_numbers(values, decimal=self._decimal.get(name, "."))
        if name == "mcc":
            fits = numbers.is_between(0, 9999) & (numbers == numbers.floor())
            unreadable |= (~fits).fill_null(value=False)
            return numbers.set((~fits).fill_null(value=False), None).cast(pl.Int32), unreadable
        return numbers, unreadable

    def _text(self, name: str, values: pl.Series) -> pl.Series:
        if not self.config.text or name not in self.config.text_columns:
            return values
        clean = normalise_text(values, case=self.config.text_case)
        self.tally.change("text", int((clean.ne_missing(values)).sum()))
        return clean

    def _missing(self, table: pl.DataFrame, bad: "_Rejects") -> pl.DataFrame:
        wanted = [*self.spec.required, *(self.config.require if self.spec is JOURNAL else ())]
        for name in wanted:
            if name not in table.columns:
                raise DataError(self.input.source.name, f"column {name!r} is required but missing")
            if not table[name].null_count():
                continue
            null = table[name].is_null()
            if not self.config.missing and (fresh := bad.fresh(null)).any():
                raise DataError(
                    self.input.source.name,
                    f"{name} must not be null, and the step `missing` is off",
                    n_bad=int(fresh.sum()),
                    examples=fresh.arg_true().head(5).to_list(),
                )
            bad.add("missing", f"missing_{name}", null)
        return table

    def _time_range(self, table: pl.DataFrame, bad: "_Rejects") -> pl.DataFrame:
        if TIME not in self.spec.required or self.input.time_kind != "real":
            return table
        if self.config.now is not None:
            limit = int((self.config.now.timestamp() + self.config.future_tolerance_s) * 1e6)
            last = table[TIME].to_physical().max()
            if isinstance(last, int) and last > limit:
                bad.add("time_range", "time_in_future", table[TIME].to_physical() > limit)
        if self.config.earliest is not None:
            limit = int(self.config.earliest.timestamp() * 1e6)
            bad.add("time_range", "time_too_old", table[TIME].to_physical() < limit)
        return table

    def _currency(self, table: pl.DataFrame, bad: "_Rejects") -> pl.DataFrame:
        if self.spec is not JOURNAL or self.config.base_currency is None or "amount" not in table.columns:
            return table
        converted, missing, n_changed = to_base(table, self.config)
        bad.add("currency", "rate_missing", missing)
        self.tally.change("currency", n_changed)
        return converted


class _Rejects:
    """The first reason of each row."""

    def __init__(self, n: int, tally: Tally) -> None:
        self.n, self.tally = n, tally
        self.reason: pl.Series | None = None

    def fresh(self, mask: pl.Series) -> pl.Series:
        """Rows of `mask` that nothing rejected before."""
        mask = mask.fill_null(value=False)
        return mask if self.reason is None else mask & self.reason.is_null()

    def add(self, step: Step, reason: str, mask: pl.Series) -> None:
        mask = self.fresh(mask)
        n = int(mask.sum())
        if not n:
            return
        if self.reason is None:
            self.reason = pl.repeat(None, self.n, dtype=pl.String, eager=True)
        self.reason = self.reason.set(mask, reason)
        self.tally.reject(step, reason, n)


def _as_text(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.String else values.cast(pl.String, strict=False)
