"""Texts made safe: laws for any text, and the sorts of rubbish that people and attackers send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.assistant.intent.cleaning import MAX_LENGTH, clean, has_words, without_drawling


@given(st.text(alphabet=st.characters(blacklist_characters="&<"), max_size=400))
@settings(max_examples=100)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("<script>alert(1)</script>привет", "привет"),
        ("&lt;b&gt;film&lt;/b&gt;", "film"),
        ("price < 500", "price < 500"),
        ("a\u200bb\x00c\n\td", "abc d"),
        ("ｆｉｌｍ", "film"),
    ],
)
def test_what_is_left(text: str, wanted: str) -> None:
    assert clean(text) == wanted


def test_a_long_text_is_cut_at_a_word() -> None:
    cut = clean("слово " * 9_000)
    assert MAX_LENGTH - 6 <= len(cut) <= MAX_LENGTH
    assert set(cut.split()) == {"слово"}
    assert len(clean("ы" * 50_000)) == MAX_LENGTH


@pytest.mark.parametrize(("text", "says"), [("", False), ("🙂 !?…", False), ("5", True), ("да", True)])
def test_words(text: str, says: bool) -> None:
    assert has_words(text) is says


def test_drawled_letters_count_once() -> None:
    assert without_drawling("привееееет, coool") == "привет, col"
    assert without_drawling("касса, 1000") == "касса, 1000"
