"""Ids and numbers from the outside."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.cleaning.values import decimal_sign, normalise_text, read_ids, read_numbers, were_floats


def numbers(values: list[object], decimal: str = ".") -> list[float | None]:
    return read_numbers(pl.Series(values), decimal=decimal)[0].to_list()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.50", 12.5),
        ("12,50", 12.5),
        ("1 234,50", 1234.5),
        ("1\u00a0234,50", 1234.5),
        ("1\u202f234.50", 1234.5),
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1,234,567", 1234567.0),
        ("1.234.567", 1234567.0),
        ("−7", -7.0),
        ("7-", -7.0),
        ("(7.25)", -7.25),
        ("$5", 5.0),
        ("5 ₽", 5.0),
        ("1e3", 1000.0),
        ("12'000", 12000.0),
        (".5", 0.5),
        (",5", 0.5),
    ],
)
@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_that_can_be_read_one_way_is_read_so_whatever_the_files_sign(
    text: str, number: float, decimal: str
) -> None:
    assert numbers([text], decimal) == [number]


def test_one_sign_before_three_digits_is_read_by_the_files_decimal_sign() -> None:
    assert numbers(["1,234", "1.234"], ".") == [1234.0, 1.234]
    assert numbers(["1,234", "1.234"], ",") == [1.234, 1234.0]


@pytest.mark.parametrize("text", ["abc", "1,2,3", "1.2.3", "12,34,56.7", "inf", "-inf", "--5", "1 2 x"])
def test_text_that_is_no_number_is_unreadable_not_missing(text: str) -> None:
    values, unreadable = read_numbers(pl.Series([text]))
    assert values.to_list() == [None]
    assert unreadable.to_list() == [True]


def test_empty_text_and_nan_are_missing_not_unreadable() -> None:
    for values in (pl.Series(["", "  ", None, "nan"]), pl.Series([float("nan"), None])):
        numbers_, unreadable = read_numbers(values)
        assert numbers_.null_count() == len(values)
        assert not unreadable.any()


def test_an_infinite_float_is_unreadable() -> None:
    values, unreadable = read_numbers(pl.Series([float("inf"), 1.0]))
    assert values.to_list() == [None, 1.0]
    assert unreadable.to_list() == [True, False]


@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1))
def test_numbers_written_with_a_decimal_comma_come_back_with_either_sign_of_the_file(
    values: list[float],
) -> None:
    text = pl.Series([f"{v:.2f}".replace(".", ",") for v in values])
    for decimal in (".", ","):
        assert numbers(text.to_list(), decimal) == values


def test_the_decimal_sign_is_told_by_numbers_that_can_only_be_read_one_way() -> None:
    assert decimal_sign(pl.Series(["1,234", "0,5"])) == ","
    assert decimal_sign(pl.Series(["1,234", "0.5"])) == "."
    assert decimal_sign(pl.Series(["1,234"])) == "."
    assert decimal_sign(pl.Series(["1,234"]), default=",") == ","


def test_ids_are_integers_only_if_the_text_is_exactly_that() -> None:
    assert read_ids(pl.Series([" 1", "22", None, ""])).to_list() == [1, 22, None, None]
    assert read_ids(pl.Series(["1", "007"])).to_list() == ["1", "007"]
    assert read_ids(pl.Series(["1", "A2"])).to_list() == ["1", "A2"]
    assert read_ids(pl.Series(["1", str(2**70)])).dtype == pl.String
    assert read_ids(pl.Series(["1", "+2"])).to_list() == ["1", "+2"]


def test_float_ids_without_fractions_are_integers() -> None:
    assert read_ids(pl.Series([17850.0, None, float("nan")])).to_list() == [17850, None, None]
    assert read_ids(pl.Series([1.0, 1.5])).to_list() == ["1", "1.5"]


def test_wide_and_boolean_ids_become_text() -> None:
    assert read_ids(pl.Series([2**63 + 5], dtype=pl.UInt64)).to_list() == [str(2**63 + 5)]
    assert read_ids(pl.Series([7], dtype=pl.UInt64)).to_list() == [7]
    assert read_ids(pl.Series([True])).to_list() == ["true"]


def test_a_column_that_was_float_once_is_told_from_version_numbers() -> None:
    assert were_floats(pl.Series(["17850.0", "3", None]))
    assert not were_floats(pl.Series(["1.0", "1.1"]))
    assert not were_floats(pl.Series(["1", "2"]))
    assert not were_floats(pl.Series([1, 2]))
    assert read_ids(pl.Series(["17850.0", "3"]), drop_zero_fraction=True).to_list() == [17850, 3]


def test_text_is_one_form_single_spaced_and_null_when_empty() -> None:
    assert normalise_text(pl.Series(["  Ｃａｆé\u00a0\tx\u200b ", " \n", None])).to_list() == [
        "Café x",
        None,
        None,
    ]
    assert normalise_text(pl.Series(["Чай"]), case="upper").to_list() == ["ЧАЙ"]
    assert normalise_text(pl.Series(["Чай"]), case="lower").to_list() == ["чай"]


@given(st.lists(st.text()))
def test_normalising_text_twice_changes_nothing_more(values: list[str]) -> None:
    once = normalise_text(pl.Series(values, dtype=pl.String))
    assert normalise_text(once).equals(once)
