"""Answers and changes of one or two words: "а 30?", "за десять", "in euros", read in the light of the last question.

Knows what was said last and nothing of how the conversation goes on (`followups`).
"""

import math
import re
from dataclasses import dataclass, replace
from datetime import date

from nextbest.assistant.agent.cues import left_over
from nextbest.assistant.base import Intent, Money, Slots
from nextbest.assistant.intent.amounts import find_currency
from nextbest.assistant.intent.calendar_words import read_stretch
from nextbest.assistant.intent.counts import MOST
from nextbest.assistant.intent.durations import DAYS_OF, TAKEN_BACK, UNIT, unit_of, year_of
from nextbest.assistant.intent.marked import Marked

_BEFORE_TIME = re.compile(r"\b(?:за|на|через|в\s+течение|in|over|for|within|after)\s+<\d+>")
_BEFORE_SUM = re.compile(r"\b(?:до|под|в|up\s+to|under|below)\s+<\d+>")
_BEFORE_CLIENT = re.compile(r"\b(?:about|for|of|у|для|про|от|клиент[а-я]*|client)\s+<\d+>")
_LONE_UNIT = re.compile(rf"(?:^|[\s\x00])(?:an?\s+)?(?P<unit>{UNIT})\W*")
_TARGET = re.compile(r"накоп|скоп|цел[ьи]|нужн|\bgoal|\btarget|\breach|\bneed|\bsave\s+up")
_NEXT_CLIENT = re.compile(
    r"\b(?:next|following|other|another|after|следующ\w+|друг\w+|соседн\w+)\b[^\d.!?]{0,20}?(?P<id>[a-zA-Z]?\d{1,18})(?:['’]s)?\W*$",
    re.IGNORECASE,
)
_BEFORE_LAST = re.compile(
    r"\b(?:(?:прошл|предыдущ|минувш)(?:ом|ый|ая|ой|ую|ем|ее|ий)|(?:the\s+)?(?:previous|last)(?:\s+one)?|(?:the\s+)?one\s+before(?:\s+(?:that|it))?)\W*$",
    re.IGNORECASE,
)
_LEAST_CLIENT, _MOST_UNITS = 10, 30
"""A number from which another client is likelier meant than a count of things; more is no count of years or months."""
_UNITS = ("year", "quarter", "month", "week", "day")
_UNIT = re.compile(rf"<\d+>[\s-]*(?:{UNIT})")
LISTS: frozenset[Intent] = frozenset({"recommend", "similar", "next_purchase", "bank_product"})
"""Intents whose answer is a list that can be gone on with."""


@dataclass(frozen=True, slots=True)
class LoneNumber:
    """A number that is all a text says."""

    value: float
    is_time: bool
    """After "за", "for": a length in the unit of the last one."""
    is_sum: bool
    """After "до", "up to"."""
    is_client: bool
    """After "у", "about"."""
    digits: str | None
    """As written, where it is written in digits."""


def lone_number(text: str) -> LoneNumber | None:
    """The number of a text that says nothing else but "and", "if", "for"; None for any other text.

    >>> lone_number("а за 10?")
    LoneNumber(value=10.0, is_time=True, is_sum=False, is_client=False, digits='10')
    >>> lone_number("and 300 games?") is None
    True
    """
    said = Marked.of(text)
    if len(said.numbers) != 1 or said.dates or left_over(text):
        return None
    (number,) = said.numbers
    if number.has_scale or _UNIT.search(said.text):
        return None
    digits = None if number.is_word else re.search(r"\d+", text)
    return LoneNumber(
        float(number.value),
        _BEFORE_TIME.search(said.text) is not None,
        _BEFORE_SUM.search(said.text) is not None,
        _BEFORE_CLIENT.search(said.text) is not None,
        None if digits is None else digits[0],
    )


def lone_year(text: str) -> tuple[date, date] | None:
    """First and last day of the one number of a text where it is a year: "I'd rather see 2024"."""
    said = Marked.of(text)
    years = [year_of(said, str(place)) for place in range(len(said.numbers))]
    if len(years) != 1 or years[0] is None:
        return None
    return date(years[0], 1, 1), date(years[0], 12, 31)


