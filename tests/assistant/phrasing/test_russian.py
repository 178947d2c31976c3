"""Agreement of nouns with numbers, number words, cases of titles."""

from unittest.mock import patch

import pytest

from nextbest.assistant.phrasing import russian
from nextbest.assistant.phrasing.russian import agreed, by_ending, case_after, declined, in_words, noun_forms

NUMBERS = (0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 111, 1.5)
AFTER = {
    "год": "лет год года года лет лет лет лет год года лет год лет года",
    "месяц": "месяцев месяц месяца месяца месяцев месяцев месяцев месяцев месяц месяца месяцев месяц месяцев месяца",
    "неделя": "недель неделя недели недели недель недель недель недель неделя недели недель неделя недель недели",
    "день": "дней день дня дня дней дней дней дней день дня дней день дней дня",
    "рубль": "рублей рубль рубля рубля рублей рублей рублей рублей рубль рубля рублей рубль рублей рубля",
    "вариант": "вариантов вариант варианта варианта вариантов вариантов вариантов вариантов вариант варианта вариантов вариант вариантов варианта",
}


@pytest.mark.parametrize("noun", AFTER)
def test_a_noun_agrees_with_its_number(noun: str) -> None:
    assert [agreed(n, noun) for n in NUMBERS] == AFTER[noun].split()


@pytest.mark.parametrize(
    ("n", "noun", "case", "told"),
    [
        (1, "год", "genitive", "года"),
        (3, "год", "genitive", "лет"),
        (21, "месяц", "genitive", "месяца"),
        (1.5, "год", "genitive", "года"),
        (1, "неделя", "accusative", "неделю"),
        (2, "неделя", "accusative", "недели"),
        (5, "неделя", "accusative", "недель"),
        (-2, "день", "nominative", "дня"),
    ],
)
def test_a_number_in_a_case_takes_its_noun_along(n: float, noun: str, case: russian.Case, told: str) -> None:
    assert agreed(n, noun, case=case) == told


@pytest.mark.parametrize(
    "noun", ["игра", "книга", "фильм", "карта", "подписка", "сервис", "музей", "чашка", "акция", "дело"]
)
def test_endings_say_of_regular_nouns_what_the_dictionary_says(noun: str) -> None:
    pytest.importorskip("pymorphy3")
    assert by_ending(noun) == noun_forms(noun)


def test_without_the_dictionary_nouns_are_counted_and_titles_left_alone() -> None:
    for cached in (russian.noun_forms, russian.declined):
        cached.cache_clear()
    try:
        with patch.object(russian, "dictionary", lambda: None):
            assert [agreed(n, "игра") for n in (1, 2, 5)] == ["игра", "игры", "игр"]
            assert declined("карта «Всё включено»", "genitive") is None
    finally:
        for cached in (russian.noun_forms, russian.declined):
            cached.cache_clear()


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("карта «Всё включено»", "карты «Всё включено»"),
        ("Вклад «Зимний»", "Вклада «Зимний»"),
        ("Hades II", None),
        ("Ведьмак 3", None),
        ("Бзымка «Тест»", None),
        ("Кредитная карта", None),
    ],
)
def test_only_a_noun_of_the_dictionary_before_a_quoted_name_is_put_in_a_case(
    title: str, told: str | None
) -> None:
    pytest.importorskip("pymorphy3")
    assert declined(title, "genitive") == told


@pytest.mark.parametrize(
    ("before", "case"),
    [
        ("займёт до ", "genitive"),
        ("Не менее ", "genitive"),
        ("в течение ", "genitive"),
        ("за ", "accusative"),
        ("Через ", "accusative"),
        ("осталось ", "nominative"),
        ("когда-то за городом ", "nominative"),
        ("года ", "nominative"),
    ],
)
def test_a_preposition_asks_for_its_case(before: str, case: str) -> None:
    assert case_after(before) == case


def test_number_words_agree_in_gender_and_case() -> None:
    assert [in_words(n) for n in (0, 1, 12, 20, 47, 100)] == [
        "ноль",
        "один",
        "двенадцать",
        "двадцать",
        "сорок семь",
        "сто",
    ]
    assert in_words(22, gender="feminine") == "двадцать две"
    assert in_words(32, case="genitive") == "тридцати двух"
    assert in_words(101) is None
    assert in_words(-1) is None
