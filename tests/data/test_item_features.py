"""Catalogue columns as numbers: words, numbers, vectors, what is missing, and items that come later."""

import json

import numpy as np
import polars as pl
import pytest

from nextbest.data.ids import IdIndex
from nextbest.data.item_features import ItemCoder, ItemFeatures
from nextbest.errors import DataError

CATALOG = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "genre": ["war|love", "love", None, "war"],
        "price": [1.0, 100.0, 10.0, None],
        "vector": [[0.0, 2.0], [2.0, 2.0], None, [4.0, 2.0]],
        "year": [-1, 1, -1, 1],
        "is_new": [True, False, False, True],
    }
)
IDS = IdIndex(pl.Series(["d", "c", "b", "a"]))


def fit(*columns, min_count=1, **kwargs):
    return ItemCoder.fit(CATALOG, columns, min_count=min_count, **kwargs)


def test_words_become_flags_in_the_row_order_of_the_ids():
    coder = fit("genre")
    assert coder.names == ("genre=love", "genre=war")
    x = coder.encode(CATALOG, IDS)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[0, 1], [np.nan, np.nan], [1, 0], [1, 1]])


def test_rare_words_and_the_least_common_have_no_feature():
    more = pl.concat([CATALOG, pl.DataFrame({"item_id": ["e"], "genre": ["rare"]})], how="diagonal")
    assert ItemCoder.fit(more, ["genre"], min_count=2).names == ("genre=love", "genre=war")
    assert len(fit("genre", max_words=1).names) == 1


def test_a_list_of_words_is_the_same_as_words_with_bars():
    lists = CATALOG.with_columns(pl.col("genre").str.split("|"))
    np.testing.assert_array_equal(
        ItemCoder.fit(lists, ["genre"], min_count=1).encode(lists, IDS), fit("genre").encode(CATALOG, IDS)
    )


def test_positive_numbers_are_read_by_their_logarithm_and_others_as_they_are():
    x = fit("price").encode(CATALOG, IDS)[:, 0]
    spread = np.sqrt(2 / 3)  # of -1, 0, 1
    np.testing.assert_allclose(x, [np.nan, 0, 1 / spread, -1 / spread], rtol=1e-6)
    np.testing.assert_array_equal(fit("year").encode(CATALOG, IDS)[:, 0], [1, -1, 1, -1])
    assert set(fit("is_new").encode(CATALOG, IDS)[:, 0].tolist()) == {-1.0, 1.0}


def test_a_price_that_can_not_have_a_logarithm_is_unknown():
    coder = fit("price")
    later = pl.DataFrame({"item_id": ["a", "b"], "price": [0.0, -5.0]})
    assert np.isnan(coder.encode(later, IDS)).all()


def test_vectors_keep_their_dimensions_and_a_constant_one_is_0():
    x = fit("vector").encode(CATALOG, IDS)
    np.testing.assert_allclose(x[[3, 2, 0], 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], rtol=1e-6)
    np.testing.assert_array_equal(x[[0, 2, 3], 1], 0)
    assert np.isnan(x[1]).all()


def test_items_without_a_row_are_unknown_and_rows_without_an_item_are_left_out():
    x = fit("year").encode(CATALOG.head(1), IDS)
    assert np.isnan(x[:3]).all()
    assert x[3, 0] == -1
    other = IdIndex(pl.Series(["zzz"]))
    assert np.isnan(fit("year").encode(CATALOG, other)).all()


def test_later_items_are_read_as_the_first_were():
    coder = fit("genre", "price", "vector")
    again = ItemCoder.from_json(json.loads(json.dumps(coder.to_json())))
    assert again == coder
    later = pl.DataFrame({"item_id": ["a"], "genre": ["love|new"], "price": [10.0], "vector": [[2.0, 2.0]]})
    x = again.encode(later, IDS)[3]
    np.testing.assert_allclose(x, [1, 0, 0, 0, 0], atol=1e-6)


def test_features_are_learned_from_the_items_of_the_log_alone():
    few = IdIndex(pl.Series(["a", "b"]))
    features = ItemFeatures.of(CATALOG, ["year"], few)
    np.testing.assert_array_equal(features.x_IF, [[-1], [1]])
    others = CATALOG.with_columns(year=pl.when(pl.col("item_id") == "c").then(1000).otherwise("year"))
    np.testing.assert_array_equal(ItemFeatures.of(others, ["year"], few).x_IF, features.x_IF)


@pytest.mark.parametrize(
    ("catalog", "columns", "message"),
    [
        (CATALOG, ["colour"], r"column\(s\) \['colour'\] missing"),
        (CATALOG.with_columns(t=pl.lit(b"x")), ["t"], "is no feature"),
        (CATALOG.with_columns(vector=pl.Series([[1.0], [1.0, 2.0], None, None])), ["vector"], "one length"),
    ],
)
def test_columns_that_can_not_be_read_are_named(catalog, columns, message):
    with pytest.raises(DataError, match=message):
        ItemCoder.fit(catalog, columns)


def test_a_column_of_another_type_or_length_than_before_is_refused():
    with pytest.raises(DataError, match="was read as number before"):
        fit("year").encode(CATALOG.with_columns(year=pl.lit("old")), IDS)
    with pytest.raises(DataError, match="one length, 2"):
        fit("vector").encode(CATALOG.with_columns(vector=pl.lit([1.0])), IDS)
    with pytest.raises(DataError, match="each item once"):
        fit("year").encode(pl.concat([CATALOG, CATALOG.head(2)]), IDS)
    with pytest.raises(DataError, match=r"\['year'\] missing"):
        fit("year").encode(CATALOG.drop("year"), IDS)


def test_a_column_that_says_nothing_of_any_item_is_unknown_everywhere():
    empty = CATALOG.with_columns(year=pl.lit(None, pl.Int64))
    assert np.isnan(fit("year").encode(empty, IDS)).all()
    assert np.isnan(ItemCoder.fit(empty, ["year"]).encode(empty, IDS)).all()
