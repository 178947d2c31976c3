"""Results for a language model, with placeholders for all that must not change, and its words with these filled in again.

A model sees `{i1} «Hades II»; {r1} потому что ...` and `{f1} доходность = 12,3 %`; it writes `Вам подойдёт {i1}, {r1}.`
What it writes outside of placeholders is checked by `grounding`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from nextbest.assistant.base import Figure, Finding, ItemFact, Language, ToolResult
from nextbest.assistant.phrasing.amounts import CURRENCIES
from nextbest.assistant.phrasing.figures import FALLS, Style, capital, label, render, said, title
from nextbest.assistant.phrasing.parts import reason_of
from nextbest.assistant.phrasing.rendering import span
from nextbest.assistant.phrasing.russian import case_after, declined

_PLACE = re.compile(r"\{+\s*([A-Za-z]\w*?)\s*\}+")
_SENTENCE = re.compile(r"(?<=[.!?…])[ \t]+|\n+")
_OPENING, _CLOSING = "«“„\"'", "»”“\"'"
_CAUSE_BEFORE = re.compile(r"(?:,?\s*(?:потому что|так как|поскольку|because|since))\s*$", re.IGNORECASE)
_PERIOD_BEFORE = re.compile(r"\b(?:за|в|с|over|in|from|for|during)\s+$", re.IGNORECASE)
_UNIT_AFTER: Mapping[str, str] = {
    "fraction": r"%|процент\w*|percent|per cent",
    "days": r"дн\w+|день|days?",
    "months": r"месяц\w*|мес\.?|months?|лет|года?|years?",
    "years": r"лет|года?|years?",
    "bps": r"б\.\s?п\.|базисн\w+ пункт\w*|bps?|basis points?",
}
BOUNDS = frozenset({"low", "high", "q10", "q90"})
"""Figures of a forecast that are never left out: its range."""
MOST_FIGURES = 12
"""Of one result."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands behind one placeholder."""

    name: str
    """Without braces: i1, r1, f1, p1."""
    kind: Literal["item", "reason", "figure", "period"]
    language: Language
    item: ItemFact | None = None
    figure: Figure | None = None
    is_needed: bool = False
    """Whether an answer without it says less than the results do."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A draft with its placeholders filled in."""

    text: str
    findings: tuple[Finding, ...]
    """"placeholder" = one that nothing stands behind, its sentence dropped; "missing" = a needed one that wasn't used."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was dropped and nothing is missing."""
        return not self.findings


def compact(results: Sequence[ToolResult], language: Language) -> tuple[str, dict[str, Placeholder]]:
    """Results as a few lines for a prompt.

    Parameters
    ----------
    results
        Of one question, in order; one that isn't "ok" is told by its words or its status.
    language
        Of titles, labels and reasons.

    Returns
    -------
    text
        A line for each tool, item and figure. Titles and reasons are somebody's data: a prompt fences this text.
    placeholders
        By name, for `fill`. Items (i) and figures (f) are numbered through all results, reasons (r) as their items;
        each distinct period (p) once. Figures beyond `MOST_FIGURES` of a result are left out.

    >>> from nextbest.assistant.base import Figure, ToolResult
    >>> made = Figure("twr", 0.1234, "fraction", {"ru": "Доходность", "en": "Return"})
    >>> print(compact([ToolResult("portfolio_metrics", "ok", "portfolio", figures=(made,))], "en")[0])
    [portfolio_metrics]
    {f1} return = 12.3%
    """
    rows: list[str] = []
    places: dict[str, Placeholder] = {}
    periods: dict[tuple[date, date], str] = {}
    n_items = n_figures = 0
    for result in results:
        if not result.is_ok:
            told = said(result.told, language) if result.told else result.code or result.status
            rows.append(f"[{result.tool}] {result.status}: {told}")
            continue
        rows.append(f"[{result.tool}]")
        for item in result.items:
            n_items += 1
            name, row = f"i{n_items}", f"{{i{n_items}}} {title(item, language)}"
            places[name] = Placeholder(name, "item", language, item=item, is_needed=True)
            if reason := reason_of(item, language):
                places[f"r{n_items}"] = Placeholder(f"r{n_items}", "reason", language, item=item)
                row += f"; {{r{n_items}}} {reason}"
            rows.append(row)
        for place, figure in enumerate(result.figures[:MOST_FIGURES]):
            n_figures += 1
            name = f"f{n_figures}"
            is_bound = figure.key.partition("_")[0] in BOUNDS
            needed = is_bound if result.tool == "market_forecast" else place == 0
            places[name] = Placeholder(name, "figure", language, figure=figure, is_needed=needed)
            rows.append(
                f"{{{name}}} {label(figure, language)} = {render(figure, language)}"
                + _of(figure, places, language)
            )
            if figure.period is not None:
                period = periods.setdefault(figure.period, f"p{len(periods) + 1}")
                places.setdefault(period, Placeholder(period, "period", language, figure=figure))
                rows[-1] += f" {{{period}}} {span(figure.period, language)}"
    return "\n".join(rows), places


