"""Examples to teach by, made by the assistant's own code: questions with the tool that the planner calls, and made-up results
with plain words around their placeholders.

Questions come from the templates, filled, and from those that people wrote (`intent/written`). No client, no log and no test
question is in them. Whole templates, and one written question in ten, are held out. Knows no model.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

import numpy as np

from nextbest.assistant.agent.followups import Wish
from nextbest.assistant.agent.planner import plan
from nextbest.assistant.base import Intent, Language, Room, Slots, ToolCall, Understood
from nextbest.assistant.finetune.results import MADE_OF, made_up
from nextbest.assistant.finetune.slots import varied
from nextbest.assistant.intent.corpus import fill, vary
from nextbest.assistant.intent.nearness import is_close
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.intent.templates import Template, load_templates, load_words
from nextbest.assistant.intent.written import load_written
from nextbest.assistant.prompts.drafts import draft
from nextbest.assistant.prompts.placeholders import Masked, masked
from nextbest.assistant.prompts.placeholders import fill as filled
from nextbest.assistant.prompts.taught import TOOLS_OF, call_completion, call_messages, phrase_messages
from nextbest.assistant.providers.protocol import Message
from nextbest.errors import InputError

Task = Literal["call", "phrase"]
ROOMS: frozenset[Room] = frozenset({"shop", "products", "portfolio", "market"})
_HELD_OUT = 10
"""One template, and one written question, in that many is kept for validation."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One example, with what it was made of."""

    task: Task
    messages: tuple[Message, ...]
    completion: str
    language: Language
    intent: Intent
    template: str
    """Of the question; a written one is its own."""
    question: str
    results: Masked | None = None
    """What a phrasing may say."""


@dataclass(frozen=True, slots=True)
class TuningData:
    """Examples to learn, and those of held-out templates."""

    learned: tuple[Trace, ...]
    held_out: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody's question, as often as it is drawn."""

    template: str
    text: str
    language: Language
    intent: Intent
    tool: str | None


def tuning_data(
    rng: int | np.random.Generator,
    *,
    today: date,
    n_calls: int = 4,
    n_written: int = 3,
    n_phrases: int = 800,
) -> TuningData:
    """Examples of every template and written question, none twice and none close to a question that figures are reported on.

    The same seed gives the same ones.

    Parameters
    ----------
    today
        Days in questions count from a day drawn of the two years before it, so that no date is learned by heart.
    n_calls, n_written
        Drawn of each template, of each written question; those that come out alike count once.
    n_phrases
        Wordings in all, over the intents that have results, the larger results as often as the small ones.

    Raises
    ------
    InputError
        A number below 0, or all 0.
    """
    counts = (n_calls, n_written, n_phrases)
    if min(counts) < 0 or max(counts) == 0:
        raise InputError("n_calls, n_written, n_phrases", "must be 0 or more, one above", value=counts)
    rng = np.random.default_rng(rng)
    found: dict[str, Trace] = {}
    templates = load_templates()
    for template in templates:
        for number in range(n_calls):
            asked = _of_template(template, rng, today)
            _keep(found, _call(asked, rng, plain=number == 0))
    for asked in written_questions(today):
        for number in range(n_written):
            _keep(found, _call(asked, rng, plain=number == 0))
    wordable = [template for template in templates if template.intent in MADE_OF]
    by_intent: dict[Intent, list[Template]] = {intent: [] for intent in sorted(MADE_OF)}
    for template in wordable:
        by_intent[template.intent].append(template)
    for number in range(n_phrases):
        asking = by_intent[sorted(MADE_OF)[number % len(MADE_OF)]]
        _keep(found, _phrase(asking[int(rng.integers(len(asking)))], rng))
    near_N = is_close([trace.question for trace in found.values()])
    kept = [trace for trace, is_near in zip(found.values(), near_N, strict=True) if not is_near]
    order = [kept[i] for i in rng.permutation(len(kept))]
    return TuningData(
        tuple(one for one in order if not is_held_out(one.template)),
        tuple(one for one in order if is_held_out(one.template)),
    )


def is_held_out(template: str) -> bool:
    """Whether a template's questions are never learned: by its name, so that it stays so."""
    return int(hashlib.sha256(template.encode()).hexdigest(), 16) % _HELD_OUT == 0


def planned(
    text: str, language: Language, intent: Intent, slots: Slots, *, tool: str | None = None
) -> ToolCall | None:
    """The call that the planner makes of an understood question; None: none, or something must be asked first.

    `tool`: the one that a model chose among those of the intent; where the planner chose another, its arguments are those
    that both take.
    """
    wish = Wish(Understood(text, language, intent, 1.0, slots=slots))
    calls = plan(wish, rooms=ROOMS).calls
    call = calls[0] if calls else None
    if tool is None or (call is not None and call.tool == tool):
        return call
    client = {} if slots.client is None else {"client": slots.client}
    if tool == "search_documents":
        return ToolCall(tool, {"query": text})
    return (
        ToolCall(tool, client) if tool in ("portfolio_tracking", "bank_products", "portfolio_plan") else call
    )


@cache
def written_questions(today: date) -> tuple[Asked, ...]:
    """Questions that people wrote with their intent, each with the tool that the planner calls."""
    found = []
    for one in load_written():
        slots = find_slots(one.text, one.language, today=today, assets=_assets(one.language))
        tool = _tool(one.text, one.language, one.intent, slots)
        found.append(Asked(one.id, one.text, one.language, one.intent, tool))
    return tuple(found)


def _of_template(template: Template, rng: np.random.Generator, today: date) -> Asked:
    """A question with its tool: slots are read of the text as it was before anybody mistyped it."""
    asked_on = today - timedelta(days=int(rng.integers(730)))
    text = fill(varied(template, rng), rng)
    slots = find_slots(text, template.language, today=asked_on, assets=_assets(template.language))
    return Asked(
        template.id,
        text,
        template.language,
        template.intent,
        _tool(text, template.language, template.intent, slots),
    )


def _tool(text: str, language: Language, intent: Intent, slots: Slots) -> str | None:
    """The planner's choice among the tools of an intent; the usual one where something must be asked first."""
    call = planned(text, language, intent, slots)
    usual = TOOLS_OF[intent][:1]
    return call.tool if call is not None and call.tool in TOOLS_OF[intent] else (usual[0] if usual else None)


def _call(asked: Asked, rng: np.random.Generator, *, plain: bool) -> Trace:
    said = asked.text if plain else vary(asked.text, asked.language, rng)
    return Trace(
        "call",
        call_messages(said),
        call_completion(asked.intent, asked.tool),
        asked.language,
        asked.intent,
        asked.template,
        said,
    )


def _phrase(template: Template, rng: np.random.Generator) -> Trace | None:
    """Made-up results and what is said of them; None where the words wouldn't be let through."""
    question, language = vary(fill(template, rng), template.language, rng), template.language
    hidden = masked([made_up(template.intent, rng)], language)
    said = draft(hidden, template.intent, language, rng)
    back = filled(said, hidden)
    if back.findings or not back.is_whole:
        return None
    messages = phrase_messages(question, hidden, language)
    return Trace("phrase", messages, said, language, template.intent, template.id, question, hidden)


def _keep(found: dict[str, Trace], trace: Trace | None) -> None:
    """The first of those that would be asked in the same words."""
    if trace is not None:
        found.setdefault(trace.messages[-1].content.lower(), trace)


@cache
def _assets(language: Language) -> Mapping[str, Sequence[str]]:
    words: Iterable[str] = (*load_words()[language]["asset"], *load_words()[language]["asset_g"])
    return {word: (word,) for word in words}
