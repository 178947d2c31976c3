"""All ways to write a figure that are still the truth: roundings, separators, signs and words of units, number words.

For whoever checks a text that our own code didn't write. Compare after `figures.plain`, without regard to case.
"""

import math
from collections.abc import Iterator
from datetime import date

from nextbest.assistant.base import Figure, Language
from nextbest.assistant.phrasing.amounts import CURRENCIES, money_places, share_places
from nextbest.assistant.phrasing.days import (
    MONTHS,
    MONTHS_NOMINATIVE_RU,
    NOUNS,
    TimeUnit,
    day,
    in_units,
    length,
    span,
    whole_months,
)
from nextbest.assistant.phrasing.figures import TIME_UNITS, plain, render, step
from nextbest.assistant.phrasing.russian import Case, agreed, in_words
from nextbest.charts_page.numbers import digits, is_currency, ratio_places
from nextbest.text.number_words import ONES_EN, TENS_EN

_SCALES: tuple[tuple[float, str, str, str, str], ...] = (
    (1e9, "миллиард", "млрд", "billion", "bn"),
    (1e6, "миллион", "млн", "million", "m"),
    (1e3, "тысяча", "тыс.", "thousand", "k"),
)


def forms(figure: Figure, language: Language, *, unsigned: bool = False) -> tuple[str, ...]:
    """Texts that say this figure in one language, our own first; plain blanks and hyphens (`figures.plain`).

    Parameters
    ----------
    figure
        Of a tool's result.
    language
        Of the text.
    unsigned
        Also a negative value without its minus: true only where words say the fall (`figures.FALLS`).

    Returns
    -------
    tuple of str
        None twice. A form needn't be whole words: "12 %" is inside "около 12 %". Roundings are those of `step`.

    >>> from nextbest.assistant.base import Figure
    >>> told = forms(Figure("twr", 0.1234, "fraction", {"ru": "доходность", "en": "return"}), "ru")
    >>> [form in told for form in ("12,3 %", "12%", "12,34 %", "двенадцать процентов", "12,4 %")]
    [True, True, True, True, False]
    """
    value = figure.value
    if isinstance(value, date):
        return day_forms(value, language)
    made = dict.fromkeys([plain(render(figure, language)), *_said(float(value), figure, language)])
    if unsigned and value < 0:
        own = plain(render(figure, language, style="unsigned"))
        made |= dict.fromkeys([own, *_said(-float(value), figure, language)])
    return tuple(made)


def day_forms(value: date, language: Language) -> tuple[str, ...]:
    """A day in words with and without its year, in digits, and its month.

    >>> day_forms(date(2026, 3, 2), "ru")[:4]
    ('2 марта 2026', '2 марта 2026 года', '2 марта', '02.03.2026')
    """
    full, short = plain(day(value, language)), plain(day(value, language, with_year=False))
    numeric = f"{value:%d.%m.%Y}"
    if language == "ru":
        month = MONTHS_NOMINATIVE_RU[value.month - 1]
        within = MONTHS["ru"][value.month - 1][:-1] + "е"
        told = [full, f"{full} года", short, numeric, f"{value.day}.{value.month:02d}.{value.year}", f"{value:%d.%m.%y}",
                value.isoformat(), f"{month} {value.year}", f"{within} {value.year}"]  # fmt: skip
    else:
        name = MONTHS["en"][value.month - 1]
        told = [full, short, f"{name} {value.day}, {value.year}", f"{name} {value.day}", f"{name} {value.year}",
                f"{value.day} {name[:3]} {value.year}", f"{name[:3]} {value.day}, {value.year}", value.isoformat(),
                f"{value:%m/%d/%Y}", f"{value:%d/%m/%Y}", numeric]  # fmt: skip
    return tuple(dict.fromkeys(told))


