"""Stretches of the calendar by name: "10 марта", "October 2025", "прошлым летом", "Q1", "second half of last year".

One reader for what lies behind and what lies ahead: a name without its year is the latest that has begun, or the next to
come. Weeks begin on Monday, winter in December, all days in.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from nextbest.assistant.intent.durations import MONTH, UNIT, month_of, unit_of, year_of
from nextbest.assistant.intent.marked import Marked
from nextbest.text.number_words import ordinal_value


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days of the calendar, both in."""

    first: date
    last: date
    end: int
    """Place in the text after its words."""
    has_year: bool = False
    """Whether the text says which year's it is."""


_SHIFTS = {
    -2: r"позапрошл[а-я]+",
    -1: r"прошл[а-я]+|предыдущ[а-я]+|минувш[а-я]+|прошедш[а-я]+|last|previous",
    0: r"эт(?:от|а|у|о|ой|ом|ого|им)|текущ[а-я]+|нынешн[а-я]+|this|current",
    1: r"следующ[а-я]+|будущ[а-я]+|next|coming",
}
_SHIFT = "|".join(f"(?:{words})" for words in _SHIFTS.values())
_SEASONS = {
    12: r"зим(?:а|у|ы|е|ой)|winter",
    3: r"весн(?:а|у|ы|е|ой)|spring",
    6: r"лет(?:о|а|у|ом|е)|summer",
    9: r"осен(?:ь|и|ью)|autumn",
}
_SEASON = r"(?:" + "|".join(_SEASONS.values()) + r")\b"
_PLACE = (
    r"перв[а-я]+|втор[а-я]+|трет[а-я]+|четв[её]рт[а-я]+|first|1st|second|2nd|third|3rd|fourth|4th|iv|iii|ii|i"
)
_PLACES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_YEAR_WORD = r"(?:год[а-я]{0,2}|г|year)\b\.?"
_YEAR = rf"<(?P<year>\d+)>(?:-?(?:й|го|м|му|ый|ого|ом)\b)?(?:\s*{_YEAR_WORD})?(?!\d)"
_SPOKEN_YEAR = rf"(?:<(?P<tens>\d+)>\s+)?(?P<ordinal>[а-я]+)\s+{_YEAR_WORD}"
_TAIL = re.compile(
    rf"(?:,?\s+(?:of\s+|in\s+|за\s+|в\s+)?(?:the\s+)?(?:{_YEAR}|(?P<shift>{_SHIFT})\s+(?:год[а-я]*|year)\b|{_SPOKEN_YEAR}))"
)
_OF_MONTH = re.compile(rf"\s+(?:of\s+)?(?={MONTH})")
_EDGE = re.compile(
    r"(?:(?:the\s+)?(?P<last>конц[ауе]|end)|(?:the\s+)?(?P<first>начал[ауое]м?|start|beginning))\s+(?:of\s+)?(?:the\s+)?"
)
_HEADS = (
    re.compile(r"@(?P<date>[a-z])"),
    re.compile(rf"<(?P<day>\d+)>(?:-?(?:го|е|му|th|st|nd|rd)\b)?\s+(?:of\s+)?(?P<month>{MONTH})"),
    re.compile(rf"(?P<month>{MONTH})\s+(?:the\s+)?<(?P<day>\d+)>(?:th|st|nd|rd)?(?!\s*(?:год|г\b))"),
    re.compile(rf"(?P<nth>[a-zа-я]+)\s+(?:of\s+)?(?P<month>{MONTH})"),
    re.compile(rf"(?:(?P<shift>{_SHIFT})\s+)?(?P<month>{MONTH})"),
    re.compile(rf"(?:(?P<shift>{_SHIFT})\s+|the\s+)?(?P<season>{_SEASON})"),
    re.compile(rf"(?:{_YEAR}\s+)?q(?P<quarter>[1-4])\b"),
    re.compile(rf"(?:{_YEAR}\s+)?h(?P<half>[12])\b"),
    re.compile(
        rf"(?:the\s+)?(?:(?P<place>{_PLACE})|<(?P<mark>\d+)>(?:-?(?:й|го|м|ый))?)\s*(?P<of>квартал[а-я]*|кв\b\.?|quarter\b|"
        r"полугоди[а-я]+|половин[а-я]+(?=\s+(?:эт|прошл|позапрошл|текущ|нынешн|следующ|будущ|год|<))|half(?=\s+of\s+(?:the\s+year|last|this|next|<)))"
    ),
    re.compile(
        r"(?:нов(?:ый|ого|ому|ым)\s+год[ау]?|(?:the\s+)?new\s+year(?:['’]s(?:\s+(?:eve|day))?)?)\b(?P<new_year>)"
    ),
    re.compile(r"(?:рождеств[а-я]+|christmas|xmas)\b(?P<christmas>)"),
    re.compile(r"(?:the\s+)?(?P<before_last>year|quarter|month|week)\s+before\s+last\b"),
    re.compile(
        rf"(?:the\s+)?(?:first|перв[а-я]+)\s+<(?P<count>\d+)>\s+(?P<many>{UNIT})(?P<in_year>\s+(?:of\s+the\s+year|года))?\b"
    ),
    re.compile(
        rf"(?:(?:эти|ближайш|предстоящ)[а-я]*\s+|(?:this\s+|the\s+)?coming\s+|(?P<shift>{_SHIFT})\s+|the\s+)?(?P<weekend>weekend|выходны[а-я]+)\b"
    ),
    re.compile(rf"(?P<shift>{_SHIFT})\s+(?P<unit>{UNIT})"),
    re.compile(_YEAR),
    re.compile(_SPOKEN_YEAR),
    re.compile(rf"(?P<own>{UNIT})"),
)
_LENGTHS = {"month": 1, "quarter": 3, "season": 3, "half": 6, "year": 12}


