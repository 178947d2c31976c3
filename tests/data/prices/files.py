"""Small files of candles for tests."""

from datetime import UTC, datetime, timedelta

import polars as pl

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def bars(n, *, start=START, step=HOUR, first=100.0):
    """A table of `n` candles that rise by one a bar."""
    closes = [first + i for i in range(n)]
    return pl.DataFrame(
        {
            "time": pl.Series([start + i * step for i in range(n)], dtype=pl.Datetime("us", "UTC")),
            "open": [c - 0.5 for c in closes],
            "high": [c + 1.0 for c in closes],
            "low": [c - 1.0 for c in closes],
            "close": closes,
            "volume": [10.0] * n,
        }
    )


def changed(table, row, **values):
    """The table with some values of a row replaced."""
    here = pl.int_range(pl.len()) == row
    return table.with_columns(
        pl.when(here).then(pl.lit(value, table.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )
