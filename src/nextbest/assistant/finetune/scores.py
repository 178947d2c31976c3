"""How well a language model calls tools and words answers, before and after it was taught.

Calls: on the questions of `intent/questions`, which no template repeats. Words: on results of held-out templates, judged by
`prompts/placeholders.fill`, which is what stands between a draft and a client. Knows no model: a model is a function.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher
from typing import Any

from nextbest.assistant.base import Intent, Link, Money, Slots, ToolCall
from nextbest.assistant.finetune.data import Trace, planned
from nextbest.assistant.finetune.forms import CODE_WRITES, call_prompt, read_call
from nextbest.assistant.intent.questions import Named, Question
from nextbest.assistant.prompts.placeholders import fill

Write = Callable[[Sequence[str]], Sequence[str]]
"""Prompts -> what a model wrote after each."""
TODAY = date(2026, 11, 23)
"""Of the questions, by their README."""
_ALIKE = 0.8
"""Share of letters from which on a name is a catalogue's title with a typing error."""
_LINKED = ("item_id", "asset")


@dataclass(frozen=True, slots=True)
class CallScores:
    """Of questions that can be understood alone."""

    n: int
    intent: float
    """Share with the right intent."""
    exact: float
    """Share with the right intent, tool and arguments, titles linked by code as `linked` says."""
    unreadable: float
    """Share of answers that are no call at all."""
    missed: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    """(question, answer, what was right) of each that isn't exact."""


@dataclass(frozen=True, slots=True)
class PhraseScores:
    """Of drafts over placeholders; shares of all drafts."""

    n: int
    whole: float
    """Every name is there, once filled, and no sentence had to be dropped."""
    names: float
    """Every name or first figure that must be said is said, in what is left after dropping."""
    invented_places: float
    """A placeholder that doesn't exist."""
    invented_figures: float
    """A digit of its own."""
    loops: float
    """A sentence that only repeats."""


def score_calls(write: Write, questions: Sequence[Question], catalogue: Sequence[Named]) -> CallScores:
    """Scores of calls; questions to ask back about and follow-ups are left out."""
    asked = [q for q in questions if q.intent is not None and q.after is None]
    answers = write([call_prompt(q.text, today=TODAY) for q in asked])
    names = _names(catalogue)
    n_intent = n_exact = n_unreadable = 0
    missed = []
    for question, answer in zip(asked, answers, strict=True):
        right, said = right_call(question, catalogue), read_call(answer)
        n_unreadable += said is None
        n_intent += said is not None and said[0] == question.intent
        call = None if said is None or said[1] is None else linked(said[1], names)
        if said is not None and said[0] == question.intent and _same(call, right):
            n_exact += 1
        else:
            missed.append((question.text, answer, f"{question.intent} {right}"))
    n = max(1, len(asked))
    return CallScores(len(asked), n_intent / n, n_exact / n, n_unreadable / n, tuple(missed))


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
    drafts = write([one.prompt for one in asked])
    counts: Counter[str] = Counter()
    for one, draft in zip(asked, drafts, strict=True):
        assert one.results is not None  # asked for above
        back = fill(draft, one.results)
        kinds = {finding.kind for finding in back.findings}
        counts.update(kinds)
        counts["whole"] += back.is_whole and not kinds
        counts["names"] += back.is_whole
    n = max(1, len(asked))
    return PhraseScores(
        len(asked), counts["whole"] / n, counts["names"] / n, counts["placeholder"] / n, counts["number"] / n, counts["loop"] / n
    )  # fmt: skip


def right_call(question: Question, catalogue: Sequence[Named]) -> ToolCall | None:
    """What the planner makes of a question whose intent and slots are the right ones; None: nothing, or a question back."""
    assert question.intent is not None  # such questions are left out
    call = planned(question.text, question.language, question.intent, _slots(question.slots, catalogue))
    if call is None or call.tool == question.tool:
        return call
    # the planner reads its own rules in the words; the question's writer has the last word
    client = {k: v for k, v in call.arguments.items() if k == "client"}
    return None if question.tool is None else ToolCall(question.tool, client)


def linked(call: ToolCall, names: Mapping[str, str]) -> ToolCall:
    """A call with catalogue ids for the titles that a model wrote: the same letters, or nearly; others stay as they are."""
    arguments = dict(call.arguments)
    for key in _LINKED:
        if isinstance(arguments.get(key), str):
            arguments[key] = _link(arguments[key], names)
    return ToolCall(call.tool, arguments)


def _link(words: str, names: Mapping[str, str]) -> str:
    folded = _folded(words)
    if folded in names:
        return names[folded]
    best = max(names, key=lambda name: SequenceMatcher(None, folded, name).ratio(), default="")
    return names[best] if best and SequenceMatcher(None, folded, best).ratio() >= _ALIKE else words


def _names(catalogue: Sequence[Named]) -> dict[str, str]:
    return {_folded(name): one.item_id for one in catalogue for name in (one.title, *one.also, one.item_id)}


def _folded(text: str) -> str:
    return re.sub(r"[^\w]+", " ", text.lower().replace("ё", "е")).strip()


def _same(call: ToolCall | None, right: ToolCall | None) -> bool:
    if call is None or right is None:
        return call is right
    return call.tool == right.tool and _plain(call.arguments) == _plain(right.arguments)


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in arguments.items() if k not in CODE_WRITES and v not in (None, (), [])}
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
