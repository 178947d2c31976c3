"""Raw texts and typed columns to values: what the files of `test_reading.py` don't happen to hold."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.panel.gaps import MissingSets
from nextbest.data.panel.repairs import (
    ColumnCounts,
    DistinctReader,
    NumberReader,
    Parsed,
    as_text,
    attribute_parser,
    read_ids,
)
from nextbest.data.panel.schema import Attribute, CodeNames, PanelSchema, Product
from nextbest.errors import InputError

LONG = Attribute("x", "integer")
AGE = Attribute("age", "integer", low=0, high=120)
INCOME = Attribute("income", "number", low=0, sentinels=("-99",))


@pytest.mark.parametrize(
    ("attribute", "text", "expected"),
    [
        (AGE, "1_0", Parsed(None, "unreadable")),
        (INCOME, "1_0.5", Parsed(None, "unreadable")),
        (AGE, "+7", Parsed(7, "variant")),
        (AGE, "3.5", Parsed(None, "unreadable")),
        (AGE, "9" * 400, Parsed(None, "out_of_range")),
        (AGE, "1e400", Parsed(None, "unreadable")),
        (LONG, "3000000000", Parsed(None, "out_of_range")),
        (LONG, "-3", Parsed(-3)),
        (INCOME, "1.5", Parsed(1.5)),
        (INCOME, "-99.0", Parsed(None, "sentinel")),
        (INCOME, "-1", Parsed(None, "out_of_range")),
        (INCOME, "nan", Parsed(None, "missing")),
        (INCOME, "-inf", Parsed(None, "unreadable")),
        (Attribute("f", "flag"), "TRUE", Parsed(value=True, repair="variant")),
        (Attribute("d", "date"), "20240131", Parsed(date(2024, 1, 31), "variant")),
        (Attribute("c", "category", ("NA", "ES")), "NA", Parsed("NA")),
    ],
)
def test_a_text_is_read_once_and_said_how(attribute: Attribute, text: str, expected: Parsed) -> None:
    assert attribute_parser(attribute)(text) == expected


@given(st.text(max_size=12))
def test_no_text_breaks_a_parser(text: str) -> None:
    kinds = [Attribute("a", kind) for kind in ("category", "integer", "number", "flag", "date")]  # type: ignore[arg-type]
    for attribute in (AGE, INCOME, LONG, *kinds):
        value, repair = attribute_parser(attribute)(text)
        assert (value is None) == (repair not in (None, "variant"))


@given(st.lists(st.sampled_from([" 35", "35", "NA", None, "x", "121", "7.0", ""]), max_size=30))
def test_reading_by_distinct_values_is_reading_value_by_value(texts: list[str | None]) -> None:
    reader, counts = DistinctReader(attribute_parser(AGE), AGE.dtype), ColumnCounts()
    half = len(texts) // 2
    read: list[object] = []
    for part in (texts[:half], texts[half:]):
        decoded = reader.decode(pl.Series(part, dtype=pl.String))
        reader.count(decoded, counts)
        read += reader.typed(decoded).to_list()
    parsed = [attribute_parser(AGE)(text or "") for text in texts]
    assert read == [p.value for p in parsed]
    for kind in ("missing", "unreadable", "out_of_range", "variant"):
        assert counts.repairs[kind] == sum(p.repair == kind for p in parsed)


def test_numbers_row_by_row_are_the_parsers_numbers() -> None:
    texts = [" 1.5", "-99", "NA", None, "-1", "x", "inf", "2e3", "7", "1e39", "9" * 100]
    counts = ColumnCounts()
    values, missing = NumberReader(INCOME).read(pl.Series(texts, dtype=pl.String), counts)
    assert values.to_list() == [attribute_parser(INCOME)(text or "").value for text in texts]
    assert missing.tolist() == [text in ("NA", None) for text in texts]
    assert counts.repairs == {
        "padded": 1, "missing": 2, "unreadable": 2, "sentinel": 1, "out_of_range": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([True, None]), ["1", None]),
        (pl.Series([1.0, float("nan"), None]), ["1", None, None]),
        (pl.Series([1.0, 2.5]), ["1.0", "2.5"]),
        (pl.Series(["2024-01-02 03:00:00"]).str.to_datetime(), ["2024-01-02"]),
        (pl.Series([b"ab"]), ["ab"]),
        (pl.Series([7], dtype=pl.UInt8), ["7"]),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), ["a"]),
    ],
)
def test_typed_columns_are_the_text_that_a_file_would_hold(column: pl.Series, expected: list[str]) -> None:
    assert as_text(column).to_list() == expected


def test_ids_written_as_floats_are_ids_and_others_are_none() -> None:
    counts = ColumnCounts()
    ids = read_ids(pl.Series([" 12", "13.0", "1.5", "x", None, "1e300"]), pl.Int64(), counts)
    assert ids.to_list() == [12, 13, None, None, None, None]
    assert counts.repairs == {"padded": 1, "variant": 1}
    assert read_ids(pl.Series([1.0, 2.0]), pl.Int64(), counts).to_list() == [1, 2]
    assert read_ids(pl.Series([" a", "NA"]), pl.String(), counts).to_list() == ["a", None]


def test_columns_usually_missing_join_no_gap() -> None:
    sets = MissingSets()
    rows = np.arange(100)
    missing = {"a": rows < 10, "b": rows < 10, "mostly": rows < 90, "too": rows < 90, "alone": rows == 50}
    sets.see(missing, 100)
    sets.see({}, 20)
    assert [(gap.columns, gap.rows) for gap in sets.gaps()] == [(("a", "b"), 10)]
    assert MissingSets().gaps() == ()


def test_almost_the_same_rows_are_one_gap_of_those_missing_both() -> None:
    sets = MissingSets()
    sets.see({"a": np.arange(1000) < 100, "b": np.arange(1000) < 103}, 1000)
    assert [(gap.columns, gap.rows) for gap in sets.gaps()] == [(("a", "b"), 100)]


def test_a_schema_says_what_is_wrong_with_it() -> None:
    product, attribute = Product("p", "P", "П"), Attribute("x", "flag")
    with pytest.raises(InputError, match="1 to 32"):
        PanelSchema("s", "id", "m", (), ())
    with pytest.raises(InputError, match="twice"):
        PanelSchema("s", "id", "m", (product, product), ())
    with pytest.raises(InputError, match="roles"):
        PanelSchema("s", "id", "m", (product,), (attribute,), {"age": "y"})
    with pytest.raises(InputError, match="code_names"):
        PanelSchema("s", "id", "m", (product,), (attribute,), code_names=(CodeNames("x", "y", {}),))
    schema = PanelSchema("s", "id", "m", (product,), (attribute,))
    with pytest.raises(InputError, match="product"):
        schema.bit("q")
    with pytest.raises(InputError, match="attribute"):
        schema.attribute("q")
