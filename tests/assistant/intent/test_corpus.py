from nextbest.assistant.base import LANGUAGES
from nextbest.assistant.intent.cleaning import MAX_LENGTH, clean, has_words
from nextbest.assistant.intent.corpus import make_corpus
from nextbest.assistant.intent.language import detect_language
from nextbest.assistant.intent.questions import load_questions


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    assert make_corpus(1, n_each=2) == make_corpus(1, n_each=2)
    assert make_corpus(1, n_each=2) != make_corpus(2, n_each=2)


def test_no_brace_or_choice_is_left_in_a_text() -> None:
    assert not [e.text for e in make_corpus(3, n_each=3) if set(e.text) & set("{}|")]


def test_hidden_signs_tags_and_length_are_cleaned_away() -> None:
    assert clean("<b>Что</b>\u200b взять\x07?") == "Что взять ?".replace(" ?", "?")
    assert len(clean("слово " * 10_000)) <= MAX_LENGTH
    assert clean("цена < 500") == "цена < 500"
    assert not has_words(clean("👍🎉 !!"))


def test_the_language_of_questions_to_work_on_is_found() -> None:
    for language in LANGUAGES:
        questions = load_questions("dev", language)
        assert sum(detect_language(q.text) == language for q in questions) >= 0.99 * len(questions)
    assert detect_language("chto mne pochitat vecherom") == "ru"
    assert detect_language("👍 !!") is None
