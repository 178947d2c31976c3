"""What an account is worth day by day, what came in and went out, and the return of each day.

Conventions (docs/decisions/0005):

- Returns are simple, from one observed day's end to the next. A day is observed when an asset that is held has a price
  (a close, or a trade of the account's own), or when only cash is there. A held asset without one keeps its last price
  for `max_stale_days` days of the market, which is noted; after that, and at once while the exchange is closed (a gap of
  the market), there is no observation until it has one again.
- `flow_timing="start"`: what came in on balance since the last observation was there from its start, what went out
  left at its end, r = (V + out) / (V_before + in) - 1. `"end"`: both at the end, r = (V + out - in) / V_before - 1.
- Account with recorded flows: cash is a holding (one balance in the account's currency), dividends and interest stay
  in it. Without: purchases are money in, sales and dividends money out, so that a dividend spent on shares the same day
  is no flow on balance.
- Dividends before tax, of what was held at the end of the day before; splits before the day's first trade.

Legend: `T` observed days, `A` the account's assets in the order of their first trade.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from nextbest.data.holdings.account import Account
from nextbest.data.holdings.calendar import USUAL_SPAN_DAYS
from nextbest.data.holdings.market import DayArray, FloatArray, Market
from nextbest.errors import DataError, InputError
from nextbest.portfolio.ledger import Ledger, lay_out, rate_T

FlowTiming = Literal["start", "end"]
BoolArray = npt.NDArray[np.bool_]
MAX_STALE_DAYS = 5
"""Days of the market for which a held asset's last price stands in for a missing one."""


@dataclass(frozen=True)
class Valuation:
    """One account on its observed days; money in `currency`, nothing is NaN but where said."""

    client_id: str
    currency: str
    days_T: DayArray  # noqa: N815 - shape suffix
    """datetime64[D], ascending; empty for an account without events."""
    nav_T: FloatArray  # noqa: N815 - shape suffix
    """Worth at the end of the day, cash in."""
    flow_T: FloatArray  # noqa: N815 - shape suffix
    """External flows since the observation before, + in; the first holds all that came before it too."""
    income_T: FloatArray  # noqa: N815 - shape suffix
    """Dividends, and recorded interest, fees and taxes, since the observation before."""
    return_T: FloatArray  # noqa: N815 - shape suffix
    """Simple, a fraction; NaN on the first, and where nothing was invested."""
    span_T: npt.NDArray[np.int64]  # noqa: N815 - shape suffix
    """Calendar days since the observation before, 0 on the first."""
    regular_T: BoolArray  # noqa: N815 - shape suffix
    """False where the return spans a gap: more than `USUAL_SPAN_DAYS` calendar days."""
    asset_ids: tuple[str, ...]
    value_TA: FloatArray  # noqa: N815 - shape suffix
    """Worth of each asset; 0 = not held."""
    cash_T: FloatArray  # noqa: N815 - shape suffix
    contribution_A: FloatArray  # noqa: N815 - shape suffix
    """Gain of each asset over the whole time: worth at the end - paid + received + dividends, fees off. Together with
    `contribution_cash` the account's `gain`."""
    bought_T: FloatArray  # noqa: N815 - shape suffix
    sold_T: FloatArray  # noqa: N815 - shape suffix
    """Since the observation before, at the trades' prices, without fees; both >= 0."""
    flow_timing: FlowTiming
    notes: tuple[str, ...] = ()
    """`code: sentence`, what was assumed or left out."""
    contribution_cash: float = 0.0
    """Gain of the cash: interest, recorded fees and dividends, rates."""
    asset_class: tuple[str, ...] = ()
    asset_currency: tuple[str, ...] = ()
    """Of each asset, in the order of `asset_ids`."""

    @property
    def gain(self) -> float:
        """Worth at the end less all external flows, in `currency`."""
        return float(self.nav_T[-1] - self.flow_T.sum()) if len(self.nav_T) else 0.0

    def __repr__(self) -> str:
        """No client's name: this lands in logs."""
        span = f"{self.days_T[0]}..{self.days_T[-1]}" if len(self.days_T) else "empty"
        return f"Valuation(n_days={len(self.days_T)}, {span}, n_assets={len(self.asset_ids)}, currency={self.currency!r})"


