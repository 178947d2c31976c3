"""Examples to teach by, made by the assistant's own code: questions of templates with the calls that the planner makes of
them, and made-up results with the words that the phrasebook writes around their placeholders.

No client, no log and no test question is in them. Each comes from a template of a question; whole templates are held out.
Knows no model.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

import numpy as np

from nextbest.assistant.agent.followups import Wish
from nextbest.assistant.agent.planner import plan
from nextbest.assistant.base import (
    Figure,
    Intent,
    ItemFact,
    Language,
    Link,
    Room,
    Slots,
    ToolCall,
    ToolResult,
    Understood,
    Words,
)
from nextbest.assistant.finetune.forms import call_completion, call_prompt, phrase_prompt
from nextbest.assistant.intent.corpus import fill, vary
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.intent.templates import Template, load_templates, load_words
from nextbest.assistant.phrasing.phrasebook import Phrasebook
from nextbest.assistant.prompts.placeholders import Masked, masked
from nextbest.assistant.prompts.placeholders import fill as filled
from nextbest.assistant.tools.words import LABELS
from nextbest.errors import InputError

Task = Literal["call", "phrase"]
ROOMS: frozenset[Room] = frozenset({"shop", "products", "portfolio", "market"})
_HELD_OUT = 10
"""One template in that many is kept for validation."""
_TITLED = ("game", "film", "wear", "food", "product")
_TOOL_OF: Mapping[Intent, tuple[str, Room]] = {
    "recommend": ("recommend_items", "shop"),
    "similar": ("similar_items", "shop"),
    "next_purchase": ("next_purchases", "shop"),
    "bank_product": ("bank_products", "products"),
    "portfolio": ("portfolio_metrics", "portfolio"),
}
_FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("twr", "fraction", "Return", "Доходность"),
    ("nav", "RUB", "Value", "Стоимость"),
    ("volatility_ann", "fraction", "Volatility", "Волатильность"),
    ("max_drawdown", "fraction", "Maximum drawdown", "Максимальная просадка"),
    ("sharpe", "ratio", "Sharpe ratio", "Коэффициент Шарпа"),
    ("hit_rate", "fraction", "Share of winning periods", "Доля прибыльных периодов"),
    ("beta", "ratio", "Beta", "Бета"),
    ("n_holdings", "count", "Number of holdings", "Число позиций"),
)
_REASONS: tuple[tuple[str, str], ...] = (
    ("Because you took “{}”", "Потому что вы выбирали «{}»"),
    ("Often taken after “{}”", "Часто берут после «{}»"),
    ("Clients like you choose it", "Это выбирают похожие на вас клиенты"),
    ("Popular lately", "Популярно в последнее время"),
)
MOST_ITEMS = 5


@dataclass(frozen=True, slots=True)
class Trace:
    """One example, with what it was made of."""

    task: Task
    prompt: str
    completion: str
    language: Language
    intent: Intent
    template: str
    """Of the question."""
    question: str
    results: Masked | None = None
    """What a phrasing may say."""


@dataclass(frozen=True, slots=True)
class TuningData:
    """Examples to learn, and those of held-out templates."""

    learned: tuple[Trace, ...]
    held_out: tuple[Trace, ...]


def tuning_data(
    rng: int | np.random.Generator,
    *,
    today: date,
    n_calls: int = 4,
    n_phrases: int = 2,
    book: Phrasebook | None = None,
) -> TuningData:
    """Examples of every template, none twice; the same seed gives the same ones.

    Parameters
    ----------
    today
        Days in questions count from a day drawn of the two years before it, so that no date is learned by heart.
    n_calls, n_phrases
        Drawn of each template; those that come out alike count once.

    Raises
    ------
    InputError
        A number below 0, or both 0.
    """
    if min(n_calls, n_phrases) < 0 or n_calls + n_phrases == 0:
        raise InputError("n_calls, n_phrases", "must be 0 or more, one above", value=(n_calls, n_phrases))
    rng, book = np.random.default_rng(rng), book or Phrasebook()
    found: dict[str, Trace] = {}
    for template in load_templates():
        traces = [_call(template, rng, today, plain=n == 0) for n in range(n_calls)]
        if template.intent in _TOOL_OF:
            traces += [_phrase(template, rng, book) for _ in range(n_phrases)]
        for trace in filter(None, traces):
            found.setdefault(trace.prompt.lower(), trace)
    kept = list(found.values())
    order = [kept[i] for i in rng.permutation(len(kept))]
    return TuningData(
        tuple(one for one in order if not is_held_out(one.template)),
        tuple(one for one in order if is_held_out(one.template)),
    )


def is_held_out(template: str) -> bool:
    """Whether a template's questions are never learned: by its name, so that it stays so."""
    return int(hashlib.sha256(template.encode()).hexdigest(), 16) % _HELD_OUT == 0


def planned(text: str, language: Language, intent: Intent, slots: Slots) -> ToolCall | None:
    """The call that the planner makes of an understood question; None: none, or something must be asked first."""
    wish = Wish(Understood(text, language, intent, 1.0, slots=slots))
    calls = plan(wish, rooms=ROOMS).calls
    return calls[0] if calls else None


def _call(template: Template, rng: np.random.Generator, today: date, *, plain: bool) -> Trace | None:
    """A question with its call: slots are read of the text as it was before anybody mistyped it."""
    asked_on = today - timedelta(days=int(rng.integers(730)))
    text = fill(template, rng)
    slots = find_slots(
        text, template.language, today=asked_on, linker=_Verbatim(), assets=_assets(template.language)
    )
    call = planned(text, template.language, template.intent, slots)
    written = text if plain else vary(text, template.language, rng)
    return Trace(
        "call",
        call_prompt(written, today=asked_on),
        call_completion(template.intent, call),
        template.language,
        template.intent,
        template.id,
        written,
    )


def _phrase(template: Template, rng: np.random.Generator, book: Phrasebook) -> Trace | None:
    """Made-up results and what the phrasebook says of them; None where a figure of it can't be a placeholder."""
    question, language = vary(fill(template, rng), template.language, rng), template.language
    result = _result(template.intent, rng)
    variant = int(rng.integers(1_000))
    text = book.write(Understood(question, language, template.intent, 1.0), [result], variant=variant)
    hidden = masked([result], language)
    draft = _with_places(text, hidden.values)
    back = filled(draft, hidden)
    if back.findings or not back.is_whole:
        return None
    prompt = phrase_prompt(question, hidden, language)
    return Trace("phrase", prompt, draft, language, template.intent, template.id, question, hidden)


def _result(intent: Intent, rng: np.random.Generator) -> ToolResult:
    tool, room = _TOOL_OF[intent]
    if intent == "portfolio":
        picked = rng.choice(len(_FIGURES), size=int(rng.integers(1, 5)), replace=False)
        figures = tuple(_figure(_FIGURES[i], rng) for i in sorted(picked))
        return ToolResult(tool, "ok", room, figures=figures)
    n = int(rng.integers(1, MOST_ITEMS + 1))
    kind = _TITLED[-1] if intent == "bank_product" else str(rng.choice(_TITLED[:-1]))
    words = load_words()
    names = {lang: rng.permutation(words[lang][kind])[: n + 1].tolist() for lang in words}
    told = rng.random() < 0.8
    items = []
    for i in range(n):
        en, ru = _REASONS[int(rng.integers(len(_REASONS)))]
        reason: Words | None = {"en": en.format(names["en"][-1]), "ru": ru.format(names["ru"][-1])}
        title: Words = {lang: str(names[lang][i]) for lang in names}
        items.append(
            ItemFact(
                f"i{i}", title, "product" if room == "products" else "item", reason if told else None, i + 1
            )
        )
    return ToolResult(tool, "ok", room, items=tuple(items))


def _figure(about: tuple[str, str, str, str], rng: np.random.Generator) -> Figure:
    key, unit, en, ru = about
    value = {
        "fraction": round(float(rng.uniform(0.01, 0.4)), 3),
        "ratio": round(float(rng.uniform(0.1, 2.5)), 2),
        "count": int(rng.integers(2, 40)),
        "RUB": float(rng.integers(10_000, 5_000_000)),
    }[unit]
    return Figure(key, value, unit, LABELS.get(key, {"en": en, "ru": ru}))


def _with_places(text: str, values: Mapping[str, str]) -> str:
    """A text with what its placeholders stand for taken out again, longest first, whatever case it begins with."""
    for place in sorted(values, key=lambda p: -len(values[p])):
        value = values[place]
        either = f"[{re.escape(value[0].upper())}{re.escape(value[0].lower())}]{re.escape(value[1:])}"
        text = re.sub(either, f"{{{place}}}", text, count=1)
    return text


@cache
def _titles(language: Language) -> re.Pattern[str]:
    words = load_words()[language]
    titles = sorted((t for kind in _TITLED for t in words[kind]), key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(title)}(?!\w)" for title in titles), re.IGNORECASE)


@cache
def _assets(language: Language) -> Mapping[str, Sequence[str]]:
    words: Iterable[str] = (*load_words()[language]["asset"], *load_words()[language]["asset_g"])
    return {word: (word,) for word in words}


class _Verbatim:
    """Finds the templates' own titles, letter for letter; what it finds is called by its words, as a model has to."""

    def link(self, text: str, language: Language) -> tuple[Link, ...]:
        """Items that the text names, from left to right."""
        return tuple(Link(m[0], m[0], 1.0, m.span()) for m in _titles(language).finditer(text))
