"""Figures of whole lists on tables small enough to check by eye, and plain loops on random ones."""

from itertools import combinations
from math import log2

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.evaluation.beyond import evaluate_lists, gini, list_values, train_popularity


def recs(lists: dict[str, str]) -> pl.DataFrame:
    rows = [(u, i, r) for u, items in lists.items() for r, i in enumerate(items, start=1)]
    return pl.DataFrame(
        rows, schema={"user_id": pl.String, "item_id": pl.String, "rank": pl.Int32}, orient="row"
    )


def table(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"user_id": pl.String, "item_id": pl.String}, orient="row")


# a: 4 events of 4 users, b: 2 of 1, c: 1 of 1
TRAIN = table([("1", "a"), ("2", "a"), ("3", "a"), ("4", "a"), ("1", "b"), ("1", "b"), ("2", "c")])


def test_popularity_is_sorted_and_keeps_items_that_nobody_took() -> None:
    catalog = pl.DataFrame({"item_id": ["a", "z"]})
    found = train_popularity(TRAIN, catalog=catalog, listed=pl.Series(["c", "y"]))
    assert found.rows() == [("a", 4, 4), ("b", 2, 1), ("c", 1, 1), ("y", 0, 0), ("z", 0, 0)]
    assert train_popularity(TRAIN).rows() == [("a", 4, 4), ("b", 2, 1), ("c", 1, 1)]


def test_coverage_counts_items_listed_once_over_all_known_items() -> None:
    found = evaluate_lists(recs({"1": "ab", "2": "ab"}), TRAIN, k=2)
    assert found["catalog_coverage@2"] == pytest.approx(2 / 3)
    wider = pl.DataFrame({"item_id": ["a", "b", "c", "d"]})
    assert evaluate_lists(recs({"1": "ab"}), TRAIN, k=2, catalog=wider)["catalog_coverage@2"] == 0.5


def test_places_past_k_do_not_count() -> None:
    assert evaluate_lists(recs({"1": "abc"}), TRAIN, k=1)["catalog_coverage@1"] == pytest.approx(1 / 3)


def test_novelty_is_self_information_in_bits() -> None:
    assert evaluate_lists(recs({"1": "a"}), TRAIN, k=1)["novelty@1"] == 0.0  # all 4 users took it
    assert evaluate_lists(recs({"1": "b"}), TRAIN, k=1)["novelty@1"] == 2.0  # 1 of 4
    assert evaluate_lists(recs({"1": "zb"}), TRAIN, k=2)["novelty@2"] == 2.0  # nobody counts as one


def test_arp_is_the_mean_number_of_events() -> None:
    assert evaluate_lists(recs({"1": "ab", "2": "c"}), TRAIN, k=2)["arp@2"] == (3 + 1) / 2


def test_popularity_lift_compares_lists_with_the_same_users_histories() -> None:
    found = evaluate_lists(recs({"2": "aa"[:1]}), TRAIN, k=1)  # user 2 took a (4) and c (1)
    assert found["popularity_lift@1"] == pytest.approx(4 / 2.5 - 1)
    assert evaluate_lists(recs({"9": "a"}), TRAIN, k=1)["popularity_lift@1"] is None


def test_the_long_tail_is_everything_but_the_most_popular_fifth() -> None:
    found = evaluate_lists(recs({"1": "ab", "2": "bc"}), TRAIN, k=2)  # head of 3 items: a alone
    assert found["long_tail_share@2"] == 0.75


def test_filled_tells_of_short_lists() -> None:
    assert evaluate_lists(recs({"1": "abc", "2": "a"}), TRAIN, k=4)["filled@4"] == 0.5


def test_gini_is_0_for_equal_and_near_1_for_one_item() -> None:
    assert gini(np.array([3, 3, 3])) == 0
    assert gini(np.array([0, 0, 0, 8])) == 0.75
    assert gini(np.array([0, 0])) is None


