"""How a figure and a title are written, and how far a written number may lie from its figure."""

import math
import re
from datetime import date
from typing import Literal

from nextbest.assistant.base import Figure, ItemFact, Language, Words
from nextbest.assistant.phrasing.amounts import money, number, share
from nextbest.assistant.phrasing.days import TimeUnit, day, length, of_months
from nextbest.assistant.phrasing.russian import Case, agreed
from nextbest.charts_page.numbers import MINUS, NBSP, is_currency
from nextbest.errors import InputError

Style = Literal["plain", "signed", "unsigned"]
"""`signed` puts a plus before what is above zero; `unsigned` leaves a minus out, after words that say the fall."""
TIME_UNITS: tuple[TimeUnit, ...] = ("days", "months", "years")
FALLS = re.compile(
    r"потер|убыт|упа[лд]|паде|просад|сниз|сниж|ниже|минус|меньше|нехват|недоста|уменьш|просел"
    r"|\b(?:los[et]|loss|losses|fell|fall|falls|fallen|drawdown|drop|dropped|down|below|minus|less|decline|declined|short)",
    re.IGNORECASE,
)
"""Words near a figure with which a negative value stands without its minus."""
_TITLE_QUOTES: dict[Language, tuple[str, str]] = {"ru": ("«", "»"), "en": ("“", "”")}
_HAS_QUOTED_NAME = re.compile(r"[\w\s-]+[«“\"].+[»”\"]")
_TICKER = re.compile(r"[A-Z0-9][A-Z0-9.=/^_-]{0,14}")
_CLASS = re.compile(r"[^\W\d_][\w (),/-]{0,39}")
"""Words for a class of assets: shares, foreign bonds, cash."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def render(
    figure: Figure,
    language: Language,
    *,
    style: Style = "plain",
    case: Case = "nominative",
    places: int | None = None,
) -> str:
    """A figure as our answers say it.

    Parameters
    ----------
    figure
        Its unit decides the form: "fraction" in percent, a currency with its sign, "days", "months", "years" with
        their noun, "date" in words, "bps" in basis points, any other as a number, with the unit behind it if that
        is none of "count" and "ratio".
    style
        What is done about the sign.
    case
        Of a length of time in Russian; nothing else changes.
    places
        After the point of money and ratios, instead of their own: amounts beside each other have as many.

    Raises
    ------
    InputError
        The value isn't finite, or isn't a day where the unit says "date".

    >>> from nextbest.assistant.base import Figure
    >>> named = {"ru": "доходность", "en": "return"}
    >>> render(Figure("twr", 0.1234, "fraction", named), "ru"), render(Figure("twr", -0.02, "fraction", named), "en")
    ('12,3\\xa0%', '−2%')
    >>> render(Figure("left", 3, "years", named), "ru", case="genitive"), render(Figure("nav", 1e6, "USD", named), "en")
    ('3\\xa0лет', '$1,000,000')
    """
    value = figure.value
    if isinstance(value, date):
        return day(value, language)
    _check_finite(figure)
    text = _written(abs(value) if style == "unsigned" else float(value), figure.unit, language, case, places)
    return f"+{text}" if style == "signed" and value > 0 else text


def _written(value: float, unit: str, language: Language, case: Case, places: int | None) -> str:
    if unit == "fraction":
        return share(value, language)
    if unit == "months":
        return of_months(value, language, case=case)
    for known in TIME_UNITS:
        if unit == known:
            return length(value, known, language, case=case)
    if unit == "bps":
        shown = number(value, language)
        return shown + NBSP + (agreed(value, "базисный пункт") if language == "ru" else "bp")
    if is_currency(unit):
        return money(value, unit, language, places=places)
    if unit == "count":
        return number(value, language, places=0 if value == round(value) else 1)
    shown = number(value, language, places=places)
    return shown if unit in ("ratio", "") else shown + NBSP + unit


def step(figure: Figure) -> float:
    """The coarsest step to which a figure may be rounded, in its own unit; 0 = it may not be.

    Two figures of the value are kept of shares, money and ratios (12.3 % may be "12 %", 1,234,567 may be "1.2 million"),
    whole money below a hundred; counts and lengths of time are exact below a thousand and keep three figures above,
    halves of years and months one place; a day has no step.
    """
    value = figure.value
    if isinstance(value, date) or value == 0:
        return 0.0
    size = abs(value)
    first = math.floor(math.log10(size))
    if figure.unit == "count" or figure.unit in TIME_UNITS:
        if size < 1000:
            return 0.0 if size == round(size) else 0.1
        return float(10 ** (first - 2))
    if is_currency(figure.unit) and size < 100:
        return 1.0 if size >= 10 else 0.01
    return float(10.0 ** (first - 1))


def tolerance(figure: Figure) -> float:
    """Half of the coarsest step: how far a written value may lie from a figure at all, in the figure's unit.

    A number written to more places has to be right to these places: `is_rounding` asks for both.
    """
    return step(figure) / 2


def is_rounding(written: float, written_step: float, figure: Figure) -> bool:
    """Whether a number somebody wrote is this figure, rounded fairly.

    Parameters
    ----------
    written
        The number in the figure's unit: 0.12 for "12 %" of a fraction.
    written_step
        What its last written digit counts, in the same unit: 0.01 for "12 %", 0.001 for "12.3 %", 1e5 for "1.2 million".

    Returns
    -------
    bool
        True where the number is the figure rounded to that step (half of it either way) and the step isn't coarser
        than `step` allows. The sign counts.

    >>> from nextbest.assistant.base import Figure
    >>> made = Figure("twr", 0.1234, "fraction", {"ru": "доходность", "en": "return"})
    >>> [is_rounding(*told, made) for told in ((0.123, 0.001), (0.12, 0.01), (0.124, 0.001), (0.1, 0.1))]
    [True, True, False, False]
    """
    value = figure.value
    if isinstance(value, date):
        return False
    slack = 1e-12 * max(1.0, abs(value))
    if abs(written - value) <= slack:
        return True
    allowed = max(step(figure), _own_step(figure))
    return written_step <= allowed * (1 + 1e-9) and abs(written - value) <= written_step / 2 + slack


def _own_step(figure: Figure) -> float:
    """The step of the form that we write ourselves."""
    assert not isinstance(figure.value, date)
    digits_only = re.sub(r"[^\d.]", "", render(figure, "en").replace(",", ""))
    places = len(digits_only.partition(".")[2])
    return float(10.0**-places) * (0.01 if figure.unit == "fraction" else 1.0)


def title(item: ItemFact, language: Language) -> str:
    """A title in its quotes, otherwise unchanged but for line breaks.

    One that holds a quoted name, and a ticker, stand as they are; words for a class of assets as words in a sentence.

    >>> from nextbest.assistant.base import ItemFact
    >>> told = lambda name, kind="item": title(ItemFact(1, {"ru": name, "en": name}, kind), "ru")
    >>> told("Hades II"), told("Вклад «Зимний»"), told("SBER", "asset")
    ('«Hades II»', 'Вклад «Зимний»', 'SBER')
    >>> told("Облигации", "allocation")
    'облигации'
    """
    name = _CONTROL.sub(" ", said(item.title, language)).strip()
    if item.kind == "asset" and _TICKER.fullmatch(name):
        return name
    if item.kind == "allocation" and _CLASS.fullmatch(name):
        return lowered(name)
    return name if _HAS_QUOTED_NAME.fullmatch(name) else quoted(name, language)


def quoted(text: str, language: Language) -> str:
    """A text in the language's quotation marks."""
    opening, closing = _TITLE_QUOTES[language]
    return f"{opening}{text}{closing}"


