"""An account's events laid out on a market's days: pieces held, money for trades, dividends, external flows.

Legend: `T` the market's days from the account's first event on, `A` the account's assets. Knows no returns.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nextbest.data.holdings.account import Account
from nextbest.data.holdings.market import DayArray, FloatArray, Market
from nextbest.errors import DataError, InputError

INTERNAL_KINDS = ("interest", "fee", "tax", "dividend")
"""Kinds of cash flow that are the account's own income or cost; every other kind is money from or to outside."""
_ROUNDING = 1e-9
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ledger:
    """Arrays of one account; money in `currency` unless said."""

    currency: str
    days_T: DayArray  # noqa: N815 - shape suffix
    assets: Ints
    """Places of the account's assets in the market."""
    pieces_TA: FloatArray  # noqa: N815 - shape suffix
    """Held at the end of each day, as pieces of before the first split in `T`."""
    price_TA: FloatArray  # noqa: N815 - shape suffix
    """Of such a piece, in the asset's currency; NaN = neither a close nor a trade of the account's own."""
    fx_TA: FloatArray  # noqa: N815 - shape suffix
    """Units of `currency` for one of the asset's."""
    cost_TA: FloatArray  # noqa: N815 - shape suffix
    """Paid for purchases less received from sales, fees in."""
    bought_T: FloatArray  # noqa: N815 - shape suffix
    sold_T: FloatArray  # noqa: N815 - shape suffix
    """At the trades' prices, without fees; both >= 0."""
    dividend_TA: FloatArray  # noqa: N815 - shape suffix
    """Received for what was held the day before."""
    external_T: FloatArray  # noqa: N815 - shape suffix
    """Recorded flows from (+) and to outside."""
    internal_T: FloatArray  # noqa: N815 - shape suffix
    """Recorded interest, fees, taxes, dividends."""
    cash_T: FloatArray  # noqa: N815 - shape suffix
    """Balance at the end of each day; zeros for an account without recorded flows."""
    notes: tuple[str, ...]


def rate_T(market: Market, source: str, target: str) -> FloatArray:  # noqa: N802 - shape suffix
    """Units of `target` for one of `source` on each day of the market.

    Raises
    ------
    InputError
        The market has no rates of one of them.
    """
    if source == target:
        return np.ones(market.n_days)
    found = []
    for currency in (source, target):
        if currency == market.currency:
            found.append(np.ones(market.n_days))
        elif currency in market.rates:
            found.append(market.rates[currency])
        else:
            raise InputError(
                "currency",
                "must have rates in the market",
                value=currency,
                remedy=f"the market knows {sorted({market.currency, *market.rates})}",
            )
    rates: FloatArray = found[0] / found[1]
    return rates


