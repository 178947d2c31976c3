from dataclasses import fields

import pytest

from nextbest.assistant.base import INTENTS, LANGUAGES, Language, Slots
from nextbest.assistant.intent.questions import PARTS, Part, load_catalogue, load_questions
from nextbest.errors import InputError

SLOTS = {field.name for field in fields(Slots)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_intent_has_thirty_test_questions_in_each_language(language: Language) -> None:
    of = [question.intent for question in load_questions("test", language)]
    assert len(of) >= 420
    assert min(of.count(intent) for intent in INTENTS) >= 30


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_a_question_names_only_slots_and_things_that_there_are(part: Part, language: Language) -> None:
    ids = {named.item_id for named in load_catalogue()}
    for question in (*load_questions(part, language), *load_questions(part, language, followups=True)):
        assert set(question.slots) <= SLOTS, question.id
        assert {*question.slots.get("items", ()), question.slots.get("asset")} - {None} <= ids, question.id
        assert all(question.slots[name] == value for name, value in question.arguments.items()), question.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_talk_and_questions_outside_and_unclear_ones_call_no_tool(language: Language) -> None:
    for question in load_questions("test", language):
        quiet = question.band or question.intent in ("small_talk", "off_topic")
        assert (question.call is None) == quiet, question.id


def test_no_text_stands_in_two_parts() -> None:
    for language in LANGUAGES:
        texts = [q.text.lower() for part in PARTS for q in load_questions(part, language)]
        assert len(set(texts)) == len(texts)


def test_a_follow_up_is_kept_apart_and_knows_the_question_before() -> None:
    for language in LANGUAGES:
        assert all(q.after for q in load_questions("test", language, followups=True))
        assert len(load_questions("test", language, followups=True)) >= 25


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="part test, dev, test2, dev2"):
        load_questions("train", "ru")  # type: ignore[arg-type]
