"""Slots of questions as they are spoken, read in the light of their intent, against tables by hand."""

from typing import Any

import pytest

from assistant.intent.later_cases import CLIENTS, TIMES
from assistant.intent.slot_cases import ASSETS, CATEGORIES, TODAY
from assistant.intent.spoken_cases_en import ENGLISH
from assistant.intent.spoken_cases_ru import RUSSIAN, Spoken
from nextbest.assistant.agent.followups import resolve
from nextbest.assistant.base import Intent, Language, Slots, Understood
from nextbest.assistant.intent.names import find_client
from nextbest.assistant.intent.slots import find_slots
from nextbest.assistant.memory.past import Past


def slots_of(spoken: Spoken, language: Language) -> Slots:
    text, intent, _ = spoken
    slots = find_slots(text, language, today=TODAY, assets=ASSETS, categories=CATEGORIES)
    return resolve(Understood(text, language, intent, 0.95, slots=slots), Past()).understood.slots


@pytest.mark.parametrize("spoken", RUSSIAN, ids=[text for text, _, _ in RUSSIAN])
def test_a_russian_question_says_what_the_table_says(spoken: Spoken) -> None:
    assert slots_of(spoken, "ru") == Slots(**spoken[2])


@pytest.mark.parametrize("spoken", ENGLISH, ids=[text for text, _, _ in ENGLISH])
def test_an_english_question_says_what_the_table_says(spoken: Spoken) -> None:
    assert slots_of(spoken, "en") == Slots(**spoken[2])


@pytest.mark.parametrize("case", TIMES, ids=[case[2] for case in TIMES])
def test_a_time_is_read_as_it_is_meant(case: tuple[Language, Intent, str, dict[str, Any]]) -> None:
    language, intent, text, said = case
    slots = slots_of((text, intent, {}), language)
    of_time = ("period", "period_days") if intent == "portfolio" else ("horizon_days",)
    assert {name: getattr(slots, name) for name in of_time} == {name: said.get(name) for name in of_time}


@pytest.mark.parametrize(("text", "client"), CLIENTS)
def test_a_client_is_known_by_a_number_or_a_code(text: str, client: str | None) -> None:
    assert find_client(text)[0] == client
