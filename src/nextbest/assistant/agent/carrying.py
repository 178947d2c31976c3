"""Slots of a question in the light of the last one: which way a time looks, what a lone number is, what goes on.

Knows slots and intents, nothing of what was shown (`followups`).
"""

from dataclasses import fields, replace

from nextbest.assistant.agent.ellipsis import (
    in_currency,
    lone_length,
    lone_number,
    lone_year,
    stretch_before,
    with_lone_number,
    with_money_like,
)
from nextbest.assistant.base import Intent, Slots, Turn, Understood
from nextbest.assistant.intent.names import find_goal
from nextbest.assistant.intent.number_words import folded
from nextbest.assistant.intent.slots import find_bare_sum

AHEAD: frozenset[Intent] = frozenset({"plan", "forecast", "next_purchase"})
BACK: frozenset[Intent] = frozenset({"portfolio", "peers"})
TIME = frozenset({"period_days", "period", "horizon_days", "undirected_days"})
MONEY = frozenset({"amount", "monthly"})


def given_of(slots: Slots) -> set[str]:
    """Names of the slots that the text fills."""
    empty = Slots()
    return {f.name for f in fields(Slots) if getattr(slots, f.name) != getattr(empty, f.name)}


def merged(slots: Slots, last: Turn) -> Slots:
    """What is said now before what was said last; a place in a list and a refusal are of one question only."""
    changes = {name: getattr(slots, name) for name in given_of(slots)}
    if TIME & changes.keys():
        changes = {**dict.fromkeys(TIME), **changes}
    return replace(replace(last.slots, ordinal=None, rejects=False, cheaper=False), **changes)


def in_direction(slots: Slots, intent: Intent) -> Slots:
    """A bare "three years" looks ahead for a plan and back for a portfolio; a time that says its way keeps it."""
    days = slots.undirected_days
    if days is None:
        return slots
    if intent in AHEAD:
        return replace(slots, horizon_days=days, period_days=None, period=None, undirected_days=None)
    if intent in BACK and slots.horizon_days is not None:
        return replace(slots, period_days=days, horizon_days=None, undirected_days=None)
    return replace(slots, undirected_days=None)


def of_a_plan(slots: Slots, text: str) -> Slots:
    """A plan is about saving, so that a house and a bare number need no further word: "план: дом, 900 000"."""
    if slots.goal is None:
        slots = replace(slots, goal=find_goal(folded(text), is_wish=True))
    if slots.amount is None and slots.monthly is None:
        slots = replace(slots, amount=find_bare_sum(text))
    return slots


def in_the_light_of(understood: Understood, last: Turn) -> Slots:
    """Slots of a short text, with its lone number, its currency and its sum read as the last question's were."""
    if (changed := in_currency(understood.text, last.slots)) is not None:
        return changed
    slots = understood.slots
    if last.intent in BACK and (before := stretch_before(understood.text, last.slots)) is not None:
        return replace(Slots(), period=before, period_days=(before[1] - before[0]).days + 1)
    if (
        last.intent in BACK
        and not given_of(slots) & TIME
        and (year := lone_year(understood.text)) is not None
    ):
        slots = replace(slots, period=year, period_days=(year[1] - year[0]).days + 1, k=None, amount=None)
    is_free = not given_of(slots) & (TIME | MONEY | {"client"})
    if is_free and (number := lone_number(understood.text)) is not None:
        slots = with_lone_number(slots, number, last.slots, last.intent)
    elif is_free and (days := lone_length(understood.text)) is not None:
        slots = replace(slots, period_days=days, undirected_days=days)
    if last.intent == "plan":
        slots = of_a_plan(slots, understood.text)
    return with_money_like(slots, last.slots, understood.text)
