"""What providers are compared on: results as tools give them, of the catalogue that the project's questions name. No model."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice, zip_longest

from nextbest.assistant.base import (
    INTENTS,
    LANGUAGES,
    Figure,
    Intent,
    ItemFact,
    Language,
    ToolResult,
    Understood,
    Words,
)
from nextbest.assistant.intent.questions import Named, Part, Question, load_catalogue, load_questions

_REASONS: tuple[Words, ...] = (
    {"en": "people who played the same things like it", "ru": "нравится тем, кто играл в то же самое"},
    {"en": "you bought from this category last month", "ru": "в прошлом месяце вы брали из этой категории"},
    {"en": "96% of its reviews are good", "ru": "96% отзывов хорошие"},
    {"en": "it is new since your last visit", "ru": "появилось после вашего прошлого визита"},
)
_YEAR = (date(2025, 11, 21), date(2026, 11, 20))
_FIGURES: tuple[tuple[str, str, Words], ...] = (
    ("twr_ann", "fraction", {"en": "return a year", "ru": "доходность годовых"}),
    ("volatility_ann", "fraction", {"en": "volatility a year", "ru": "волатильность годовых"}),
    ("max_drawdown", "fraction", {"en": "deepest fall", "ru": "самое глубокое падение"}),
)
_ITEMS: tuple[tuple[Intent, str, Words], ...] = (
    ("recommend", "recommend_items", {"en": "What would you choose for me?", "ru": "Что бы вы мне выбрали?"}),
    ("similar", "similar_items", {"en": "Is there anything like the last one?", "ru": "Есть что-нибудь похожее на прошлое?"}),
    ("next_purchase", "next_purchases", {"en": "What will I need soon?", "ru": "Что мне скоро понадобится?"}),
)  # fmt: skip
_BOOK: Words = {"en": "How did my portfolio do over the year?", "ru": "Как дела у моего портфеля за год?"}


@dataclass(frozen=True, slots=True)
class DraftCase:
    """A question that was understood, and what its tool answered."""

    understood: Understood
    results: tuple[ToolResult, ...]


def draft_cases(language: Language) -> Iterator[DraftCase]:
    """Cases without end, always the same: three of items, one of a portfolio, and so on with other items and figures."""
    names = [named for named in load_catalogue() if named.kind == "item"]
    n = 0
    while True:
        for intent, tool, question in _ITEMS:
            chosen = [names[(n * 5 + k * 7) % len(names)] for k in range(2 + n % 3)]
            items = tuple(_item(named, n + k) for k, named in enumerate(dict.fromkeys(chosen)))
            result = ToolResult(tool, "ok", "shop", items=items)
            yield DraftCase(Understood(question[language], language, intent, 0.99), (result,))
            n += 1
        figures = tuple(
            Figure(key, round((0.031 * (n + 3) + 0.057 * k) * (-1 if k == 2 else 1), 4), unit, label, _YEAR)
            for k, (key, unit, label) in enumerate(_FIGURES)
        )
        result = ToolResult("portfolio_metrics", "ok", "portfolio", figures=figures)
        yield DraftCase(Understood(_BOOK[language], language, "portfolio", 0.99), (result,))
        n += 1


def _item(named: Named, n: int) -> ItemFact:
    return ItemFact(
        named.item_id,
        {"en": named.title, "ru": named.also[0] if named.also else named.title},
        reason=_REASONS[n % len(_REASONS)],
        rank=n,
    )


def route_questions(part: Part, n_each: int) -> list[Question]:
    """Questions that stand alone and can be told: the first of each intent in turn, `n_each` of each language."""
    chosen: list[Question] = []
    for language in LANGUAGES:
        told = [q for q in load_questions(part, language) if q.intent is not None]
        by_intent = [[q for q in told if q.intent == intent] for intent in INTENTS]
        rounds = (q for rank in zip_longest(*by_intent) for q in rank if q is not None)
        chosen += islice(rounds, n_each)
    return chosen
