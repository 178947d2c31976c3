"""Names and figures kept out of the prompt: a model sees {i1}, {r1}, {f1}; code puts the words in, and drops what isn't from it.

A title that is an instruction can't be followed, because the model never reads it; a figure can't be misspelt. How the
words are put in, so that cases and units agree, is `phrasing.compact`'s.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nextbest.assistant.base import Finding, Language, ToolResult
from nextbest.assistant.phrasing import compact
from nextbest.assistant.phrasing.compact import Placeholder
from nextbest.assistant.phrasing.rendering import label, render, span, title

_PLACE = re.compile(r"\{+\s*([A-Za-z]\w*?)\s*\}+")
_SENTENCE = re.compile(r".+?(?:[.!?…]+(?=\s|$)|\n|$)\s*", re.DOTALL)
MAX_ITEMS, MAX_FIGURES, MAX_HELD = 10, 12, 16
"""Worded of one answer; the last of what is held or calculated, names and figures together: each takes a third of a second."""
GOODS = frozenset({"item", "product"})
"""Kinds of items that are there to be chosen."""
_TABLED = frozenset({"peers_q25", "peers_q75", "class_worth", "asset_gain"})
"""Figures that a table shows better than a sentence."""
_WORDS: Mapping[str, Mapping[Language, str]] = {
    "name": {"en": "name", "ru": "название"},
    "reason": {"en": "reason", "ru": "причина"},
    "of": {"en": "of", "ru": "для"},
}


@dataclass(frozen=True, slots=True)
class Masked:
    """Tool results as a model may read them, and what its placeholders stand for."""

    rows: tuple[str, ...]
    """One line an item or a figure, most important first."""
    values: Mapping[str, str]
    """"i1" -> its words, as they stand alone."""
    required: tuple[str, ...]
    """Placeholders without which an answer isn't one: items, first figures, ranges of forecasts."""
    groups: tuple[tuple[str, ...], ...]
    """What belongs into one sentence, as literals of a grammar: ("{i1}", "{r1}"), ("return {p1}: {f1}",)."""
    places: Mapping[str, Placeholder] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Filled:
    """A draft with names and figures in their places."""

    text: str
    findings: tuple[Finding, ...]
    is_whole: bool
    """Every required placeholder is there."""


def masked(results: Sequence[ToolResult], language: Language) -> Masked:
    """Results without a title, a reason or a figure that a model could change.

    Items beyond the tenth, figures beyond the twelfth and what a long list leaves no room for stay with the reply's data;
    they aren't worded.
    """
    found = compact.compact([result for result in results if result.is_ok], language)[1]
    items = [place for place in found.values() if place.kind == "item"][:MAX_ITEMS]
    named = {place.item.item_id: place.name for place in items if place.item is not None}
    # the figure of an item that isn't shown would belong to nothing; needed ones come first
    figures = [
        place
        for place in found.values()
        if place.kind == "figure"
        and place.figure is not None
        and (place.figure.of is None or place.figure.of in named or place.is_needed)
        and (place.figure.key not in _TABLED or place.is_needed)
    ]
    n_held = sum(place.item is not None and place.item.kind not in GOODS for place in items)
    most = max(sum(place.is_needed for place in figures), min(MAX_FIGURES, MAX_HELD - n_held))
    figures = sorted(sorted(figures, key=lambda place: not place.is_needed)[:most], key=_number)
    periods = {p.figure.period: p.name for p in found.values() if p.kind == "period" and p.figure}
    kept: dict[str, Placeholder] = {}
    values: dict[str, str] = {}
    rows: list[str] = []
    groups: list[tuple[str, ...]] = []
    for place in items:
        assert place.item is not None  # its kind says so
        kept[place.name], values[place.name] = place, title(place.item, language)
        row, group = f"{_WORDS['name'][language]} {{{place.name}}}", [f"{{{place.name}}}"]
        if reason := found.get(f"r{place.name[1:]}"):
            kept[reason.name] = reason
            values[reason.name] = compact.fill(f"{{{reason.name}}}", {reason.name: reason}).text.rstrip(".")
            row += f", {_WORDS['reason'][language]} {{{reason.name}}}"
            group.append(f"{{{reason.name}}}")
        rows.append(row)
        groups.append(tuple(group))
    for place in figures:
        figure = place.figure
        assert figure is not None  # its kind says so
        kept[place.name], values[place.name] = place, render(figure, language)
        what = label(figure, language)
        if figure.of in named:
            what += f" {_WORDS['of'][language]} {{{named[figure.of]}}}"
        row, phrase = f"{{{place.name}}} = {what}", what
        if figure.period is not None:
            period = periods[figure.period]
            kept[period], values[period] = found[period], span(figure.period, language)
            row, phrase = f"{row}, {{{period}}}", f"{what} {{{period}}}"
        rows.append(row)
        groups.append((f"{phrase}: {{{place.name}}}",))
    required = tuple(name for name, place in kept.items() if place.is_needed)
    return Masked(tuple(rows), values, required, tuple(groups), kept)


def fill(draft: str, results: Masked) -> Filled:
    """The draft with its placeholders replaced; sentences with one that doesn't exist, or with a digit of their own, are dropped.

    A sentence whose placeholders were all said before is dropped as well: small models go round in circles.
    """
    kept: list[str] = []
    findings: list[Finding] = []
    used: set[str] = set()
    told = set(re.findall(r"\d+", _PLACE.sub("", " ".join(results.rows))))  # "VaR 95 %" may be said
    for sentence in _SENTENCE.findall(draft.strip()):
        places = [name.lower() for name in _PLACE.findall(sentence)]
        words = _PLACE.sub("", sentence)
        if any(place not in results.places for place in places) or "{" in words or "}" in words:
            findings.append(Finding("placeholder", sentence.strip(), "dropped"))
        elif not told.issuperset(re.findall(r"\d+", words)):
            findings.append(Finding("number", sentence.strip(), "dropped"))
        elif places and used.issuperset(places):
            findings.append(Finding("loop", sentence.strip(), "dropped"))
        else:
            used.update(places)
            kept.append(sentence)
    findings += [Finding("missing", f"{{{p}}}", "dropped") for p in results.required if p not in used]
    text = compact.fill("".join(kept), results.places).text
    return Filled(text, tuple(findings), used.issuperset(results.required) and bool(text))


def _number(place: Placeholder) -> int:
    return int(place.name[1:])
