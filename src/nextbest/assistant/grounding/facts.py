"""What may be said in this turn: everything that the tools said, in whatever way it may be written, and the client's words.

A number is allowed when it is a rounding of something told, with the same unit; sums, differences and other things
derived from facts are not facts. Knows nothing of sentences.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from nextbest.assistant.base import Figure, ItemFact, Language, ToolResult
from nextbest.assistant.grounding import units
from nextbest.assistant.grounding.numerals import Day, Quantity, read_quantities
from nextbest.assistant.grounding.spans import cleaned, stems_of
from nextbest.assistant.phrasing.rendering import is_rounding
from nextbest.data.ids import OutsideId

_MAX_TEXT = 4_000
"""Characters of one text of a result that are read for numbers: a document's passage has less."""
_CHANGES = re.compile(
    r"пункт|п\.\s?п|отклон|разниц|измен|points?\b|drift|differ|change|gap|spread", re.IGNORECASE
)
_MONEY_KEY = re.compile(r"price|cost|amount|fee|value|цена|стоим", re.IGNORECASE)
_IDENTITY = re.compile(
    r"(?:клиент|пользовател|покупател|client|customer|user|account|сч[её]т|карт[аыуе]|паспорт|телефон|card|phone|\bid\b|\bинн\b)"
    r"\w*\s*(?:№|#|номер\w*|number|no\.?|id|:)?\s*$",
    re.IGNORECASE,
)
_SHORT_WORDS = "и в на по с за к от до из о об у не the a an of in on at to for per by and or is"
_SHORT = frozenset(_SHORT_WORDS.split())


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was said by a tool or by the client."""

    kind: units.Kind
    value: float
    unit: str = ""
    day: Day | None = None
    owner: OutsideId | None = None
    """The item it belongs to; None: the whole, or anybody."""
    figure: Figure | None = None
    labels: frozenset[str] = frozenset()
    """Stems of the figure's label in the language of the answer."""
    is_clients: bool = False
    """The client's own words."""
    is_change: bool = False
    """May be told in percentage points."""


