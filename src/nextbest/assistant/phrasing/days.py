"""Days, spans of days and lengths of time as each language says them."""

from datetime import date, timedelta
from typing import Literal

from nextbest.assistant.base import Language
from nextbest.assistant.phrasing.amounts import number
from nextbest.assistant.phrasing.russian import Case, agreed
from nextbest.charts_page.numbers import NBSP

TimeUnit = Literal["days", "weeks", "months", "years"]
MONTHS: dict[Language, tuple[str, ...]] = {
    "ru": (
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}
MONTHS_NOMINATIVE_RU = (
    "январь",
    "февраль",
    "март",
    "апрель",
    "май",
    "июнь",
    "июль",
    "август",
    "сентябрь",
    "октябрь",
    "ноябрь",
    "декабрь",
)
NOUNS: dict[TimeUnit, tuple[str, str]] = {
    "days": ("день", "day"),
    "weeks": ("неделя", "week"),
    "months": ("месяц", "month"),
    "years": ("год", "year"),
}
"""Russian and English dictionary forms."""
_NEXT_RU = {"день": "ближайший", "неделя": "ближайшую", "месяц": "ближайший", "год": "ближайший"}


def day(value: date, language: Language, *, with_year: bool = True) -> str:
    """A day in words, in Russian in the genitive as it stands after "до" and "на".

    >>> day(date(2026, 3, 12), "ru"), day(date(2026, 3, 12), "en")
    ('12\\xa0марта 2026', '12\\xa0March 2026')
    """
    said = f"{value.day}{NBSP}{MONTHS[language][value.month - 1]}"
    return f"{said} {value.year}" if with_year else said


def span(period: tuple[date, date], language: Language) -> str:
    """A period as it stands in a sentence: whole months back from its end, a calendar year, or from day to day.

    Parameters
    ----------
    period
        First and last day, both in.

    >>> span((date(2025, 11, 21), date(2026, 11, 20)), "ru")
    'за 12\\xa0месяцев до 20\\xa0ноября 2026'
    >>> span((date(2026, 3, 3), date(2026, 11, 20)), "en"), span((date(2025, 1, 1), date(2025, 12, 31)), "ru")
    ('from 3\\xa0March to 20\\xa0November 2026', 'за 2025\\xa0год')
    """
    start, end = period
    if start == end:
        return ("за " if language == "ru" else "on ") + day(end, language)
    if (start.month, start.day, end.month, end.day) == (1, 1, 12, 31) and start.year == end.year:
        return f"за {end.year}{NBSP}год" if language == "ru" else f"in {end.year}"
    if months := whole_months(start, end):
        length = of_months(months, language, case="accusative")
        if months == 1:
            length = length.removeprefix(f"1{NBSP}")
        until = day(end, language)
        return f"за {length} до {until}" if language == "ru" else f"over the {length} to {until}"
    first = (
        str(start.day)
        if (start.year, start.month) == (end.year, end.month)
        else day(start, language, with_year=start.year != end.year)
    )
    words = ("с", "по") if language == "ru" else ("from", "to")
    return f"{words[0]} {first} {words[1]} {day(end, language)}"


def whole_months(start: date, end: date) -> int:
    """Months of which a period consists, 0 where it isn't whole ones; the first day may be counted or not."""
    for first in (start, start - timedelta(days=1)):
        months = (end.year - first.year) * 12 + end.month - first.month
        if months > 0 and (first.day == end.day or (_is_last(first) and _is_last(end))):
            return months
    return 0


def of_months(months: float, language: Language, *, case: Case = "nominative") -> str:
    """A number of months, as years from two whole ones on.

    >>> of_months(36, "ru"), of_months(12, "en"), of_months(36, "ru", case="genitive")
    ('3\\xa0года', '12\\xa0months', '3\\xa0лет')
    """
    if months >= 24 and months % 12 == 0:
        return length(months / 12, "years", language, case=case)
    return length(months, "months", language, case=case)


def length(value: float, unit: TimeUnit, language: Language, *, case: Case = "nominative") -> str:
    """A number with its unit of time.

    >>> length(1.5, "years", "ru"), length(1, "weeks", "ru", case="accusative"), length(1, "days", "en")
    ('1,5\\xa0года', '1\\xa0неделю', '1\\xa0day')
    """
    places = 0 if value == round(value) else 1
    shown = number(value, language, places=places)
    rounded = round(value, places)
    russian, english = NOUNS[unit]
    noun = agreed(rounded, russian, case=case) if language == "ru" else english + "s" * (rounded != 1)
    return f"{shown}{NBSP}{noun}"


def in_units(days: int) -> tuple[int, TimeUnit]:
    """A length in the largest unit that it fills: a year is 365 days, a month 30, a week 7, as the intents read them.

    >>> in_units(365), in_units(90), in_units(14), in_units(10)
    ((1, 'years'), (3, 'months'), (2, 'weeks'), (10, 'days'))
    """
    sizes: tuple[tuple[int, TimeUnit], ...] = ((365, "years"), (30, "months"), (7, "weeks"))
    for size, unit in sizes:
        if days and days % size == 0:
            return days // size, unit
    return days, "days"


def ahead(days: int, language: Language) -> str:
    """The time to come.

    >>> ahead(30, "ru"), ahead(90, "ru"), ahead(7, "en"), ahead(14, "en")
    ('в ближайший месяц', 'в ближайшие 3\\xa0месяца', 'in the next week', 'in the next 2\\xa0weeks')
    """
    n, unit = in_units(days)
    russian, english = NOUNS[unit]
    if n == 1:
        noun = agreed(1, russian, case="accusative")
        return f"в {_NEXT_RU[russian]} {noun}" if language == "ru" else f"in the next {english}"
    said = length(n, unit, language, case="accusative")
    return f"в ближайшие {said}" if language == "ru" else f"in the next {said}"


def _is_last(value: date) -> bool:
    return (value + timedelta(days=1)).day == 1
