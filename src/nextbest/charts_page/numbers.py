"""Numbers, money and days as each language writes them. Knows nothing of pages."""

import math
from datetime import date
from typing import Final, Literal

from nextbest.errors import InputError

Language = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ru")
NBSP, MINUS, NOTHING = "\u00a0", "\u2212", "\u2014"
_UNIT_WORDS: dict[str, dict[Language, str]] = {
    "days": {"en": "days", "ru": "дн."},
    "months": {"en": "months", "ru": "мес."},
    "years": {"en": "years", "ru": "лет"},
}


def check_language(language: str) -> Language:
    """The same language, if pages are written in it.

    Raises
    ------
    InputError
        It is not `en` or `ru`.
    """
    for known in LANGUAGES:
        if language == known:
            return known
    raise InputError("language", "must be 'en' or 'ru'", value=language)


def written(value: object, *, unit: str, language: Language) -> str:
    """A cell as a person reads it.

    Parameters
    ----------
    value
        Number, text, truth, ISO day or None.
    unit
        `fraction` (shown in percent), `percent`, `ratio`, `count`, `days`, `months`, `years`, `date`, `text`, or a
        currency by its three capital letters; any other unit is written after the number.
    language
        Decimal point or comma, thousands, order of a day's parts.

    Returns
    -------
    str
        A dash for None.

    >>> written(-0.12345, unit="fraction", language="en"), written(-0.12345, unit="fraction", language="ru")
    ('−12.35%', '−12,35\\xa0%')
    >>> written(1234567.8, unit="RUB", language="ru")
    '1\\xa0234\\xa0568\\xa0RUB'
    >>> written("2022-03-24", unit="date", language="ru"), written(None, unit="ratio", language="en")
    ('24.03.2022', '—')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "ru": ("нет", "да")}[language][value]
    if unit == "date":
        return _day(str(value), language)
    if unit == "text" or not isinstance(value, int | float):
        return str(value)
    return _number(float(value), unit, language)


def _number(value: float, unit: str, language: Language) -> str:
    if unit in ("fraction", "percent"):
        shown = digits(value * 100 if unit == "fraction" else value, 2, language)
        return shown + ("%" if language == "en" else NBSP + "%")
    if unit == "count":
        return digits(value, 0 if value == round(value) else 1, language)
    if unit in _UNIT_WORDS:
        return digits(value, 0 if value == round(value) else 1, language) + NBSP + _UNIT_WORDS[unit][language]
    if is_currency(unit):
        return digits(value, 2 if abs(value) < 1000 else 0, language) + NBSP + unit
    text = digits(value, ratio_places(value), language)
    return text if unit in ("ratio", "", "1") else text + NBSP + unit


def is_currency(unit: str) -> bool:
    """Whether a unit is the code of a currency.

    >>> is_currency("RUB"), is_currency("ratio")
    (True, False)
    """
    return len(unit) == 3 and unit.isascii() and unit.isalpha() and unit.isupper()


def ratio_places(value: float) -> int:
    """Places after the point that keep three figures of a small number; at least two, at most eight."""
    if value == 0 or abs(value) >= 0.1:
        return 2
    return min(8, 2 - math.floor(math.log10(abs(value))))


def digits(value: float, places: int, language: Language) -> str:
    """A number with so many places after the point, thousands grouped, and a minus sign unless all of it is zero.

    >>> digits(-1234.5, 1, "ru"), digits(-0.001, 2, "en")
    ('\u22121\\xa0234,5', '0.00')
    """
    text = f"{abs(value):,.{places}f}"
    if language == "ru":
        text = text.replace(",", NBSP).replace(".", ",")
    is_zero = not any(digit in text for digit in "123456789")
    return text if value >= 0 or is_zero else MINUS + text


def russian_form(n: float) -> Literal["one", "few", "many"]:
    """Which form a Russian noun takes after a number: 1 год, 2 года, 5 лет; a fraction takes that of 2 (1,5 года).

    >>> [russian_form(n) for n in (1, 2, 5, 11, 21, 112, 1.5, 0, -1)]
    ['one', 'few', 'many', 'many', 'one', 'many', 'few', 'many', 'one']
    """
    if n != int(n):
        return "few"
    last, teens = abs(int(n)) % 10, 11 <= abs(int(n)) % 100 <= 14
    if last == 1 and not teens:
        return "one"
    return "few" if last in (2, 3, 4) and not teens else "many"


def _day(text: str, language: Language) -> str:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return text
    return day.isoformat() if language == "en" else f"{day:%d.%m.%Y}"
