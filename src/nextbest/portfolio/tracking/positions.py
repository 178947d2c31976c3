"""All portfolios carried on by one day at once: pieces, prices, flows, and the return of each.

The same conventions as `valuation.value`, which stays the definition (the tests hold every figure against it); here
one day of many clients is taken instead of many days of one. Knows arrays only; no database, no plan.

Legend: `P` clients, `H` holdings (client, asset), `A` assets of the market, `E` events of the day.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.holdings.calendar import USUAL_SPAN_DAYS
from nextbest.data.holdings.market import Market
from nextbest.errors import DataError
from nextbest.portfolio.valuation import MAX_STALE_DAYS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_ROUNDING = 1e-9
NO_DAY = -(2**40)
"""Day number of a client that has no observation yet."""


@dataclass
class Events:
    """Trades and flows that count on one day of the market, in order of `Account.trades`."""

    client: Ints
    """Trades: place of the client; shape (E,)."""
    asset: Ints
    """Place of the asset in the market."""
    quantity: Floats
    price: Floats
    """Of a piece, in the trade's currency."""
    fee: Floats
    rate: Floats
    """Units of the client's currency for one of the trade's."""
    same_day: Bools
    """False for a trade on a day without prices before this one: its pieces are of before this day's split."""
    flow_client: Ints
    flow_amount: Floats
    """In the client's currency."""
    flow_external: Bools


@dataclass
class Positions:
    """Every holding of every client at the end of the last day; all clients count in one currency."""

    n_clients: int
    key_H: Ints  # noqa: N815 - shape suffix
    """client * n_assets + asset, ascending."""
    pieces_H: Floats  # noqa: N815 - shape suffix
    moved_H: Floats  # noqa: N815 - shape suffix
    """Pieces ever moved, to tell a rest of rounding from a holding."""
    price_H: Floats  # noqa: N815 - shape suffix
    """Last price, in the asset's currency."""
    age_H: Ints  # noqa: N815 - shape suffix
    """Days of the market since that price."""
    has_flows_P: Bools  # noqa: N815 - shape suffix
    own_dividends_P: Bools  # noqa: N815 - shape suffix
    """Clients who record their dividends; those of the market are left out for them."""
    cash_P: Floats  # noqa: N815 - shape suffix
    started_P: Bools  # noqa: N815 - shape suffix
    nav_P: Floats  # noqa: N815 - shape suffix
    """At the last observation; NaN before the first."""
    net_P: Floats  # noqa: N815 - shape suffix
    """External flows since then; without recorded ones, paid for purchases less received from sales and dividends."""
    observed_P: Ints  # noqa: N815 - shape suffix
    """Day number (since 1970) of that observation."""

    @classmethod
    def empty(cls, has_flows_P: Bools, own_dividends_P: Bools) -> "Positions":
        """Clients before their first event."""
        n = len(has_flows_P)
        none, zero = np.empty(0), np.zeros(n)
        return cls(
            n_clients=n,
            key_H=none.astype(np.int64),
            pieces_H=none,
            moved_H=none.copy(),
            price_H=none.copy(),
            age_H=none.astype(np.int64),
            has_flows_P=has_flows_P,
            own_dividends_P=own_dividends_P,
            cash_P=zero,
            started_P=np.zeros(n, np.bool_),
            nav_P=np.full(n, np.nan),
            net_P=zero.copy(),
            observed_P=np.full(n, NO_DAY, np.int64),
        )


@dataclass(frozen=True)
class Day:
    """What one day brought each client; NaN = no observation, or no return yet."""

    nav_P: Floats  # noqa: N815 - shape suffix
    flow_P: Floats  # noqa: N815 - shape suffix
    """External flows since the observation before, + in."""
    return_P: Floats  # noqa: N815 - shape suffix
    regular_P: Bools  # noqa: N815 - shape suffix
    """False where the return spans a closed exchange."""
    seen_P: Bools  # noqa: N815 - shape suffix


def step(positions: Positions, market: Market, t: int, events: Events, *, closed: bool = False) -> Day:
    """Carry all clients through day `t` of the market; `positions` is changed in place.

    Parameters
    ----------
    closed
        Whether the exchange is closed that day (a gap of the market): then no last price stands in.

    Raises
    ------
    DataError
        A trade, a flow or a dividend has no rate on its day.
    """
    if np.isnan(events.rate).any() or np.isnan(events.flow_amount).any():
        raise DataError(
            "trades and flows",
            f"must have a rate to {market.currency} on {market.days_T[t]}",
            n_bad=int(np.isnan(events.rate).sum() + np.isnan(events.flow_amount).sum()),
            remedy="add the rates to the book",
        )
    p, n_assets = positions, market.n_assets
    split_A, fx_A, close_A = market.split_TA[t], market.fx_TA[t], market.close_TA[t]

    # before the day's first trade: splits, then dividends of what was held
    asset_H = p.key_H % n_assets
    p.pieces_H *= split_A[asset_H]
    p.moved_H *= split_A[asset_H]
    p.price_H /= split_A[asset_H]
    dividend_P = _dividends(p, asset_H, market, t)
    held_before = p.key_H.copy()

    cost_P = _trade(p, events, split_A, n_assets)
    price_now_H = close_A[p.key_H % n_assets]
    _own_prices(p, events, price_now_H, split_A, fx_A, n_assets)
    fresh_H = ~np.isnan(price_now_H)
    p.price_H = np.where(fresh_H, price_now_H, p.price_H)
    p.age_H = np.where(fresh_H, 0, p.age_H + 1)

    # held at the start or at the end of the day, and priced on it
    client_H = p.key_H // n_assets
    held_H = p.pieces_H != 0
    either_H = held_H | np.isin(p.key_H, held_before, assume_unique=True)
    any_P = np.bincount(client_H[either_H], minlength=p.n_clients) > 0
    priced_P = np.bincount(client_H[either_H & fresh_H], minlength=p.n_clients) > 0
    worth_H = np.where(held_H, p.pieces_H * p.price_H * fx_A[p.key_H % n_assets], 0.0)
    too_old = 0 if closed else MAX_STALE_DAYS
    stale_P = np.bincount(client_H[held_H & (p.age_H > too_old)], minlength=p.n_clients) > 0
    worth_P = np.bincount(client_H, weights=worth_H, minlength=p.n_clients)
    _drop(p, held_H)

    external_P, inside_P = (
        np.bincount(events.flow_client[side], weights=events.flow_amount[side], minlength=p.n_clients)
        for side in (events.flow_external, ~events.flow_external)
    )
    with_flows = p.has_flows_P
    p.cash_P += np.where(with_flows, external_P + inside_P + dividend_P - cost_P, 0.0)
    p.net_P += np.where(with_flows, external_P, cost_P - dividend_P)
    p.started_P[events.client] = True
    p.started_P[events.flow_client] = True

    nav_P = worth_P + p.cash_P
    seen_P = p.started_P & ~stale_P & ~np.isnan(nav_P) & (priced_P | (with_flows & ~any_P))
    return _observe(p, nav_P, seen_P, int(market.days_T[t].astype(np.int64)))