class Facts:
    """All facts of a turn, found again by the number that claims to be one.

    Parameters
    ----------
    results
        Of this turn's tools.
    question
        The client's text.
    language
        Of the answer.
    """

    def __init__(self, results: Sequence[ToolResult], *, question: str, language: Language) -> None:
        self.results, self.language, self.question = tuple(results), language, cleaned(question)
        self.items: dict[str, ItemFact] = {}
        """By item id as text, in the order told."""
        self.texts: list[str] = [self.question]
        """Whatever was said in words, titles aside: names in them may be said again."""
        self.foreign: set[float] = set()
        """Numbers by which the question names somebody: no figure belongs to them."""
        self.figures: list[Fact] = []
        self._by_kind: dict[str, list[Fact]] = defaultdict(list)
        for fact in self._gathered():
            self._by_kind[fact.kind].append(fact)
            if fact.figure is not None:
                self.figures.append(fact)
        self.n_places = max([len(self.items), *(i.rank or 0 for i in self.items.values()), len(self.results)])

    @property
    def dates(self) -> Sequence[Fact]:
        """Every day that was said."""
        return self._by_kind["date"]

    def matching(self, quantity: Quantity) -> list[Fact]:
        """Facts that a number of a text may stand for, without regard to what the sentence says of it."""
        q = quantity
        if q.kind == "date":
            dates = [f for f in self._by_kind["date"] if f.day and q.day and _is_same_day(q.day, f.day)]
            if dates or q.other is None or q.day is None:
                return dates
            turned = (q.day[0], int(q.other // 100), int(q.other % 100))
            return [f for f in self._by_kind["date"] if f.day and _is_same_day(turned, f.day)]
        if q.kind == "ordinal":
            texts = [f for kind in ("ordinal", "number") for f in self._by_kind[kind] if f.value == q.value]
            if q.value == int(q.value) and 1 <= q.value <= self.n_places:
                texts.append(Fact("ordinal", q.value))
            return texts
        found = [fact for fact in self._alike(q) if _is_close(q, fact)]
        if q.kind == "times":
            found = [f for f in found if _may_be_times(q, f)]
        if q.kind == "number" and q.step == 1 and 1900 <= q.value <= 2100:
            found += [f for f in self._by_kind["date"] if f.day and f.day[0] == q.value]
        return found

    def _alike(self, q: Quantity) -> Iterator[Fact]:
        """Facts of a kind that a number of this kind may tell."""
        kinds = {
            "number": ("number", "times", "money", "clock"),
            "percent": ("percent", "bps"),
            "points": ("points", "percent"),
            "bps": ("bps", "percent"),
            "times": ("times", "number"),
        }.get(q.kind, (q.kind,))
        for kind in kinds:
            yield from self._by_kind[kind]
        if q.kind == "number" and (q.step < 1 or q.value in {0, 1}):
            yield from self._by_kind["percent"]

    # --- gathering --------------------------------------------------------------------------------
    def _gathered(self) -> Iterator[Fact]:
        for quantity in read_quantities(self.question, self.language):
            before = self.question[max(0, quantity.start - 24) : quantity.start]
            if quantity.kind in {"number", "ordinal"} and _IDENTITY.search(before):
                self.foreign.add(quantity.value)
            if quantity.kind not in {"percent", "points", "bps"}:
                yield _of_text(quantity, None, is_clients=True)
        for result in self.results:
            yield from self._of_result(result)
        own = [str(v) for r in self.results if r.is_ok for k, v in r.arguments.items() if "client" in k]
        self.foreign -= {float(v) for v in own if v.replace(".", "", 1).isdigit()}

    def _of_result(self, result: ToolResult) -> Iterator[Fact]:
        language = self.language
        for item in result.items:
            self.items.setdefault(str(item.item_id), item)
            owner = None if item.kind == "passage" else item.item_id
            if item.reason is not None:
                for text in dict.fromkeys(item.reason.values()):
                    yield from self._read(text, owner)
            yield from self._values(item.attributes, owner, item.attributes.get("currency"))
            if item.rank is not None:
                yield Fact("ordinal", item.rank, owner=owner)
        if result.items:
            yield Fact("number", len(result.items))
        for figure in result.figures:
            yield from _of_figure(figure, language)
            for text in figure.label.values():
                yield from self._read(text, figure.of)
            if figure.period is not None:
                yield from _of_period(*figure.period)
        for words in (result.told, *(note.text for note in result.notes)):
            for text in () if words is None else words.values():
                yield from self._read(text, None)
        yield from self._read(result.source, None)
        hidden = ("_id",) if result.is_ok else ("_id", "client")
        arguments = {k: v for k, v in result.arguments.items() if not any(part in k for part in hidden)}
        yield from self._values(arguments, None, result.arguments.get("currency"))
        if result.as_of is not None:
            yield _of_date(result.as_of)

    def _read(self, text: str, owner: OutsideId | None) -> Iterator[Fact]:
        text = cleaned(text[:_MAX_TEXT])
        if text:
            self.texts.append(text)
        for quantity in read_quantities(text, self.language):
            yield _of_text(quantity, owner)

    def _values(
        self, values: Any, owner: OutsideId | None, currency: object, key: str = ""
    ) -> Iterator[Fact]:
        """Facts of JSON values: what a number is of is read from its name."""
        if isinstance(values, Mapping):
            for name, value in values.items():
                yield from self._values(value, owner, currency, str(name))
        elif isinstance(values, list | tuple | set | frozenset):
            for value in values:
                yield from self._values(value, owner, currency, key)
        elif isinstance(values, date):
            yield _of_date(values)
        elif isinstance(values, str):
            yield from self._read(values, owner)
        elif isinstance(values, int | float) and not isinstance(values, bool):
            if _MONEY_KEY.search(key):
                yield Fact(
                    "money", float(values), currency if isinstance(currency, str) else "?", owner=owner
                )
            elif unit := next((u for u in ("days", "months", "years", "hours") if key.endswith(u)), None):
                yield Fact("duration", float(values), unit, owner=owner)
            else:
                yield Fact("number", float(values), owner=owner)
                if key.endswith("_pct"):
                    yield Fact("percent", float(values), owner=owner)
                elif isinstance(values, float) and 0 < values <= 1:
                    yield Fact("percent", values * 100, owner=owner)


@lru_cache(maxsize=2_000)
def label_stems(label: str) -> frozenset[str]:
    """Stems of a label's words that carry meaning.

    >>> sorted(label_stems("Доходность за год"))
    ['год', 'доходност']
    """
    return frozenset(s for s in stems_of(label) if s not in _SHORT and not s.isdigit())


def _may_be_times(quantity: Quantity, fact: Fact) -> bool:
    """Whether "2.5 times" or "twice" may stand for a fact: a word compares, so a figure that is about two isn't meant."""
    if fact.figure is not None:
        return not quantity.is_word
    return fact.kind == "times" or fact.is_clients


def _of_figure(figure: Figure, language: Language) -> Iterator[Fact]:
    label = figure.label.get(language, "")
    labels, value, unit = label_stems(label), figure.value, figure.unit
    if isinstance(value, date):
        yield Fact(
            "date", 0, day=(value.year, value.month, value.day), owner=figure.of, figure=figure, labels=labels
        )
        return
    change = _CHANGES.search(f"{figure.key} {label}") is not None
    kind: units.Kind = "number"
    if unit == "fraction":
        kind, value = "percent", value * 100
    elif unit == "bps":
        kind = "bps"
    elif unit in {"days", "weeks", "months", "years", "hours", "minutes"}:
        kind = "duration"
    elif unit == "ratio":
        kind = "times"
    elif len(unit) in {3, 4} and unit.isupper():
        kind = "money"
    yield Fact(
        kind,
        float(value),
        unit if kind in {"money", "duration"} else "",
        owner=figure.of,
        figure=figure,
        labels=labels,
        is_change=change,
    )


def _of_text(quantity: Quantity, owner: OutsideId | None, *, is_clients: bool = False) -> Fact:
    value = abs(quantity.value) if not quantity.sign else quantity.value
    return Fact(quantity.kind, value, quantity.unit, quantity.day, owner, is_clients=is_clients)


def _of_date(day: date) -> Fact:
    return Fact("date", 0, day=(day.year, day.month, day.day))


def _of_period(first: date, last: date) -> Iterator[Fact]:
    yield _of_date(first)
    yield _of_date(last)
    n_days = (last - first).days
    yield Fact("duration", n_days + 1, "days")
    yield Fact("duration", n_days, "days")


def _is_same_day(said: Day, true: Day) -> bool:
    """Whether every part said is the true one; a part that the fact lacks can't be said."""
    return all(s is None or s == t for s, t in zip(said, true, strict=True))


def _is_close(q: Quantity, fact: Fact) -> bool:
    """Whether a number said is a rounding of a fact of a kind that fits."""
    said, true, step = q.value, fact.value, q.step
    if q.kind == "duration":
        return _is_as_long(q, fact)
    if q.kind == "money" and fact.unit != q.unit and not (fact.is_clients and not fact.unit):
        return False
    if q.kind == "points" and fact.kind == "percent" and not fact.is_change:
        return False
    if q.kind == "bps" and fact.kind == "percent":
        true *= 100
    elif (q.kind, fact.kind) in {("percent", "bps"), ("number", "percent")}:
        true /= 100
    if q.bound and q.sign >= 0 and said > 0:
        beyond = (abs(true) - said) * q.bound
        if 0 <= beyond < max(step, 1e-9) and beyond <= 0.05 * abs(true):
            return True
    candidates = (said,) if q.other is None else (said, q.other)
    if fact.figure is not None:
        if min(abs(abs(s) - abs(true)) for s in candidates) > 0.06 * abs(true) + step:
            return False
        scale = 1.0 if not true or isinstance(fact.figure.value, date) else float(fact.figure.value) / true
        return any(
            is_rounding(turned * scale, step * abs(scale), fact.figure)
            or (q.is_approximate and q.sign >= 0 and rounds_to(abs(true), s, step, is_about=True))
            for s in candidates
            for turned in ((s,) if q.sign else (s, -s))
        )
    true = -abs(true) if q.sign < 0 else abs(true)
    return any(
        rounds_to(true, s, step, is_share=q.kind in {"percent", "points"}, is_about=q.is_approximate)
        for s in candidates
    )


def rounds_to(
    true: float, said: float, step: float, *, is_share: bool = False, is_about: bool = False
) -> bool:
    """Whether `said`, whose last place is worth `step`, is a rounding of `true` that leaves at least its size.

    >>> rounds_to(12.34, 12.3, 0.1), rounds_to(12.36, 12.3, 0.1), rounds_to(1_230_000, 1e6, 1e6)
    (True, False, False)
    """
    if is_about and said >= 100 and step >= 1:
        while said % (step * 10) == 0 and said / (step * 10) >= 10:
            step *= 10
    error = abs(said - true)
    if error > step / 2 + 1e-9 * max(1.0, abs(true)):
        return False
    return error <= 0.05 * abs(true) + 1e-9 or (is_share and step <= 1 and abs(true) >= step)


def _is_as_long(q: Quantity, fact: Fact) -> bool:
    if q.unit == fact.unit:
        return (
            abs(q.value - fact.value) <= q.step / 2 + 1e-9
            if q.step < 1 or fact.value != int(fact.value)
            else q.value == fact.value
        )
    said, true = units.in_days(q.value, q.unit), units.in_days(fact.value, fact.unit)
    return abs(said - true) <= 0.015 * true + 1e-6
