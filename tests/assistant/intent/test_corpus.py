"""The corpus: deterministic, balanced, well filled, and without one of the questions that figures are reported on."""

import re

import numpy as np
import pytest

from nextbest.assistant.base import INTENTS, LANGUAGES
from nextbest.assistant.intent.corpus import fill, make_corpus, mistype, vary
from nextbest.assistant.intent.features import FLAGS
from nextbest.assistant.intent.questions import load_questions
from nextbest.assistant.intent.templates import Template, load_templates, load_words
from nextbest.errors import InputError

_PIECE = re.compile(r"([()|]|\{\w+\})")


def pattern_of(text: str, words: dict[str, list[str]]) -> str:
    """A regular expression of all that a template can say, words in lower case and parted by one space or none."""
    out = []
    for piece in _PIECE.split(text):
        if piece in ("(", ")", "|"):
            out.append("(?:" if piece == "(" else piece)
        elif piece.startswith("{") and piece[1:-1] in words:
            out.append("(?:" + "|".join(pattern_of(word, words) for word in words[piece[1:-1]]) + ")")
        else:
            out.append(re.sub(r"[\W_]+", " ?", piece.lower()))
    return "".join(out)


def test_no_template_can_say_a_question() -> None:
    texts = {
        re.sub(r"[\W_]+", " ", question.text.lower()).strip()
        for part in ("test", "dev")
        for language in LANGUAGES
        for question in load_questions(part, language)  # type: ignore[arg-type]
    }
    assert len(texts) > 800
    lines = "\n".join(texts)
    saying = [
        template.id
        for template in load_templates()
        if re.search(
            rf"^ ?(?:{pattern_of(template.text, load_words()[template.language])}) ?$", lines, re.MULTILINE
        )
    ]
    assert saying == []


def test_the_comparison_finds_what_it_should() -> None:
    words = {"goal": ["a house", "a car"]}
    pattern = pattern_of("how (much|long) to save for {goal}?", words)
    assert re.fullmatch(pattern, "how long to save for a car")
    assert not re.fullmatch(pattern, "how long to save for a boat")


def test_every_intent_has_many_templates_in_both_languages() -> None:
    for intent in INTENTS:
        for language in LANGUAGES:
            n = sum(t.intent == intent and t.language == language for t in load_templates())
            assert n >= (200 if intent == "off_topic" else 75), (intent, language, n)


def test_a_seed_makes_one_corpus() -> None:
    first, again = make_corpus(3, n_each=1), make_corpus(np.random.default_rng(3), n_each=1)
    assert first == again
    assert first != make_corpus(4, n_each=1)
    assert len({example.text.lower() for example in first}) == len(first)
    texts = [example.text for example in first if '"' not in example.text]  # JSON has braces of its own
    assert not [text for text in texts if set(text) & set("{}|")]
    assert len(texts) > 0.95 * len(first)
    assert all(example.flags <= set(FLAGS) for example in first)


def test_a_corpus_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        make_corpus(0, n_each=0)


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
