"""A text falls into sentences where they end, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.assistant.grounding.spans import cleaned, dotted_beginnings, first_end, sentences


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Доходность 12.3 %. Риск 5 %.", 2),
        ("Стоит 5 руб. в месяц и 1,5 тыс. в год.", 1),
        ("Это книги, игры и т.д. и т.п. за 2024 г. и раньше.", 1),
        ("За 2024 г. Доходность выше.", 2),
        ("И. Иванов написал. Хорошо!", 2),
        ("1. Hades II\n2. Dead Cells", 2),
        ("See e.g. the fund vs. the index. Done?! Yes…", 3),
        ("Он сказал: «Хорошо.» Потом ушёл.", 2),
        ("Хм... подумаем. Да.", 2),
        ("A\n\n\nB", 2),
        ("", 0),
    ],
)
def test_sentences_end_where_they_end(text: str, n: int) -> None:
    assert len(sentences(text)) == n
    assert "".join(sentences(text)) == text


def test_a_dot_inside_a_title_ends_nothing() -> None:
    protected = dotted_beginnings(["Dr. Mario", "Hey! Pikmin"])
    assert len(sentences("Берут Dr. Mario и Hey! Pikmin. Вот.", protected=protected)) == 2


def test_an_end_is_not_certain_before_something_follows() -> None:
    assert first_end("Цена 5.") is None
    assert first_end("Цена 5. ") is None
    assert first_end("Цена 5. Д") == 8
    assert first_end("Цена 5.", is_last=True) == 7


@given(st.text(max_size=300))
def test_sentences_of_any_text_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


@given(st.text(max_size=200))
def test_cleaning_any_text_leaves_nothing_invisible(text: str) -> None:
    made = cleaned(text)
    assert cleaned(made) == made
    assert not any(char in made for char in "\u200b\u200d\u202e\ufeff\u00ad\x00")
