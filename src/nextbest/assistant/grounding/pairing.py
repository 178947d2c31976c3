"""Whether a true number stands where it belongs: beside its own item, under its own label, on its own side of zero.

A sentence that gives one item the figure of another, or calls the volatility a return, is as false as one with a wrong
number. Judged by the nearest name or label; a number with none beside it is let be.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nextbest.assistant.grounding.facts import Fact, Facts
from nextbest.assistant.grounding.numerals import Quantity
from nextbest.assistant.grounding.spans import Word
from nextbest.assistant.grounding.titles import Named
from nextbest.assistant.phrasing.rendering import FALLS

_CLAUSE = re.compile(r"[,;:.()\n]|\s(?:и|а|но|при|and|while|with|but|against)\s", re.IGNORECASE)
_CUTS = frozenset({"percent", "points", "bps", "money", "number", "times"})
"""Kinds after which a new label begins; days and lengths of time stand inside a label's words."""
_FELL = re.compile(
    r"(?:упа[лд]\w*|снизил\w*|снижен\w*|потеря\w*|убыт\w+|просе[лд]\w*|уменьшил\w*|подешев\w*|fell|dropped|lost|down|declined|decreased|loss\s+of|shrank|shrunk)"
    r"[\s\u00a0]+(?:\w+[\s\u00a0]+){0,2}$",
    re.IGNORECASE,
)
_ROSE = re.compile(
    r"(?:вырос\w*|выше|поднял\w*|прибавил\w*|прибыл\w+|заработал\w*|увеличил\w*|подорожал\w*|рост\w*|выигр\w+|rose|grew|gained|up|increased|climbed|earned|profit\s+of|gain\s+of)"
    r"[\s\u00a0]+(?:\w+[\s\u00a0]+){0,2}$",
    re.IGNORECASE,
)
_FALLS_EASILY = 0.5
"""Share of a label's meaning that has to be said for it to count as said."""
_MOSTLY = 0.7
"""The same, for a number that is some other figure's."""
_WHOLLY = 0.99
_CLEARLY = 0.15
"""By how much one label has to be said better than another."""


_TIMES = {
    "ден": "day", "дня": "day", "дне": "day", "дн": "day", "день": "day", "дней": "day", "day": "day",
    "недел": "week", "week": "week", "месяц": "month", "month": "month", "квартал": "quarter", "quarter": "quarter",
    "год": "year", "лет": "year", "year": "year",
}  # fmt: skip
"""Stems of words for lengths of time."""


@dataclass(frozen=True, slots=True)
class Mispaired:
    """A number that stands beside what it isn't of."""

    quantity: Quantity
    instead: Fact | None = None
    """The figure that belongs there, where there is one and only one."""