def fill(text: str, placeholders: Mapping[str, Placeholder]) -> Filled:
    """A model's draft with names and figures put in, so that the words around them still agree.

    Lengths of time take the case of a preposition before them, a loss loses its minus after a word that says so, units
    and quotation marks that the model wrote again are dropped, a placeholder at the start of a sentence gets a capital.

    Parameters
    ----------
    text
        Names in braces, in any case, with blanks or doubled braces; the same one may stand several times.
    placeholders
        Of `compact`.

    Returns
    -------
    Filled
        Without the sentences that hold an unknown placeholder; empty where that is all of them.
    """
    findings: list[Finding] = []
    used: set[str] = set()
    made: list[str] = []
    gaps = [match[0] for match in _SENTENCE.finditer(text)] + [""]
    for sentence, gap in zip(_SENTENCE.split(text), gaps, strict=True):
        names = [match[1].lower() for match in _PLACE.finditer(sentence)]
        unknown = [name for name in names if name not in placeholders]
        stray = re.search(r"[{}]", _PLACE.sub("", sentence))
        if unknown or stray:
            findings += [Finding("placeholder", f"{{{name}}}", "dropped") for name in dict.fromkeys(unknown)]
            findings += (
                [Finding("placeholder", sentence.strip()[:80], "dropped")] if stray and not unknown else []
            )
            continue
        used.update(names)
        made += [_filled(sentence, placeholders), gap]
    for name, place in placeholders.items():
        if place.is_needed and name not in used:
            findings.append(Finding("missing", f"{{{name}}}", "fell_back"))
    return Filled("".join(made).strip(), tuple(findings))


def _of(figure: Figure, places: Mapping[str, Placeholder], language: Language) -> str:
    """Which item a figure belongs to, by its placeholder."""
    if figure.of is None:
        return ""
    owner = next(
        (p.name for p in places.values() if p.kind == "item" and p.item and p.item.item_id == figure.of), None
    )
    words = {"ru": "для", "en": "of"}
    return "" if owner is None else f" ({words[language]} {{{owner}}})"


def _filled(sentence: str, placeholders: Mapping[str, Placeholder]) -> str:
    """One sentence with its placeholders filled in from left to right."""
    told, at, since = "", 0, 0
    for match in _PLACE.finditer(sentence):
        told += sentence[at : match.start()]
        place, after = placeholders[match[1].lower()], sentence[match.end() :]
        # "a deepest fall of 5%, a return of -2%": what was said of one figure says nothing of the next
        earlier, told = told[:since], told[since:]
        told, piece, n_skipped = _piece(place, told, after)
        told = earlier + told
        told += capital(piece) if not told.strip(" -•*0123456789.)\t") and place.kind != "item" else piece
        at = match.end() + n_skipped
        if place.kind == "figure":
            since = len(told)
    return told + sentence[at:]


def _piece(place: Placeholder, before: str, after: str) -> tuple[str, str, int]:
    """The text before a placeholder, what stands for it, and how many characters behind it are dropped."""
    language = place.language
    if place.item is not None and place.kind == "item":
        if before[-1:] and before[-1] in _OPENING and after[:1] and after[0] in _CLOSING:
            return before[:-1], title(place.item, language), 1
        name = title(place.item, language)
        return before, (declined(name, case_after(before)) or name) if language == "ru" else name, 0
    if place.item is not None:
        reason = reason_of(place.item, language) or ""
        doubled = _CAUSE_BEFORE.search(before)
        if doubled and re.match(r"потому что|так как|поскольку|because|since", reason):
            comma = "," if doubled[0].startswith(",") else ""
            before = before[: doubled.start()] + comma + " "
        return before, reason, 0
    assert place.figure is not None
    if place.kind == "period":
        assert place.figure.period is not None
        return _PERIOD_BEFORE.sub("", before), span(place.figure.period, language), 0
    return _figure_piece(place.figure, language, before, after)


def _figure_piece(figure: Figure, language: Language, before: str, after: str) -> tuple[str, str, int]:
    """As `_piece`, of a figure: its case, its sign, and no second unit."""
    style: Style = "unsigned" if FALLS.search(before[-40:]) else "plain"
    known = CURRENCIES.get(figure.unit)
    pattern = _UNIT_AFTER.get(figure.unit, "")
    if known is not None:
        nouns = (
            f"{known.noun_ru[:4]}\\w*|{known.one_en}s?|rubles?"
            if known.sign == "₽"
            else f"{known.noun_ru[:4]}\\w*|{known.one_en}s?"
        )
        pattern = f"{re.escape(known.sign)}|{figure.unit}|{nouns}"
        before = before[:-1] if before.endswith(known.sign) else before
    doubled = re.match(rf"[\s\u00a0]*(?:{pattern})(?!\w)", after, re.IGNORECASE) if pattern else None
    if figure.value == 0:
        style = "plain"
    return (
        before,
        render(figure, language, style=style, case=case_after(before)),
        len(doubled[0]) if doubled else 0,
    )
