"""Figures as both languages write them, and which other forms of them are true."""

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.assistant.base import Figure, ItemFact, Language
from nextbest.assistant.phrasing.rendering import (
    forms,
    is_rounding,
    label,
    period_forms,
    plain,
    render,
    span,
    title,
    tolerance,
)
from nextbest.errors import InputError

NAMED = {"ru": "доходность", "en": "return"}


def figure(value: float | date, unit: str) -> Figure:
    return Figure("x", value, unit, NAMED)


@pytest.mark.parametrize(
    ("value", "unit", "ru", "en"),
    [
        (0.123, "fraction", "12,3 %", "12.3%"),
        (0.4, "fraction", "40 %", "40%"),
        (-0.0512, "fraction", "-5,1 %", "-5.1%"),
        (0.000123, "fraction", "0,01 %", "0.01%"),
        (0.99996, "fraction", "99,996 %", "99.996%"),
        (1.0, "fraction", "100 %", "100%"),
        (0, "fraction", "0 %", "0%"),
        (1234567.8, "RUB", "1 234 568 ₽", "₽1,234,568"),
        (99.5, "USD", "99,50 $", "$99.50"),
        (-1500, "EUR", "-1 500 €", "-€1,500"),
        (0.00012345, "USD", "0,000123 $", "$0.000123"),
        (700, "CNY", "700 CNY", "700 CNY"),
        (1, "count", "1", "1"),
        (12345, "count", "12 345", "12,345"),
        (3.4, "count", "3,4", "3.4"),
        (0.851, "ratio", "0,85", "0.85"),
        (1, "days", "1 день", "1 day"),
        (21, "days", "21 день", "21 days"),
        (11, "months", "11 месяцев", "11 months"),
        (36, "months", "3 года", "3 years"),
        (1.5, "years", "1,5 года", "1.5 years"),
        (5, "years", "5 лет", "5 years"),
        (25, "bps", "25 базисных пунктов", "25 bp"),
        (date(2026, 3, 12), "date", "12 марта 2026", "12 March 2026"),
    ],
)
def test_a_figure_is_written_in_both_languages(value: float | date, unit: str, ru: str, en: str) -> None:
    assert plain(render(figure(value, unit), "ru")) == ru
    assert plain(render(figure(value, unit), "en")) == en


def test_a_line_never_breaks_between_a_number_and_its_unit() -> None:
    for unit in ("fraction", "RUB", "days", "years"):
        assert " " not in render(figure(12345.0, unit), "ru")


def test_signs_are_written_as_asked() -> None:
    assert plain(render(figure(0.05, "fraction"), "en", style="signed")) == "+5%"
    assert plain(render(figure(-0.05, "fraction"), "ru", style="unsigned")) == "5 %"
    assert plain(render(figure(0.0, "fraction"), "en", style="signed")) == "0%"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_not_written(value: float) -> None:
    with pytest.raises(InputError, match="must be a finite number"):
        render(figure(value, "RUB"), "ru")


@pytest.mark.parametrize(
    ("period", "ru", "en"),
    [
        ((date(2025, 11, 20), date(2026, 11, 20)), "за 12 месяцев до 20 ноября 2026", "over the 12 months to 20 November 2026"),
        ((date(2025, 11, 21), date(2026, 11, 20)), "за 12 месяцев до 20 ноября 2026", "over the 12 months to 20 November 2026"),
        ((date(2023, 11, 21), date(2026, 11, 20)), "за 3 года до 20 ноября 2026", "over the 3 years to 20 November 2026"),
        ((date(2026, 2, 1), date(2026, 2, 28)), "за месяц до 28 февраля 2026", "over the month to 28 February 2026"),
        ((date(2025, 1, 1), date(2025, 12, 31)), "за 2025 год", "in 2025"),
        ((date(2026, 11, 3), date(2026, 11, 20)), "с 3 по 20 ноября 2026", "from 3 to 20 November 2026"),
        ((date(2026, 3, 3), date(2026, 11, 20)), "с 3 марта по 20 ноября 2026", "from 3 March to 20 November 2026"),
        ((date(2025, 3, 3), date(2026, 11, 20)), "с 3 марта 2025 по 20 ноября 2026", "from 3 March 2025 to 20 November 2026"),
        ((date(2026, 11, 20), date(2026, 11, 20)), "за 20 ноября 2026", "on 20 November 2026"),
    ],
)  # fmt: skip
def test_a_period_is_said_as_people_say_it(period: tuple[date, date], ru: str, en: str) -> None:
    assert plain(span(period, "ru")) == ru
    assert plain(span(period, "en")) == en
    assert ru in period_forms(period, "ru")


