"""From a wish to tool calls: a table by intent, so that the same wish has the same calls, and a model has no say.

What is missing is asked for, one thing at a time. Which rooms are served is told by the toolbox; a call to one that
isn't is planned all the same, and answered by the toolbox in words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nextbest.assistant.agent import cues
from nextbest.assistant.agent.followups import Wish
from nextbest.assistant.base import Intent, Room, ToolCall

Missing = Literal["item", "asset"]
MAX_EXPLAINED = 3
"""Things explained in one answer."""
_SAVING_GOALS = ("house", "education", "pension", "cushion", "travel", "car", "growth")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done about a wish."""

    calls: tuple[ToolCall, ...] = ()
    missing: Missing | None = None
    """What has to be asked for first; there are no calls then."""


def plan(wish: Wish, *, rooms: frozenset[Room], assets: tuple[str, ...] = ()) -> Plan:
    """The calls that answer a wish, in order.

    Parameters
    ----------
    wish
        Of `followups.resolve`; its intent is one that a tool answers.
    rooms
        Those that the toolbox serves.
    assets
        Assets that can be forecast: where there is one, it needn't be named.

    Returns
    -------
    Plan
        Without calls for small talk and what is off topic.
    """
    planned = _TABLE.get(wish.understood.intent)
    return Plan() if planned is None else planned(wish, rooms, assets)


def _call(tool: str, **arguments: Any) -> Plan:
    return Plan(
        (ToolCall(tool, {name: value for name, value in arguments.items() if value not in (None, (), [])}),)
    )


def _recommend(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    if "shop" not in rooms and "products" in rooms:
        return _bank_product(wish, rooms, assets)
    return _call(
        "recommend_items",
        k=slots.k,
        category=slots.category,
        max_price=_bound(wish),
        deny=list(wish.deny),
        client=slots.client,
    )


def _similar(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    items = [link.item_id for link in slots.items] or [shown.item_id for shown in wish.about[:1]]
    if not items:
        return Plan(missing="item")
    return _call("similar_items", item_id=items[0], k=slots.k, max_price=_bound(wish), deny=list(wish.deny))


def _next_purchase(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    return _call(
        "next_purchases",
        k=slots.k,
        horizon_days=slots.horizon_days,
        max_price=_bound(wish),
        deny=list(wish.deny),
        client=slots.client,
    )


def _bank_product(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    asks = slots.client is None and any(map(cues.asks_conditions, (wish.understood.text, wish.before)))
    if asks:
        return _call("search_documents", query=wish.understood.text)
    return _call("bank_products", k=slots.k, deny=list(wish.deny), client=slots.client)


def _portfolio(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    start, end = slots.period or (None, None)
    return _call(
        "portfolio_metrics",
        period_days=None if slots.period else slots.period_days,
        start=None if start is None else start.isoformat(),
        end=None if end is None else end.isoformat(),
        client=slots.client,
    )


def _peers(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    return _call("portfolio_peers", client=wish.understood.slots.client)


def _plan(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    says_more = slots.amount or slots.monthly or slots.horizon_days
    asks = cues.asks_progress(wish.understood.text) or cues.asks_progress(wish.before)
    if not says_more and asks:
        return _call("portfolio_tracking", client=slots.client)
    return _call(
        "portfolio_plan",
        goal=slots.goal if slots.goal in _SAVING_GOALS else None,
        amount=None if slots.amount is None else slots.amount.value,
        monthly=None if slots.monthly is None else slots.monthly.value,
        currency=next(
            (said.currency for said in (slots.amount, slots.monthly) if said and said.currency), None
        ),
        horizon_days=slots.horizon_days,
        client=slots.client,
    )


def _forecast(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    asset = slots.asset or (assets[0] if len(assets) == 1 else None)
    if asset is None and "market" in rooms:
        return Plan(missing="asset")
    return _call("market_forecast", asset=asset or "?", horizon_days=slots.horizon_days)


def _explain(wish: Wish, rooms: frozenset[Room], assets: tuple[str, ...]) -> Plan:
    slots = wish.understood.slots
    items = [shown.item_id for shown in wish.about] or [link.item_id for link in slots.items]
    if items:
        calls = (
            ToolCall("explain_item", {"item_id": item, **_of(slots.client)}) for item in items[:MAX_EXPLAINED]
        )
        return Plan(tuple(calls))
    if "documents" in rooms:
        return _call("search_documents", query=wish.understood.text)
    return Plan(missing="item")


def _of(client: str | None) -> dict[str, str]:
    return {} if client is None else {"client": client}


def _bound(wish: Wish) -> float | None:
    """The highest price: what was shown, or an amount that the text names."""
    named = wish.understood.slots.amount or wish.understood.slots.monthly
    bounds = [
        bound for bound in (wish.max_price, None if named is None else named.value) if bound is not None
    ]
    return min(bounds) if bounds else None


_TABLE: Mapping[Intent, Callable[[Wish, frozenset[Room], tuple[str, ...]], Plan]] = {
    "recommend": _recommend,
    "similar": _similar,
    "next_purchase": _next_purchase,
    "bank_product": _bank_product,
    "portfolio": _portfolio,
    "peers": _peers,
    "plan": _plan,
    "forecast": _forecast,
    "explain": _explain,
}
