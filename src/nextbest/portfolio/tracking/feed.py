"""What happened since the last day, ready to be taken day by day: prices in each currency, trades and flows.

Reads the book, computes nothing.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.portfolio.ledger import INTERNAL_KINDS
from nextbest.portfolio.tracking.positions import Events
from nextbest.portfolio.tracking.tables import frame

Ints = NDArray[np.int64]
Gaps = frozenset[tuple[date, date]]
"""Last open day before and first open day after each stretch on which the exchange was closed."""


@dataclass(frozen=True)
class Feed:
    """The days after one day up to another, for some clients of one currency."""

    market: Market
    _trades: pl.DataFrame
    _trade_ends: Ints
    _flows: pl.DataFrame
    _flow_ends: Ints

    def events(self, t: int) -> Events:
        """What counts on day `t` of the market."""
        trades = self._trades[int(self._trade_ends[t]) : int(self._trade_ends[t + 1])]
        flows = self._flows[int(self._flow_ends[t]) : int(self._flow_ends[t + 1])]
        return Events(
            client=trades["place"].to_numpy(),
            asset=trades["asset"].to_numpy(),
            quantity=trades["quantity"].to_numpy(),
            price=trades["price"].to_numpy(),
            fee=trades["fee"].to_numpy(),
            rate=self._rate(trades["currency"], t),
            same_day=trades["same_day"].to_numpy(),
            flow_client=flows["place"].to_numpy(),
            flow_amount=flows["amount"].to_numpy() * self._rate(flows["currency"], t),
            flow_external=~flows["kind"].is_in(INTERNAL_KINDS).fill_null(value=False).to_numpy(),
        )

    def _rate(self, currencies: pl.Series, t: int) -> NDArray[np.float64]:
        """Units of the market's currency for one of each; NaN where there is no rate."""
        rates = {
            name: 1.0
            if name == self.market.currency
            else float(self.market.rates[name][t])
            if name in self.market.rates
            else np.nan
            for name in currencies.unique().to_list()
        }
        return np.array([rates[name] for name in currencies.to_list()], dtype=np.float64)


def price_days(book: Book, after: date | None, until: date) -> list[date]:
    """Days with at least one price, after one day (None = from the first trade or flow on) up to another."""
    if after is None:
        first = book.connection().execute(
            "SELECT min(day) FROM (SELECT min(day) AS day FROM trades UNION ALL SELECT min(day) FROM cash_flows)"
        )
        begin = first.fetchall()[0][0]
        where, parameters = "day >= ?", [begin or date.max]
    else:
        where, parameters = "day > ?", [after]
    rows = book.connection().execute(
        f"SELECT DISTINCT day FROM asset_prices WHERE {where} AND day <= ? ORDER BY day", [*parameters, until]
    )
    return [day for (day,) in rows.fetchall()]


def closed_days(book: Book, until: date) -> Gaps:
    """Stretches on which the exchange was closed, as `Book.market` tells them of all prices up to a day."""
    if not price_days(book, date.min, until):
        return frozenset()
    return frozenset((gap.start, gap.end) for gap in book.market(end=until).gaps)


def asset_order(book: Book) -> tuple[list[int], list[str]]:
    """`asset_idx` and class of every asset, in the order of `Book.market()`."""
    rows = frame(book, "SELECT asset_idx, asset_class FROM assets ORDER BY asset_id")
    return rows["asset_idx"].to_list(), rows["asset_class"].to_list()


def read_feed(
    book: Book, currency: str, client_P: Ints, asset_idx_A: list[int], after: date | None, until: date
) -> Feed:
    """Prices in `currency` and the events of the clients `client_P` (`client_idx`, ascending), after `after`."""
    # from the last day on, so that a split or dividend on a day without prices counts on the next that has some
    market = book.market(start=after, end=until, currency=currency)
    places = pl.DataFrame({"client_idx": client_P.astype(np.int32), "place": np.arange(len(client_P))})
    assets = pl.DataFrame(
        {"asset_idx": np.array(asset_idx_A, np.int32), "asset": np.arange(len(asset_idx_A))}
    )
    parameters: list[object] = [after or date.min, until]
    trades = frame(
        book,
        "SELECT client_idx, asset_idx, day, quantity, price, fee, currency FROM trades WHERE day > ? AND day <= ?"
        " ORDER BY client_idx, day, quantity < 0, trade_id",
        parameters,
    )
    trades = trades.join(places, on="client_idx", maintain_order="left").join(
        assets, on="asset_idx", maintain_order="left"
    )
    flows = frame(
        book,
        "SELECT client_idx, day, amount, currency, kind FROM cash_flows WHERE day > ? AND day <= ?"
        " ORDER BY client_idx, day, amount DESC, nth",
        parameters,
    ).join(places, on="client_idx", maintain_order="left")
    trades, trade_ends = _by_market_day(trades, market)
    flows, flow_ends = _by_market_day(flows, market)
    return Feed(market, trades, trade_ends, flows, flow_ends)


def _by_market_day(rows: pl.DataFrame, market: Market) -> tuple[pl.DataFrame, Ints]:
    """Rows by the market's day on which they count, the next with prices; and where each day's rows begin and end."""
    days = rows["day"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(market.days_T, days)
    known = at < market.n_days  # the rest wait for the next day with prices
    same = np.zeros(len(at), np.bool_)
    same[known] = market.days_T[at[known]] == days[known]
    order = np.argsort(at, kind="stable")
    order = order[known[order]]
    ends = np.searchsorted(at[order], np.arange(market.n_days + 1))
    return rows.with_columns(same_day=pl.Series(same, dtype=pl.Boolean))[order], ends.astype(np.int64)
