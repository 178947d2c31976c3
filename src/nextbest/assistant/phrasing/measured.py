"""Answers made of figures: a portfolio's, similar clients', a plan's, how a plan goes. They state; they never advise."""

from collections.abc import Sequence
from datetime import date

from nextbest.assistant.base import Figure, ToolResult
from nextbest.assistant.phrasing.figures import capital, render, title
from nextbest.assistant.phrasing.parts import (
    Question,
    clause,
    clauses,
    final,
    has_wording,
    inline,
    lines,
    listed,
    own_figures,
    people,
    reason_of,
    shared_period,
    together,
)
from nextbest.assistant.phrasing.rendering import day, span
from nextbest.assistant.phrasing.wordings import wordings

_RETURNS = ("twr", "return", "mwr", "modified_dietz")
_WORTHS = ("nav", "worth", "value", "wealth")
_COUNTS = ("n", "n_peers", "peers", "n_clients")
FEW = 3
"""Figures that still fit into a sentence; more stand on lines."""
MOST = 8
"""Figures that an answer says; the rest are in the document beside it."""


def write_portfolio(result: ToolResult, question: Question) -> str:
    """What it is worth, what it returned over which period, then up to eight further figures."""
    book, places = wordings("portfolio"), people(result, question)
    figures = _general(result)
    period = shared_period(figures)
    told, parts = [], []
    worth, earned = _first(figures, _WORTHS), _first(figures, _RETURNS)
    if earned is not None and earned.value == 0:
        earned = None  # neither earned nor lost: said with the other figures
    if earned is not None:
        period = earned.period or period
    if worth is not None:
        until = worth.period[1] if worth.period else result.as_of
        on = _on(None if earned is not None and period and period[1] == until else until, question)
        value = render(worth, question.language)
        parts.append(_say(question, "portfolio", "worth", value=value, **on, **places))
        told.append(worth)
    if earned is not None and not isinstance(earned.value, date):
        kind = f"{'return' if worth is None else 'then'}_{'up' if earned.value > 0 else 'down'}"
        value = render(earned, question.language, style="unsigned")
        parts.append(_say(question, "portfolio", kind, value=value, **_when(period, question), **places))
        told.append(earned)
    rest = [figure for figure in figures if figure not in told]
    kept = rest[: MOST - len(told)]
    if kept and told:
        parts.append(_after(kept, question, period if earned in told else None))
    elif kept:
        parts.append(_together("portfolio", kept, question, places, period))
    if len(kept) < len(rest):
        parts.append(book.say("more", question.language, question.variant))
    parts += _items("portfolio", result, question, places)
    return _joined(parts)


def write_peers(result: ToolResult, question: Question) -> str:
    """How many similar clients there are, and how the figures stand next to theirs."""
    places, figures = people(result, question), list(_general(result))
    count = _first(figures, _COUNTS)
    period = shared_period(figures)
    parts = []
    if count is not None:
        figures.remove(count)
        parts.append(_say(question, "peers", "found", value=render(count, question.language)))
    if figures:
        parts.append(_together("peers", figures, question, places, period))
    parts += _items("peers", result, question, places)
    return _joined(parts)


def write_plan(result: ToolResult, question: Question) -> str:
    """The odds of the goal, as calculated and as invested now, what else was calculated, and the allocations."""
    places, figures = people(result, question), list(_general(result))
    book, language = wordings("plan"), question.language
    odds, now = _first(figures, ("goal_probability",)), _first(figures, ("goal_probability_now",))
    goal = f"goal_{result.arguments.get('goal') or question.understood.slots.goal}"
    places["goal"] = book.say(goal if goal in book else "goal", language)
    parts = []
    if odds is not None or now is not None:
        kind = "probability_now" if odds is None else "probability" if now is None else "probability_both"
        values = {name: render(f, language) for name, f in (("value", odds), ("now", now)) if f is not None}
        parts.append(_say(question, "plan", kind, **values, **places))
    rest = [figure for figure in figures if figure not in (odds, now)]
    if rest:
        parts.append(_together("plan", rest, question, places, shared_period(rest)))
    parts += _allocations(result, question)
    return _joined(parts)


