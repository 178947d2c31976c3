"""A slow, plain valuation: one day after the other, dicts and ifs, written from the conventions and not from the code."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.holdings.account import Account
from nextbest.data.holdings.market import Market


@dataclass
class Slow:
    """One entry an observed day."""

    days: list[date] = field(default_factory=list)
    nav: list[float] = field(default_factory=list)
    flow: list[float] = field(default_factory=list)
    income: list[float] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    contribution: dict[str, float] = field(default_factory=dict)


def slow_value(account: Account, market: Market, *, timing: str = "start", max_stale: int = 5) -> Slow:
    """Money in the market's currency, which must be the account's."""
    out = Slow()
    held: dict[str, float] = {}
    last_price: dict[str, tuple[float, int]] = {}
    cash = 0.0
    since = {"in": 0.0, "dividend": 0.0, "income": 0.0}
    gains: dict[str, float] = {}
    day_list = market.days_T.tolist()
    events = _events(account, day_list)
    started = False
    for t, day in enumerate(day_list):
        at_start = {a for a, q in held.items() if abs(q) > 1e-9}
        priced_today = set()
        for asset in list(held):
            a = market.asset_index[asset]
            dividend = held[asset] * market.split_TA[t, a] * market.dividend_TA[t, a]
            if dividend:
                money = dividend * market.fx_TA[t, a]
                since["dividend"] += money
                since["income"] += money
                gains[asset] = gains.get(asset, 0.0) + money
                cash += money
            held[asset] *= market.split_TA[t, a]
            price, at = last_price[asset]
            last_price[asset] = (price / market.split_TA[t, a], at)
        for event in events.get(t, []):
            started = True
            if "amount" in event:
                money = event["amount"] * _rate(market, event["currency"], t)
                cash += money
                if event["kind"] in ("interest", "fee", "tax", "dividend"):
                    since["income"] += money
                elif account.has_flows:
                    since["in"] += money
                continue
            asset, a = event["asset_id"], market.asset_index[event["asset_id"]]
            paid = event["quantity"] * event["price"] + event["fee"]
            money = paid * _rate(market, event["currency"], t)
            held[asset] = held.get(asset, 0.0) + event["quantity"]
            gains[asset] = gains.get(asset, 0.0) - money
            cash -= money
            if not account.has_flows:
                since["in"] += money
            if np.isnan(market.close_TA[t, a]):
                own = event["price"] * _rate(market, event["currency"], t) / market.fx_TA[t, a]
                last_price[asset] = (own, t)
                priced_today.add(asset)
        for asset in set(held) | set(market.asset_ids):
            a = market.asset_index[asset]
            if not np.isnan(market.close_TA[t, a]):
                last_price[asset] = (market.close_TA[t, a], t)
                priced_today.add(asset)
        at_end = {a for a, q in held.items() if abs(q) > 1e-9}
        involved = at_start | at_end
        if not started or (not involved and not account.has_flows):
            continue
        if involved and not involved & priced_today:
            continue
        if any(t - last_price[a][1] > max_stale for a in at_end):
            continue
        closed = any(gap.start < day < gap.end for gap in market.gaps)
        if closed and any(last_price[a][1] != t for a in at_end):
            continue
        worth = {a: held[a] * last_price[a][0] * market.fx_TA[t, market.asset_index[a]] for a in at_end}
        nav = sum(worth.values()) + (cash if account.has_flows else 0.0)
        if np.isnan(nav):
            continue
        flow = since["in"] - (0.0 if account.has_flows else since["dividend"])
        came, went = max(flow, 0.0), max(-flow, 0.0)
        made = float("nan")
        if out.nav:
            base = out.nav[-1] + (came if timing == "start" else 0.0)
            end = nav + went - (came if timing == "end" else 0.0)
            made = end / base - 1 if base > 0 else float("nan")
        out.days.append(day)
        out.nav.append(nav)
        out.flow.append(flow)
        out.income.append(since["income"])
        out.returns.append(made)
        out.contribution = {a: worth.get(a, 0.0) + gains[a] for a in gains}
        since = dict.fromkeys(since, 0.0)
    return out


def _events(account: Account, days: list[date]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    rows = [*account.flows.iter_rows(named=True)] if account.has_flows else []
    for row in [*rows, *account.trades.iter_rows(named=True)]:
        later = [t for t, day in enumerate(days) if day >= row["day"]]
        if later:
            found.setdefault(later[0], []).append(row)
    return found


def _rate(market: Market, currency: str, t: int) -> float:
    return 1.0 if currency == market.currency else float(market.rates[currency][t])
