"""Pieces that answers are made of: lists, reasons, who is spoken of, figures as clauses, sources, notes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from nextbest.assistant.base import Figure, ItemFact, Language, ToolResult, Understood
from nextbest.assistant.phrasing.figures import capital, label, lowered, quoted, render, said, title
from nextbest.assistant.phrasing.rendering import day, span
from nextbest.assistant.phrasing.russian import agreed, in_words
from nextbest.assistant.phrasing.wordings import wordings
from nextbest.charts_page.numbers import is_currency

_CAUSE = re.compile(r"(?:потому что|поскольку|так как|ведь|because|since|as)\b", re.IGNORECASE)
_ENDS = ".!?…"
_SMALL_EN = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SHAPES = frozenset({"any", "any_ann", "line", "line_ann"})
_PRODUCT = re.compile(r"(?:Вклад|Карта|Счёт|Кредит|Полис|Программа|Подписка|Фонд|Пакет|Тариф) (?=[«“\"])")
QUOTED_CHARACTERS = 300
"""Of a document or a description in an answer; cut at a word."""


@dataclass(frozen=True, slots=True)
class Question:
    """What every part of an answer has to know of the question."""

    understood: Understood
    language: Language
    variant: int

    @property
    def is_russian(self) -> bool:
        """Whether the answer is Russian."""
        return self.language == "ru"


def listed(parts: Sequence[str], language: Language, *, last: str = "and") -> str:
    """Parts as one enumeration: "a, b и c".

    >>> listed(["a", "b", "c"], "ru"), listed(["a", "b"], "en", last="or")
    ('a, b и c', 'a or b')
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {wordings('parts').say(last, language)} {parts[-1]}"


def options(n: int, language: Language) -> str:
    """A number of options, in words up to ten.

    >>> options(5, "ru"), options(21, "ru"), options(3, "en")
    ('пять вариантов', '21 вариант', 'three options')
    """
    if language == "ru":
        return f"{in_words(n) if n <= 10 else n} {agreed(n, 'вариант')}"
    return f"{_SMALL_EN[n] if n <= 10 else n} option{'s' * (n != 1)}"


def reason_of(item: ItemFact, language: Language) -> str | None:
    """An item's reason inside a sentence, without a full stop; None where it has none."""
    text = said(item.reason, language).strip().rstrip(_ENDS) if item.reason else ""
    return lowered(text) or None


def is_cause(reason: str) -> bool:
    """Whether a reason begins with "because"."""
    return _CAUSE.match(reason) is not None


def own_figures(item: ItemFact, result: ToolResult) -> tuple[Figure, ...]:
    """Figures of a result that belong to one item."""
    return tuple(f for f in result.figures if f.of is not None and f.of == item.item_id)


def inline(
    item: ItemFact,
    result: ToolResult,
    question: Question,
    *,
    with_reason: bool = True,
    after: Sequence[ItemFact] = (),
) -> str:
    """An item in the middle of a sentence: its title, figures and reason in brackets behind it.

    A figure that an item `after` which this one stands has too isn't named again: "A (вероятность 34 %) и B (24 %)".
    """
    named = {
        figure.key for other in after for figure in own_figures(other, result) if not has_wording(figure)
    }
    notes = [
        render(figure, question.language) if figure.key in named else clause(figure, question.language)
        for figure in own_figures(item, result)
    ]
    if with_reason and (reason := reason_of(item, question.language)):
        notes.append(reason)
    name = title(item, question.language)
    if _PRODUCT.match(name):
        name = name[:1].lower() + name[1:]
    return f"{name} ({'; '.join(notes)})" if notes else name


def final(item: ItemFact, result: ToolResult, question: Question, *, with_reason: bool = True) -> str:
    """An item at the end of a sentence or on a line of its own: ", потому что ..." or ": часто берут ..."."""
    name = inline(item, result, question, with_reason=False)
    reason = reason_of(item, question.language) if with_reason else None
    if reason is None:
        return name
    if is_cause(reason):
        return f"{name}, {reason}" if question.is_russian else f"{name} {reason}"
    return f"{name}: {reason}"


def lines(lead: str, rows: Iterable[str]) -> str:
    """A lead and numbered lines under it."""
    return "\n".join([lead, *(f"{place}. {capital(row)}" for place, row in enumerate(rows, start=1))])


