"""From a wish to calls: which of an intent's tools, and with which arguments."""

from typing import Any

import pytest

from assistant.agent import tool_cases
from assistant.agent.later_cases import TOOLS_LATER
from assistant.intent.slot_cases import ASSETS, CATEGORIES, TODAY
from nextbest.assistant.agent.followups import resolve
from nextbest.assistant.agent.planner import Plan, plan
from nextbest.assistant.base import Intent, Language, Room, ToolCall, Understood
from nextbest.assistant.intent.language import detect_language
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.memory.past import Past

ROOMS: frozenset[Room] = frozenset({"shop", "products", "portfolio", "market", "documents"})
TOOLS: list[tuple[str, Intent, Language, str]] = [
    *((text, "bank_product", "ru", "search_documents") for text in tool_cases.CONDITIONS_RU),
    *((text, "bank_product", "ru", "bank_products") for text in tool_cases.PRODUCTS_RU),
    *((text, "bank_product", "en", "search_documents") for text in tool_cases.CONDITIONS_EN),
    *((text, "bank_product", "en", "bank_products") for text in tool_cases.PRODUCTS_EN),
    *((text, "plan", "ru", "portfolio_tracking") for text in tool_cases.TRACKING_RU),
    *((text, "plan", "ru", "portfolio_plan") for text in tool_cases.PLAN_RU),
    *((text, "plan", "en", "portfolio_tracking") for text in tool_cases.TRACKING_EN),
    *((text, "plan", "en", "portfolio_plan") for text in tool_cases.PLAN_EN),
    *(
        (
            text,
            "bank_product" if tool in ("search_documents", "bank_products") else "plan",
            detect_language(text) or "en",
            tool,
        )
        for tool, texts in TOOLS_LATER.items()
        for text in texts
    ),
]


def planned(text: str, intent: Intent, language: Language, *, rooms: frozenset[Room] = ROOMS) -> Plan:
    slots = find_slots(text, language, today=TODAY, assets=ASSETS, categories=CATEGORIES)
    wish = resolve(Understood(text, language, intent, 0.95, slots=slots), Past())
    return plan(wish, rooms=rooms)


@pytest.mark.parametrize(("text", "intent", "language", "tool"), TOOLS, ids=[each[0] for each in TOOLS])
def test_a_question_means_the_tool_that_the_table_says(
    text: str, intent: Intent, language: Language, tool: str
) -> None:
    assert [call.tool for call in planned(text, intent, language).calls] == [tool]


@pytest.mark.parametrize(
    ("text", "language", "arguments"),
    [
        ("what if I save 20k a month", "en", {"monthly": 20_000.0}),
        ("накопить 3 млн рублей, откладывая по 50 тысяч", "ru", {"amount": 3e6, "monthly": 50_000.0, "currency": "RUB"}),
        ("save $100k in five years", "en", {"amount": 100_000.0, "currency": "USD", "horizon_days": 1825}),
    ],
)  # fmt: skip
def test_what_is_put_aside_each_month_is_not_what_is_wanted_in_the_end(
    text: str, language: Language, arguments: dict[str, Any]
) -> None:
    assert planned(text, "plan", language).calls == (ToolCall("portfolio_plan", arguments),)


def test_a_forecast_of_nothing_named_asks_which_asset() -> None:
    assert planned("что будет с курсом", "forecast", "ru").missing == "asset"
    assert planned("что посоветуешь похожее", "similar", "ru").missing == "item"
