"""Time back that a text speaks of: "за последние полгода", "since January", "in 2024", "прошлый квартал".

A rolling stretch ("последний год", "the past year") is a count of days; a stretch of the calendar ("прошлый год",
"last year", "с марта") has its days as well, both in.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from nextbest.assistant.intent.durations import (
    QUARTERS,
    days_in,
    first_day,
    last_day,
    month_of,
    pattern,
    unit_of,
    year_of,
)
from nextbest.assistant.intent.horizons import is_about_future
from nextbest.assistant.intent.marked import Marked


@dataclass(frozen=True, slots=True)
class Period:
    """Days back; `dates` where the calendar names them."""

    days: int
    dates: tuple[date, date] | None = None


def find_period(said: Marked, *, today: date) -> Period | None:
    """Time back that a text speaks of, None where it speaks of none; what was read is struck."""
    for regex, read in _PERIODS:
        for match in regex.finditer(said.text):
            period = read(said, match, today)
            if period is not None:
                said.strike(match)
                return period
    return None


def _between(first: date | None, last: date | None) -> Period | None:
    if first is None or last is None or last < first:
        return None
    return Period((last - first).days + 1, (first, last))


def _begun(month: int, year: int | None, today: date, day: int = 1) -> date | None:
    """The day of a month, of the year said or else the latest that isn't ahead; None: there is no such day."""
    if year is None:
        year = today.year if (month, day) <= (today.month, today.day) else today.year - 1
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _rolling(said: Marked, match: re.Match[str], today: date) -> Period | None:
    del today
    days = days_in(said, match["length"])
    return Period(days) if days else None


def _unit_before(said: Marked, match: re.Match[str], today: date) -> Period | None:
    del said
    unit = unit_of(match["unit"])
    last = first_day(unit, today) - timedelta(days=1)
    return _between(first_day(unit, last), last)


def _unit_so_far(said: Marked, match: re.Match[str], today: date) -> Period | None:
    del said
    return _between(first_day(unit_of(match["unit"]), today), today)


def _to_date(said: Marked, match: re.Match[str], today: date) -> Period | None:
    del said
    unit = {"y": "year", "m": "month", "q": "quarter", "w": "week"}[match[0][0]]
    return _between(first_day(unit, today), today)


def _year(said: Marked, match: re.Match[str], today: date) -> Period | None:
    year = year_of(said, match["year"])
    return None if year is None else _between(date(year, 1, 1), min(date(year, 12, 31), today))


def _since_year(said: Marked, match: re.Match[str], today: date) -> Period | None:
    year, until = year_of(said, match["year"]), year_of(said, match["until"])
    if year is None:
        return None
    return _between(date(year, 1, 1), min(date(until, 12, 31), today) if until else today)


def _month(said: Marked, match: re.Match[str], today: date) -> Period | None:
    year = year_of(said, match["year"])
    if year is None and is_about_future(said.text):
        return None  # "what will I buy in December" is no question about the last one
    first = _begun(month_of(match["month"]), year, today)
    return None if first is None else _between(first, min(last_day("month", first), today))


def _since_month(said: Marked, match: re.Match[str], today: date) -> Period | None:
    mark = match["day"] or match["day_after"]
    day = said.number(mark).value if mark else 1
    if not 1 <= day <= 31:
        return None
    first = _begun(month_of(match["month"]), year_of(said, match["year"]), today, int(day))
    if first is None or match["until"] is None:
        return _between(first, today)
    month = month_of(match["until"])
    last = date(first.year + (month < first.month), month, 1)
    return _between(first, min(last_day("month", last), today))


def _quarter(said: Marked, match: re.Match[str], today: date) -> Period | None:
    if match["word"]:
        place = next(i for i, words in enumerate(QUARTERS, 1) if re.fullmatch(words, match["word"]))
    else:
        place = int(match["q"]) if match["q"] else int(said.number(match["mark"]).value)
    if not 1 <= place <= 4:
        return None
    first = _begun(3 * place - 2, year_of(said, match["year"]), today)
    return None if first is None else _between(first, min(last_day("quarter", first), today))


def _from_day(said: Marked, match: re.Match[str], today: date) -> Period | None:
    last = said.day(match["until"]) if match["until"] else today
    return _between(said.day(match["first"]), min(last, today))