def has_wording(figure: Figure) -> bool:
    """Whether the wordings know a figure's name, so that it needn't be said by its label."""
    falls = not isinstance(figure.value, date) and figure.value < 0
    return figure.key in wordings("figures") or (falls and f"{figure.key}_down" in wordings("figures"))


def clause(figure: Figure, language: Language, *, on_line: bool = False) -> str:
    """A figure with its name, as a part of a sentence: "волатильность 15,1 % годовых"; `on_line`: on a line of its own."""
    book = wordings("figures")
    key, falls = figure.key, not isinstance(figure.value, date) and figure.value < 0
    if falls and f"{key}_down" in book:
        return book.say(f"{key}_down", language, value=render(figure, language, style="unsigned"))
    value = render(figure, language)
    if key in book and key not in _SHAPES and (key != "price" or is_currency(figure.unit)):
        return book.say(key, language, value=value)
    is_yearly = figure.unit == "fraction" and (key.endswith("_ann") or key in ("xirr", "treynor", "m2"))
    name = label(figure, language)
    shape = "line" if on_line or "," in name else "any"
    return book.say(shape + "_ann" * is_yearly, language, label=name, value=value)


def clauses(
    figures: Sequence[Figure],
    question: Question,
    *,
    said_period: tuple[date, date] | None = None,
    on_lines: bool = False,
) -> list[str]:
    """Figures as parts of sentences, each with its period where it isn't the one said before."""
    made = []
    for figure in figures:
        text = clause(figure, question.language, on_line=on_lines)
        if figure.period is not None and figure.period != said_period:
            text += f" ({span(figure.period, question.language)})"
        made.append(text)
    return made


def together(made: Sequence[str], language: Language) -> str:
    """Clauses in one sentence; set apart by semicolons where one has a comma or a colon of its own.

    >>> together(["a 1", "b 2"], "en"), together(["a, b: 1", "c 2"], "en")
    ('a 1 and b 2', 'a, b: 1; c 2')
    """
    apart = any(re.search(r"[,:] ", text) for text in made)
    return "; ".join(made) if apart else listed(made, language)


def shared_period(figures: Sequence[Figure]) -> tuple[date, date] | None:
    """The period that the first figure with one was measured over."""
    return next((f.period for f in figures if f.period is not None), None)


def people(result: ToolResult, question: Question) -> dict[str, str]:
    """Words for whom an answer is about: the caller, or the client that a clerk named."""
    book, language = wordings("parts"), question.language
    client = result.arguments.get("client")
    if client is None:
        who = book.say("you", language)
        portfolio, of = book.say("your_portfolio", language), book.say("of_your_portfolio", language)
    else:
        name = re.sub(r"\s+", " ", str(client))
        who = book.say("client", language, client=name)
        portfolio = book.say("portfolio_of_client", language, client=name)
        of = book.say("of_portfolio_of_client", language, client=name)
    return {
        "who": who,
        "Who": capital(who),
        "portfolio": portfolio,
        "Portfolio": capital(portfolio),
        "portfolio_of": of,
    }


def source(result: ToolResult, language: Language, *, body: str) -> str:
    """What figures were computed from, and of which day the data are unless the body says that day; empty for things."""
    kind = "peers" if result.tool == "portfolio_peers" else result.room
    section = f"source_{kind}"
    if section not in wordings("parts"):
        return ""
    until = "" if result.as_of is None else day(result.as_of, language)
    name = quoted(re.sub(r"\s+", " ", result.source).strip(), language)
    if until and until not in body:
        section += "_as_of"
    return wordings("parts").say(section, language, source=name, day=until)


def excerpt(text: str, language: Language) -> str:
    """The beginning of somebody else's text in quotation marks, on one line, at most so many characters, with its full stop.

    >>> excerpt("Комиссия 0 рублей.\\nВсегда", "ru")
    '«Комиссия 0 рублей. Всегда».'
    """
    flat = re.sub(r"[\s\x00-\x1f]+", " ", text).strip()
    if len(flat) > QUOTED_CHARACTERS:
        flat = flat[:QUOTED_CHARACTERS].rsplit(" ", 1)[0].rstrip(",;:-") + "…"
    return f"{quoted(flat.rstrip('.'), language)}."


def ended(text: str) -> str:
    """A sentence with a full stop, unless it has an end."""
    text = text.strip()
    return text if not text or text.rstrip("»”\"')")[-1:] in _ENDS or text[-1] in _ENDS else f"{text}."