def read_stretch(
    said: Marked, at: int, *, today: date, is_ahead: bool, year: int | None = None, to_end: bool = False
) -> Stretch | None:
    """The stretch whose words begin at a place; None: none does, or there is no such day.

    Parameters
    ----------
    said
        The text, marked.
    at
        Place of its first letter.
    is_ahead
        Which one a name without a year is: the next to come, or the latest that has begun.
    year
        Of a name without one, as the other end of the stretch says it ("с 10 января по 15 марта 2025").
    to_end
        Whether its last day is what counts: then the stretch that lasts today is still to come.
    """
    edge = _EDGE.match(said.text, at)
    head_at = edge.end() if edge else at
    for regex in _HEADS:
        if match := regex.match(said.text, head_at):
            stretch = _stretch(said, match, today=today, is_ahead=is_ahead, year=year, is_whole=edge is None)
            if stretch is None:
                continue
            if is_ahead and (to_end or (edge and edge["last"])) and not stretch.has_year:
                lasting = _stretch(said, match, today=today, is_ahead=False, year=year, is_whole=edge is None)
                if lasting is not None and lasting.first <= today < lasting.last:
                    stretch = lasting
            break
    else:
        return None
    if edge is None:
        return stretch
    day = stretch.first if edge["first"] else stretch.last
    return Stretch(day, day, stretch.end, stretch.has_year)


