"""Whether what is left of a draft still answers: the items that it named, the figures that matter, a refusal said."""

from collections.abc import Sequence

from nextbest.assistant.base import Finding, ToolResult
from nextbest.assistant.grounding import lexicon
from nextbest.assistant.grounding.facts import Fact, Facts
from nextbest.assistant.grounding.spans import words_of
from nextbest.assistant.grounding.titles import Named

_FEWEST_WORDS = 1
_LEAST_NAMED = 0.5
"""Share of a result's items that an answer has to name."""


class Kept:
    """What the sentences of a draft said, and which of it was dropped.

    Parameters
    ----------
    facts
        Of the turn.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.items: set[str] = set()
        """Items named so far, in sentences that passed."""
        self._lost: set[str] = set()
        self._figures: set[int] = set()
        self._lost_item = self._lost_number = False

    def passed(self, named: Sequence[Named], told: Sequence[Sequence[Fact]]) -> None:
        """A sentence went through that named these and told these."""
        self.items.update(n.item for n in named)
        self._figures.update(id(f.figure) for facts in told for f in facts if f.figure is not None)

    def dropped(self, named: Sequence[Named], findings: Sequence[Finding]) -> None:
        """A sentence was dropped that named these, for these findings."""
        self._lost.update(n.item for n in named)
        self._lost_item |= any(f.kind == "item" for f in findings)
        self._lost_number |= any(f.kind in {"number", "currency", "date"} for f in findings)

    def missing(self, text: str) -> str | None:
        """What the results demand and the text doesn't say, in a word for the log; None: nothing."""
        if not text:
            return "text"
        if (
            any(r.is_ok and (r.items or r.figures) for r in self._facts.results)
            and self._n_words(text) < _FEWEST_WORDS
        ):
            return "words"
        return next((m for m in map(self._missing_of, self._facts.results) if m), self._unsaid_refusal(text))

    def _n_words(self, text: str) -> int:
        """Words that are neither in a title nor a unit's sign: names and numbers alone are no answer."""
        of_titles = {
            w.low for item in self._facts.items.values() for t in item.title.values() for w in words_of(t)
        }
        return sum(w.low.isalpha() and len(w.low) > 2 and w.low not in of_titles for w in words_of(text))

    def _unsaid_refusal(self, text: str) -> str | None:
        silent = [r for r in self._facts.results if not r.is_ok]
        if silent and not lexicon.refuses(text):
            return silent[0].code or silent[0].status
        return None

    def _missing_of(self, result: ToolResult) -> str | None:
        if not result.is_ok:
            return None
        items = {str(i.item_id) for i in result.items if i.kind != "passage"}
        unnamed = items - self.items
        if unnamed & self._lost or (unnamed and self._lost_item):
            return "items"
        goods = {str(i.item_id) for i in result.items if i.kind in {"item", "product"}}
        if len(goods - unnamed) < _LEAST_NAMED * min(len(goods), 10):
            return "items"
        key = next((f for f in result.figures if f.of is None), None)
        if key is not None and id(key) not in self._figures and (self._lost_number or not goods):
            told = {id(f) for f in result.figures} & self._figures
            if self._lost_number or not told:
                return key.key
        return None
