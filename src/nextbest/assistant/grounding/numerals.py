"""Every number of a text in Russian or English, with what it is of: digits, words, shares, money, time, days.

What looks like a number is read as one, whatever stands around it: a figure that is overlooked can't be checked. Not
read: "один" and "one" without a unit and "пара", pronouns more often than counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from nextbest.assistant.base import Language
from nextbest.assistant.grounding import units
from nextbest.assistant.grounding.number_phrases import Spoken, spoken_at
from nextbest.assistant.grounding.spans import fold
from nextbest.assistant.grounding.units import Kind

Day = tuple[int | None, int | None, int | None]
"""Year, month and day, as far as they were said."""

_MONTHS = (
    r"январ[ьяюеи]м?|янв\.?|january|jan\.?",
    r"феврал[ьяюеи]м?|фев(?:р)?\.?|february|feb\.?",
    r"март[аеу]?|мартом|мар\.|march|mar\.?",
    r"апрел[ьяюеи]м?|апр\.?|april|apr\.?",
    r"ма[йяюе]|маем|may",
    r"июн[ьяюеи]м?|june|jun\.?",
    r"июл[ьяюеи]м?|july|jul\.?",
    r"август[аеу]?|августом|авг\.?|august|aug\.?",
    r"сентябр[ьяюеи]м?|сент?\.?|september|sept?\.?",
    r"октябр[ьяюеи]м?|окт\.?|october|oct\.?",
    r"ноябр[ьяюеи]м?|ноя(?:б)?\.?|november|nov\.?",
    r"декабр[ьяюеи]м?|дек\.?|december|dec\.?",
)
_MONTH = re.compile(r"(?<!\w)(?:" + "|".join(f"(?P<m{i}>{m})" for i, m in enumerate(_MONTHS, 1)) + r")(?!\w)")
_NEEDS_A_NUMBER = frozenset(
    {
        "may",
        "march",
        "mar",
        "sep",
        "jun",
        "dec",
        "jan",
        "oct",
        "мая",
        "мае",
        "маем",
        "маю",
        "сен",
        "дек",
        "ноя",
    }
)
"""Names of months that are other words as well, or hardly stand alone."""
_DATE = re.compile(
    r"(?<![\d.,/-])(?:(?P<y>\d{4})[-./](?P<m>\d{1,2})[-./](?P<d>\d{1,2})|"
    r"(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2}))(?!\d)(?![.,/-]\d)"
)
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?![\d:])")
_START = re.compile(r"[^\W_]+|[½¼¾⅓⅔⅛]")
_SIGN_BEFORE = re.compile(
    r"(?:(?:^|[\s\u00a0(\[«\"'“:;,=~≈|])(?P<s>[-−–+＋])|(?<!\w)(?P<w>минус|minus|плюс|plus)\s+)$"
)
_APPROXIMATE = re.compile(
    r"(?:около|примерно|приблизительно|почти|порядка|где-то|about|around|approximately|roughly|nearly|almost|some|~|≈)\s*$"
)
_OVER = re.compile(r"(?:больше|более|свыше|выше|over|more than|above)[\s\u00a0]+(?:чем[\s\u00a0]+)?$")
_UNDER = re.compile(
    r"(?:меньше|менее|ниже|почти|under|less than|below|almost|nearly|just short of)[\s\u00a0]+$"
)
_ONE_PERIOD = re.compile(
    r"(?<!\w)(?:за[\s\u00a0]+(?:(?:последн|прошл|прошедш|минувш|весь|цел|эт)\w*[\s\u00a0]+)?|"
    r"(?:over|for|during)[\s\u00a0]+(?:(?:the|a|this)[\s\u00a0]+)?(?:(?:past|last|previous|whole)[\s\u00a0]+)?)"
    r"(?P<u>(?P<days>день|сутки|day)|(?P<weeks>неделю|week)|(?P<months>месяц|month)|(?P<quarters>квартал|quarter)|(?P<years>год|year))(?!\w)"
)
_ORDER_BEFORE = re.compile(r"(?:№|#|номер[а-я]*|number|no\.|rank(?:ed)?|мест[ао]|place)\s*$")
_JOIN = re.compile(r"\s*(?:-|–|—|…|\.\.\.?|до|по|to|and|и|or|или|through|until|,)\s*(?:до\s+|to\s+)?")
_DAY_LINK = re.compile(r"[\s\u00a0]*(?:of|-|числа|число)?[\s\u00a0]*")
_LINK = re.compile(r"[\s\u00a0]*(?:,|of|-|числа|число)?[\s\u00a0]*")
_YEAR_WORD = re.compile(r"[\s\u00a0]*(?:год[а-я]*|г\.?г?\.?)(?!\w)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of a text as it is meant."""

    value: float
    kind: Kind
    start: int
    end: int
    """Characters of the text, unit and sign inside."""
    unit: str = ""
    """Currency (ISO 4217), or "days" ... "years"; empty else."""
    step: float = 1.0
    """One in the last place said, in the unit of `value`."""
    day: Day | None = None
    other: float | None = None
    """Another reading: "1,234", "12/03/2024" (as month times 100 plus day)."""
    sign: int = 0
    """-1, 1: a sign was written; 0: none."""
    is_word: bool = False
    is_inherited: bool = False
    """Its unit is that of the next number: the 10 of "10-12 %"."""
    is_approximate: bool = False
    bound: int = 0
    """1: the true number is above ("over 12 %"), -1: below; both within `step`."""
    is_glued: bool = False
    """Inside a word of letters and digits: "PS5"."""


