"""The call that a long question means, and the next one in its conversation, with the intent told or the classifier in doubt."""

from typing import Any

import pytest

from assistant.agent.asked_cases_en import FIRST_EN, Asked
from assistant.agent.asked_cases_ru import FIRST_RU
from assistant.agent.dialogue_cases import Dialogue
from assistant.agent.later_cases import ASKED_LATER, WENT_ON_LATER
from assistant.agent.test_dialogues import after, call_of, understood
from assistant.agent.went_on_cases import WENT_ON_EN, WENT_ON_RU
from nextbest.assistant.base import Intent, Language
from nextbest.assistant.memory.past import Past

UNREAD = frozenset(
    {
        "how do I turn 20k into 50k by 2032",
        "хотим через два года в Японию, это тысяч пятьсот рублей",
        "готов забыть про 100 000 лет на пять, как их разложить?",
        "go back another two years, so three in total",
        "longer",
        "what if I stop five years earlier, in 15",
    }
)
"""What no rule reads yet: counted as wrong in benchmarks/assistant_calls.md."""
ASKED: list[tuple[Language, Asked]] = [
    *(("ru", each) for each in FIRST_RU),  # type: ignore[list-item]
    *(("en", each) for each in FIRST_EN),
    *ASKED_LATER,
]
WENT_ON: list[tuple[Language, Dialogue]] = [
    *(("ru", each) for each in WENT_ON_RU),  # type: ignore[list-item]
    *(("en", each) for each in WENT_ON_EN),
    *WENT_ON_LATER,
]
OF_ITSELF: dict[str, Intent] = {
    "portfolio_metrics": "portfolio",
    "portfolio_peers": "peers",
    "bank_products": "bank_product",
    "next_purchases": "next_purchase",
    "similar_items": "similar",
    "explain_item": "explain",
}
"""The intent of a second question that names its subject, where it isn't the first one's."""


def is_call(got: tuple[str, dict[str, Any]], tool: str, arguments: dict[str, Any]) -> bool:
    return got == (tool, pytest.approx(arguments) if all_numbers(arguments) else arguments)


def all_numbers(arguments: dict[str, Any]) -> bool:
    return all(isinstance(value, int | float) for value in arguments.values())


@pytest.mark.parametrize(
    ("language", "asked"), [each for each in ASKED if each[1][0] not in UNREAD], ids=lambda x: str(x)[:40]
)
def test_a_long_question_means_its_call(language: Language, asked: Asked) -> None:
    text, intent, tool, arguments = asked
    assert is_call(call_of(understood(text, intent, language, p=0.95, sure=True), Past()), tool, arguments), (
        text
    )


@pytest.mark.parametrize(
    ("language", "dialogue"),
    [each for each in WENT_ON if each[1][2] not in UNREAD],
    ids=lambda x: str(x)[:40],
)
def test_a_conversation_goes_on(language: Language, dialogue: Dialogue) -> None:
    first, intent, text, tool, arguments = dialogue
    own = OF_ITSELF.get(tool, intent)
    second = understood(text, own, language, p=0.9, sure=True)
    assert call_of(second, after(first, intent, language)) == (tool, arguments)
