"""The tables that tell of a market, together: what a layout reads and a generator draws, ready for a book."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import polars as pl

from nextbest.data.holdings.arrays import build_market
from nextbest.data.holdings.kinds import KINDS
from nextbest.data.holdings.market import Market
from nextbest.tables import TableSpec


def empty(kind: str) -> pl.DataFrame:
    """A table of that kind without rows."""
    return pl.DataFrame(schema=KINDS[kind].columns)


@dataclass(frozen=True)
class MarketTables:
    """One table for each kind, as in `nextbest.tables`."""

    assets: pl.DataFrame = field(default_factory=lambda: empty("assets"))
    asset_prices: pl.DataFrame = field(default_factory=lambda: empty("asset_prices"))
    splits: pl.DataFrame = field(default_factory=lambda: empty("splits"))
    dividends: pl.DataFrame = field(default_factory=lambda: empty("dividends"))
    fx: pl.DataFrame = field(default_factory=lambda: empty("fx"))
    benchmarks: pl.DataFrame = field(default_factory=lambda: empty("benchmarks"))

    def checked(self) -> "MarketTables":
        """The same, every column there and of its type; missing optional ones are null.

        Raises
        ------
        DataError
            A column is missing, null where it must not be, or of another type.
        """
        return MarketTables(**{f.name: _complete(f.name, getattr(self, f.name)) for f in fields(self)})

    def market(self, *, base_currency: str, currency: str | None = None) -> Market:
        """The arrays of these tables; see `build_market` for errors."""
        return build_market(
            self.assets,
            self.asset_prices,
            self.splits,
            self.dividends,
            self.fx,
            base_currency=base_currency,
            currency=currency,
        )


def _complete(kind: str, table: pl.DataFrame) -> pl.DataFrame:
    spec: TableSpec = KINDS[kind].spec
    spec.check(table)
    columns = KINDS[kind].columns
    absent = [pl.lit(None, dtype).alias(c) for c, dtype in columns.items() if c not in table.columns]
    return table.with_columns(absent).select(list(columns))


def concat_tables(parts: Sequence[MarketTables]) -> MarketTables:
    """Several markets as one; what stands in two of them (a rate, an asset) is the first's."""
    joined = {}
    for f in fields(MarketTables):
        table = pl.concat([getattr(part.checked(), f.name) for part in parts])
        joined[f.name] = table.unique(list(KINDS[f.name].key), keep="first", maintain_order=True)
    return MarketTables(**joined)
