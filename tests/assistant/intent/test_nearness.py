"""What comes close to a question and what doesn't."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.assistant.intent.nearness import CLOSE, is_close, nearest, pieces_of
from nextbest.assistant.intent.questions import load_questions


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("сколько я заработал за год", "Сколько я заработала за год?"),
        ("how much did i make this year", "How much did I make this year?!"),
        ("skolko ya zarabotal za god", "сколько я заработал за год"),
    ],
)
def test_the_same_in_another_hand_is_close(text: str, other: str) -> None:
    assert nearest([text], [other])[0] >= CLOSE


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("сколько я заработал за год", "какая у меня доходность с января"),
        ("what should I watch tonight", "what should I invest in"),
    ],
)
def test_the_same_wish_in_other_words_is_not(text: str, other: str) -> None:
    assert nearest([text], [other])[0] < CLOSE


def test_a_question_itself_is_close() -> None:
    asked = load_questions("dev", "ru")[0].text
    assert is_close([asked, "zzzz qqqq"]).tolist() == [True, False]


@given(st.lists(st.text(max_size=20), max_size=5), st.lists(st.text(max_size=20), max_size=5))
def test_nearest_is_the_largest_jaccard_share(texts: list[str], others: list[str]) -> None:
    def share(a: frozenset[str], b: frozenset[str]) -> float:
        return len(a & b) / len(a | b) if a & b else 0.0

    expected = [max((share(pieces_of(t), pieces_of(o)) for o in others), default=0.0) for t in texts]
    np.testing.assert_allclose(nearest(texts, others), expected)