def said(words: Words, language: Language) -> str:
    """One language of a text; the other one where it lacks it."""
    return words[language] if language in words else next(iter(words.values()), "")


def label(figure: Figure, language: Language) -> str:
    """What a figure is called, as it stands inside a sentence: small first letter, no unit behind a comma.

    >>> from nextbest.assistant.base import Figure
    >>> label(Figure("n", 3, "days", {"ru": "Самая долгая просадка, дней", "en": "Longest fall, days"}), "ru")
    'самая долгая просадка'
    """
    text = said(figure.label, language)
    if figure.unit in TIME_UNITS:
        text = re.sub(r", (?:дней|месяцев|лет|days|months|years)$", "", text)
    return lowered(text)


def lowered(text: str) -> str:
    """A text with a small first letter, unless its first word is an abbreviation, a name with digits or a lone "I".

    >>> lowered("Because you"), lowered("VaR, исторический"), lowered("I took it")
    ('because you', 'VaR, исторический', 'I took it')
    """
    first = re.match(r"[^\W\d_]+", text)
    if first is None or first[0][1:] != first[0][1:].lower() or first[0] == "I":
        return text
    return text[:1].lower() + text[1:]


def capital(text: str) -> str:
    """A text with a capital first letter."""
    return text[:1].upper() + text[1:]


def plain(text: str) -> str:
    """A text with ordinary blanks and hyphens in place of the ones that typography asks for, to compare forms.

    >>> plain("−12,3\\xa0%")
    '-12,3 %'
    """
    return re.sub(r"[\u00a0\u2009\u202f\u2007]", " ", text).replace(MINUS, "-").replace("\u2013", "-")


def _check_finite(figure: Figure) -> None:
    if not isinstance(figure.value, int | float) or not math.isfinite(figure.value):
        raise InputError(
            "figure.value", "must be a finite number or a day", value=f"{figure.key}={figure.value}"
        )
    if figure.unit == "date":
        raise InputError("figure.value", "must be a day where the unit is 'date'", value=figure.key)