def period_forms(period: tuple[date, date], language: Language) -> tuple[str, ...]:
    """A figure's period as our answers say it, its two days in all their forms, and its length in days and larger units."""
    start, end = period
    days = (end - start).days
    cases: tuple[Case, ...] = ("nominative", "genitive", "accusative")
    lengths: set[tuple[int, TimeUnit]] = {in_units(n) for n in (days, days + 1)} | {
        (days, "days"),
        (days + 1, "days"),
    }
    told = [plain(span(period, language)), *day_forms(start, language), *day_forms(end, language)]
    if months := whole_months(start, end):
        lengths.add((months, "months"))
        if months % 12 == 0:
            lengths.add((months // 12, "years"))
    for n, unit in sorted(lengths):
        told += [plain(length(n, unit, language, case=case)) for case in cases]
    return tuple(dict.fromkeys(told))


def english_words(n: int) -> str | None:
    """A whole number from 0 to 100 in words; None beyond.

    >>> english_words(35)
    'thirty-five'
    """
    if not 0 <= n <= 100:
        return None
    if n < 20:
        return ONES_EN[n]
    if n == 100:
        return "one hundred"
    return TENS_EN[n // 10 - 2] + (f"-{ONES_EN[n % 10]}" if n % 10 else "")


def _said(value: float, figure: Figure, language: Language) -> Iterator[str]:
    """Every form of a value in a figure's unit."""
    unit = figure.unit
    if unit == "fraction":
        places = share_places(value)
        coarsest = _places_of(step(figure) * 100) if value else 0
        for shown, rounded in _roundings(
            value * 100, range(min(coarsest, places), max(coarsest, places, 2) + 1), language
        ):
            yield from (f"{shown} %", f"{shown}%")
            words = _words(rounded, language)
            for n in (shown, words) if words else (shown,):
                yield f"{n} {agreed(rounded, 'процент')}" if language == "ru" else f"{n} percent"
                if language == "en":
                    yield f"{n} per cent"
        return
    if unit in TIME_UNITS:
        yield from _lengths(value, figure, language)
        return
    if is_currency(unit):
        yield from _money(value, figure, language)
        return
    finest = 0 if unit == "count" and value == round(value) else max(2, ratio_places(value))
    coarsest = _places_of(step(figure)) if step(figure) else finest
    for shown, rounded in _roundings(value, range(max(0, min(coarsest, finest)), finest + 1), language):
        yield shown
        if unit == "count" and (words := _words(rounded, language)):
            yield words
            if language == "ru":
                yield from filter(
                    None, (in_words(int(rounded), gender="feminine"), in_words(int(rounded), case="genitive"))
                )
    if step(figure) >= 10:
        yield from (text for text, _ in _scaled(value, step(figure), language))


def _lengths(value: float, figure: Figure, language: Language) -> Iterator[str]:
    """A length of time in its own unit and in those that it fills."""
    own = next(unit for unit in TIME_UNITS if unit == figure.unit)
    alike = [(value, own)]
    if own == "months" and value % 12 == 0:
        alike.append((value / 12, "years"))
    if own == "years" and (value * 12) == round(value * 12):
        alike.append((value * 12, "months"))
    if own == "days" and value == round(value):
        alike.append(in_units(int(value)))
    for n, unit in alike:
        yield plain(length(n, unit, language))
        words = _words(n, language)
        russian, english = NOUNS[unit]
        if language == "en":
            yield from [f"{words} {english}{'s' * (n != 1)}"] if words else []
            continue
        yield plain(length(n, unit, language, case="genitive"))
        yield plain(length(n, unit, language, case="accusative"))
        if words:
            feminine = in_words(int(n), gender="feminine") if unit == "weeks" else words
            yield f"{feminine} {agreed(n, russian)}"
            yield f"{in_words(int(n), case='genitive')} {agreed(n, russian, case='genitive')}"


def _money(value: float, figure: Figure, language: Language) -> Iterator[str]:
    """An amount with the sign, the code and the noun of its currency, whole, with cents, in thousands and millions."""
    code, places = figure.unit, max(2, money_places(value))
    known = CURRENCIES.get(code)
    least = 0 if abs(value) >= 10 else 2
    shown = [*_roundings(value, range(min(least, places), places + 1), language)]
    shown += _scaled(value, step(figure), language)
    for text, rounded in shown:
        yield f"{text} {code}"
        if known is None:
            continue
        yield from (f"{text} {known.sign}", f"{text}{known.sign}")
        yield f"-{known.sign}{text[1:]}" if text.startswith("-") else f"{known.sign}{text}"
        if language == "ru":
            yield f"{text} {agreed(rounded, known.noun_ru)}"
            if code == "RUB":
                yield f"{text} руб."
        else:
            yield f"{text} {known.one_en if rounded == 1 else known.many_en}"


def _roundings(value: float, places: range, language: Language) -> Iterator[tuple[str, float]]:
    """Digits of a value at several places after the point, grouped or not, with the rounded value."""
    for place in places:
        rounded = round(value, place)
        grouped = plain(digits(value, place, language))
        bare = grouped.replace(" " if language == "ru" else ",", "")
        yield grouped, rounded
        if bare != grouped:
            yield bare, rounded
        if language == "ru" and "," in bare:
            yield bare.replace(",", "."), rounded


def _scaled(value: float, coarsest: float, language: Language) -> list[tuple[str, float]]:
    """ "1,23 млн", "1.2 million": with the number that a noun after it agrees with, which is many."""
    made: list[tuple[str, float]] = []
    for size, russian, short_ru, english, short_en in _SCALES:
        if abs(value) < size:
            continue
        part = value / size
        for place in range(3):
            if 10.0**-place * size > coarsest * (1 + 1e-9) and not math.isclose(round(part, place), part):
                continue
            shown = plain(digits(part, place, language))
            if language == "ru":
                made += [(f"{shown} {short_ru}", 5), (f"{shown} {short_ru.rstrip('.')}", 5)]
                made.append((f"{shown} {agreed(round(part, place), russian)}", 5))
            else:
                made += [(f"{shown} {english}", 5), (f"{shown}{short_en}", 5)]
    return made


def _places_of(unit_step: float) -> int:
    """Places after the point that show a step."""
    return max(0, -math.floor(math.log10(unit_step) + 1e-9)) if unit_step > 0 else 0


def _words(value: float, language: Language) -> str | None:
    if value != int(value):
        return None
    return in_words(int(value)) if language == "ru" else english_words(int(value))