def read_quantities(text: str, language: Language) -> tuple[Quantity, ...]:
    """Numbers and days of a text from left to right, none overlapping.

    Parameters
    ----------
    text
        Any; invisible characters should be gone (`spans.cleaned`).
    language
        Decides what "1,234" is first.

    Notes
    -----
    A month without a day or year is a day of which only the month is known, where its name is no other word.

    >>> [(q.value, q.kind, q.unit) for q in read_quantities("От двадцати пяти до 30 %, 1,2 млн ₽ за полтора года", "ru")]
    [(25.0, 'percent', ''), (30.0, 'percent', ''), (1200000.0, 'money', 'RUB'), (1.5, 'duration', 'years')]
    """
    low = fold(text)
    found = [*_written_days(low), *_clocks(low), *_single_periods(low)]
    taken = sorted((q.start, q.end) for q in found)
    for quantity in _numbers(low, taken, comma_groups=language == "en"):
        found.append(quantity)  # noqa: PERF402  a generator that looks at what it found before
    found.sort(key=lambda q: q.start)
    return tuple(_inherit(low, _with_months(text, low, _with_small_change(low, found))))


def _written_days(low: str) -> Iterator[Quantity]:
    """2024-03-12, 12.03.2024, 12/03/24; with slashes the month may come first."""
    for match in _DATE.finditer(low):
        if match["y"]:
            year, month, day, other = int(match["y"]), int(match["m"]), int(match["d"]), None
        else:
            year = int(match["c"]) + (2000 if len(match["c"]) == 2 else 0)
            day, month = int(match["a"]), int(match["b"])
            other = day * 100.0 + month if match["sep"] == "/" and day <= 12 else None
            if month > 12 and day <= 12:
                day, month, other = month, day, None
        if 1 <= month <= 12 and 1 <= day <= 31:
            yield Quantity(0, "date", match.start(), match.end(), day=(year, month, day), other=other)


def _clocks(low: str) -> Iterator[Quantity]:
    for match in _CLOCK.finditer(low):
        yield Quantity(int(match[1]) * 60 + int(match[2]), "clock", match.start(), match.end())


def _single_periods(low: str) -> Iterator[Quantity]:
    """ "за год", "over the last month": one of them, though no number is said."""
    for match in _ONE_PERIOD.finditer(low):
        unit = next(name for name in ("days", "weeks", "months", "quarters", "years") if match[name])
        yield Quantity(1, "duration", match.start("u"), match.end(), unit, is_word=True)