def _stretch(
    said: Marked, match: re.Match[str], *, today: date, is_ahead: bool, year: int | None, is_whole: bool
) -> Stretch | None:
    groups, end = match.groupdict(), match.end()
    if groups.get("date"):
        day = said.day(groups["date"])
        return Stretch(day, day, end, has_year=True)
    if "new_year" in groups:  # "с Нового года" begins on it, "до Нового года" ends before it
        day = date(today.year, 12, 31) if is_ahead else date(today.year, 1, 1)
        return Stretch(day, day, end)
    if "christmas" in groups:
        of_month, of_day = (1, 7) if "рожд" in match[0] else (12, 25)
        found = _in_year("day", of_month, None, today=today, is_ahead=is_ahead, day=of_day)
        return None if found is None else Stretch(*found, end)
    if unit := groups.get("before_last"):
        return _shifted_unit(unit, -2, today, end)
    shift = _shift_of(groups.get("shift"))
    if groups.get("many"):
        return _first_of(said, match, today)
    if groups.get("weekend"):
        return _weekend(shift or 0, today, end, is_ahead=is_ahead)
    if groups.get("unit"):
        return _shifted_unit(unit_of(groups["unit"]), shift or 0, today, end)
    if groups.get("own"):  # "до конца месяца": only with its edge
        return None if is_whole else _shifted_unit(unit_of(groups["own"]), 0, today, end)
    own_year = year_of(said, groups.get("year")) or _spoken_year(said, groups)
    unit, month = _named(said, groups)
    if month is None:
        return None if own_year is None or unit else _whole_year(own_year, end)
    tail = _TAIL.match(said.text, end)
    if tail is not None and own_year is None and (named := _year_of_tail(said, tail, today)) is not None:
        own_year, end = named, tail.end()
    day_of = None
    if groups.get("day"):
        number = said.number(groups["day"])
        if not 1 <= number.value <= 31 or number.value != int(number.value):
            return None
        unit, day_of = "day", int(number.value)
    if nth := groups.get("nth"):
        unit, day_of = "day", ordinal_value(nth)
        if day_of is None or not 1 <= day_of <= 31:
            return None
    if shift is not None and own_year is None:
        found = _beside(unit, month, shift, today)
    else:
        found = _in_year(
            unit,
            month,
            own_year if own_year is not None else year,
            today=today,
            is_ahead=is_ahead,
            day=day_of,
        )
    return None if found is None else Stretch(*found, end, own_year is not None)


def _first_of(said: Marked, match: re.Match[str], today: date) -> Stretch | None:
    """ "the first three months of the year", "первые две недели октября"; None where it isn't said of what."""
    count, unit = said.number(match["count"]).value, unit_of(match["many"])
    first, end = date(today.year, 1, 1) if match["in_year"] else None, match.end()
    if first is None and (tail := _TAIL.match(said.text, end)) is not None:
        year, end = _year_of_tail(said, tail, today), tail.end()
        first = None if year is None else date(year, 1, 1)
    if first is None and (of := _OF_MONTH.match(said.text, match.end())) is not None:
        month = read_stretch(said, of.end(), today=today, is_ahead=False)
        first, end = (None, end) if month is None else (month.first, month.end)
    if first is None or count != int(count) or not 1 <= count <= 366:
        return None
    if unit in ("day", "week"):
        last = first + timedelta(days=int(count) * (7 if unit == "week" else 1) - 1)
    elif unit in _LENGTHS:
        last = _after(first, int(count) * _LENGTHS[unit]) - timedelta(days=1)
    else:
        return None
    return Stretch(first, last, end, has_year=True)


def _weekend(shift: int, today: date, end: int, *, is_ahead: bool) -> Stretch:
    """Saturday and Sunday: the next to come or the latest that has begun, and those before and after."""
    saturday = today + timedelta(days=5 - today.weekday() if today.weekday() < 6 else -1)
    if shift:
        saturday += timedelta(days=7 * shift)
    elif not is_ahead and saturday > today:
        saturday -= timedelta(days=7)
    return Stretch(saturday, saturday + timedelta(days=1), end)


def _named(said: Marked, groups: dict[str, str | None]) -> tuple[str, int | None]:
    """Unit and first month of what is named; (`""`, None) for a year."""
    if word := groups.get("month"):
        return "month", month_of(word)
    if word := groups.get("season"):
        return "season", next(month for month, words in _SEASONS.items() if re.fullmatch(words, word))
    if number := groups.get("quarter"):
        return "quarter", 3 * int(number) - 2
    if number := groups.get("half"):
        return "half", 6 * int(number) - 5
    if word := groups.get("of"):
        place = _place(said, groups)
        is_half = word.startswith(("полу", "полов", "half"))
        most = 2 if is_half else 4
        if place is None or not 1 <= place <= most:
            return "of", None
        return ("half", 6 * place - 5) if is_half else ("quarter", 3 * place - 2)
    return "", None


