"""The corpus: deterministic, balanced, well filled, and without one of the questions that figures are reported on."""

import numpy as np
import pytest

from nextbest.assistant.base import INTENTS, LANGUAGES
from nextbest.assistant.intent.corpus import Example, fill, make_corpus, mistype, vary
from nextbest.assistant.intent.features import FLAGS
from nextbest.assistant.intent.nearness import CLOSE, nearest
from nextbest.assistant.intent.questions import PARTS, load_questions
from nextbest.assistant.intent.templates import Template, load_templates
from nextbest.assistant.intent.written import load_written
from nextbest.errors import InputError


@pytest.fixture(scope="module")
def corpus() -> tuple[Example, ...]:
    return make_corpus(3, n_each=1, n_said=1)


def test_every_intent_has_many_templates_in_both_languages() -> None:
    for intent in INTENTS:
        for language in LANGUAGES:
            n = sum(t.intent == intent and t.language == language for t in load_templates())
            assert n >= (200 if intent == "off_topic" else 75), (intent, language, n)


def test_a_seed_makes_one_corpus() -> None:
    first, again = (
        make_corpus(3, n_each=1, n_said=0),
        make_corpus(np.random.default_rng(3), n_each=1, n_said=0),
    )
    assert first == again
    assert first != make_corpus(4, n_each=1, n_said=0)
    assert len({example.text.lower() for example in first}) == len(first)
    texts = [example.text for example in first if '"' not in example.text]  # JSON has braces of its own
    assert not [text for text in texts if set(text) & set("{}|")]
    assert len(texts) > 0.95 * len(first)
    assert all(example.flags <= set(FLAGS) for example in first)


def test_a_corpus_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        make_corpus(0, n_each=0)
    with pytest.raises(InputError, match="must be 0 or more"):
        make_corpus(0, n_said=-1)


def test_nothing_that_is_learned_comes_close_to_a_question(corpus: tuple[Example, ...]) -> None:
    asked = [
        question.text
        for part in PARTS
        for language in LANGUAGES
        for is_followup in (False, True)
        for question in load_questions(part, language, followups=is_followup)
    ]
    learned = [example.text for example in corpus]
    assert nearest(learned, asked).max() < CLOSE
    assert len(learned) > 3000


def test_written_questions_are_learned_with_their_slots_found(corpus: tuple[Example, ...]) -> None:
    said = [example for example in corpus if example.is_written]
    ids = {example.template for example in said}
    assert ids <= {written.id for written in load_written()}
    assert len(said) > 0.9 * len(load_written())
    assert any("X" in example.text.split() and "items" in example.flags for example in said)
    assert {"client", "amount", "horizon_days"} <= {flag for example in said for flag in example.flags}
    assert {example.template for example in corpus} > ids  # templates too


def test_written_questions_are_of_every_intent_and_language_and_stand_once() -> None:
    written = load_written()
    assert len({one.text.lower() for one in written}) == len(written)
    for intent in INTENTS:
        for language in LANGUAGES:
            assert sum(one.intent == intent and one.language == language for one in written) >= 20


def test_a_word_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match=r"words\.toml hasn't"):
        fill(Template("x/ru/0", "explain", "ru", "почему {planet}"), np.random.default_rng(0))


def test_names_are_masked_where_asked() -> None:
    template = Template("x/en/0", "similar", "en", "(like|as) {game}")
    assert fill(template, np.random.default_rng(0), is_masked=True) in ("like X", "as X")


@pytest.mark.parametrize("language", LANGUAGES)
def test_slips_are_small_and_ways_of_writing_many(language: str) -> None:
    rng = np.random.default_rng(1)
    text = "посоветуй хороший фильм" if language == "ru" else "recommend a good film"
    slips = {mistype(text, language, rng) for _ in range(50)}  # type: ignore[arg-type]
    assert len(slips) > 20
    assert all(abs(len(slip) - len(text)) <= 2 for slip in slips)
    assert len({vary(text, language, rng) for _ in range(50)}) > 20  # type: ignore[arg-type]
    assert mistype("a", language, rng) == "a"  # type: ignore[arg-type]
