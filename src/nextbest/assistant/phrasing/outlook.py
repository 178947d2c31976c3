"""Answers about where a price may be: always a range, always with how the model did on history."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from nextbest.assistant.base import Figure, Language, ToolResult
from nextbest.assistant.phrasing.days import in_units, length
from nextbest.assistant.phrasing.figures import Style, capital, render, title
from nextbest.assistant.phrasing.parts import Question
from nextbest.assistant.phrasing.rendering import day
from nextbest.assistant.phrasing.wordings import wordings

_LOW, _MIDDLE, _HIGH = ("q10", "q05", "low"), ("q50", "median", "middle"), ("q90", "q95", "high")
STANDING = "standing"
"""Code of the note that says how a model stood."""
_CLOSES = ("close", "last", "price")


class Range(NamedTuple):
    """One horizon's bounds."""

    low: Figure
    high: Figure
    middle: Figure | None


def write_forecast(result: ToolResult, question: Question) -> str:
    """The last price, the range of each horizon, how the model stood; no middle is said without its range."""
    if len(result.items) > 1:  # one answer for each asset, with its own figures
        parts = (
            replace(result, items=(item,), figures=tuple(f for f in result.figures if f.of == item.item_id))
            for item in result.items
        )
        return "\n".join(dict.fromkeys(write_forecast(part, question) for part in parts))
    return _of_one_asset(result, question)


def _of_one_asset(result: ToolResult, question: Question) -> str:
    book, language, variant = wordings("forecast"), question.language, question.variant
    asset = _asset(result, language)
    parts = []
    close = next((f for f in result.figures if f.key in _CLOSES), None)
    if close is not None:
        until = close.period[1] if close.period else result.as_of
        on = "" if until is None else f" {'на' if question.is_russian else 'on'} {day(until, language)}"
        parts.append(book.say("close", language, variant, value=render(close, language), _on=on))
    ranges = ranges_of(result.figures)
    if not ranges:
        parts = [book.say("no_range", language, variant, asset=asset)]
    elif len(ranges) == 1:
        parts.append(_one(ranges[0], asset, result, question))
    else:
        rows = (_row(told, asset, result, question) for told in ranges)
        parts.append(
            "\n".join([book.say("ranges", language, variant, asset=asset), *(f"- {row}" for row in rows)])
        )
    coverage = next((f for f in result.figures if f.key == "coverage"), None)
    if ranges and coverage is not None:
        parts.append(book.say("coverage", language, variant, value=render(coverage, language)))
    parts.append(_standing(result, question))
    gap = "\n" if len(ranges) > 1 else " "
    return gap.join(filter(None, parts))


def ranges_of(figures: Sequence[Figure]) -> tuple[Range, ...]:
    """Ranges in the order their bounds come: figures of one period with keys q10, q90 and q50, "_" and more behind them or not."""
    groups: dict[tuple[object, str], dict[str, Figure]] = {}
    for figure in figures:
        head, _, tail = figure.key.partition("_")
        for place, heads in (("low", _LOW), ("middle", _MIDDLE), ("high", _HIGH)):
            if head in heads:
                groups.setdefault((figure.period, tail), {}).setdefault(place, figure)
    return tuple(
        Range(found["low"], found["high"], found.get("middle"))
        for found in groups.values()
        if "low" in found and "high" in found
    )


def _one(told: Range, asset: str, result: ToolResult, question: Question) -> str:
    kind = "change" if told.low.unit == "fraction" else "range"
    return _filled(f"{kind}{'' if told.middle else '_only'}", told, asset, result, question)


def _row(told: Range, asset: str, result: ToolResult, question: Question) -> str:
    return _filled(f"row{'' if told.middle else '_only'}", told, asset, result, question)


def _filled(section: str, told: Range, asset: str, result: ToolResult, question: Question) -> str:
    language = question.language
    style: Style = "signed" if told.low.unit == "fraction" else "plain"
    until, places = _until(told, result, question), _places(told)
    return wordings("forecast").say(
        section, language, question.variant, asset=asset, until=until, Until=capital(until),
        low=render(told.low, language, style=style, places=places), high=render(told.high, language, style=style, places=places),
        middle=render(told.middle, language, style=style, places=places) if told.middle else "",
    )  # fmt: skip


def _places(told: Range) -> int | None:
    """As many places for all bounds as the one that needs most, so that 262.10 doesn't stand beside 311."""
    if told.low.unit == "fraction":
        return None
    shown = [re.search(r"\.(\d+)", render(figure, "en")) for figure in told if figure is not None]
    return max(len(found[1]) if found else 0 for found in shown)


def _until(told: Range, result: ToolResult, question: Question) -> str:
    """The day that a range is for, or how far ahead it lies."""
    language = question.language
    period = told.low.period
    if period is not None:
        return f"{'к' if question.is_russian else 'by'} {day(period[1], language)}"
    days = result.arguments.get("horizon_days")
    if not isinstance(days, int) or days < 1:
        return "к концу срока прогноза" if question.is_russian else "by the end of the forecast"
    n, unit = in_units(days)
    ahead = length(n, unit, language, case="accusative")
    return f"через {ahead}" if question.is_russian else f"in {ahead}"


def _asset(result: ToolResult, language: Language) -> str:
    if result.items:
        return title(result.items[0], language)
    return str(result.arguments.get("asset") or next((f.of for f in result.figures if f.of is not None), "?"))


def _standing(result: ToolResult, question: Question) -> str:
    """How the model did on history: of the tool's document; nothing where only a note says it, which is sent anyway."""
    book, language = wordings("forecast"), question.language
    headline = headline_of(result, language)
    if headline is not None:
        return book.say("standing", language, question.variant, headline=headline)
    if any(note.code == STANDING for note in result.notes):
        return ""
    return book.say("untested", language, question.variant)


def headline_of(result: ToolResult, language: Language) -> str | None:
    """How the document says the model stood, in a few words; None where it doesn't."""
    standing = result.document.get("standing")
    headline = standing.get("headline") if isinstance(standing, Mapping) else None
    return str(headline[language]) if isinstance(headline, Mapping) and headline.get(language) else None
