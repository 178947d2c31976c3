"""How well a language model calls tools and words answers, before and after it was taught.

Calls: on the questions of `intent/questions`, which no template repeats; the model names intent and tool, code finds the
arguments in the text. Words: on results of held-out templates, judged by `prompts/placeholders.fill`, which is what stands
between a draft and a client. Knows no model: a model is a function.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from nextbest.assistant.base import Intent, Link, Money, Slots, ToolCall
from nextbest.assistant.finetune.data import Trace, planned
from nextbest.assistant.intent.cleaning import clean
from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.questions import Named, Question
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.phrasing.compact import Placeholder
from nextbest.assistant.prompts.placeholders import Masked, fill
from nextbest.assistant.prompts.taught import call_messages, read_call
from nextbest.assistant.providers.protocol import Message

Write = Callable[[Sequence[tuple[Message, ...]]], Sequence[str]]
"""What is asked -> what a model wrote after each."""
TODAY = date(2026, 11, 23)
"""Of the questions, by their README."""
_CODE_WRITES = frozenset({"query"})
"""Arguments that are the question itself."""


@dataclass(frozen=True, slots=True)
class CallScores:
    """Of questions that can be understood alone."""

    n: int
    intent: float
    """Share with the right intent."""
    tool: float
    """Share with the right intent and tool."""
    exact: float
    """Share with the right intent, tool and arguments, the arguments found by code."""
    unreadable: float
    """Share of answers that are no call at all."""
    missed: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    """(question, answer and call, what was right) of each that isn't exact."""


@dataclass(frozen=True, slots=True)
class PhraseScores:
    """Of drafts over placeholders; shares of all drafts."""

    n: int
    whole: float
    """Every name is there, once filled, and no sentence had to be dropped."""
    names: float
    """Every name or first figure that must be said is said, in what is left after dropping."""
    paired: float
    """Whole, and every figure and reason stands behind the name that it belongs to."""
    invented_places: float
    """A placeholder that doesn't exist."""
    invented_figures: float
    """A digit of its own."""
    loops: float
    """A sentence that only repeats."""


def score_calls(
    write: Write,
    questions: Sequence[Question],
    catalogue: Sequence[Named],
    *,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> CallScores:
    """Scores of calls; questions to ask back about and follow-ups are left out.

    `categories`: of the catalogue, with the names that a shop gives them.
    """
    asked = [q for q in questions if q.intent is not None and q.after is None]
    answers = write([call_messages(q.text) for q in asked])
    find = _finder(catalogue, categories)
    n_intent = n_tool = n_exact = n_unreadable = 0
    missed = []
    for question, answer in zip(asked, answers, strict=True):
        right, said = right_call(question, catalogue), read_call(answer)
        n_unreadable += said is None
        call = None
        if said is not None and said[0] == question.intent:
            n_intent += 1
            call = planned(question.text, question.language, said[0], find(question), tool=said[1])
            n_tool += said[1] == question.tool
        if said is not None and said[0] == question.intent and _same(call, right):
            n_exact += 1
        else:
            missed.append((question.text, f"{answer} {call}", f"{question.intent} {right}"))
    n = max(1, len(asked))
    return CallScores(len(asked), n_intent / n, n_tool / n, n_exact / n, n_unreadable / n, tuple(missed))


def score_intents(
    choose: Callable[[Sequence[str]], Sequence[Intent]], questions: Sequence[Question]
) -> float:
    """Share of right intents of a model that can only choose among them."""
    asked = [q for q in questions if q.intent is not None and q.after is None]
    chosen = choose([q.text for q in asked])
    return sum(c == q.intent for c, q in zip(chosen, asked, strict=True)) / max(1, len(asked))


def score_phrases(write: Write, traces: Sequence[Trace]) -> PhraseScores:
    """Scores of drafts for traces of the task "phrase"."""
    asked = [one for one in traces if one.results is not None]
    drafts = write([one.messages for one in asked])
    counts: Counter[str] = Counter()
    for one, draft in zip(asked, drafts, strict=True):
        assert one.results is not None  # asked for above
        back = fill(draft, one.results)
        kinds = {finding.kind for finding in back.findings}
        counts.update(kinds)
        counts["whole"] += back.is_whole and not kinds
        counts["names"] += back.is_whole
        counts["paired"] += back.is_whole and not kinds and is_paired(draft, one.results)
    n = max(1, len(asked))
    return PhraseScores(
        len(asked), counts["whole"] / n, counts["names"] / n, counts["paired"] / n, counts["placeholder"] / n, counts["number"] / n, counts["loop"] / n
    )  # fmt: skip


def is_paired(draft: str, results: Masked) -> bool:
    """Whether each figure of a draft follows the name that it belongs to, and each reason a name that has it.

    `fill` doesn't look for that; the gate of `grounding` does, before anything is sent.
    """
    item: Placeholder | None = None
    for name in re.findall(r"{(\w+)}", draft):
        place = results.places.get(name)
        if place is None:
            return False
        if place.kind == "item":
            item = place
        elif place.kind == "figure" and place.figure is not None and place.figure.of is not None:
            if item is None or item.item is None or place.figure.of != item.item.item_id:
                return False
        elif place.kind == "reason":
            own = None if item is None else results.values.get(f"r{item.name[1:]}")
            if own != results.values[name]:
                return False
    return True


def right_call(question: Question, catalogue: Sequence[Named]) -> ToolCall | None:
    """What the planner makes of a question whose intent and slots are the right ones; None: nothing, or a question back."""
    assert question.intent is not None  # such questions are left out
    call = planned(question.text, question.language, question.intent, _slots(question.slots, catalogue))
    if call is None or call.tool == question.tool:
        return call
    # the planner reads its own rules in the words; the question's writer has the last word
    client = {k: v for k, v in call.arguments.items() if k == "client"}
    return None if question.tool is None else ToolCall(question.tool, client)


def _finder(
    catalogue: Sequence[Named], categories: Mapping[str, Sequence[str]] | None
) -> Callable[[Question], Slots]:
    """What code finds in a question, titles and assets of this catalogue linked."""
    things = [named for named in catalogue if named.kind != "asset"]
    linker = Linker(
        {named.item_id: named.title for named in things},
        aliases={named.item_id: named.also for named in things},
    )
    assets = {named.item_id: (named.title, *named.also) for named in catalogue if named.kind == "asset"}

    def find(question: Question) -> Slots:
        return find_slots(
            clean(question.text),
            question.language,
            today=TODAY,
            linker=linker,
            assets=assets,
            categories=categories,
        )

    return find


def _same(call: ToolCall | None, right: ToolCall | None) -> bool:
    if call is None or right is None:
        return call is right
    return call.tool == right.tool and _plain(call.arguments) == _plain(right.arguments)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in arguments.items() if k not in _CODE_WRITES and v not in (None, (), [])}
    return {k: float(v) if isinstance(v, int | float) else v for k, v in kept.items()}


def _slots(told: Mapping[str, Any], catalogue: Sequence[Named]) -> Slots:
    """Slots of a question's document."""
    titles = {one.item_id: one.title for one in catalogue}
    values = dict(told)
    if "items" in values:
        values["items"] = tuple(Link(i, titles.get(i, i), 1.0, (0, 0)) for i in values["items"])
    if "amount" in values:
        values["amount"] = Money(values["amount"]["value"], values["amount"]["currency"])
    if "period" in values:
        first, last = values["period"]
        values["period"] = (date.fromisoformat(first), date.fromisoformat(last))
    return Slots(**values)
