"""The form of a taught model's answer: plain sentences around placeholders, each name and figure said once, in the rows' order.

What it is taught by, and the grammar that holds it to that order where a provider takes grammars.

Written by code from `prompts.placeholders`, in several wordings of both languages. Investments are shown and never
proposed. Knows no question and no model.
"""

import json
import re
from collections.abc import Mapping, Sequence

import numpy as np

from nextbest.assistant.base import Figure, Intent, Language
from nextbest.assistant.phrasing.compact import Placeholder
from nextbest.assistant.phrasing.rendering import label
from nextbest.assistant.prompts.placeholders import GOODS, Masked
from nextbest.assistant.prompts.taught import held_name

_OPENINGS: Mapping[str, Mapping[Language, tuple[str, ...]]] = {
    "recommend": {
        "en": ("You may well like ", "Have a look at ", "First of all I would name ", "This may suit you: ", "Worth a look: "),
        "ru": ("Вам может понравиться ", "Обратите внимание: ", "Вот что подойдёт: ", "Стоит посмотреть: ", "Прежде всего — "),
    },
    "similar": {
        "en": ("Close to it: ", "In the same spirit: ", "Much alike: ", "If you liked that, there is "),
        "ru": ("Похожее: ", "В том же духе: ", "Близко к этому: ", "Если это понравилось, есть "),
    },
    "next_purchase": {
        "en": ("Likely next: ", "What may come next: ", "Next in line: "),
        "ru": ("Скорее всего, дальше: ", "Вот что вероятно дальше: ", "На очереди: "),
    },
    "bank_product": {
        "en": ("This may suit you: ", "Of the bank's products: ", "Worth considering: "),
        "ru": ("Вам может подойти ", "Из продуктов банка: ", "Стоит рассмотреть: "),
    },
    "explain": {
        "en": ("Why there is ", "The reason for ", "About "),
        "ru": ("Почему здесь ", "Вот причина, почему здесь ", "Коротко про выбор — "),
    },
}  # fmt: skip
_NEXT: Mapping[Language, tuple[str, ...]] = {
    "en": ("There is also ", "Next: ", "And then ", "Also: "),
    "ru": ("Есть ещё ", "Далее: ", "А также ", "Ещё один вариант: "),
}
_MADE_OF: Mapping[Language, tuple[str, ...]] = {
    "en": ("Parts: ", "Its parts: "),
    "ru": ("Состав: ", "По частям: "),
}
_HELD: Mapping[Language, tuple[str, ...]] = {
    "en": ("Also in it: ", "The list goes on: "),
    "ru": ("Здесь же: ", "В списке также: "),
}
_STATES: Mapping[Language, tuple[str, ...]] = {
    "en": ("The ", "By the figures, the ", "In short, the "),
    "ru": ("По расчётам, ", "Если коротко, ", "Итак, "),
}
_FURTHER: Mapping[Language, tuple[str, ...]] = {
    "en": ("Further figures: ", "Besides: ", "And also: "),
    "ru": ("Другие показатели: ", "Кроме того: ", "А также: "),
}
_IS: Mapping[Language, str] = {"en": " is ", "ru": ": "}
_AND: Mapping[Language, str] = {"en": " and ", "ru": " и "}
_PLACE = re.compile(r"{(\w+)}")
_IN_A_SENTENCE = 2
"""Figures of one sentence: a slip costs no more than that, and labels that are much alike don't read as a loop."""


def draft(results: Masked, intent: Intent, language: Language, rng: np.random.Generator) -> str:
    """An answer over the placeholders of results; `intent` says how it begins."""
    places = results.places.values()
    items = [place for place in places if place.kind == "item" and place.item is not None]
    figures = [place for place in places if place.kind == "figure"]
    of = {item.name: [f for f in figures if f.figure and f.figure.of == _id(item)] for item in items}
    owned = {figure.name for own in of.values() for figure in own}
    goods = [item for item in items if item.item is not None and item.item.kind in GOODS]
    shown = [item for item in items if item not in goods]
    loose = [figure for figure in figures if figure.name not in owned]
    writer = _Writer(results, language, rng)
    sentences = writer.goods(goods, of, intent)
    sentences += writer.statements(loose)
    sentences += writer.holdings(shown, of)
    return " ".join(sentences)


def ordered_grammar(results: Masked, language: Language) -> str:
    """A GBNF under which every placeholder is written once, in the order of `draft`; the words between are the model's.

    What ties a name to its figures and its reason (brackets, labels, a colon) and the members of a list is literal: with words of its own between
    them a model has put one item's figure beside another's name. No digit stands in its words but those that rows have:
    "worst 5%".
    """
    text = draft(results, "recommend", language, np.random.default_rng(0))
    told = sorted(set(re.findall(r"\d+", re.sub(r"{\w+}", "", " ".join(results.rows)))))
    signs = " | ".join(["[^{}0-9\\n]", *(f'"{digits}"' for digits in told)])
    root, owner = ["gap"], None
    _, *pieces = _PLACE.split(text)  # name, the text after it, name, ...
    for name, after, following in zip(pieces[::2], pieces[1::2], [*pieces[2::2], None], strict=True):
        owner = _owner(results.places[name], owner)
        root.append(_literal(f"{{{name}}}"))
        place = None if following is None else results.places[following]
        if place is None or _is_tied(place, owner) or _is_listed(place, after):
            root.append(_literal(after))
        else:
            root += [_literal(")"), "gap"] if after.startswith(")") else ["gap"]
    return f"root ::= {' '.join(root)}\ngap ::= ({signs})*\n"


