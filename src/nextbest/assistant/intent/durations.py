"""Units of time as both languages say them, their length in days, and the patterns that periods and horizons share.

A year is 365 days and a month a twelfth of it, rounded at the end (30, 61, 91, 182, 548 for 18 months); where the calendar
is meant ("прошлый месяц"), its own days count.
"""

import re
from datetime import date, timedelta

from nextbest.assistant.intent.marked import Marked

DAYS_OF = {"day": 1.0, "week": 7.0, "month": 365 / 12, "quarter": 365 / 4, "year": 365.0}
_UNITS = {
    "day": r"день|дня|дней|дни|дням|днями|сутки|суток|days?",
    "week": r"недел[а-я]+|weeks?",
    "month": r"месяц[а-я]*|мес|months?",
    "quarter": r"квартал[а-я]*|quarters?",
    "year": r"год(?:а|у|ом|е|ы|ик|ика|иков)?|лет|years?|yrs?",
}
_HALF_YEAR = r"полгод[а-я]|полугоди[а-я]|half\s+(?:of\s+)?(?:a\s+)?year"
_YEAR_AND_HALF = r"(?:an?\s+|<\d+>\s+)?year\s+and\s+a\s+half"
_MONTHS = (
    r"январ[а-я]+|jan(?:uary)?",
    r"феврал[а-я]+|feb(?:ruary)?",
    r"март[аеу]?|мартом|march",
    r"апрел[а-я]+|apr(?:il)?",
    r"ма[йяею]|маем|may",
    r"июн[а-я]+|june?",
    r"июл[а-я]+|july?",
    r"август[а-я]*|aug(?:ust)?",
    r"сентябр[а-я]+|sept?(?:ember)?",
    r"октябр[а-я]+|oct(?:ober)?",
    r"ноябр[а-я]+|nov(?:ember)?",
    r"декабр[а-я]+|dec(?:ember)?",
)
QUARTERS = (
    r"перв[а-я]+|first|1st|i",
    r"втор[а-я]+|second|2nd|ii",
    r"трет[а-я]+|third|3rd|iii",
    r"четверт[а-я]+|fourth|4th|iv",
)
_UNIT = r"(?:" + "|".join(_UNITS.values()) + r")\b"
_COUNTED = rf"{_HALF_YEAR}|{_YEAR_AND_HALF}|<\d+>[\s-]*{_UNIT}|an?\s+{_UNIT}|one\s+{_UNIT}"
_MACROS = {
    "COUNTED": rf"(?P<length>{_COUNTED})",
    "LENGTH": rf"(?P<length>{_COUNTED}|{_UNIT})",
    "UNIT": rf"(?P<unit>{_UNIT})",
    "MONTH": r"(?P<month>(?:" + "|".join(_MONTHS) + r")\b)",
    "ENDMONTH": r"(?P<until>(?:" + "|".join(_MONTHS) + r")\b)",
    "ENDYEAR": r"<(?P<until>\d+)>(?:\s*(?:год(?:а|у|ом|е)?|г)\b\.?)?",
    "YEAR": r"<(?P<year>\d+)>(?:\s*(?:год(?:а|у|ом|е)?|г)\b\.?)?",
    "ORDINAL": r"(?P<word>" + "|".join(QUARTERS) + r")\b",
}


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression with this module's stretches by name: LENGTH, COUNTED, UNIT, MONTH, YEAR, ENDYEAR, ...

    The texts matched are in lower case, so a name in capitals is always one of ours.
    """
    for name in sorted(_MACROS, key=len, reverse=True):
        text = text.replace(name, _MACROS[name])
    return re.compile(text)


def unit_of(word: str) -> str:
    """Our name of a unit: "недели" is "week"."""
    return next(name for name, words in _UNITS.items() if re.fullmatch(words, word))


def days_in(said: Marked, length: str) -> int | None:
    """Days of a length that LENGTH or COUNTED matched, None where it is beyond any plan (a thousand years)."""
    if re.fullmatch(_HALF_YEAR, length):
        return 182
    if re.fullmatch(_YEAR_AND_HALF, length):
        return 548
    unit = unit_of(re.split(r"[\s>-]+", length)[-1])
    mark = re.match(r"<(\d+)>", length)
    days = (said.number(mark[1]).value if mark else 1.0) * DAYS_OF[unit]
    return round(days) if 1 <= days <= 36_500 else None


def month_of(word: str) -> int:
    """1 to 12 of a month's name in any case."""
    return next(i + 1 for i, words in enumerate(_MONTHS) if re.fullmatch(words, word))


def first_day(unit: str, day: date) -> date:
    """First day of the calendar's unit that holds a day; weeks begin on Monday."""
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    month = {"year": 1, "quarter": 3 * ((day.month - 1) // 3) + 1}.get(unit, day.month)
    return date(day.year, month, 1)


def last_day(unit: str, day: date) -> date:
    """Last day of the calendar's unit that holds a day."""
    if unit == "day":
        return day
    longest = {"week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    return first_day(unit, first_day(unit, day) + timedelta(days=longest)) - timedelta(days=1)


def year_of(said: Marked, mark: str | None) -> int | None:
    """The calendar year that a number is, None where it is none: "2024", but not "2024 thousand" or "two"."""
    if mark is None:
        return None
    number = said.number(mark)
    is_plain = number.value == int(number.value) and not number.has_scale and not number.is_word
    return int(number.value) if is_plain and 1990 <= number.value <= 2100 else None
