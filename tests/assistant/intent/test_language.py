"""Which language a text is in, and Russian in Latin letters."""

import pytest

from nextbest.assistant.base import LANGUAGES, Language
from nextbest.assistant.intent.language import detect_language, is_transliterated, to_cyrillic
from nextbest.assistant.intent.questions import load_questions


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("что посмотреть вечером", "ru"),
        ("what should I watch", "en"),
        ("posovetuj film na vecher", "ru"),
        ("посоветуй что-нибудь как Half-Life", "ru"),
        ("12345", None),
        ("", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_of_the_questions_are_found(language: Language) -> None:
    questions = load_questions("dev", language)
    assert sum(detect_language(q.text) == language for q in questions) >= 0.99 * len(questions)


def test_latin_letters_are_written_back() -> None:
    assert is_transliterated("posovetuj mne film na vecher")
    assert not is_transliterated("recommend me a film for tonight")
    assert to_cyrillic("portfel") in ("портфел", "портфель")