class Pairing:
    """Checks sentences of one turn.

    Parameters
    ----------
    facts
        Of the turn.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        labels = {f.labels for f in facts.figures}
        stems = {s for label in labels for s in label}
        self._weight = {
            s: 1 / n for s in stems if (n := sum(s in label for label in labels)) < max(2, len(labels))
        }

    def owner(self, quantity: Quantity, named: Sequence[Named], carried: str | None) -> str | None:
        """Id of the item that a number of a sentence is said of; None: nobody in particular."""
        before = [n for n in named if n.end <= quantity.start]
        if before:
            return before[-1].item
        return carried if carried is not None or not named else named[0].item

    def mispaired(
        self,
        text: str,
        words: Sequence[Word],
        told: Sequence[tuple[Quantity, list[Fact]]],
        named: Sequence[Named],
        carried: str | None,
    ) -> list[Mispaired]:
        """Numbers of a sentence that some fact stands behind, but not where they stand.

        Parameters
        ----------
        text, words
            The sentence.
        told
            Its numbers, each with the facts that it may tell.
        named
            The items that it names.
        carried
            The one item that the sentence before named.
        """
        found = self._by_item(text, told, named, carried)
        wrong = {id(m.quantity) for m in found}
        rest = [(q, m) for q, m in told if id(q) not in wrong]
        found += self._by_label(text, words, rest, named, carried)
        wrong = {id(m.quantity) for m in found}
        last_cut = 0
        for quantity, matches in told:
            if (id(quantity) not in wrong and _is_on_wrong_side(text, quantity, matches, last_cut)) or (
                id(quantity) not in wrong
                and self._is_of_other_time(text, words, told, quantity, matches, last_cut)
            ):
                found.append(Mispaired(quantity))
            last_cut = quantity.end if quantity.kind in _CUTS else last_cut
        return found

    def _by_item(
        self,
        text: str,
        told: Sequence[tuple[Quantity, list[Fact]]],
        named: Sequence[Named],
        carried: str | None,
    ) -> list[Mispaired]:
        own = [(q, m) for q, m in told if m and all(f.owner is not None for f in m) and q.kind != "ordinal"]
        if not own or (not named and carried is None):
            return []
        listed = [n for n in named if n.end <= own[0][0].start]
        if len(listed) == len(own) > 1 and not any(n.start > own[0][0].start for n in named):
            in_order = all(
                any(str(f.owner) == n.item for f in m) for (_, m), n in zip(own, listed, strict=True)
            )
            if in_order:
                return []
        found: list[Mispaired] = []
        for quantity, matches in own:
            owner = self.owner(quantity, named, carried)
            if owner is None or any(str(f.owner) == owner for f in matches):
                continue
            following = [n for n in named if n.start >= quantity.end]
            end = _clause_end(text, quantity.end)
            if any(n.start < end and any(str(f.owner) == n.item for f in matches) for n in following[:1]):
                continue
            has_before = any(n.end <= quantity.start for n in named)
            if not has_before and following and any(str(f.owner) == following[0].item for f in matches):
                continue
            keys = {f.figure.key for f in matches if f.figure is not None}
            right = [
                f for f in self._facts.figures if str(f.owner) == owner and f.figure and f.figure.key in keys
            ]
            is_named = any(n.item == owner for n in named)
            found.append(Mispaired(quantity, right[0] if len(right) == 1 and is_named else None))
        return found

    def _by_label(
        self,
        text: str,
        words: Sequence[Word],
        told: Sequence[tuple[Quantity, list[Fact]]],
        named: Sequence[Named],
        carried: str | None,
    ) -> list[Mispaired]:
        if len({f.labels for f in self._facts.figures}) < 2 and not any(
            f.is_clients for _, m in told for f in m
        ):
            return []
        windows = self.windows(text, words, [q for q, _ in told])
        found: list[Mispaired] = []
        for (quantity, matches), window in zip(told, windows, strict=True):
            if not window or quantity.kind in {"ordinal", "clock"} or not matches:
                continue
            best = self.labelled(quantity, window, self.owner(quantity, named, carried))
            if best is None:
                continue
            fact, score = best
            if any(m.figure is not None and m.labels == fact.labels for m in matches):
                continue
            if quantity.kind in {"date", "duration"} and not any(m.figure for m in matches):
                continue  # the period or the day that a figure is of
            if any(m.figure is None and not m.is_clients for m in matches) and score < 0.99:
                continue
            own = max((self._score(m.labels, window) for m in matches), default=0.0)
            if score < _MOSTLY and any(m.figure is not None for m in matches):
                continue
            if score > own + _CLEARLY:
                found.append(Mispaired(quantity, fact if score >= _WHOLLY else None))
        return found

    def _is_of_other_time(
        self,
        text: str,
        words: Sequence[Word],
        told: Sequence[tuple[Quantity, list[Fact]]],
        quantity: Quantity,
        matches: Sequence[Fact],
        last_cut: int,
    ) -> bool:
        """Whether the label beside a number has years where the figure's own has months."""
        labels = {f.labels for f in matches if f.figure is not None}
        own = {_TIMES[s] for label in labels for s in label if s in _TIMES}
        if not own or len(labels) != 1:
            return False
        end = _clause_end(text, quantity.end)
        beside = [
            w.stem
            for w in words
            if (last_cut <= w.start < quantity.start or quantity.end <= w.start < end)
            and not any(q.start <= w.start < q.end for q, _ in told)
        ]
        said = {_TIMES[s] for s in beside if s in _TIMES}
        rest = next(iter(labels)) - _TIMES.keys()
        return bool(said) and not said & own and len(rest & set(beside)) >= _FALLS_EASILY * len(rest) > 0

    def labelled(self, quantity: Quantity, window: set[str], owner: str | None) -> tuple[Fact, float] | None:
        """The figure whose label stands beside a number, with how much of it; None: none, or not just one."""
        scored: dict[frozenset[str], tuple[float, list[Fact]]] = {}
        for fact in self._facts.figures:
            if not _may_tell(quantity, fact) or (
                fact.owner is not None and owner is not None and str(fact.owner) != owner
            ):
                continue
            score = self._score(fact.labels, window)
            if score >= _FALLS_EASILY:
                scored.setdefault(fact.labels, (score, []))[1].append(fact)
        if not scored:
            return None
        ranked = sorted(scored.values(), key=lambda s: -s[0])
        if len(ranked[0][1]) > 1 and len({f.value for f in ranked[0][1]}) > 1:
            return None
        if len(ranked) > 1 and ranked[0][0] < ranked[1][0] + _CLEARLY:
            return None
        return ranked[0][1][0], ranked[0][0]

    def windows(self, text: str, words: Sequence[Word], quantities: Sequence[Quantity]) -> list[set[str]]:
        """For each number the stems among which its label stands: before it, or where none is there, after it."""
        cuts = [q for q in quantities if q.kind in _CUTS]
        before: list[set[str]] = []
        after: list[set[str]] = []
        for quantity in quantities:
            last = max((c.end for c in cuts if c.end <= quantity.start), default=0)
            following = min((c.start for c in cuts if c.start >= quantity.end), default=10**9)
            following = min(following, _clause_end(text, quantity.end))
            before.append(
                {w.stem for w in words if last <= w.start and w.end <= quantity.start} & self._weight.keys()
            )
            after.append(
                {w.stem for w in words if quantity.end <= w.start and w.end <= following}
                & self._weight.keys()
            )
        leads = next((bool(b) for q, b in zip(quantities, before, strict=True) if q.kind in _CUTS), True)
        return [(b or a) if leads else a for b, a in zip(before, after, strict=True)]

    def _score(self, label: frozenset[str], window: set[str]) -> float:
        whole = sum(self._weight.get(s, 0.0) for s in label)
        return sum(self._weight.get(s, 0.0) for s in label & window) / whole if whole else 0.0


