"""Moments as the outside writes them, read into UTC microseconds."""

from collections.abc import Iterator

import polars as pl

from nextbest.errors import DataError, InputError
from nextbest.tables import TIME_DTYPE

_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "")
_ISO_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d")
_DAY_FIRST = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
_NAMED = ("%d %b %Y", "%d-%b-%Y", "%d%b%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y")
_COMPACT = ("%Y%m%dT%H%M%S", "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M")
_NUMERIC_DATE = r"^(\d{1,2})([/-])(\d{1,2})[/-]\d{2,4}(\D|$)"
_EXCEL_DAYS = (36526, 73050)
"""Days that a spreadsheet writes for 2000 to 2099; as Unix seconds they would all be 1 January 1970."""
_UNIX_DAY_0 = 25569
_DIGITS = r"^-?\d+(\.\d+)?$"


class TimeReader:
    """Reads one source's times; what its first chunk decides (day first, plain dates) holds for the rest."""

    def __init__(
        self, *, time_zone: str = "UTC", time_format: str | None = None, day_first: bool | None = None
    ) -> None:
        try:
            pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(time_zone)
        except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError) as error:
            raise InputError(
                "time_zone", "must be an IANA zone such as Europe/Moscow", value=time_zone
            ) from error
        self.time_zone, self.time_format, self.day_first = time_zone, time_format, day_first
        self.compact_dates: bool | None = None
        self.excel_days = False
        self.last_format: str | None = None
        self.notes: list[str] = []

    def read(self, values: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Times in UTC microseconds, and a mask of the values that are there but can't be read.

        Takes datetimes of any unit and zone, dates, Unix numbers (seconds, milli-, micro-, nanoseconds,
        told apart by size), dates as numbers (20240131) and days of a spreadsheet (45291.58) if all of the
        first chunk are such, and text.
        A time that the zone skips when clocks go forward can't be read; one that it has twice is the
        earlier.
        """
        dtype = values.dtype
        if dtype == TIME_DTYPE:
            return values, pl.repeat(value=False, n=len(values), dtype=pl.Boolean, eager=True)
        if isinstance(dtype, pl.Datetime):
            moments = values.dt.cast_time_unit("us")
            moments = (
                self._to_utc(moments) if dtype.time_zone is None else moments.dt.convert_time_zone("UTC")
            )
        elif dtype == pl.Date:
            moments = self._to_utc(values.cast(pl.Datetime("us")))
        elif dtype.is_numeric():
            moments = self._from_numbers(values)
            values = values.fill_nan(None) if dtype.is_float() else values
        else:
            values = values.cast(pl.String, strict=False).str.strip_chars()
            values = values.set((values == "").fill_null(value=False), None)
            moments = self._from_text(values)
        return moments, moments.is_null() & values.is_not_null()

    def _to_utc(self, naive: pl.Series) -> pl.Series:
        if self.time_zone == "UTC":
            return naive.dt.replace_time_zone("UTC")
        return naive.dt.replace_time_zone(
            self.time_zone, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")

    def _from_numbers(self, values: pl.Series) -> pl.Series:
        if self.compact_dates is None:
            there = values.drop_nulls()
            self.compact_dates = bool(len(there)) and bool(there.is_between(19000101, 21001231).all())
            self.excel_days = bool(len(there)) and bool(there.is_between(*_EXCEL_DAYS).all())
            if self.compact_dates:
                self.notes.append("times read as yyyymmdd numbers")
            if self.excel_days:
                self.notes.append("times read as days of a spreadsheet (1 = 1900-01-01)")
        if self.compact_dates:
            dates = values.cast(pl.Int64, strict=False).cast(pl.String).str.to_date("%Y%m%d", strict=False)
            return self._to_utc(dates.cast(pl.Datetime("us")))
        if values.dtype.is_float():
            values = values.fill_nan(None)
        if self.excel_days:
            seconds = ((values.cast(pl.Float64) - _UNIX_DAY_0) * 86_400).round()
            return self._to_utc((seconds * 1e6).cast(pl.Int64, strict=False).cast(pl.Datetime("us")))
        size = pl.col("v").abs()
        scaled = (
            pl.when(size < 1e11)
            .then((pl.col("v") * 1_000_000).round())
            .when(size < 1e14)
            .then((pl.col("v") * 1_000).round())
            .when(size < 1e17)
            .then(pl.col("v"))
            .otherwise(pl.col("v") / 1_000)
        )
        whole = values.alias("v").cast(pl.Int64 if values.dtype.is_integer() else pl.Float64, strict=False)
        us = whole.to_frame("v").select(scaled.cast(pl.Int64, strict=False)).to_series()
        return us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")

    def _from_text(self, text: pl.Series) -> pl.Series:
        out = pl.repeat(None, len(text), dtype=TIME_DTYPE, eager=True)
        left = text.is_not_null().arg_true()
        if not len(left):
            return out
        if self.time_format is None:
            digits = text.gather(left).str.contains(_DIGITS)
            if digits.any():
                where = left.filter(digits)
                part = text.gather(where)
                fractions = part.str.contains(".", literal=True).any()
                numbers = self._from_numbers(part.cast(pl.Float64 if fractions else pl.Int64, strict=False))
                out = out.scatter(where, numbers)
                left = left.filter(~digits)
            self._decide_day_first(text.gather(left))
        for form in self._formats():
            if not len(left):
                break
            part = text.gather(left)
            if self.time_format is None:
                part = part.str.replace(r"^(\d{4}\D\d{1,2}\D\d{1,2})T", "$1 ").str.replace(
                    r"(?:[Zz]|\s?UTC|\s?GMT)$", "+00:00"
                )
            found = _parse(part, form)
            found = self._to_utc(found) if "%z" not in form else found.dt.convert_time_zone("UTC")
            good = found.is_not_null() & (found.dt.year() >= 1000).fill_null(value=False)
            if good.any():
                self.last_format = form
                out = out.scatter(left.filter(good), found.filter(good))
                left = left.filter(~good)
        return out

    def _decide_day_first(self, text: pl.Series) -> None:
        """Settle whether 1/2/2024 is a day or a month first, by values that can only be one of them."""
        if self.day_first is not None or not len(text):
            return
        groups = text.str.extract_groups(_NUMERIC_DATE).struct.unnest().drop_nulls("1")
        if not len(groups):
            return
        first, second = groups["1"].cast(pl.Int32), groups["3"].cast(pl.Int32)
        day, month = bool((first > 12).any()), bool((second > 12).any())
        if day == month:
            raise DataError(
                "time",
                "dates can be read day first or month first"
                + ("" if day else ", and nothing in the file tells"),
                examples=text.filter(text.str.contains(_NUMERIC_DATE)).head(5).to_list(),
                remedy="set day_first to true or false",
            )
        self.day_first = day
        self.notes.append("dates read day first" if day else "dates read month first")

    def _formats(self) -> Iterator[str]:
        if self.time_format is not None:
            yield self.time_format
            return
        if self.last_format:
            yield self.last_format
        dates = (*_ISO_DATES, *(_MONTH_FIRST if self.day_first is False else _DAY_FIRST), *_NAMED)
        if self.day_first is False:
            dates = (*dates, "%d.%m.%Y", "%d.%m.%y")
        for date in dates:
            for clock in _CLOCKS:
                yield f"{date} {clock}".strip()
                if clock and date in _ISO_DATES:
                    yield f"{date} {clock}%z"
                    yield f"{date} {clock} %z"
        for date in (*_MONTH_FIRST, *_DAY_FIRST):
            for clock in ("%I:%M:%S %p", "%I:%M %p"):
                if (date in _MONTH_FIRST) == (self.day_first is False):
                    yield f"{date} {clock}"
        yield from _COMPACT
        yield "%a, %d %b %Y %H:%M:%S %z"


def _parse(text: pl.Series, form: str) -> pl.Series:
    if "%z" in form:
        return text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False, exact=True)
    if "%H" in form or "%I" in form:
        return text.str.to_datetime(form, time_unit="us", strict=False, exact=True)
    return text.str.to_date(form, strict=False, exact=True).cast(pl.Datetime("us"))