def with_lone_number(slots: Slots, said: LoneNumber, last: Slots, intent: Intent) -> Slots:
    """A lone number as what the last question spoke of: a time, another client, money, or how many are wanted."""
    days = last.horizon_days or last.period_days
    is_time = said.is_time or (
        intent in ("portfolio", "forecast") and said.value <= _MOST_UNITS and not said.is_client
    )
    if is_time and days and (last.client is None or said.value <= _MOST_UNITS or not said.is_client):
        length = round(said.value * _unit_of(days))
        return replace(slots, k=None, amount=None, monthly=None, period_days=length, undirected_days=length)
    is_client = intent not in LISTS or said.is_client or (said.value >= _LEAST_CLIENT and last.k is None)
    if last.client is not None and said.digits is not None and is_client:
        return replace(slots, client=said.digits, k=None, amount=None, monthly=None)
    before = last.monthly or last.amount
    is_like = before is not None and said.value >= 20 and _distance(Money(said.value), before) < math.log(4)
    if before is not None and (intent == "plan" or (intent in LISTS and (said.is_sum or is_like))):
        is_short = before.value >= 1000 and said.value < 1000
        size = 1e6 if is_short and before.value >= 1e6 and said.value < 100 else 1e3 if is_short else 1.0
        return with_money_like(
            replace(slots, k=None, monthly=None, amount=Money(said.value * size)), last, ""
        )
    if intent in LISTS and said.value.is_integer() and 1 <= said.value <= MOST:
        return replace(slots, k=int(said.value))
    return slots


def next_client(text: str, last: Slots) -> str | None:
    """Another client named by no more than his number: "а следующему, 6?", "and the client after, 2078?"; None: none is."""
    if last.client is None or (match := _NEXT_CLIENT.search(text)) is None or len(left_over(text)) > 2:
        return None
    return match["id"]


def stretch_before(text: str, last: Slots) -> tuple[date, date] | None:
    """The stretch of the calendar before the last question's: "а в прошлом?", "and the previous one?"; None: none is meant.

    The last one's is the shortest unit that begins on its first day and holds its last: this year so far is a year.
    """
    if last.period is None or _BEFORE_LAST.search(text) is None or left_over(text):
        return None
    first, end = last.period
    for unit in reversed(_UNITS):
        own = read_stretch(Marked(f"this {unit}", (), ()), 0, today=first, is_ahead=False)
        if own is not None and own.first == first and end <= own.last:
            before = read_stretch(Marked(f"last {unit}", (), ()), 0, today=first, is_ahead=False)
            return None if before is None else (before.first, before.last)
    return None


def lone_length(text: str) -> int | None:
    """Days of the one unit of time that is all a text says: "make it a quarter", "меня волнует квартал"."""
    said = Marked.of(text)
    while taken_back := TAKEN_BACK.search(said.text):
        said.strike(taken_back)
    match = _LONE_UNIT.search(said.text)
    if match is None or said.numbers or len(left_over(text)) > 1:
        return None
    return round(DAYS_OF[unit_of(match["unit"])])


def with_money_like(slots: Slots, last: Slots, text: str) -> Slots:
    """A bare sum as the kind that the last question named: put aside each month, or wanted in the end; in its currency."""
    said = slots.amount
    if (
        said is not None
        and said.currency is None
        and last.amount is not None
        and last.amount.currency is not None
    ):
        slots = replace(slots, amount=Money(said.value, last.amount.currency))
    if said is None or slots.monthly is not None or last.monthly is None or _TARGET.search(text.lower()):
        return slots
    named = Money(said.value, said.currency or last.monthly.currency)
    if last.amount is not None and _distance(said, last.amount) < _distance(said, last.monthly):
        return replace(slots, amount=Money(said.value, said.currency or last.amount.currency))
    return replace(slots, amount=None, monthly=named)


def in_currency(text: str, last: Slots) -> Slots | None:
    """The last sums in another currency, where that is all that a text says: "а в долларах?"."""
    code = find_currency(text)
    if code is None or (last.amount is None and last.monthly is None):
        return None
    return Slots(
        amount=None if last.amount is None else Money(last.amount.value, code),
        monthly=None if last.monthly is None else Money(last.monthly.value, code),
    )


def _unit_of(days: int) -> float:
    """Days of the largest unit that a length is made of."""
    for unit in _UNITS:
        size = DAYS_OF[unit]
        if days >= size - 1 and abs(days - round(days / size) * size) <= 0.5 + (unit == "year"):
            return size
    return 1.0


def _distance(one: Money, other: Money) -> float:
    return abs(math.log(max(one.value, 1e-9) / max(other.value, 1e-9)))
