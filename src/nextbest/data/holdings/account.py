"""One client's trades and cash flows, as `Book` hands them on: sorted, checked, nothing priced yet.

Knows no prices and no database.
"""

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import polars as pl

ACCOUNT_TRADES: dict[str, pl.DataType] = {
    "trade_id": pl.String(),
    "asset_id": pl.String(),
    "day": pl.Date(),
    "quantity": pl.Float64(),
    "price": pl.Float64(),
    "fee": pl.Float64(),
    "currency": pl.String(),
}
"""Columns of `Account.trades`; `currency` is that of `price` and `fee`, never null."""
ACCOUNT_FLOWS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "amount": pl.Float64(),
    "currency": pl.String(),
    "kind": pl.String(),
}
"""Columns of `Account.flows`; `amount` > 0 is money coming in, in `currency`; `kind` may be null."""


@dataclass(frozen=True)
class Account:
    """What one client did."""

    client_id: str
    currency: str
    """In which the client counts; ISO 4217."""
    trades: pl.DataFrame
    """Columns of `ACCOUNT_TRADES`, sorted by day, purchases of a day before its sales, then by trade_id;
    quantity in pieces of that day (< 0 = sold), price a piece before fees, fee >= 0."""
    flows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ACCOUNT_FLOWS))
    """Columns of `ACCOUNT_FLOWS`, sorted by day."""
    has_flows: bool = False
    """Whether cash is recorded: then flows are the external ones, and what trades leave over is a cash balance.
    Without: each purchase is money coming in, each sale money going out."""

    def until(self, day: date) -> "Account":
        """The account as it was known at the end of a day; cash counts as recorded from its first flow on."""
        trades, flows = _until(self.trades, day), _until(self.flows, day)
        return replace(self, trades=trades, flows=flows, has_flows=self.has_flows and flows.height > 0)

    def __repr__(self) -> str:
        """No client's name: this lands in logs."""
        return (
            f"Account(n_trades={self.trades.height}, n_flows={self.flows.height}, currency={self.currency!r})"
        )


def _until(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """Rows up to a day, of rows sorted by it; a slice, as a filter costs more than valuing what it leaves."""
    days = rows["day"].to_numpy().astype("datetime64[D]")
    return rows[: int(np.searchsorted(days, np.datetime64(day), side="right"))]
