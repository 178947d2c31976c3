"""Every number of a text is read, however it is written, with what it is of."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grounding.drafts import in_words
from nextbest.assistant.base import Language
from nextbest.assistant.grounding.numerals import read_quantities


def read(text: str, language: Language = "ru") -> list[tuple[float, str, str]]:
    return [(round(q.value, 6), q.kind, q.unit) for q in read_quantities(text, language)]


@pytest.mark.parametrize(
    ("text", "value", "kind", "unit"),
    [
        ("12,3 %", 12.3, "percent", ""),
        ("12,3\u00a0%", 12.3, "percent", ""),
        ("−5,1%", -5.1, "percent", ""),
        ("минус 5 процентов", -5, "percent", ""),
        ("двадцати пяти процентов", 25, "percent", ""),
        ("двенадцать целых три десятых процента", 12.3, "percent", ""),
        ("пять сотых процента", 0.05, "percent", ""),
        ("пятипроцентный", 5, "percent", ""),
        ("3 промилле", 0.3, "percent", ""),
        ("половина", 50, "percent", ""),
        ("две трети", 66.666667, "percent", ""),
        ("3 п.п.", 3, "points", ""),
        ("три процентных пункта", 3, "points", ""),
        ("50 б.п.", 50, "bps", ""),
        ("о ста двадцати трёх рублях", 123, "money", "RUB"),
        ("1 234 567,89 ₽", 1234567.89, "money", "RUB"),
        ("1.234.567 руб.", 1234567, "money", "RUB"),
        ("120 рублей 50 копеек", 120.5, "money", "RUB"),
        ("50 копеек", 0.5, "money", "RUB"),
        ("1,2 млн долларов", 1.2e6, "money", "USD"),
        ("15 тыс. евро", 15_000, "money", "EUR"),
        ("полмиллиона рублей", 500_000, "money", "RUB"),
        ("полтора миллиона тенге", 1.5e6, "money", "KZT"),
        ("два с половиной миллиарда рублей", 2.5e9, "money", "RUB"),
        ("5 BTC", 5, "money", "BTC"),
        ("полгода", 0.5, "duration", "years"),
        ("двух с половиной лет", 2.5, "duration", "years"),
        ("трёхлетнего", 3, "duration", "years"),
        ("за последний год", 1, "duration", "years"),
        ("12-месячная", 12, "duration", "months"),
        ("30 дней", 30, "duration", "days"),
        ("один год", 1, "duration", "years"),
        ("вдвое", 2, "times", ""),
        ("в 2,5 раза", 2.5, "times", ""),
        ("трижды", 3, "times", ""),
        ("№ 3", 3, "ordinal", ""),
        ("2-й", 2, "ordinal", ""),
        ("двадцать первого", 21, "ordinal", ""),
        ("5-ти", 5, "number", ""),
        ("две тысячи триста сорок пять", 2345, "number", ""),
        ("двумястами пятьюдесятью", 250, "number", ""),
        ("PS5", 5, "number", ""),
        ("18:30", 1110, "clock", ""),
        ("¾", 75, "percent", ""),
    ],
)
def test_a_russian_number_is_read_with_its_unit(text: str, value: float, kind: str, unit: str) -> None:
    assert read(text) == [(value, kind, unit)]


@pytest.mark.parametrize(
    ("text", "value", "kind", "unit"),
    [
        ("1,234,567.8", 1234567.8, "number", ""),
        ("1,234", 1234, "number", ""),
        ("$1,234.50", 1234.5, "money", "USD"),
        ("-$5", -5, "money", "USD"),
        ("USD 500", 500, "money", "USD"),
        ("five roubles", 5, "money", "RUB"),
        ("half a million dollars", 500_000, "money", "USD"),
        ("5.6k euros", 5_600, "money", "EUR"),
        ("one hundred and twenty pounds", 120, "money", "GBP"),
        ("twenty-five per cent", 25, "percent", ""),
        ("twelve point three percent", 12.3, "percent", ""),
        ("two thirds", 66.666667, "percent", ""),
        ("a third", 33.333333, "percent", ""),
        ("4 percentage points", 4, "points", ""),
        ("30 bps", 30, "bps", ""),
        ("one and a half years", 1.5, "duration", "years"),
        ("12-month", 12, "duration", "months"),
        ("twice", 2, "times", ""),
        ("3x", 3, "times", ""),
        ("21st", 21, "ordinal", ""),
        ("twenty-first", 21, "ordinal", ""),
        ("two thousand and five", 2005, "number", ""),
    ],
)
def test_an_english_number_is_read_with_its_unit(text: str, value: float, kind: str, unit: str) -> None:
    assert read(text, "en") == [(value, kind, unit)]


@pytest.mark.parametrize(
    ("text", "language", "day"),
    [
        ("12 марта 2024 года", "ru", (2024, 3, 12)),
        ("12-го марта", "ru", (None, 3, 12)),
        ("двенадцатого марта две тысячи двадцать четвёртого года", "ru", (2024, 3, 12)),
        ("12.03.2024", "ru", (2024, 3, 12)),
        ("2024-03-12", "en", (2024, 3, 12)),
        ("март 2024 г.", "ru", (2024, 3, None)),
        ("в 2024 году", "ru", (2024, None, None)),
        ("March 12th, 2024", "en", (2024, 3, 12)),
        ("12th of March 2024", "en", (2024, 3, 12)),
        ("Sept. 2024", "en", (2024, 9, None)),
    ],
)
def test_a_day_is_read_as_far_as_it_is_said(
    text: str, language: Language, day: tuple[int | None, ...]
) -> None:
    assert [q.day for q in read_quantities(text, language)] == [day]


def test_a_range_has_the_unit_of_its_end() -> None:
    assert read("от 10 до 12 %") == [(10, "percent", ""), (12, "percent", "")]
    assert read("5, 7 и 9 рублей") == [(5, "money", "RUB"), (7, "money", "RUB"), (9, "money", "RUB")]
    assert [q.day for q in read_quantities("с 1 по 15 марта 2024", "ru")] == [(2024, 3, 1), (2024, 3, 15)]


def test_pronouns_and_vague_words_are_no_numbers() -> None:
    assert read("один из лучших, одна и та же, пара слов, валютная пара") == []
    assert read("one of the best, no one, you may march on", "en") == []


@given(st.integers(1, 99), st.sampled_from(["ru", "en"]))
def test_every_number_below_a_hundred_is_read_in_words(n: int, language: Language) -> None:
    words = in_words(n, language) + (" процентов" if language == "ru" else " percent")
    assert read(words, language) == [(n, "percent", "")]


@given(st.text(max_size=200), st.sampled_from(["ru", "en"]))
def test_any_text_is_read_and_no_ascii_digit_is_overlooked(text: str, language: Language) -> None:
    found = read_quantities(text, language)
    assert all(a.end <= b.start for a, b in pairwise(found))
    covered = {i for q in found for i in range(q.start, q.end)}
    assert {i for i, char in enumerate(text) if char in "0123456789"} <= covered
