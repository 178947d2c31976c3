"""What answers made of figures share: figures under a lead, rows, the period and the day in a sentence."""

from collections.abc import Sequence
from datetime import date

from nextbest.assistant.base import Figure, ItemFact, ToolResult
from nextbest.assistant.phrasing.figures import capital
from nextbest.assistant.phrasing.parts import Question, clauses, has_wording, listed, own_figures, together
from nextbest.assistant.phrasing.rendering import day, span
from nextbest.assistant.phrasing.wordings import wordings

FEW = 3
"""Figures or rows that still fit into a sentence; more stand on lines."""
MOST = 8
"""Figures of a whole that an answer says; the rest are in the document beside it."""


def say(question: Question, book: str, section: str, **places: str) -> str:
    """One wording of a file in the question's language and variant."""
    return wordings(book).say(section, question.language, question.variant, **places)


def general_figures(result: ToolResult) -> tuple[Figure, ...]:
    """Figures of the whole: one of a part isn't said without the part's name."""
    return tuple(figure for figure in result.figures if figure.of is None)


def first_figure(figures: Sequence[Figure], *keys: str) -> Figure | None:
    """The figure of the first of these names that there is."""
    return next((f for key in keys for f in figures if f.key == key), None)


def figure_of(item: ItemFact, result: ToolResult, key: str) -> Figure | None:
    """One figure of an item by its name."""
    return next((f for f in own_figures(item, result) if f.key == key), None)


def period_words(period: tuple[date, date] | None, question: Question) -> dict[str, str]:
    """The period for the start of a sentence and, after a blank, for its middle."""
    text = span(period, question.language) if period else ""
    return {"When": capital(text), "_when": f" {text}" if text else ""}


def day_words(value: date | None, question: Question) -> dict[str, str]:
    """The day for the middle of a sentence, after a blank."""
    if value is None:
        return {"_on": ""}
    return {"_on": f" {'на' if question.is_russian else 'as of'} {day(value, question.language)}"}


def under_lead(
    book: str,
    figures: Sequence[Figure],
    question: Question,
    *,
    period: tuple[date, date] | None = None,
    places: dict[str, str] | None = None,
) -> str:
    """Figures under the lead of a file: in its sentence up to three, on lines above; `period` is said by the lead."""
    on_lines = len(figures) > FEW
    made = clauses(figures, question, said_period=period, on_lines=on_lines)
    filled = {**(places or {}), **period_words(period, question)}
    if not on_lines:
        return say(question, book, "lead_short", clauses=together(made, question.language), **filled)
    return "\n".join([say(question, book, "lead", **filled), *(f"- {text}" for text in made)])


def after_lead(figures: Sequence[Figure], question: Question, *, period: tuple[date, date] | None) -> str:
    """Figures after a sentence that already says what they are of."""
    on_lines = len(figures) > FEW
    made = clauses(figures, question, said_period=period, on_lines=on_lines)
    if on_lines:
        return "\n".join([say(question, "portfolio", "also"), *(f"- {text}" for text in made)])
    told = together(made, question.language)
    if all(has_wording(figure) for figure in figures):
        return say(question, "portfolio", "had", clauses=told)
    return f"{capital(told)}."


def rows(
    book: str, section: str, told: Sequence[str], question: Question, *, places: dict[str, str] | None = None
) -> list[str]:
    """Rows under a section's lead: in its sentence up to three, on lines above or with a colon of their own; none where there are none."""
    if not told:
        return []
    filled = places or {}
    if len(told) <= FEW and not any(": " in text for text in told):
        return [say(question, book, section, items=listed(told, question.language), **filled)]
    lead = say(question, book, f"{section}_lead", **filled)
    return ["\n".join([lead, *(f"- {text}" for text in told)])]


def joined(parts: Sequence[str]) -> str:
    """Sentences side by side; lines, and what follows them, start on a line of their own."""
    text = ""
    for part in filter(None, parts):
        gap = "\n" if "\n" in part or "\n" in text else " "
        text = part if not text else text + gap + part
    return text
