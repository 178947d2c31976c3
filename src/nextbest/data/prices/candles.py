"""One source's rows as typed candles, each with the reason why it can't be one, or none.

What the first chunk decides (decimal sign, day first) holds for the rest. Rules that need more than one row are
`checking`'s.
"""

from pathlib import Path

import polars as pl

from nextbest.data.cleaning.times import TimeReader
from nextbest.data.cleaning.values import Decimal, decimal_sign, read_numbers
from nextbest.data.prices.layouts import Layout, asset_of_file, match_columns
from nextbest.data.sources.base import Chunk, Source
from nextbest.errors import DataError
from nextbest.tables import TIME_DTYPE

PRICES_OF_A_BAR = ("open", "high", "low", "close")
SCHEMA: dict[str, pl.DataType] = {
    "asset_id": pl.String(),
    "time": TIME_DTYPE,
    **{name: pl.Float64() for name in (*PRICES_OF_A_BAR, "volume")},
}
_ROUNDING = 1e-9
"""Relative distance by which a close may lie outside high and low: sources round each price for itself."""
_ROW = "_row"


class CandleReader:
    """Reads the chunks of one source."""

    def __init__(self, source: Source, *, layout: Layout | None, asset_id: str | None, zone: str) -> None:
        self.source, self.asset_id = source, asset_id
        self.prefix = layout.prefix if layout else ""
        self.times = TimeReader(time_zone=zone)
        self.notes: list[str] = []
        self.named_by_file = False
        there = [name for name in source.columns() if name.strip()]
        self.mapping = match_columns(there)
        if "time" not in self.mapping:
            raise DataError(
                source.name,
                "no column says the time",
                remedy=f"it has {there[:20]}; rename one to time or timestamp",
            )
        self.wide: list[str] = []
        if "close" not in self.mapping:
            self._take_columns_for_assets(there)
        self._decimal: dict[str, Decimal] = {}
        if not self.wide and asset_id is None and "asset_id" not in self.mapping:
            self.asset_id = self._asset_of_source()

    def _take_columns_for_assets(self, there: list[str]) -> None:
        self.wide = [name for name in there if name not in self.mapping.values()]
        if not self.wide or set(self.mapping) - {"time"}:
            raise DataError(
                self.source.name,
                "no column says the close",
                remedy=f"it has {there[:20]}; rename one to close or price",
            )
        self.notes.append(f"read as a table of times x {len(self.wide)} assets, closes only")

    def _asset_of_source(self) -> str:
        path = getattr(self.source, "path", None)
        if not isinstance(path, Path):
            raise DataError(
                self.source.name,
                "no column says the asset",
                remedy="give it as asset_id=, or a column asset_id",
            )
        self.named_by_file = True
        return asset_of_file(path.name)

    def read(self, chunk: Chunk) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
        """The rows as read, the same as candles with `_row`, and the reason of each that is none (else null)."""
        raw, rows = self._cells(chunk) if self.wide else (chunk.table, chunk.rows)
        moments, bad_time = self._moments(raw)
        reasons = [
            pl.when(bad_time).then(pl.lit("unreadable_time")),
            pl.when(moments.is_null()).then(pl.lit("no_time")),
        ]
        assets = self._assets(raw)
        reasons.append(pl.when(assets.is_null()).then(pl.lit("no_asset_id")))
        columns = [assets.alias("asset_id"), moments.alias("time")]
        for name in (*PRICES_OF_A_BAR, "volume", "turnover"):
            values, bad, infinite = self._numbers(raw, name)
            kind = "price" if name in PRICES_OF_A_BAR else "volume"
            reasons.append(pl.when(infinite).then(pl.lit(f"non_finite_{kind}")))
            reasons.append(pl.when(bad).then(pl.lit(f"unreadable_{kind}")))
            columns.append(values.alias(name))
        table = pl.DataFrame(columns)
        reason = table.select(pl.coalesce(*reasons, *_rules())).to_series().alias("reason")
        return raw, self._with_volume(table).with_columns(rows.alias(_ROW)), reason

    def _cells(self, chunk: Chunk) -> tuple[pl.DataFrame, pl.Series]:
        """Of a table of times x assets one row for each cell that isn't empty."""
        time = self.mapping["time"]
        cells = (
            chunk.table.with_columns(chunk.rows.alias(_ROW))
            .unpivot(self.wide, index=[_ROW, time], variable_name="asset_id", value_name="close")
            .drop_nulls("close")
        )
        if cells.schema["close"].is_float():
            cells = cells.filter(pl.col("close").is_not_nan())
        return cells.drop(_ROW), cells[_ROW]

    def _moments(self, raw: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        values = raw[self.mapping["time"]]
        if (
            "date" in self.mapping
            and values.dtype == pl.String
            and values.str.contains(r"^\s*\d{1,2}:").any()
        ):
            day = raw[self.mapping["date"]].cast(pl.String)
            values = day.str.strip_chars() + " " + values.str.strip_chars()
        return self.times.read(values)

    def _assets(self, raw: pl.DataFrame) -> pl.Series:
        if self.asset_id is not None and not self.wide:
            return pl.Series([self.asset_id], dtype=pl.String).new_from_index(0, len(raw))
        names = raw["asset_id" if self.wide else self.mapping["asset_id"]]
        names = names.cast(pl.String, strict=False).str.strip_chars()
        names = self.prefix + names if self.wide else names
        return names.set((names == "").fill_null(value=False), None)

    def _numbers(self, raw: pl.DataFrame, name: str) -> tuple[pl.Series, pl.Series, pl.Series]:
        """Values of a column of ours, which can't be read, and which are infinite."""
        theirs = "close" if self.wide and name == "close" else self.mapping.get(name)
        if theirs is None:
            no = pl.repeat(value=False, n=len(raw), dtype=pl.Boolean, eager=True)
            return pl.repeat(None, len(raw), dtype=pl.Float64, eager=True), no, no
        values = raw[theirs]
        if values.dtype == pl.String and name not in self._decimal:
            self._decimal[name] = decimal_sign(values.head(10_000))
        numbers, bad = read_numbers(values, decimal=self._decimal.get(name, "."))
        infinite = bad & values.cast(pl.Float64, strict=False).is_infinite().fill_null(value=False)
        return numbers, bad, infinite

    def _with_volume(self, table: pl.DataFrame) -> pl.DataFrame:
        """Pieces traded; where a source says only what they cost, that over the close."""
        if "volume" not in self.mapping and "turnover" in self.mapping:
            note = f"volume = {self.mapping['turnover']} / close: the source says turnover, not pieces"
            if note not in self.notes:
                self.notes.append(note)
            table = table.with_columns(volume=pl.col("turnover") / pl.col("close"))
        return table.select(*SCHEMA)


def _rules() -> list[pl.Expr]:
    """Reason code where a typed row alone shows that it is no candle, in the order in which they are told."""
    prices = [pl.col(name) for name in PRICES_OF_A_BAR]
    top, bottom = pl.max_horizontal(prices), pl.min_horizontal(prices)
    high_off = pl.col("high") < top * (1 - _ROUNDING)
    low_off = pl.col("low") > bottom * (1 + _ROUNDING)
    broken = [
        ("no_close", pl.col("close").is_null()),
        ("nonpositive_price", pl.any_horizontal(price <= 0 for price in prices)),
        ("negative_volume", (pl.col("volume") < 0) | (pl.col("turnover") < 0)),
        ("ohlc_inconsistent", high_off | low_off),
    ]
    return [pl.when(rule.fill_null(value=False)).then(pl.lit(code)) for code, rule in broken]