def lay_out(account: Account, market: Market, currency: str) -> Ledger:
    """The account's events on the market's days, money in `currency`.

    Raises
    ------
    InputError
        An asset isn't in the market, a trade lies before its first day, a currency has no rates.
    DataError
        A trade, flow or dividend has no rate on its day.
    """
    notes: list[str] = []
    days = market.days_T
    trades, flows = _known(account, market, notes)
    traded = trades["asset_id"].to_list()
    names = list(dict.fromkeys(traded))
    if unknown := [a for a in names if a not in market.asset_index]:
        raise InputError("market", "must hold every asset of the account", value=unknown[:5])
    assets = np.array([market.asset_index[a] for a in names], dtype=np.int64)
    trade_days = trades["day"].to_numpy().astype("datetime64[D]")
    if len(trade_days) and trade_days.min() < days[0]:
        raise InputError(
            "market",
            "must begin no later than the account's first trade",
            value=str(days[0]),
            remedy=f"ask the book for a market from {trade_days.min()}",
        )
    flow_days = flows["day"].to_numpy().astype("datetime64[D]")
    at, flow_at = np.searchsorted(days, trade_days), np.searchsorted(days, flow_days)
    if rolled := int((days[at] != trade_days).sum() + (days[flow_at] != flow_days).sum()):
        notes.append(f"rolled: {rolled} event(s) on days without any price count on the next day with one")
    begin = int(min([*at[:1], *flow_at[:1]], default=market.n_days))
    window = slice(begin, None)
    at, flow_at = at - begin, flow_at - begin
    n_days = market.n_days - begin

    place = {a: i for i, a in enumerate(names)}
    column = np.array([place[a] for a in traded], dtype=np.int64)
    split_TA: FloatArray = np.cumprod(market.split_TA[window][:, assets], axis=0, dtype=np.float64)
    # A trade is in pieces of its own day: the splits so far are those up to the last market day not after it.
    known = np.searchsorted(days, trade_days, side="right") - 1 - begin
    so_far = np.where(known >= 0, split_TA[np.maximum(known, 0), column] if len(column) else 1.0, 1.0)
    quantity, price = trades["quantity"].to_numpy(), trades["price"].to_numpy()
    moved_TA = np.zeros((n_days, len(assets)))
    np.add.at(moved_TA, (at, column), quantity / so_far)
    pieces_TA = np.cumsum(moved_TA, axis=0)
    pieces_TA[np.abs(pieces_TA) <= _ROUNDING * np.abs(moved_TA).sum(axis=0, initial=0.0)] = 0.0

    fx_TA = market.fx_TA[window][:, assets] / rate_T(market, currency, market.currency)[window, None]
    price_TA = market.close_TA[window][:, assets] * split_TA
    paid = quantity * price + trades["fee"].to_numpy()
    currencies = trades["currency"].to_list()
    rate = _rates(market, currencies, at + begin, currency, "trades")
    cost_TA = np.zeros_like(moved_TA)
    np.add.at(cost_TA, (at, column), paid * rate)
    turned = quantity * price * rate
    bought_T = np.bincount(at, weights=np.maximum(turned, 0.0), minlength=n_days).astype(np.float64)
    sold_T = np.bincount(at, weights=np.maximum(-turned, 0.0), minlength=n_days).astype(np.float64)
    if len(column) and (silent := np.isnan(price_TA[at, column])).any():
        own = price * so_far * rate / fx_TA[at, column]
        price_TA[at[silent], column[silent]] = own[silent]
        notes.append(
            f"priced_by_trade: {int(silent.sum())} trade(s) on days without a close count as the price"
        )

    external_T, internal_T = np.zeros(n_days), np.zeros(n_days)
    amount = flows["amount"].to_numpy() * _rates(
        market, flows["currency"].to_list(), flow_at + begin, currency, "flows"
    )
    kinds = flows["kind"].to_list()
    inside = np.array([kind in INTERNAL_KINDS for kind in kinds], dtype=bool)
    np.add.at(external_T, flow_at[~inside], amount[~inside])
    np.add.at(internal_T, flow_at[inside], amount[inside])

    held_before = np.vstack([np.zeros((1, len(assets))), pieces_TA[:-1]]) if n_days else pieces_TA
    per_piece = market.dividend_TA[window][:, assets] * split_TA
    dividend_TA = np.where((held_before != 0) & (per_piece != 0), held_before * per_piece * fx_TA, 0.0)
    if account.has_flows and "dividend" in kinds:
        dividend_TA = np.zeros_like(dividend_TA)
        notes.append(
            "dividends_as_recorded: the account records its dividends, those of the market are left out"
        )
    if np.isnan(dividend_TA).any():
        bad = np.argwhere(np.isnan(dividend_TA))
        raise DataError(
            "dividends",
            f"must have a rate to {currency} on their day",
            n_bad=len(bad),
            examples=[(names[a], str(days[begin + t])) for t, a in bad[:5]],
        )
    cash_T = np.zeros(n_days)
    if account.has_flows:
        cash_T = np.cumsum(external_T + internal_T + dividend_TA.sum(axis=1) - cost_TA.sum(axis=1))
        scale = np.abs(cost_TA).sum() + np.abs(external_T).sum()
        cash_T[np.abs(cash_T) <= _ROUNDING * scale] = 0.0
        if {*currencies, *flows["currency"].to_list()} - {currency}:
            notes.append(
                f"cash_converted: money in other currencies is one balance in {currency}, at each day's rate"
            )
    return Ledger(
        currency=currency,
        days_T=days[window],
        assets=assets,
        pieces_TA=pieces_TA,
        price_TA=price_TA,
        fx_TA=fx_TA,
        cost_TA=cost_TA,
        bought_T=bought_T,
        sold_T=sold_T,
        dividend_TA=dividend_TA,
        external_T=external_T,
        internal_T=internal_T,
        cash_T=cash_T,
        notes=tuple(notes),
    )


def _known(account: Account, market: Market, notes: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades and flows up to the market's last day."""
    trades, flows = account.trades, account.flows if account.has_flows else account.flows.clear()
    if not market.n_days:
        return trades.clear(), flows.clear()
    last = market.days_T[-1].astype("datetime64[D]").item()
    # Both are sorted by day, and looking at their ends is free: most accounts end before the market does.
    if max([*trades["day"][-1:], *flows["day"][-1:]], default=last) > last:
        late = (trades["day"] > last).sum() + (flows["day"] > last).sum()
        notes.append(f"after_market: {late} event(s) after the last day with prices ({last}) are left out")
        return trades.filter(pl.col("day") <= last), flows.filter(pl.col("day") <= last)
    return trades, flows


def _rates(market: Market, sources: list[str], at: Ints, target: str, what: str) -> FloatArray:
    """Rate to `target` of each event's currency on its day."""
    rates = np.ones(len(at))
    for source in set(sources) - {target}:
        mine = np.array([s == source for s in sources], dtype=bool)
        rates[mine] = rate_T(market, source, target)[at[mine]]
    if np.isnan(rates).any():
        bad = np.flatnonzero(np.isnan(rates))
        raise DataError(
            what,
            f"must have a rate to {target} on their day",
            n_bad=len(bad),
            examples=[(sources[i], str(market.days_T[at[i]])) for i in bad[:5]],
            remedy="add the rates to the book, or leave these rows out",
        )
    return rates
