"""The tables of a book that all clients share, and the markets made of them; read once of a book that nobody can change."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from nextbest.data.holdings import database
from nextbest.data.holdings.arrays import build_market, gaps_of
from nextbest.data.holdings.kinds import KINDS, KindName
from nextbest.data.holdings.market import Gap, Market
from nextbest.errors import InputError

if TYPE_CHECKING:
    import duckdb

_OVER_TIME: tuple[KindName, ...] = ("asset_prices", "splits", "dividends")


class PricedTables:
    """Assets, prices, splits, dividends and rates.

    Parameters
    ----------
    connection
        To the book.
    keep
        Whether what was read holds until the connection is closed: it is open for reading, which shuts writers out.
    """

    def __init__(self, connection: "duckdb.DuckDBPyConnection", *, keep: bool) -> None:
        self._connection, self._keep = connection, keep
        self._tables: dict[KindName, pl.DataFrame] = {}
        self._gaps: tuple[date, tuple[Gap, ...]] | None = None
        self._market: tuple[object, Market] | None = None

    def assets(self) -> pl.DataFrame:
        """ASSETS, by asset_id."""
        return self._table("assets", order=" ORDER BY asset_id")

    def market(
        self,
        assets: Sequence[str] | None,
        time: tuple[date, date],
        base_currency: str,
        currency: str | None,
        max_rate_age_days: int,
    ) -> Market:
        """As `Book.market`; `time` is first and last day. That of all assets, the last one asked for, is kept."""
        asked = (time, currency)
        if assets is None and self._market is not None and self._market[0] == asked:
            return self._market[1]
        rows = self.assets() if assets is None else self._chosen(assets)
        tables = {name: self._table(name).filter(pl.col("day").is_between(*time)) for name in _OVER_TIME}
        chosen = {name: table.join(rows, on="asset_id", how="semi") for name, table in tables.items()}
        market = build_market(
            rows,
            chosen["asset_prices"],
            chosen["splits"],
            chosen["dividends"],
            self._table("fx"),
            base_currency=base_currency,
            currency=currency,
            max_rate_age_days=max_rate_age_days,
            gaps=tuple(gap for gap in self._gaps_until(time[1]) if gap.start >= time[0]),
        )
        if assets is None and self._keep:
            self._market = asked, market
        return market

    def _chosen(self, assets: Sequence[str]) -> pl.DataFrame:
        known = self.assets()
        if unknown := sorted(set(assets) - set(known["asset_id"])):
            raise InputError("assets", "must be assets of the book", value=unknown[:5])
        chosen = pl.DataFrame({"asset_id": list(dict.fromkeys(assets))}, schema={"asset_id": pl.String})
        return chosen.join(known, on="asset_id", how="left", maintain_order="left")

    def _gaps_until(self, end: date) -> tuple[Gap, ...]:
        """When the exchange was closed, by all assets' prices until then and none after."""
        if self._gaps is not None and self._gaps[0] == end:
            return self._gaps[1]
        found = gaps_of(self._table("asset_prices").filter(pl.col("day") <= end))
        if self._keep:
            self._gaps = end, found
        return found

    def _table(self, name: KindName, *, order: str = "") -> pl.DataFrame:
        """Every row of a kind."""
        found = self._tables.get(name)
        if found is None:
            found = database.frame(self._connection, database.all_rows(KINDS[name]) + order)
            if self._keep:
                self._tables[name] = found
        return found