@given(amounts=st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_gini_equals_half_the_relative_mean_difference(amounts: list[int]) -> None:
    found = gini(np.array(amounts))
    if sum(amounts) == 0:
        assert found is None
        return
    plain = sum(abs(a - b) for a in amounts for b in amounts) / (2 * len(amounts) * sum(amounts))
    assert found == pytest.approx(plain)


def test_category_diversity_is_the_share_of_pairs_that_differ() -> None:
    catalog = pl.DataFrame({"item_id": list("abcd"), "category": ["x", "x", "y", None]})
    found = list_values(recs({"1": "abc", "2": "ab", "3": "a", "4": "ad"}), TRAIN, k=3, catalog=catalog)
    values = dict(zip(found["user_id"], found["category_diversity@3"], strict=True))
    assert values == {"1": pytest.approx(2 / 3), "2": 0.0, "3": None, "4": None}


def test_a_catalogue_without_categories_has_no_category_diversity() -> None:
    found = evaluate_lists(recs({"1": "ab"}), TRAIN, k=2, catalog=pl.DataFrame({"item_id": ["a"]}))
    assert "category_diversity@2" not in found


@given(
    lists=st.dictionaries(
        st.sampled_from("1234"), st.lists(st.sampled_from("abcde"), unique=True, min_size=1), min_size=1
    ),
    seed=st.integers(0, 99),
)
def test_vector_diversity_equals_the_loop_over_pairs(lists: dict[str, list[str]], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(4, 3))  # item e has none
    item_vectors = pl.DataFrame({"item_id": list("abcd"), "vector": vectors.tolist()})
    found = list_values(
        recs({u: "".join(i) for u, i in lists.items()}), TRAIN, k=5, item_vectors=item_vectors
    )
    for user, value in found.select("user_id", "vector_diversity@5").rows():
        rows = [vectors["abcd".index(i)] for i in lists[user] if i != "e"]
        pairs = [
            1 - float(x @ y) / float(np.linalg.norm(x) * np.linalg.norm(y)) for x, y in combinations(rows, 2)
        ]
        assert value == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_item_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="vector"):
        evaluate_lists(recs({"1": "ab"}), TRAIN, item_vectors=pl.DataFrame({"item_id": ["a"]}))
    flat = pl.DataFrame({"item_id": ["a"], "vector": [1.0]})
    with pytest.raises(DataError, match="one length"):
        evaluate_lists(recs({"1": "ab"}), TRAIN, item_vectors=flat)


def test_serendipity_counts_hits_that_popularity_would_not_give() -> None:
    targets = table([("1", "a"), ("1", "c"), ("2", "c"), ("3", "b")])
    found = list_values(recs({"1": "ac", "2": "ac", "3": "ac", "4": "ac"}), TRAIN, k=2, targets=targets)
    values = dict(zip(found["user_id"], found["serendipity@2"], strict=True))
    assert values == {"1": 0.5, "2": 0.5, "3": 0.0, "4": None}  # a and b are the two most popular


def test_serendipity_is_zero_where_only_popular_items_came() -> None:
    found = evaluate_lists(recs({"1": "ab"}), TRAIN, k=2, targets=table([("1", "a")]))
    assert found["serendipity@2"] == 0.0


def test_several_list_lengths_come_together() -> None:
    found = evaluate_lists(recs({"1": "abc"}), TRAIN, k=(1, 3))
    assert {"arp@1", "arp@3", "gini@1", "gini@3"} <= set(found)


@given(lists=st.dictionaries(st.sampled_from("123"), st.permutations("abcd"), min_size=1))
def test_novelty_equals_its_plain_loop(lists: dict[str, list[str]]) -> None:
    takers = {"a": 4, "b": 1, "c": 1, "d": 1}
    expected = np.mean([np.mean([-log2(takers[i] / 4) for i in items[:2]]) for items in lists.values()])
    found = evaluate_lists(recs({u: "".join(i) for u, i in lists.items()}), TRAIN, k=2)
    assert found["novelty@2"] == pytest.approx(expected)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="at least one event"):
        evaluate_lists(recs({"1": "a"}), TRAIN.clear())
    with pytest.raises(InputError, match="k"):
        evaluate_lists(recs({"1": "a"}), TRAIN, k=0)