def _day_before(said: Marked, match: re.Match[str], today: date) -> Period | None:
    del said
    day = today - timedelta(days=2 if match[0] == "позавчера" else 1)
    return Period(1, (day, day))


_PERIODS: tuple[tuple[re.Pattern[str], Callable[[Marked, re.Match[str], date], Period | None]], ...] = (
    (
        pattern(
            r"\b(?:с|от|since|from|за|between)\s+@(?P<first>[a-z])"
            r"(?:\s*(?:по|до|to|till|until|and|-|–|—)\s*@(?P<until>[a-z]))?"
        ),
        _from_day,
    ),
    (
        pattern(
            r"(?:\b(?:за|в|во|in|for|during|over)\s+)?(?:the\s+)?(?:\bORDINAL\s+|<(?P<mark>\d+)>(?:-?[ймео]+)?\s*)"
            r"(?:квартал[а-я]*|quarter)(?P<q>)(?:\s+(?:of\s+)?YEAR)?"
        ),
        _quarter,
    ),
    (
        pattern(
            r"(?:\b(?:за|в|in|for|during|over)\s+)?\bq(?P<q>[1-4])\b(?P<word>)(?P<mark>)(?:\s+(?:of\s+)?YEAR)?"
        ),
        _quarter,
    ),
    (
        pattern(
            r"\b(?:с|со|от|since|from)\s+(?:<(?P<day>\d+)>\s+)?MONTH(?:\s+<(?P<day_after>\d+)>(?=,|$|\s*[?!]))?"
            r"(?:\s+(?:по|до|to|till|until)\s+ENDMONTH)?(?:,?\s+YEAR)?"
        ),
        _since_month,
    ),
    (pattern(r"\b(?:за|в|во|in|for|during|over|last)\s+MONTH(?:\s+YEAR)?"), _month),
    (
        pattern(
            r"\b(?:(?:с|от)\s+начала\s+(?:этого\s+|текущего\s+)?|"
            r"(?:from|since)\s+the\s+(?:start|beginning)\s+of\s+(?:the|this)\s+)UNIT"
        ),
        _unit_so_far,
    ),
    (pattern(r"\b(?:year|month|quarter|week)\s+to\s+date\b|\b[ymq]td\b"), _to_date),
    (
        pattern(
            r"(?:\b(?:за|в|на|in|for|during|over)\s+)?"
            r"\b(?:этот|эта|эту|этой|этом|текущ[а-я]+|this|current)\s+UNIT"
        ),
        _unit_so_far,
    ),
    (
        pattern(r"(?:\b(?:за|в|на)\s+)?\b(?:прошл|предыдущ|минувш|прошедш)[а-я]+\s+UNIT"),
        _unit_before,
    ),
    (pattern(r"(?:\b(?:за|в|в\s+течение)\s+)?\bпоследн[а-я]+\s+LENGTH"), _rolling),
    (
        pattern(r"(?:\b(?:over|in|for|during|within)\s+)?\bthe\s+(?:last|past|previous)\s+LENGTH"),
        _rolling,
    ),
    (pattern(r"\bpast\s+LENGTH"), _rolling),
    (pattern(r"\b(?:over|for|in|during)\s+the\s+LENGTH"), _rolling),
    (pattern(r"\b(?:last|previous)\s+COUNTED"), _rolling),
    (pattern(r"\b(?:last|previous)\s+UNIT"), _unit_before),
    (
        pattern(r"\b(?:с|от|since|from)\s+YEAR(?:\s*(?:по|до|to|till|until|through)\s+ENDYEAR)?"),
        _since_year,
    ),
    (pattern(r"\b(?:за|в|во|in|for|during|over)\s+YEAR"), _year),
    (pattern(r"<(?P<year>\d+)>\s*(?:год[а-я]*|г)\b\.?"), _year),
    (pattern(r"\b(?:позавчера|вчера|yesterday)\b"), _day_before),
    (pattern(r"(?<!\w)LENGTH\s+(?:назад|ago)\b"), _rolling),
    (pattern(r"\b(?:за|for|over)\s+LENGTH"), _rolling),
)
