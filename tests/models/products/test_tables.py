"""Shapes and types of feature inputs and tables are checked where they are made."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from nextbest.errors import InputError
from nextbest.models.products.features.tables import FeatureInput, FeatureTable

TARGET = date(2016, 5, 28)
HELD, PRESENT = np.array([[1, 0], [3, 3]], np.uint32), np.array([[True, False], [True, True]])
AGES = pl.DataFrame({"age": [30, 40]})


def test_an_input_says_who_is_known_and_what_was_held_the_month_before():
    inputs = FeatureInput(TARGET, HELD, PRESENT, AGES)
    assert (inputs.known_N.tolist(), inputs.held_N.tolist(), len(inputs)) == ([True, True], [1, 3], 2)


def test_an_input_without_months_back_knows_nobody():
    inputs = FeatureInput(TARGET, np.zeros((2, 0), np.uint32), np.zeros((2, 0), np.bool_), AGES)
    assert (inputs.known_N.tolist(), inputs.held_N.tolist()) == ([False, False], [0, 0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"held_NL": HELD.astype(np.int64)}, "held_NL"),
        ({"held_NL": HELD[:1]}, "held_NL"),
        ({"held_NL": HELD[:, 0]}, "held_NL"),
        ({"present_NL": PRESENT[:, :1]}, "present_NL"),
        ({"present_NL": PRESENT.astype(np.uint8)}, "present_NL"),
        ({"active_NL": PRESENT[:, :1]}, "active_NL"),
        ({"before": AGES[:1]}, "before"),
        ({"household": AGES[:1]}, "household"),
    ],
)
def test_an_input_names_the_part_that_does_not_fit(changes, named):
    parts = {"held_NL": HELD, "present_NL": PRESENT, "attributes": AGES} | changes
    with pytest.raises(InputError, match=named):
        FeatureInput(TARGET, **parts)


def test_hidden_history_is_no_history_but_keeps_the_profile():
    inputs = FeatureInput(TARGET, HELD, PRESENT, AGES, before=AGES, active_NL=PRESENT)
    hidden = inputs.without_history(np.array([True, False]))
    assert hidden.known_N.tolist() == [False, True]
    assert hidden.held_NL.tolist() == [[0, 0], [3, 3]]
    assert hidden.before["age"].to_list() == [None, 40]
    assert hidden.active_NL.tolist() == [[False, False], [True, True]]
    assert hidden.attributes.equals(AGES)
    assert inputs.known_N.all(), "the input itself stays as it was"
    bare = FeatureInput(TARGET, HELD, PRESENT, AGES).without_history(np.array([True, True]))
    assert bare.before is bare.active_NL is None


X = np.array([[1.0, np.nan], [2.0, 3.0]], np.float32)


def test_a_table_gives_a_column_by_name_and_rows_by_number():
    table = FeatureTable(("a", "b"), X, ("one", "two"))
    assert table.column("a").tolist() == [1, 2]
    assert table.take(np.array([1])).x_NF.tolist() == [[2, 3]]
    assert (len(table), table.n_features) == (2, 2)


@pytest.mark.parametrize(
    ("names", "x", "groups", "named"),
    [
        (("a",), X, ("one",), "x_NF"),
        (("a", "b"), X.astype(np.float64), ("one", "two"), "x_NF"),
        (("a", "b"), X, ("one",), "groups"),
        (("a", "a"), X, ("one", "two"), "names"),
    ],
)
def test_a_table_names_the_part_that_does_not_fit(names, x, groups, named):
    with pytest.raises(InputError, match=named):
        FeatureTable(names, x, groups)


def test_an_unknown_column_is_named():
    with pytest.raises(InputError, match="'c'"):
        FeatureTable(("a", "b"), X, ("one", "two")).column("c")
