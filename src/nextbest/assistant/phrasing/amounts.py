"""Numbers, shares and money as each language writes them; how many places a value is shown with."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from nextbest.assistant.base import Language
from nextbest.charts_page.numbers import MINUS, NBSP, digits, ratio_places

_WHOLE = 1e-9


class Currency(NamedTuple):
    """How a currency is said."""

    sign: str
    noun_ru: str
    one_en: str
    many_en: str


CURRENCIES: Mapping[str, Currency] = {
    "RUB": Currency("₽", "рубль", "rouble", "roubles"),
    "USD": Currency("$", "доллар", "dollar", "dollars"),
    "EUR": Currency("€", "евро", "euro", "euros"),
    "GBP": Currency("£", "фунт", "pound", "pounds"),
    "KZT": Currency("₸", "тенге", "tenge", "tenge"),
    "JPY": Currency("¥", "иена", "yen", "yen"),
}
"""Those with a sign of their own; any other is written with its code."""


def number(value: float, language: Language, *, places: int | None = None) -> str:
    """A number; by itself it is whole where the value is, or from a thousand on, else it keeps two figures.

    >>> number(1234567, "ru"), number(0.851, "en"), number(0.02614, "en"), number(-3, "ru")
    ('1\\xa0234\\xa0567', '0.85', '0.026', '−3')
    """
    if places is None:
        places = 0 if _is_whole(value) or abs(value) >= 1000 else max(2, ratio_places(value) - 1)
    return digits(value, places, language)


def share_places(value: float) -> int:
    """Places after the point of a share in percent: one, two or more below one percent, none for a whole one.

    What is less than everything is never shown as 100 %, nor more than nothing as 0 %.

    >>> [share_places(value) for value in (0.12, 0.123, 0.0088, 0.00001, 0.99996, 1.0)]
    [0, 1, 2, 3, 3, 0]
    """
    pct = abs(value) * 100
    if pct >= 100 or pct == 0:
        return 0
    places = 1 if pct >= 1 else min(6, max(2, -math.floor(math.log10(pct))))
    while round(pct, places) >= 100 and places < 6:
        places += 1
    while places and round(pct, places) == round(pct, places - 1):
        places -= 1
    return places


def share(value: float, language: Language, *, places: int | None = None) -> str:
    """A fraction in percent.

    >>> share(0.123, "ru"), share(-0.4, "en"), share(0.00123, "en")
    ('12,3\\xa0%', '−40%', '0.12%')
    """
    shown = digits(value * 100, share_places(value) if places is None else places, language)
    return shown + ("%" if language == "en" else NBSP + "%")


def money_places(value: float) -> int:
    """Places after the point of an amount: none from a thousand on or where it is whole, else cents; more for tiny ones."""
    if abs(value) >= 1000 or _is_whole(value):
        return 0
    return 2 if abs(value) >= 0.1 else ratio_places(value)


def money(value: float, currency: str, language: Language, *, places: int | None = None) -> str:
    """An amount with the sign of its currency, or its code.

    >>> money(1234.5, "RUB", "ru"), money(-99.5, "USD", "en"), money(700, "CNY", "ru")
    ('1\\xa0234\\xa0₽', '−$99.50', '700\\xa0CNY')
    """
    shown = digits(value, money_places(value) if places is None else places, language)
    known = CURRENCIES.get(currency)
    if known is None:
        return f"{shown}{NBSP}{currency}"
    if language == "ru":
        return f"{shown}{NBSP}{known.sign}"
    return MINUS + known.sign + shown[1:] if shown.startswith(MINUS) else known.sign + shown


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < _WHOLE
