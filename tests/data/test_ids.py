"""Outside ids against row numbers: nothing gets the row of somebody else."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.ids import UNKNOWN, IdIndex
from nextbest.errors import DataError, InputError

INTEGERS = IdIndex.from_values(pl.Series([30, 10, 20, 10], dtype=pl.Int16))
TEXTS = IdIndex.from_values(pl.Series(["b", "a", "7"]))


def test_rows_are_the_sorted_unique_ids_and_integers_of_any_width_become_one_type() -> None:
    assert INTEGERS.ids.to_list() == [10, 20, 30]
    assert INTEGERS.ids.dtype == pl.Int64
    assert TEXTS.ids.to_list() == ["7", "a", "b"]


@pytest.mark.parametrize(
    ("index", "asked", "row"),
    [
        (INTEGERS, "20", 1),
        (INTEGERS, np.int32(20), 1),
        (INTEGERS, "020", UNKNOWN),  # 020 is another id than 20
        (INTEGERS, "twenty", UNKNOWN),
        (INTEGERS, True, UNKNOWN),
        (TEXTS, 7, 0),
        (TEXTS, "z", UNKNOWN),
    ],
)
def test_one_id_is_found_in_the_indexs_own_type(index, asked, row) -> None:
    assert index.find(asked) == row


def test_a_column_of_another_type_is_encoded_as_single_ids_are() -> None:
    assert INTEGERS.encode(pl.Series(["10", "010", None])).tolist() == [0, -1, -1]
    assert INTEGERS.encode(pl.Series([30, None, 5], dtype=pl.Int8)).tolist() == [2, -1, -1]
    assert INTEGERS.encode([10, "30"]).tolist() == [0, 2]


@given(st.lists(st.text(max_size=4), unique=True, max_size=20), st.lists(st.text(max_size=4), max_size=20))
def test_encode_then_decode_is_the_id_itself_or_null(known, asked) -> None:
    index = IdIndex.from_values(pl.Series(known, dtype=pl.String))
    back = index.decode(index.encode(pl.Series(asked, dtype=pl.String))).to_list()
    assert back == [a if a in known else None for a in asked]


@pytest.mark.parametrize("idx", [[3], [-2]])
def test_a_row_number_outside_is_refused(idx) -> None:
    with pytest.raises(InputError, match=r"-1\.\.2"):
        INTEGERS.decode(idx)


@pytest.mark.parametrize(
    ("ids", "words"),
    [(pl.Series([1.5]), "Int64 or String"), (pl.Series(["a", None]), "null"), (pl.Series([1, 1]), "unique")],
)
def test_ids_that_are_no_ids_are_refused(ids, words) -> None:
    with pytest.raises(DataError, match=words):
        IdIndex(ids)


def test_equal_means_the_same_ids_in_the_same_order_and_survives_the_disk(tmp_path) -> None:
    TEXTS.save(tmp_path / "ids.parquet")
    loaded = IdIndex.load(tmp_path / "ids.parquet")
    assert loaded == TEXTS
    assert hash(loaded) == hash(TEXTS)
    assert IdIndex(TEXTS.ids.reverse()) != TEXTS
    assert IdIndex(pl.Series(["1"])) != IdIndex(pl.Series([1]))
    assert repr(loaded) == "IdIndex(3 String ids)"


@pytest.mark.parametrize(
    ("allowed", "denied", "mask"),
    [
        (None, None, None),
        ([10, 99], None, [True, False, False]),
        (None, [10, 99], [False, True, True]),
        ([10, 20], [20], [True, False, False]),
        ([], None, [False, False, False]),
    ],
)
def test_a_mask_allows_what_is_listed_and_denied_wins(allowed, denied, mask) -> None:
    lists = [None if x is None else pl.Series(x, dtype=pl.Int64) for x in (allowed, denied)]
    found = INTEGERS.mask(allowed=lists[0], denied=lists[1])
    assert (None if found is None else found.tolist()) == mask
