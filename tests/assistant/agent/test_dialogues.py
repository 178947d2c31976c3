"""The call that a second question means, after the first, whatever the classifier makes of its few words."""

from typing import Any

import pytest

from assistant.agent.dialogue_cases import ENGLISH, NEW_EN, NEW_RU, RUSSIAN, Dialogue
from assistant.intent.slot_cases import TODAY
from nextbest.assistant.agent.followups import resolve
from nextbest.assistant.agent.planner import plan
from nextbest.assistant.base import Intent, Language, Room, Shown, Turn, Understood
from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.questions import load_catalogue
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.memory.past import Past

ROOMS: frozenset[Room] = frozenset({"shop", "products", "portfolio", "market", "documents"})
CATEGORIES = {
    "detective": ("detectives", "детективы"),
    "comedy": ("comedies", "комедии"),
    "strategy": ("стратегия",),
    "shooter": ("шутер",),
    "puzzle": ("головоломка",),
    "drama": ("драма",),
    "dress": ("dress", "платье"),
    "tops": ("tops", "кофты"),
    "shoes": ("shoes", "обувь"),
}
THINGS = [thing for thing in load_catalogue() if thing.kind != "asset"]
LINKER = Linker(
    {thing.item_id: thing.title for thing in THINGS},
    aliases={thing.item_id: thing.also for thing in THINGS},
)
ASSETS = {thing.item_id: (thing.title, *thing.also) for thing in load_catalogue() if thing.kind == "asset"}
SHOWN = tuple(Shown(thing.item_id, {"en": thing.title, "ru": thing.title}) for thing in THINGS[:3])
LISTS = ("recommend", "similar", "next_purchase", "bank_product")


def understood(text: str, intent: Intent, language: Language, *, p: float, sure: bool) -> Understood:
    slots = find_slots(text, language, today=TODAY, linker=LINKER, assets=ASSETS, categories=CATEGORIES)
    return Understood(text, language, intent, p, (), sure, slots)


def after(text: str, intent: Intent, language: Language) -> Past:
    first = resolve(understood(text, intent, language, p=0.95, sure=True), Past()).understood
    shown = SHOWN if intent in LISTS else ()
    return Past().with_turn(Turn(text, "a", language, intent, first.slots, shown=shown))


def call_of(second: Understood, past: Past) -> tuple[str, dict[str, Any]]:
    wish = resolve(second, past)
    assert wish.understood.is_sure
    (call,) = plan(wish, rooms=ROOMS).calls
    return call.tool, {name: value for name, value in call.arguments.items() if name not in ("deny", "query")}


DIALOGUES: list[tuple[Language, Dialogue]] = [
    *(("ru", each) for each in RUSSIAN),  # type: ignore[list-item]
    *(("en", each) for each in ENGLISH),
]


@pytest.mark.parametrize("is_sure", [False, True])
@pytest.mark.parametrize(("language", "dialogue"), DIALOGUES, ids=[f"{d[0]} {d[2]}" for _, d in DIALOGUES])
def test_a_change_asks_the_last_question_again(language: Language, dialogue: Dialogue, is_sure: bool) -> None:
    first, intent, text, tool, arguments = dialogue
    second = (
        understood(text, intent, language, p=0.9, sure=True)
        if is_sure
        else understood(text, "off_topic", language, p=0.4, sure=False)
    )
    assert call_of(second, after(first, intent, language)) == (tool, arguments)


TOLD: list[tuple[Language, str, Intent, str, str, str]] = [
    ("en", "Find me something like Skyrim", "similar", "tell me about Dark Souls III from that list", "explain_item", "darksouls3"),
    ("en", "Recommend me a game", "recommend", "tell me about Terraria then", "explain_item", "terraria"),
    ("ru", "посоветуй игру", "recommend", "расскажи про Скайрим", "explain_item", "skyrim"),
    ("ru", "посоветуй игру", "recommend", "опиши Террарию", "explain_item", "terraria"),
    ("ru", "посоветуй игру", "recommend", "расскажи о похожих на Ведьмака", "similar_items", "witcher3"),
    ("en", "Recommend me a game", "recommend", "more like The Witcher 3", "similar_items", "witcher3"),
]  # fmt: skip


@pytest.mark.parametrize("case", TOLD, ids=[case[3] for case in TOLD])
def test_a_thing_of_the_shop_is_told_of_and_not_looked_like(
    case: tuple[Language, str, Intent, str, str, str],
) -> None:
    language, first, intent, text, tool, item_id = case
    second = understood(text, "similar", language, p=0.9, sure=True)
    assert call_of(second, after(first, intent, language)) == (tool, {"item_id": item_id})


@pytest.mark.parametrize("case", [*NEW_RU, *NEW_EN], ids=[case[2] for case in [*NEW_RU, *NEW_EN]])
def test_a_question_that_clearly_asks_something_else_is_that(
    case: tuple[str, Intent, str, Intent, str, dict[str, Any]],
) -> None:
    first, before, text, intent, tool, arguments = case
    language: Language = "ru" if case in NEW_RU else "en"
    second = understood(text, intent, language, p=0.95, sure=True)
    assert call_of(second, after(first, before, language)) == (tool, arguments)


@pytest.mark.parametrize(
    ("text", "language", "taken"),
    [
        ("а что я куплю на этой неделе?", "ru", ()),
        ("и когда я возьму это снова", "ru", ()),
        ("what will I take after this?", "en", ()),
        ("беру вторую", "ru", ("skyrim",)),
        ("I'll take the second one", "en", ("skyrim",)),
    ],
)
def test_a_question_about_buying_takes_nothing(text: str, language: Language, taken: tuple[str, ...]) -> None:
    past = after("Порекомендуй мне игру", "recommend", language)
    assert resolve(understood(text, "next_purchase", language, p=0.9, sure=True), past).taken == taken


LONG: list[tuple[str, Intent, str, str, dict[str, Any]]] = [
    ("Show my return over the past month", "portfolio", "hmm, that's too short to judge... make it half a year", "portfolio_metrics", {"period_days": 182}),
    ("portfolio of client 505", "portfolio", "It's only the last three weeks that matter to me", "portfolio_metrics", {"client": "505", "period_days": 21}),
    ("my drawdown since the start of the year", "portfolio", "I'd rather see 2024", "portfolio_metrics", {"start": "2024-01-01", "end": "2024-12-31"}),
    ("What's your fee for a transfer to another bank?", "bank_product", "even if it goes abroad?", "search_documents", {}),
]  # fmt: skip


@pytest.mark.parametrize("case", LONG, ids=[case[2] for case in LONG])
def test_a_longer_change_that_says_no_other_subject_goes_on(
    case: tuple[str, Intent, str, str, dict[str, Any]],
) -> None:
    first, intent, text, tool, arguments = case
    second = understood(text, "plan", "en", p=0.6, sure=False)
    assert call_of(second, after(first, intent, "en")) == (tool, arguments)


@pytest.mark.parametrize(
    "text",
    [
        "Which percentile would I be in since the start of the year?",
        "What can we pitch to client 48 this afternoon, do you think",
    ],
)
def test_a_longer_question_that_begins_as_one_is_asked_back(text: str) -> None:
    past = after("Make me a savings plan for a house: 3 million in 6 years", "plan", "en")
    assert not resolve(understood(text, "peers", "en", p=0.6, sure=False), past).understood.is_sure
