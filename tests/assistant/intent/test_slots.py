"""Slots of texts in both languages against a table by hand, and the laws that hold for any text."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.intent.slot_cases import (
    ASSETS,
    CATEGORIES,
    TODAY,
    WRITTEN_AFTER_EN,
    WRITTEN_AFTER_RU,
    WRITTEN_BEFORE_EN,
    WRITTEN_BEFORE_RU,
    Case,
)
from nextbest.assistant.base import Language, Slots
from nextbest.assistant.intent.slots import find_slots

RUSSIAN = WRITTEN_BEFORE_RU + WRITTEN_AFTER_RU
ENGLISH = WRITTEN_BEFORE_EN + WRITTEN_AFTER_EN


def slots_of(text: str, language: Language) -> Slots:
    """Without what only an intent can tell: which way "за год" looks (`test_spoken`)."""
    found = find_slots(text, language, today=TODAY, assets=ASSETS, categories=CATEGORIES)
    return replace(found, undirected_days=None)


@pytest.mark.parametrize("case", RUSSIAN, ids=[text for text, _ in RUSSIAN])
def test_a_russian_text_says_what_the_table_says(case: Case) -> None:
    assert slots_of(case[0], "ru") == Slots(**case[1])


@pytest.mark.parametrize("case", ENGLISH, ids=[text for text, _ in ENGLISH])
def test_an_english_text_says_what_the_table_says(case: Case) -> None:
    assert slots_of(case[0], "en") == Slots(**case[1])


@given(st.text(max_size=300), st.sampled_from(["ru", "en"]))
@settings(max_examples=150)
def test_any_text_has_slots_within_their_bounds(text: str, language: Language) -> None:
    slots = slots_of(text, language)
    assert slots.k is None or 1 <= slots.k <= 100
    assert slots.ordinal is None or slots.ordinal == -1 or slots.ordinal >= 1
    assert slots.horizon_days is None or slots.horizon_days > 0
    assert slots.amount is None or slots.amount.value >= 0
    assert slots.asset is None or slots.asset in ASSETS
    if slots.period is not None:
        first, last = slots.period
        assert first <= last <= TODAY
        assert slots.period_days == (last - first).days + 1


@given(
    st.integers(2, 999), st.sampled_from([("дней", 1), ("недель", 7), ("месяцев", 365 / 12), ("лет", 365)])
)
def test_a_count_of_units_back_and_ahead_is_its_days(count: int, unit: tuple[str, float]) -> None:
    word, size = unit
    wanted = round(count * size) if count * size <= 36_500 else None
    assert slots_of(f"за последние {count} {word}", "ru").period_days == wanted
    assert slots_of(f"через {count} {word}", "ru").horizon_days == wanted


@given(st.integers(0, 10**12), st.sampled_from(["{:d}", "{:,}", "{: }"]))
def test_an_amount_in_digits_is_its_value(value: int, style: str) -> None:
    said = f"{value:,}".replace(",", " ") if style == "{: }" else style.format(value)
    slots = slots_of(f"вложить {said} рублей", "ru")
    assert slots.amount is not None
    assert (slots.amount.value, slots.amount.currency) == (value, "RUB")


@given(st.dates(date(2000, 1, 1), TODAY), st.integers(0, 500))
def test_two_days_are_a_period_with_both_in(first: date, length: int) -> None:
    last = min(first + timedelta(days=length), TODAY)
    slots = slots_of(f"с {first:%d.%m.%Y} по {last:%d.%m.%Y}", "ru")
    assert slots.period == (first, last)
    assert slots.period_days == (last - first).days + 1


def test_two_thousand_characters_of_digits_take_no_time() -> None:
    for text in (
        "1 " * 1000,
        "за " * 660,
        "9" * 2000,
        "первый " * 280,
        "<0>" * 600,
        "полтора миллиона с половиной " * 60,
    ):
        slots_of(text, "ru")