def value(
    account: Account,
    market: Market,
    *,
    currency: str | None = None,
    flow_timing: FlowTiming = "start",
    max_stale_days: int = MAX_STALE_DAYS,
) -> Valuation:
    """Value an account on every day of a market on which that can be done.

    Parameters
    ----------
    account
        Trades and flows of one client.
    market
        Must hold every asset traded, from the first trade's day on.
    currency
        In which to count; None = the account's.
    flow_timing
        When external flows count within their day; see the module.
    max_stale_days
        Days of the market that a last price may be old, 0 or more.

    Returns
    -------
    Valuation
        Without events, or without a single priced day, T is 0.

    Raises
    ------
    InputError
        An asset, a currency or the first trade's day isn't in the market; `flow_timing` isn't known.
    DataError
        A trade, flow or dividend has no rate on its day.
    """
    if flow_timing not in get_args(FlowTiming):
        raise InputError("flow_timing", "must be 'start' or 'end'", value=flow_timing)
    if max_stale_days < 0:
        raise InputError("max_stale_days", "must be 0 or more", value=max_stale_days)
    target = currency or account.currency
    # Cash is kept in the account's currency and told in the target's; without cash there is one step less.
    ledger = lay_out(account, market, account.currency if account.has_flows else target)
    begin = market.n_days - len(ledger.days_T)
    told_T = rate_T(market, ledger.currency, target)[begin:]

    value_TA, stale_TA = _worth(ledger)
    value_TA = value_TA * told_T[:, None]
    cash_T = ledger.cash_T * told_T
    too_old: BoolArray = np.asarray((stale_TA > max_stale_days).any(axis=1))
    too_old |= _in_gap(ledger.days_T, market) & (stale_TA > 0).any(axis=1)
    nav_T = np.where(too_old, np.nan, value_TA.sum(axis=1) + cash_T)
    priced = _priced(ledger) if account.has_flows else _priced(ledger) & _has_any(ledger)
    seen = np.flatnonzero(priced & ~np.isnan(nav_T))

    cost_TA, dividend_TA = (
        _told(ledger.cost_TA, ledger, told_T, target),
        _told(ledger.dividend_TA, ledger, told_T, target),
    )
    trade_T, dividend_T = cost_TA.sum(axis=1), dividend_TA.sum(axis=1)
    external_T = (
        _told(ledger.external_T, ledger, told_T, target) if account.has_flows else trade_T - dividend_T
    )
    nav, flow = nav_T[seen], _since(external_T, seen)
    days = ledger.days_T[seen]
    span = np.diff(days, prepend=days[:1]).astype(np.int64)
    upto = slice(0, seen[-1] + 1 if len(seen) else 0)
    value_end = value_TA[seen[-1]] if len(seen) else np.zeros(len(ledger.assets))
    contribution = value_end - cost_TA[upto].sum(axis=0) + dividend_TA[upto].sum(axis=0)
    moves = (external_T - trade_T + dividend_T)[upto].sum() if account.has_flows else 0.0
    return Valuation(
        client_id=account.client_id,
        currency=target,
        days_T=days,
        nav_T=nav,
        flow_T=flow,
        income_T=_since(dividend_T + _told(ledger.internal_T, ledger, told_T, target), seen),
        return_T=_returns(nav, flow, flow_timing),
        span_T=span,
        regular_T=span <= USUAL_SPAN_DAYS,
        asset_ids=tuple(market.asset_ids[a] for a in ledger.assets),
        value_TA=value_TA[seen],
        cash_T=cash_T[seen],
        contribution_A=contribution,
        bought_T=_since(_told(ledger.bought_T, ledger, told_T, target), seen),
        sold_T=_since(_told(ledger.sold_T, ledger, told_T, target), seen),
        flow_timing=flow_timing,
        notes=(*ledger.notes, *_notes(ledger, market, seen, stale_TA, too_old, cash_T)),
        contribution_cash=float(cash_T[seen[-1]] - moves) if len(seen) else 0.0,
        asset_class=tuple(market.asset_class[a] for a in ledger.assets),
        asset_currency=tuple(market.currency_A[a] for a in ledger.assets),
    )


def _told(amount: FloatArray, ledger: Ledger, told_T: FloatArray, target: str) -> FloatArray:
    """Money of the ledger, (T,) or (T, A), in `target`; a day without a rate matters only where money moved on it."""
    rate = told_T if amount.ndim == 1 else told_T[:, None]
    told: FloatArray = np.where(amount != 0, amount * rate, 0.0)
    if (bad := np.flatnonzero(np.isnan(told) if told.ndim == 1 else np.isnan(told).any(axis=1))).size:
        raise DataError(
            "flows",
            f"must have a rate to {target} on their day",
            n_bad=len(bad),
            examples=[(ledger.currency, str(ledger.days_T[t])) for t in bad[:5]],
            remedy="add the rates to the book, or count in the account's currency",
        )
    return told


