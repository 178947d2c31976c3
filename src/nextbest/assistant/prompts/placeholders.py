"""Names and figures kept out of the prompt: a model sees {i1}, {r1}, {f1}; code puts the words in, and drops what isn't from it.

A title that is an instruction can't be followed, because the model never reads it; a figure can't be misspelt.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextbest.assistant.base import Finding, Language, ToolResult
from nextbest.assistant.phrasing.rendering import label, render, said, span, title

PLACE = re.compile(r"\{(\w+)\}")
_SENTENCE = re.compile(r".+?(?:[.!?…]+(?=\s|$)|\n|$)\s*", re.DOTALL)
MAX_ITEMS, MAX_FIGURES = 10, 12
_WORDS: Mapping[str, Mapping[Language, str]] = {
    "name": {"en": "name", "ru": "название"},
    "reason": {"en": "reason", "ru": "причина"},
}


@dataclass(frozen=True, slots=True)
class Masked:
    """Tool results as a model may read them, and what its placeholders stand for."""

    rows: tuple[str, ...]
    """One line an item or a figure, most important first."""
    values: Mapping[str, str]
    """"i1" -> what is put in."""
    required: tuple[str, ...]
    """Placeholders without which an answer isn't one: the items, or where there are none the first figure."""
    groups: tuple[tuple[str, ...], ...]
    """What belongs into one sentence, as literals of a grammar: ("{i1}", "{r1}"), ("{f1}",)."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A draft with names and figures in their places."""

    text: str
    findings: tuple[Finding, ...]
    is_whole: bool
    """Every required placeholder is there."""


def masked(results: Sequence[ToolResult], language: Language) -> Masked:
    """Results without a title, a reason or a figure that a model could change.

    Items beyond the tenth and figures beyond the twelfth stay with the reply's data; they aren't worded.
    """
    usable = [result for result in results if result.is_ok]
    items = [item for result in usable for item in result.items][:MAX_ITEMS]
    own = [figure for result in usable for figure in result.figures if figure.of is None][:MAX_FIGURES]
    values: dict[str, str] = {}
    rows: list[str] = []
    groups: list[tuple[str, ...]] = []
    for n, item in enumerate(items, start=1):
        values[f"i{n}"] = title(item, language)
        row, group = f"{_WORDS['name'][language]} {{i{n}}}", [f"{{i{n}}}"]
        if item.reason is not None:
            values[f"r{n}"] = said(item.reason, language).rstrip(".")
            row += f", {_WORDS['reason'][language]} {{r{n}}}"
            group.append(f"{{r{n}}}")
        rows.append(row)
        groups.append(tuple(group))
    periods = list(dict.fromkeys(figure.period for figure in own if figure.period is not None))
    for n, figure in enumerate(own, start=1):
        values[f"f{n}"] = render(figure, language)
        when = "" if figure.period is None else f", {{p{periods.index(figure.period) + 1}}}"
        rows.append(f"{{f{n}}} = {label(figure, language)}{when}")
        groups.append((f"{{f{n}}}",))
    values.update({f"p{n}": span(period, language) for n, period in enumerate(periods, start=1)})
    required = tuple(f"i{n}" for n in range(1, len(items) + 1)) or (("f1",) if own else ())
    return Masked(tuple(rows), values, required, tuple(groups))


def fill(draft: str, results: Masked) -> Filled:
    """The draft with its placeholders replaced; sentences with one that doesn't exist, or with a digit of their own, are dropped.

    Each required placeholder counts once; a sentence that only repeats what was said is dropped as well.
    """
    kept: list[str] = []
    findings: list[Finding] = []
    used: set[str] = set()
    named = set(re.findall(r"\d+", PLACE.sub("", " ".join(results.rows))))  # "VaR 95 %" may be said
    for sentence in _SENTENCE.findall(draft.strip()):
        places = PLACE.findall(sentence)
        unknown = [place for place in places if place not in results.values]
        words = PLACE.sub("", sentence)
        if unknown or "{" in words or "}" in words:
            findings.append(Finding("placeholder", sentence.strip(), "dropped"))
        elif not named.issuperset(re.findall(r"\d+", words)):
            findings.append(Finding("number", sentence.strip(), "dropped"))
        elif places and used.issuperset(places):
            findings.append(Finding("loop", sentence.strip(), "dropped"))
        else:
            used.update(places)
            kept.append(PLACE.sub(lambda found: results.values[found[1]], sentence))
    findings += [Finding("missing", f"{{{p}}}", "dropped") for p in results.required if p not in used]
    return Filled("".join(kept).strip(), tuple(findings), used.issuperset(results.required) and bool(kept))