def _dividends(p: Positions, asset_H: Ints, market: Market, t: int) -> Floats:
    """Money received by each client for what was held the day before."""
    paid_A = market.dividend_TA[t]
    paying = paid_A[asset_H] != 0
    if not paying.any():
        return np.zeros(p.n_clients)
    asset, client = asset_H[paying], p.key_H[paying] // market.n_assets
    money = p.pieces_H[paying] * paid_A[asset] * market.fx_TA[t, asset]
    money[p.own_dividends_P[client]] = 0.0
    if np.isnan(money).any():
        names = [market.asset_ids[a] for a in np.unique(asset[np.isnan(money)])]
        raise DataError(
            "dividends",
            f"must have a rate to {market.currency} on {market.days_T[t]}",
            n_bad=len(names),
            examples=names,
        )
    received_P: Floats = np.bincount(client, weights=money, minlength=p.n_clients).astype(np.float64)
    return received_P


def _trade(p: Positions, events: Events, split_A: Floats, n_assets: int) -> Floats:
    """Move the day's pieces; what each client paid for them, less what he got."""
    if not len(events.client):
        return np.zeros(p.n_clients)
    key_E = events.client * n_assets + events.asset
    new = np.setdiff1d(key_E, p.key_H)
    if len(new):
        place = np.searchsorted(p.key_H, new)
        p.key_H = np.insert(p.key_H, place, new)
        p.pieces_H, p.moved_H = np.insert(p.pieces_H, place, 0.0), np.insert(p.moved_H, place, 0.0)
        p.price_H, p.age_H = np.insert(p.price_H, place, np.nan), np.insert(p.age_H, place, 0)
    moved_E = events.quantity * np.where(events.same_day, 1.0, split_A[events.asset])
    at = np.searchsorted(p.key_H, key_E)
    np.add.at(p.pieces_H, at, moved_E)
    np.add.at(p.moved_H, at, np.abs(moved_E))
    p.pieces_H[np.abs(p.pieces_H) <= _ROUNDING * p.moved_H] = 0.0
    paid_E = (events.quantity * events.price + events.fee) * events.rate
    cost_P: Floats = np.bincount(events.client, weights=paid_E, minlength=p.n_clients).astype(np.float64)
    return cost_P


def _own_prices(
    p: Positions, events: Events, price_now_H: Floats, split_A: Floats, fx_A: Floats, n_assets: int
) -> None:
    """On a day without a close the client's own last trade is the price, as in the ledger."""
    at = np.searchsorted(p.key_H, events.client * n_assets + events.asset)
    silent = np.isnan(price_now_H[at])
    if silent.any():
        since = np.where(events.same_day, 1.0, split_A[events.asset])
        own_E = events.price / since * events.rate / fx_A[events.asset]
        price_now_H[at[silent]] = own_E[silent]


def _drop(p: Positions, keep_H: Bools) -> None:
    """Forget what is no longer held."""
    if not keep_H.all():
        p.key_H, p.age_H = p.key_H[keep_H], p.age_H[keep_H]
        p.pieces_H, p.moved_H, p.price_H = p.pieces_H[keep_H], p.moved_H[keep_H], p.price_H[keep_H]


def _observe(p: Positions, nav_P: Floats, seen_P: Bools, day: int) -> Day:
    """Returns of those observed; the flows since the last observation belong to this one."""
    came_P = np.maximum(p.net_P, 0.0)
    went_P = np.maximum(-p.net_P, 0.0)
    base_P = p.nav_P + came_P
    return_P = np.full(p.n_clients, np.nan)
    invested = seen_P & (base_P > 0)
    return_P[invested] = (nav_P + went_P)[invested] / base_P[invested] - 1
    flow_P = np.where(seen_P, p.net_P, np.nan)
    regular_P = day - p.observed_P <= USUAL_SPAN_DAYS
    p.nav_P = np.where(seen_P, nav_P, p.nav_P)
    p.net_P[seen_P] = 0.0
    p.observed_P = np.where(seen_P, day, p.observed_P)
    return Day(np.where(seen_P, nav_P, np.nan), flow_P, return_P, regular_P, seen_P)