def _is_listed(place: Placeholder, between: str) -> bool:
    """Whether a placeholder is the next of a list inside one sentence."""
    return place.kind == "item" and ". " not in between


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _owner(place: Placeholder, before: Placeholder | None) -> Placeholder | None:
    """The item that is spoken of after a placeholder."""
    if place.kind == "item":
        return place
    return None if place.figure is not None and place.figure.of is None else before


def _is_tied(place: Placeholder, owner: Placeholder | None) -> bool:
    """Whether a placeholder says something of the item that is spoken of."""
    if owner is None:
        return False
    return place.kind == "reason" or (place.figure is not None and place.figure.of == _id(owner) is not None)


class _Writer:
    """Sentences of one answer."""

    def __init__(self, results: Masked, language: Language, rng: np.random.Generator) -> None:
        self._results, self._language, self._rng = results, language, rng

    def goods(
        self, items: Sequence[Placeholder], of: Mapping[str, Sequence[Placeholder]], intent: Intent
    ) -> list[str]:
        """Things to choose: with one reason for all in one sentence, else one a sentence."""
        if not items:
            return []
        reasons = {self._reason(item) for item in items}
        opening = self._one(_OPENINGS.get(intent, _OPENINGS["recommend"])[self._language])
        named: set[str] = set()
        if len(reasons) == 1:
            (reason,) = reasons
            told = self._listed([self._with_figures(item, of[item.name], named) for item in items])
            return [f"{opening}{told}{'' if reason is None else f': {{{reason}}}'}."]
        sentences = []
        for number, item in enumerate(items):
            head = opening if number == 0 else self._one(_NEXT[self._language])
            reason = self._reason(item)
            told = self._with_figures(item, of[item.name], named)
            sentences.append(f"{head}{told}{'' if reason is None else f': {{{reason}}}'}.")
        return sentences

    def statements(self, figures: Sequence[Placeholder]) -> list[str]:
        """Figures of the whole, the first one alone, then a few a sentence, those of one period together."""
        if not figures:
            return []
        first, *others = figures
        told = f"{label(_figure(first), self._language)}{_IS[self._language]}{{{first.name}}}"
        period = self._period(first)
        opening = f"{self._one(_STATES[self._language])}{told}{'' if period is None else f' {{{period}}}'}."
        return [opening, *self._by_period(others)]

    def holdings(self, items: Sequence[Placeholder], of: Mapping[str, Sequence[Placeholder]]) -> list[str]:
        """What is held or calculated with: sentences of each that has figures, one for the others."""
        sentences = []
        for item in items:
            if own := of[item.name]:
                sentences += self._by_period(own, first=f"{held_name(item, self._language)}: ")
        if bare := [f"{{{item.name}}}" for item in items if not of[item.name]]:
            of_all = _MADE_OF if len(bare) == len(items) else _HELD
            sentences.append(f"{self._one(of_all[self._language])}{self._listed(bare)}.")
        return sentences

    def _by_period(self, figures: Sequence[Placeholder], *, first: str | None = None) -> list[str]:
        """A few figures a sentence; their period is said once, in the sentence where it begins."""
        sentences = []
        for period in dict.fromkeys(self._period(figure) for figure in figures):
            of_it = [figure for figure in figures if self._period(figure) == period]
            for start in range(0, len(of_it), _IN_A_SENTENCE):
                told = ", ".join(map(self._stated, of_it[start : start + _IN_A_SENTENCE]))
                begins = start == 0 and period is not None
                if first is not None:
                    sentences.append(f"{first}{told}{f' {{{period}}}' if begins else ''}.")
                    first = None
                elif begins:
                    sentences.append(f"{{{period}}}: {told}.")
                else:
                    sentences.append(f"{self._one(_FURTHER[self._language])}{told}.")
        return sentences

    def _with_figures(self, item: Placeholder, own: Sequence[Placeholder], named: set[str]) -> str:
        """An item with its figures in brackets; a label is said with the first of its kind."""
        notes = []
        for place in own:
            figure = _figure(place)
            is_price = figure.key == "price"
            notes.append(f"{{{place.name}}}" if is_price or figure.key in named else self._stated(place))
            named.add(figure.key)
        return f"{{{item.name}}} ({', '.join(notes)})" if notes else f"{{{item.name}}}"

    def _stated(self, place: Placeholder) -> str:
        return f"{label(_figure(place), self._language)} {{{place.name}}}"

    def _period(self, place: Placeholder) -> str | None:
        wanted = _figure(place).period
        if wanted is None:
            return None
        return next(
            p.name
            for p in self._results.places.values()
            if p.kind == "period" and p.figure is not None and p.figure.period == wanted
        )

    def _reason(self, item: Placeholder) -> str | None:
        """The placeholder of an item's reason: the first one with these words."""
        name = f"r{item.name[1:]}"
        if name not in self._results.places:
            return None
        values = self._results.values
        return next(p for p in self._results.places if p[0] == "r" and values[p] == values[name])

    def _listed(self, parts: Sequence[str]) -> str:
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])}{_AND[self._language]}{parts[-1]}"

    def _one(self, texts: Sequence[str]) -> str:
        return texts[int(self._rng.integers(len(texts)))]


def _figure(place: Placeholder) -> Figure:
    assert place.figure is not None  # asked of figures only
    return place.figure


def _id(place: Placeholder) -> object:
    return place.item.item_id if place.item is not None else None