def _worth(ledger: Ledger) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Worth of each asset by its last price, and how many days old that is; 0 and 0 where nothing is held."""
    n_days = len(ledger.days_T)
    there = ~np.isnan(ledger.price_TA)
    rows = np.arange(n_days)[:, None]
    last = np.maximum.accumulate(np.where(there, rows, -1), axis=0)
    price = np.take_along_axis(ledger.price_TA, np.maximum(last, 0), axis=0)
    held = ledger.pieces_TA != 0
    # A purchase is itself a price, so what is held has one.
    worth = np.where(held, ledger.pieces_TA * price * ledger.fx_TA, 0.0)
    return worth, np.where(held, rows - last, 0)


def _in_gap(days_T: DayArray, market: Market) -> BoolArray:
    """Days on which only what doesn't trade there has prices, while the exchange is closed."""
    inside = np.zeros(len(days_T), dtype=bool)
    for gap in market.gaps:
        inside |= (days_T > np.datetime64(gap.start)) & (days_T < np.datetime64(gap.end))
    return inside


def _held(ledger: Ledger) -> BoolArray:
    """Whether each asset is held at the start or at the end of each day."""
    held = np.asarray(ledger.pieces_TA != 0)
    held[1:] |= held[:-1].copy()
    return held


def _has_any(ledger: Ledger) -> BoolArray:
    return np.asarray(_held(ledger).any(axis=1))


def _priced(ledger: Ledger) -> BoolArray:
    """Days on which a held asset has a price, or none is held."""
    held = _held(ledger)
    return np.asarray((held & ~np.isnan(ledger.price_TA)).any(axis=1) | ~held.any(axis=1))


def _since(amount_T: FloatArray, seen: npt.NDArray[np.int64]) -> FloatArray:
    """Sum of what came since the observation before, for each observation."""
    total: FloatArray = np.diff(np.cumsum(amount_T)[seen], prepend=0.0)
    return total


def _returns(nav: FloatArray, flow: FloatArray, timing: FlowTiming) -> FloatArray:
    returns = np.full(len(nav), np.nan)
    if len(nav) < 2:
        return returns
    came, went = np.maximum(flow[1:], 0.0), np.maximum(-flow[1:], 0.0)
    base = nav[:-1] + came if timing == "start" else nav[:-1]
    end = nav[1:] + went if timing == "start" else nav[1:] + went - came
    invested = base > 0
    returns[1:][invested] = end[invested] / base[invested] - 1
    return returns


def _notes(
    ledger: Ledger,
    market: Market,
    seen: npt.NDArray[np.int64],
    stale_TA: npt.NDArray[np.int64],
    too_old: BoolArray,
    cash_T: FloatArray,
) -> list[str]:
    notes = []
    names = [market.asset_ids[a] for a in ledger.assets]
    if n := int((stale := stale_TA[seen] > 0).any(axis=1).sum()):
        which = [names[a] for a in np.flatnonzero(stale.any(axis=0))][:5]
        notes.append(
            f"stale_price: on {n} day(s) a last price stands in, at most {stale_TA[seen].max()} day(s) old: {which}"
        )
    if n := int(too_old.sum()):
        notes.append(
            f"no_price: {n} day(s) are no observation, a held asset has had no price for too long, or the exchange is closed"
        )
    if len(seen) and (n := int((cash_T[seen] < 0).sum())):
        notes.append(
            f"negative_cash: on {n} day(s) the balance is below zero, {cash_T[seen].min():.2f} at the least"
        )
    if len(seen):
        first, last = ledger.days_T[seen[0]].item(), ledger.days_T[seen[-1]].item()
        notes += [
            f"gap: no trading from {gap.start} to {gap.end}, {gap.calendar_days} days"
            for gap in market.gaps
            if first <= gap.start and gap.end <= last
        ]
        after = slice(int(seen[-1]) + 1, None)
        if n := int(((ledger.cost_TA[after] != 0).any(axis=1) | (ledger.external_T[after] != 0)).sum()):
            notes.append(f"after_last_observation: events of {n} day(s) are not in any return")
    return notes