@pytest.mark.parametrize(
    ("value", "unit", "language", "true", "untrue"),
    [
        (0.1234, "fraction", "ru", ("12,3 %", "12.3%", "12 %", "12,34 %", "двенадцать процентов"), ("12,4 %", "10 %", "-12,3 %")),
        (0.1234, "fraction", "en", ("12.3%", "12%", "12 percent", "twelve percent"), ("13%", "12.4%")),
        (0.0345, "fraction", "ru", ("3,5 %", "3,45 %"), ("3 %", "4 %")),
        (1234567.0, "RUB", "ru", ("1 234 567 ₽", "1234567 руб.", "1,2 млн ₽", "1,23 миллиона рублей", "1 234 567 рублей"), ("1,3 млн ₽", "1 234 568 ₽")),
        (1234567.0, "USD", "en", ("$1,234,567", "$1.2 million", "1.23 million dollars", "$1.2m"), ("$1.3 million", "$1,234,000")),
        (36.0, "months", "ru", ("3 года", "36 месяцев", "три года"), ("4 года",)),
        (3.0, "count", "ru", ("3", "три", "трёх"), ("4", "четыре")),
        (2.0, "count", "ru", ("две", "два"), ("одна",)),
        (365.0, "days", "en", ("365 days", "1 year", "one year"), ("364 days",)),
        (date(2026, 3, 12), "date", "en", ("12 March 2026", "March 12, 2026", "2026-03-12", "March 2026"), ("13 March 2026",)),
        (date(2026, 3, 12), "date", "ru", ("12 марта 2026 года", "12.03.2026", "марте 2026"), ("12 апреля 2026",)),
    ],
)  # fmt: skip
def test_true_forms_are_forms_and_others_are_not(
    value: float | date, unit: str, language: Language, true: tuple[str, ...], untrue: tuple[str, ...]
) -> None:
    made = forms(figure(value, unit), language)
    assert set(true) <= set(made)
    assert not set(untrue) & set(made)


def test_a_loss_is_a_form_without_its_minus_only_where_asked() -> None:
    lost = figure(-0.082, "fraction")
    assert "8,2 %" not in forms(lost, "ru")
    assert {"8,2 %", "-8,2 %"} <= set(forms(lost, "ru", unsigned=True))


@given(
    value=st.floats(-1e9, 1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6),
    unit=st.sampled_from(["fraction", "RUB", "USD", "CNY", "ratio", "bps"]),
    language=st.sampled_from(["ru", "en"]),
)
def test_what_we_write_is_a_form_and_forms_are_texts_once(
    value: float, unit: str, language: Language
) -> None:
    made = forms(figure(value, unit), language)
    assert made[0] == plain(render(figure(value, unit), language))
    assert len(made) == len(set(made))
    assert all(form == form.strip() and form for form in made)


@given(value=st.floats(0.001, 1e7), places=st.integers(0, 4))
def test_a_fair_rounding_is_one_and_its_neighbour_is_not(value: float, places: int) -> None:
    made, unit_step = figure(value, "RUB"), 10.0**-places
    rounded = round(value, places)
    if unit_step <= tolerance(made) * 2:
        assert is_rounding(rounded, unit_step, made)
    assert not is_rounding(rounded + 1.1 * unit_step, unit_step, made)


@given(n=st.integers(0, 999))
def test_a_count_below_a_thousand_is_never_rounded(n: int) -> None:
    made = figure(float(n), "count")
    assert tolerance(made) == 0
    assert is_rounding(n, 1, made)
    assert not is_rounding(n + 1, 1, made)


@given(
    start=st.dates(date(2015, 1, 1), date(2026, 1, 1)),
    days=st.integers(0, 3000),
    language=st.sampled_from(["ru", "en"]),
)
def test_a_period_is_always_one_of_its_forms(start: date, days: int, language: Language) -> None:
    period = (start, start + timedelta(days=days))
    assert plain(span(period, language)) == period_forms(period, language)[0]


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("Hades II", "item", "«Hades II»"),
        ("Вклад «Зимний»", "product", "Вклад «Зимний»"),
        ("SBER", "asset", "SBER"),
        ("SBER", "item", "«SBER»"),
        ("Сбербанк", "asset", "«Сбербанк»"),
        ("two\nlines", "item", "«two lines»"),
        ("{x} %s", "item", "«{x} %s»"),
    ],
)
def test_titles_stand_in_quotes_unchanged(name: str, kind: str, told: str) -> None:
    assert title(ItemFact(1, {"ru": name, "en": name}, kind), "ru") == told  # type: ignore[arg-type]


def test_a_title_that_lacks_a_language_is_said_in_the_other() -> None:
    assert title(ItemFact(1, {"en": "Tea"}), "ru") == "«Tea»"


def test_a_label_stands_inside_a_sentence() -> None:
    told = {"ru": "Коэффициент Шарпа", "en": "Sharpe ratio"}
    assert label(Figure("sharpe", 1, "ratio", told), "ru") == "коэффициент Шарпа"
    assert (
        label(Figure("v", 1, "ratio", {"ru": "VaR, исторический", "en": "VaR"}), "ru") == "VaR, исторический"
    )
