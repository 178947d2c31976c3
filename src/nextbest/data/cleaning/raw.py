"""A row's raw values as JSON: what to keep beside the typed columns so that any row can be shown as it was read."""

from collections.abc import Mapping

import polars as pl

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.data.sources.base import Input
from nextbest.tables import ITEM_ID, TIME, USER_ID

_EXACT = (pl.Boolean, pl.String, pl.Date)


class RawValues:
    """Knows, for one input, which source columns the typed ones give back and which must travel along."""

    def __init__(self, item: Input, mapping: Mapping[str, str], config: CleaningConfig) -> None:
        self._input, self._mapping, self._config = item, mapping, config
        self._kept: list[str] | None = None

    def staged(self, table: pl.DataFrame) -> pl.DataFrame:
        """The columns as read that can't be had from the typed ones."""
        if not table.width:
            return table
        if self._kept is None:
            ours = {theirs: name for name, theirs in self._mapping.items()}
            self._kept = [
                c
                for c in table.columns
                if self._input.derive or c not in ours or not self._gives_back(ours[c], table.schema[c])
            ]
        return table.select(self._kept)

    def _gives_back(self, name: str, dtype: pl.DataType) -> bool:
        if name in (USER_ID, ITEM_ID):
            return dtype == pl.String or dtype.is_integer()
        if self._input.source.is_text and name in (TIME, "amount", "quantity", "mcc", "price", "currency"):
            return False
        if name == TIME:
            return isinstance(dtype, pl.Datetime) and (dtype.time_zone or self._config.time_zone) == "UTC"
        if name in ("amount", "quantity", "currency"):
            return dtype.is_float() and self._config.base_currency is None
        if dtype == pl.String:
            return not (self._config.text and name in self._config.text_columns)
        return dtype in _EXACT or (dtype.is_integer() and dtype != pl.UInt64) or dtype.is_float()

    def rebuilt(self, typed: pl.DataFrame, raw: pl.DataFrame) -> pl.Series:
        """JSON of rows given by their typed columns and what `staged` kept of them."""
        theirs = {theirs: name for name, theirs in self._mapping.items()}
        columns = []
        for c in self._input.source.columns():
            if c in raw.columns:
                columns.append(raw[c])
            elif c in theirs and theirs[c] in typed.columns:
                column = typed[theirs[c]].alias(c)
                columns.append(column.cast(pl.String) if self._input.source.is_text else column)
        return as_json(pl.DataFrame(columns))

    def as_json(self, table: pl.DataFrame) -> pl.Series:
        """JSON of rows as they were read."""
        return as_json(table)


def as_json(table: pl.DataFrame) -> pl.Series:
    """One JSON object per row, String; what JSON has no word for is written as text."""
    if not table.width or not len(table):
        return pl.Series([], dtype=pl.String)
    fixes = []
    for name, dtype in table.schema.items():
        if dtype == pl.Binary:
            fixes.append(pl.col(name).bin.encode("hex"))
        elif isinstance(dtype, pl.Duration):
            fixes.append(pl.col(name).dt.total_microseconds())
        elif dtype.is_decimal() or dtype in (pl.Time, pl.Categorical, pl.Enum):
            fixes.append(pl.col(name).cast(pl.String))
        elif dtype.is_float():
            fixes.append(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name))
    return table.with_columns(fixes).select(pl.struct(pl.all()).struct.json_encode()).to_series()