def _numbers(low: str, taken: list[tuple[int, int]], *, comma_groups: bool) -> Iterator[Quantity]:
    at, spans = 0, iter([*taken, (len(low) + 1, len(low) + 1)])
    span = next(spans)
    while word := _START.search(low, at):
        start = word.start()
        if start >= span[0]:
            at, span = max(at, span[1]), next(spans)
            continue
        if not low[start].isdecimal() and (inner := re.search(r"\d", word[0])):
            start += inner.start()  # "PS5", "x10": the digits of a word are a number, too
        spoken = spoken_at(low, start, comma_groups=comma_groups)
        made = units.compound(word[0]) if spoken is None else None
        if spoken is None and made is None:
            at = word.end()
            continue
        if made is not None:
            value, kind, unit = made
            yield Quantity(
                value, kind, start, word.end(), unit, 0.1 if value != int(value) else 1.0, is_word=True
            )
            at = word.end()
            continue
        assert spoken is not None  # one of the two was found
        quantity = _with_unit(low, spoken, word)
        if quantity is not None:
            yield quantity
        at = max(spoken.end, quantity.end if quantity else 0)


def _with_unit(low: str, spoken: Spoken, word: re.Match[str]) -> Quantity | None:
    start, end, value, step = spoken.start, spoken.end, spoken.value, spoken.step
    kind: Kind = "number"
    unit, other = "", spoken.other
    is_glued = start > word.start() or (end < word.end() and not spoken.is_word)
    after = None if spoken.is_times else units.unit_after(low, end)
    before = units.currency_before(low, start)
    if spoken.is_times:
        kind = "times"
    elif spoken.is_ordinal or _ORDER_BEFORE.search(low, max(0, start - 12), start):
        if spoken.is_word and (shared := re.search(r"\b(?:a|one)\s+$", low[max(0, start - 5) : start])):
            return Quantity(100 / value, "percent", start - len(shared[0]), end, step=1.0, is_word=True)
        kind = "ordinal"
        if after is not None and after[:2] == ("duration", "years") and value > 1900:
            end = after[2]
    elif after is not None:
        kind, unit, value, step, other, end = _of(low, after, value, step, other)
    elif spoken.is_fraction:
        kind, value, step = "percent", value * 100, 1.0
    if before is not None and kind == "number":
        kind, unit, start = "money", before[0], before[1]
    elif spoken.is_fraction and kind == "times":
        kind = "number"
    if spoken.is_alone_one and kind in {"number", "times"} and not before:
        return None
    if kind == "duration" and unit == "years" and _is_year(value, step):
        return Quantity(value, "date", start, end, day=(int(value), None, None))
    sign = 0
    if mark := _SIGN_BEFORE.search(low, max(0, start - 8), start):
        sign = -1 if (mark["s"] or "") in {"-", "−", "–"} or (mark["w"] or "") in {"минус", "minus"} else 1
        start = mark.start("s") if mark["s"] else mark.start("w")
    near = low[max(0, start - 16) : start]
    return Quantity(
        value * (sign or 1),
        kind,
        start,
        end,
        unit,
        step,
        other=None if sign else other,
        sign=sign,
        is_word=spoken.is_word,
        is_approximate=_APPROXIMATE.search(near) is not None,
        bound=1 if _OVER.search(near) else -int(_UNDER.search(near) is not None),
        is_glued=is_glued,
    )


def _of(
    low: str, after: tuple[str, str, int], value: float, step: float, other: float | None
) -> tuple[Kind, str, float, float, float | None, int]:
    name, unit, end = after
    if name == "permille":
        return "percent", "", value / 10, step / 10, None, end
    if name == "subunit":
        return "money", "subunit", value / 100, step / 100, None, end
    kinds: dict[str, Kind] = {
        "points": "points", "bps": "bps", "percent": "percent", "times": "times", "money": "money", "duration": "duration",
    }  # fmt: skip
    return kinds[name], unit, value, step, other, end