def write_tracking(result: ToolResult, question: Question) -> str:
    """How a plan goes, and what was noted on the way."""
    places, figures = people(result, question), _general(result)
    period = shared_period(figures)
    parts = []
    if figures:
        parts.append(_together("tracking", figures, question, places, period))
    if 0 < len(result.items) <= FEW:
        named = listed([inline(item, result, question) for item in result.items], question.language)
        parts.append(_say(question, "tracking", "alert", items=named))
    elif result.items:
        lead = _say(question, "tracking", "alerts")
        parts.append(lines(lead, (final(item, result, question) for item in result.items)))
    return _joined(parts)


def _allocations(result: ToolResult, question: Question) -> list[str]:
    """Each allocation with its shares; one in a sentence, more on lines."""
    language = question.language
    if len(result.items) == 1:
        item = result.items[0]
        own = [clause(f, language) for f in own_figures(item, result)]
        if not own:
            text = _say(question, "plan", "allocation_bare", title=title(item, language))
        else:
            text = _say(
                question, "plan", "allocation", title=title(item, language), figures=listed(own, language)
            )
        reason = reason_of(item, language)
        return [text, f"{capital(reason)}."] if reason else [text]
    if not result.items:
        return []
    lead = _say(question, "plan", "allocations")
    return [lines(lead, (final(item, result, question) for item in result.items))]


def _items(book: str, result: ToolResult, question: Question, places: dict[str, str]) -> list[str]:
    """Things of a portfolio with their figures."""
    if not result.items:
        return []
    if len(result.items) <= FEW:
        named = listed([inline(item, result, question) for item in result.items], question.language)
        return [_say(question, book, "items", items=named, **places)]
    lead = _say(question, book, "items_lead", **places)
    return [lines(lead, (final(item, result, question) for item in result.items))]


def _together(
    book: str,
    figures: Sequence[Figure],
    question: Question,
    places: dict[str, str],
    period: tuple[date, date] | None,
) -> str:
    """Figures under one lead: in its sentence up to three, on lines above."""
    when, on_lines = _when(period, question), len(figures) > FEW
    made = clauses(figures, question, said_period=period, on_lines=on_lines)
    if not on_lines:
        told = together(made, question.language)
        return _say(question, book, "lead_short", clauses=told, **places | when)
    lead = _say(question, book, "lead", **places | when)
    return "\n".join([lead, *(f"- {text}" for text in made)])


def _after(figures: Sequence[Figure], question: Question, period: tuple[date, date] | None) -> str:
    """Figures after a sentence that already says what they are of."""
    on_lines = len(figures) > FEW
    made = clauses(figures, question, said_period=period, on_lines=on_lines)
    if not on_lines:
        told = together(made, question.language)
        if all(has_wording(figure) for figure in figures):
            return _say(question, "portfolio", "had", clauses=told)
        return f"{capital(told)}."
    return "\n".join([_say(question, "portfolio", "also"), *(f"- {text}" for text in made)])


def _general(result: ToolResult) -> tuple[Figure, ...]:
    """Figures that belong to no item named beside them."""
    named = {item.item_id for item in result.items}
    return tuple(figure for figure in result.figures if figure.of is None or figure.of not in named)


def _first(figures: Sequence[Figure], keys: Sequence[str]) -> Figure | None:
    """The figure of the first of these names that there is, of the whole and not of a part."""
    return next((f for key in keys for f in figures if f.key == key and f.of is None), None)


def _say(question: Question, book: str, section: str, **places: str) -> str:
    return wordings(book).say(section, question.language, question.variant, **places)


def _when(period: tuple[date, date] | None, question: Question) -> dict[str, str]:
    """The period for the start of a sentence and, after a blank, for its middle."""
    text = span(period, question.language) if period else ""
    return {"When": capital(text), "_when": f" {text}" if text else ""}


def _on(value: date | None, question: Question) -> dict[str, str]:
    if value is None:
        return {"_on": ""}
    return {"_on": f" {'на' if question.is_russian else 'as of'} {day(value, question.language)}"}


def _joined(parts: Sequence[str]) -> str:
    """Sentences side by side; what follows lines starts on a line of its own."""
    text = ""
    for part in filter(None, parts):
        gap = "\n" if "\n" in part or "\n" in text.rsplit("\n\n", 1)[-1] else " "
        text = part if not text else text + gap + part
    return text
