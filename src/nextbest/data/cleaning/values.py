"""Ids and numbers as the outside writes them, read into our types; nothing here knows of steps or reasons."""

from typing import Literal

import polars as pl

Decimal = Literal[".", ","]

SPACES_AND_SIGNS = r"[\s\u00a0\u202f\u2009'’$€£¥₽]"
_DOT_DECIMAL = r"^[+-]?\d*\.(\d{1,2}|\d{4,})$|,\d{3}\.\d+$"
_COMMA_DECIMAL = r"^[+-]?\d*,(\d{1,2}|\d{4,})$|\.\d{3},\d+$"
_PLAIN = r"^[+-]?\d+$"


def read_ids(values: pl.Series, *, drop_zero_fraction: bool = False) -> pl.Series:
    """Ids as Int64 where every one of them is exactly an integer, else as String; same length.

    Spaces at the ends go; empty text is null. "007" and "7.0" are text, unless `drop_zero_fraction`
    says that this column's integers were once floats ("7.0" is then 7). Float ids are integers
    where they have no fraction, text where they have one.
    """
    dtype = values.dtype
    if dtype.is_integer():
        return values.cast(pl.Int64, strict=False) if dtype != pl.UInt64 else _narrow(values.cast(pl.String))
    if dtype.is_float() or dtype.is_decimal():
        finite = values.cast(pl.Float64)
        finite = finite.set(~finite.is_finite().fill_null(value=True), None)
        if ((finite == finite.floor()) & (finite.abs() < 2**53)).all():
            return finite.cast(pl.Int64)
        return finite.cast(pl.String).str.replace(r"\.0$", "")
    text = values.cast(pl.String, strict=False).str.strip_chars()
    if drop_zero_fraction:
        text = text.str.replace(r"^(-?\d+)\.0+$", "$1")
    text = text.set((text == "").fill_null(value=False), None)
    return _narrow(text)


def _narrow(text: pl.Series) -> pl.Series:
    """Int64 if that loses nothing of the text, else the text."""
    first = text.drop_nulls().head(1)
    if len(first) and first.cast(pl.Int64, strict=False).null_count():
        return text
    numbers = text.cast(pl.Int64, strict=False)
    same = numbers.null_count() == text.null_count() and bool((numbers.cast(pl.String) == text).all())
    return numbers if same else text


def were_floats(values: pl.Series) -> bool:
    """Whether text ids look like integers that went through a float column: all digits, some with `.0`."""
    if values.dtype != pl.String:
        return False
    text = values.drop_nulls().str.strip_chars()
    return bool(text.str.contains(r"^-?\d+\.0+$").any()) and bool(
        text.str.contains(r"^$|^-?\d+(\.0+)?$").all()
    )


def decimal_sign(values: pl.Series, *, default: Decimal = ".") -> Decimal:
    """The decimal sign that text numbers of a sample use; `default` when none of them tells.

    >>> decimal_sign(pl.Series(["1 234,50", "7"])), decimal_sign(pl.Series(["1,234"]))
    (',', '.')
    """
    text = tidy_number(values.drop_nulls())
    comma, dot = bool(text.str.contains(_COMMA_DECIMAL).any()), bool(text.str.contains(_DOT_DECIMAL).any())
    if comma == dot:
        return default
    return "," if comma else "."


def tidy_number(text: pl.Series) -> pl.Series:
    """Text numbers without spaces, currency signs and accounting brackets; the minus is a plain one."""
    return (
        text.str.replace_all(SPACES_AND_SIGNS, "")
        .str.replace_all("−", "-", literal=True)
        .str.replace(r"^\((.+)\)$", "-$1")
        .str.replace(r"^(\d.*)-$", "-$1")
    )


def read_numbers(values: pl.Series, *, decimal: Decimal = ".") -> tuple[pl.Series, pl.Series]:
    """Float64 of numbers in any form, and a mask of the values that are there but can't be read.

    NaN and empty text are null, not unreadable; infinities are unreadable. A sign that stands once
    before three digits ("1,234") is read by `decimal`; every other form tells by itself.
    """
    if values.dtype == pl.String:
        text = values.str.strip_chars()
        text = text.set((text == "").fill_null(value=False), None)
        known = text
        numbers = _from_text(text, decimal)
    else:
        known = values
        numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() == len(numbers) == known.null_count():
        return numbers, pl.repeat(value=False, n=len(numbers), dtype=pl.Boolean, eager=True)
    odd = ~numbers.is_finite().fill_null(value=True)
    if odd.any():
        nan = numbers.is_nan().fill_null(value=False)
        known = known.set(nan, None)
        numbers = numbers.set(odd, None)
    return numbers, numbers.is_null() & known.is_not_null()


def _from_text(text: pl.Series, decimal: Decimal) -> pl.Series:
    """Float64 of stripped text numbers, null where they can't be read."""
    if decimal == ".":
        numbers = text.cast(pl.Float64, strict=False)
        if numbers.null_count() == text.null_count():
            return numbers
    else:
        numbers = text.set(text.str.contains(r"[.,]").fill_null(value=False), None).cast(
            pl.Float64, strict=False
        )
    rest = (numbers.is_null() & text.is_not_null()).arg_true()
    forms = tidy_number(text.gather(rest)).to_frame("t")
    t = pl.col("t")
    grouped_commas = t.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
    grouped_dots = t.str.contains(r"^[+-]?\d{1,3}(\.\d{3})+(,\d*)?$")
    one_comma = t.str.contains(r"^[+-]?\d*,\d+$")
    one_dot = t.str.contains(r"^[+-]?\d*\.\d*([eE][+-]?\d+)?$")
    with_dot = t.str.replace_all(",", "", literal=True)
    with_comma = t.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    if decimal == ".":
        forms_tried = [(grouped_commas, with_dot), (one_dot, t), (grouped_dots | one_comma, with_comma)]
    else:
        forms_tried = [(grouped_dots | one_comma, with_comma), (grouped_commas, with_dot), (one_dot, t)]
    form = pl.coalesce(pl.when(is_form).then(plain) for is_form, plain in forms_tried)
    parsed = forms.select(
        pl.coalesce(form, pl.when(t.str.contains(_PLAIN)).then(t)).cast(pl.Float64, strict=False)
    ).to_series()
    return numbers.scatter(rest, parsed)


def normalise_text(values: pl.Series, *, case: Literal["keep", "lower", "upper"] = "keep") -> pl.Series:
    """Unicode NFKC, control characters as spaces, single spaces, none at the ends; empty becomes null.

    >>> normalise_text(pl.Series(["  Ｃａｆé\\u00a0\\t№5 "])).to_list()
    ['Café No5']
    """
    text = (
        values.str.normalize("NFKC")
        .str.replace_all(r"[\p{Cc}\s]+", " ")
        .str.replace_all("\u200b", "", literal=True)
        .str.strip_chars()
    )
    if case == "lower":
        text = text.str.to_lowercase()
    elif case == "upper":
        text = text.str.to_uppercase()
    return text.set((text == "").fill_null(value=False), None)