def _place(said: Marked, groups: dict[str, str | None]) -> int | None:
    if word := groups.get("place"):
        return _PLACES.get(word) or ordinal_value(word)
    number = said.number(groups["mark"] or "")
    return None if number.is_word or number.value != int(number.value) else int(number.value)


def _spoken_year(said: Marked, groups: dict[str, str | None]) -> int | None:
    """ "двадцать четвёртый год", "тридцатому году": of this century."""
    word = groups.get("ordinal")
    value = None if word is None else ordinal_value(word)
    if value is None:
        return None
    if tens := groups.get("tens"):
        number = said.number(tens)
        if not number.is_word or number.value % 10 or not 20 <= number.value <= 90 or value > 9:
            return None
        return 2000 + int(number.value) + value
    return 2000 + value if 10 <= value <= 99 else None


def _year_of_tail(said: Marked, tail: re.Match[str], today: date) -> int | None:
    if tail["shift"]:
        return today.year + (_shift_of(tail["shift"]) or 0)
    return year_of(said, tail["year"]) or _spoken_year(said, tail.groupdict())


def _shift_of(word: str | None) -> int | None:
    if word is None:
        return None
    return next(shift for shift, words in _SHIFTS.items() if re.fullmatch(words, word))


def _whole_year(year: int, end: int) -> Stretch:
    return Stretch(date(year, 1, 1), date(year, 12, 31), end, has_year=True)


def _in_year(
    unit: str, month: int, year: int | None, *, today: date, is_ahead: bool, day: int | None = None
) -> tuple[date, date] | None:
    """First and last day of what begins in a month, of a year or of the one that the direction says."""
    if year is None:
        passed = (month, day or 1) <= (today.month, today.day)
        year = today.year + (1 if is_ahead and passed else 0 if is_ahead or passed else -1)
    try:
        first = date(year, month, day or 1)
    except ValueError:  # the 31st of February
        return None
    return first, first if unit == "day" else _after(first, _LENGTHS[unit]) - timedelta(days=1)


def _beside(unit: str, month: int, shift: int, today: date) -> tuple[date, date] | None:
    """ "last March", "this summer", "next winter": the latest that is over, this year's, the next to begin."""
    if shift == 0:
        return _in_year(unit, month, today.year, today=today, is_ahead=False)
    if shift > 0:
        return _in_year(unit, month, None, today=today, is_ahead=True)
    found = _in_year(unit, month, None, today=today, is_ahead=False)
    if found is None:
        return None
    back = (1 if found[1] >= today else 0) - shift - 1
    return _in_year(unit, month, found[0].year - back, today=today, is_ahead=False)


def _after(day: date, n_months: int) -> date:
    """The first of a month, some months later."""
    month = day.month - 1 + n_months
    return date(day.year + month // 12, month % 12 + 1, 1)


def _shifted_unit(unit: str, shift: int, today: date, end: int) -> Stretch | None:
    """This unit of the calendar, or the one before, or the next."""
    if unit in ("hour", "ten days", "fortnight", "decade"):
        return None
    if unit in ("day", "week"):
        size = 1 if unit == "day" else 7
        first = today - timedelta(days=0 if unit == "day" else today.weekday()) + timedelta(days=size * shift)
        return Stretch(first, first + timedelta(days=size - 1), end)
    size = _LENGTHS[unit]
    begun = date(today.year, (today.month - 1) // size * size + 1, 1)
    first = _after(begun, size * shift)
    return Stretch(first, _after(first, size) - timedelta(days=1), end)