def _is_year(value: float, step: float) -> bool:
    return step == 1 and 1900 <= value <= 2100


def _with_small_change(low: str, found: list[Quantity]) -> list[Quantity]:
    """ "120 рублей 50 копеек" as one amount; kopecks alone are roubles, cents alone of no currency known."""
    merged: list[Quantity] = []
    for quantity in found:
        last = merged[-1] if merged else None
        if quantity.kind == "money" and quantity.unit == "subunit":
            between = "" if last is None else low[last.end : quantity.start].strip(" \u00a0,")
            if last is not None and last.kind == "money" and last.unit and between in {"", "и", "and"}:
                merged[-1] = replace(last, value=last.value + quantity.value, end=quantity.end, step=0.01)
                continue
            rouble = "коп" in low[quantity.start : quantity.end]
            merged.append(replace(quantity, unit="RUB" if rouble else ""))
            continue
        merged.append(quantity)
    return merged


def _with_months(text: str, low: str, found: list[Quantity]) -> list[Quantity]:
    """Numbers beside the name of a month become days; a month alone a day of which only that is known."""
    by_end = {q.end: q for q in found}
    by_start = {q.start: q for q in found}
    used: set[int] = set()
    days: list[Quantity] = []
    for match in _MONTH.finditer(low):
        if any(q.start <= match.start() < q.end for q in found):
            continue
        month = int(str(match.lastgroup)[1:])
        start, end = match.start(), match.end()
        day: int | None = None
        year: int | None = None
        before = next((by_end[e] for e in range(start, max(start - 9, -1), -1) if e in by_end), None)
        if before is not None and _DAY_LINK.fullmatch(low[before.end : start]) and _is_day(before):
            day, start = int(before.value), before.start
            used.add(id(before))
        elif (after := _next(by_start, end)) and _LINK.fullmatch(low[end : after.start]) and _is_day(after):
            day, end = int(after.value), after.end
            used.add(id(after))
        after = _next(by_start, end)
        if after is not None and id(after) not in used and _LINK.fullmatch(low[end : after.start]):
            said = after.day[0] if after.day and after.day[1] is None else after.value
            if said is not None and 1900 <= said <= 2100 and after.kind in {"number", "date", "ordinal"}:
                year, end = int(said), after.end
                used.add(id(after))
                end = match_year.end() if (match_year := _YEAR_WORD.match(low, end)) else end
        if day is None and year is None:
            word = match[0].strip(".")
            if word in _NEEDS_A_NUMBER and not (
                text[match.start()].isupper() and match.start() > 0 and word.isascii() and len(word) > 3
            ):
                continue
        days.append(Quantity(0, "date", start, end, day=(year, month, day)))
    kept = [q for q in found if id(q) not in used]
    return sorted([*kept, *days], key=lambda q: q.start)


def _next(by_start: dict[int, Quantity], end: int) -> Quantity | None:
    return next((by_start[s] for s in range(end, end + 9) if s in by_start), None)


def _is_day(quantity: Quantity) -> bool:
    return (
        quantity.kind in {"number", "ordinal"}
        and quantity.step == 1
        and 1 <= quantity.value <= 31
        and not quantity.sign
    )


def _inherit(low: str, found: list[Quantity]) -> Iterator[Quantity]:
    """The 10 of "10-12 %" is a share; the 12 of "12-15 марта" a day."""
    for i in range(len(found) - 2, -1, -1):
        bare, following = found[i], found[i + 1]
        if bare.kind != "number" or bare.is_glued or not _JOIN.fullmatch(low[bare.end : following.start]):
            continue
        if following.kind == "date" and following.day and following.day[2] and _is_day(bare):
            year, month, _ = following.day
            found[i] = replace(
                bare, kind="date", value=0, day=(year, month, int(bare.value)), is_inherited=True
            )
        elif following.kind in {"percent", "money", "duration", "points", "bps", "times"}:
            found[i] = replace(bare, kind=following.kind, unit=following.unit, is_inherited=True)
    return iter(found)