def _clause_end(text: str, start: int) -> int:
    """Where the words that may say what a number before them is come to an end."""
    match = _CLAUSE.search(text, start)
    return len(text) if match is None else match.start()


def _may_tell(quantity: Quantity, fact: Fact) -> bool:
    """Whether a number is of the kind in which a figure is told."""
    if fact.kind == "bps":
        return quantity.kind in {"bps", "percent"}
    if fact.kind in {"times", "number"}:
        return quantity.kind in {"times", "number"}
    return quantity.kind == fact.kind or (quantity.kind == "points" and fact.kind == "percent")


def _is_on_wrong_side(text: str, quantity: Quantity, matches: Sequence[Fact], last_cut: int) -> bool:
    """Whether a fall is told as a rise, or a rise as a fall."""
    if not matches or any(f.figure is None for f in matches) or quantity.kind not in _CUTS:
        return False
    if any(FALLS.search(" ".join(f.figure.label.values())) for f in matches if f.figure):
        return False
    before = text[max(last_cut, quantity.start - 60) : quantity.start]
    is_below = all(f.value < 0 for f in matches)
    if is_below:
        if quantity.sign:
            return False
        after = re.split(r"[,.;:!?)]", text[quantity.end :], maxsplit=1)[0]
        return _ROSE.search(before) is not None or FALLS.search(f"{before} {after}") is None
    return all(f.value > 0 for f in matches) and not quantity.sign and _FELL.search(before) is not None
