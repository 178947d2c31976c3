"""Columns that the journal's contract doesn't name: kept, in one of the stored types, without losing a digit."""

import polars as pl

from nextbest.tables import ITEM_ID, USER_ID

_CANONICAL_INT = r"^(0|-?[1-9]\d{0,17})$"
_CANONICAL_FLOAT = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"


def read_context(values: pl.Series, *, time_zone: str) -> pl.Series:
    """The column in a type that the store keeps: text, integer, float, bool, date or UTC time."""
    dtype = values.dtype
    if dtype in (pl.Boolean, pl.String, pl.Date):
        return values
    if dtype.is_integer():
        return values.cast(pl.Int64, strict=False) if dtype != pl.UInt64 else values.cast(pl.String)
    if dtype.is_float():
        return values.cast(pl.Float64)
    if isinstance(dtype, pl.Datetime):
        moments = values.dt.cast_time_unit("us")
        if dtype.time_zone is None:
            moments = moments.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
        return moments.dt.convert_time_zone("UTC")
    if dtype.is_nested():
        return values.to_frame("v").select(pl.struct("v").struct.json_encode()).to_series()
    if dtype == pl.Binary:
        return values.bin.encode("hex")
    if isinstance(dtype, pl.Duration):
        return values.dt.total_microseconds()
    return values.cast(pl.String, strict=False)


class ColumnTypes:
    """The narrowest type that holds all chunks of each column seen so far.

    Text columns of a text source narrow to integers or floats only where every value is written
    the one usual way: 06355 stays text.
    """

    def __init__(self) -> None:
        self.dtypes: dict[str, pl.DataType | None] = {}

    def see(self, table: pl.DataFrame, *, text: bool) -> None:
        """Widen the types by one more chunk."""
        for name in table.columns:
            values = table[name]
            dtype: pl.DataType | None = values.dtype
            if dtype == pl.Null or (text and dtype == pl.String and values.null_count() == len(values)):
                dtype = None
            elif text and dtype == pl.String and name not in (USER_ID, ITEM_ID):
                dtype = self._narrowest(name, values)
            if name in self.dtypes:
                dtype = common_type(self.dtypes[name], dtype)
            self.dtypes[name] = dtype

    def _narrowest(self, name: str, values: pl.Series) -> pl.DataType:
        if name in ("text", "kind", "merchant", "currency", "title", "category"):
            return pl.String()
        known = self.dtypes.get(name)
        if known == pl.String:
            return pl.String()
        if bool(values.head(1000).str.contains(_CANONICAL_INT).all()) and bool(
            values.str.contains(_CANONICAL_INT).all()
        ):
            return pl.Int64()
        if bool(values.head(1000).str.contains(_CANONICAL_FLOAT).all()) and bool(
            values.str.contains(_CANONICAL_FLOAT).all()
        ):
            return pl.Float64()
        return pl.String()


def common_type(a: pl.DataType | None, b: pl.DataType | None) -> pl.DataType | None:
    """The narrowest stored type that holds both; None stands for a column without values."""
    if a is None or b is None or a == b:
        return b if a is None else a
    pair = {a, b}
    if pair == {pl.Int64(), pl.Float64()} or pair == {pl.Int32(), pl.Float64()}:
        return pl.Float64()
    if pair == {pl.Int32(), pl.Int64()}:
        return pl.Int64()
    return pl.String()


def as_schema(table: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The table with exactly these columns, cast, missing ones null; private columns (`_...`) stay."""
    columns = []
    for name, dtype in schema.items():
        if name not in table.columns:
            columns.append(pl.lit(None, dtype=dtype).alias(name))
        elif table.schema[name] != dtype:
            columns.append(pl.col(name).cast(dtype))
        else:
            columns.append(pl.col(name))
    private = [c for c in table.columns if c.startswith("_")]
    if table.columns == [*schema, *private] and all(table.schema[c] == d for c, d in schema.items()):
        return table
    return table.select(*columns, *private)
