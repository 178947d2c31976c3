"""Ranking metrics against plain loops, against trec_eval, by laws, and on broken tables."""

from collections.abc import Mapping, Sequence

import ir_measures
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.oracles import ORACLES
from nextbest.errors import DataError, InputError
from nextbest.evaluation import lists as lists_module
from nextbest.evaluation.ranking import METRICS, Hits, evaluate_ranking, hits_of

Lists = Mapping[int, Sequence[int]]
ALL = tuple(METRICS)


def recs(lists: Lists) -> pl.DataFrame:
    rows = [(u, i, r) for u, items in lists.items() for r, i in enumerate(items, start=1)]
    return pl.DataFrame(
        rows, schema={"user_id": pl.Int64, "item_id": pl.Int64, "rank": pl.Int32}, orient="row"
    )


def wants(targets: Mapping[int, set[int]]) -> pl.DataFrame:
    rows = [(u, i) for u, items in targets.items() for i in items]
    return pl.DataFrame(rows, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row")


lists_of_users = st.dictionaries(
    st.integers(0, 6), st.lists(st.integers(0, 15), unique=True, max_size=12), max_size=6
)
targets_of_users = st.dictionaries(
    st.integers(0, 6), st.sets(st.integers(0, 20), min_size=1, max_size=8), min_size=1, max_size=6
)


def test_each_metric_on_one_list_by_hand() -> None:
    # places 1 2 3 4, hits at 2 and 4, three relevant items
    found = evaluate_ranking(recs({1: [10, 11, 12, 13]}), wants({1: {11, 13, 99}}), k=4, metrics=ALL)
    row = {name: round(value, 4) for name, value in found.drop("user_id").row(0, named=True).items()}
    assert row == {
        "hr@4": 1.0,
        "recall@4": 0.6667,
        "recall_capped@4": 0.6667,
        "precision@4": 0.5,
        "mrr@4": 0.5,
        "map@4": 0.3333,  # (1/2 + 2/4) / 3
        "map_capped@4": 0.3333,
        "ndcg@4": 0.4982,  # (1/log2(3) + 1/log2(5)) / (1 + 1/log2(3) + 1/log2(4))
    }


def test_denominators_differ_where_more_is_relevant_than_places() -> None:
    found = evaluate_ranking(recs({1: [1, 2]}), wants({1: {1, 2, 3, 4}}), k=2, metrics=ALL).row(0, named=True)
    assert (found["recall@2"], found["recall_capped@2"]) == (0.5, 1.0)
    assert (found["map@2"], found["map_capped@2"]) == (0.5, 1.0)
    assert found["ndcg@2"] == 1.0  # the ideal list is cut at k


@given(lists=lists_of_users, targets=targets_of_users, k=st.integers(1, 14))
def test_every_metric_equals_its_plain_loop(lists: Lists, targets: dict[int, set[int]], k: int) -> None:
    found = evaluate_ranking(recs(lists), wants(targets), k=k, metrics=ALL)
    assert found["user_id"].to_list() == sorted(targets)
    for metric, oracle in ORACLES.items():
        expected = [oracle(lists.get(u, []), set(targets[u]), k) for u in sorted(targets)]
        assert found[f"{metric}@{k}"].to_list() == pytest.approx(expected, abs=1e-12)


def test_random_runs_agree_exactly_with_trec_eval() -> None:
    rng = np.random.default_rng(7)
    lists = {u: rng.permutation(60)[: rng.integers(1, 40)].tolist() for u in range(300)}
    targets = {u: set(rng.integers(0, 60, size=rng.integers(1, 25)).tolist()) for u in range(300)}
    qrels = {str(u): {str(i): 1 for i in items} for u, items in targets.items()}
    run = {
        str(u): {str(i): float(len(items) - place) for place, i in enumerate(items)}
        for u, items in lists.items()
    }
    named = {
        "hr": "Success@{}",
        "recall": "R@{}",
        "precision": "P@{}",
        "mrr": "RR@{}",
        "map": "AP@{}",
        "ndcg": "nDCG@{}",
    }
    for k in (1, 5, 10, 40):
        found = evaluate_ranking(recs(lists), wants(targets), k=k, metrics=list(named))  # type: ignore[arg-type]
        for metric, theirs in named.items():
            measure = ir_measures.parse_measure(theirs.format(k))
            expected = {int(m.query_id): m.value for m in ir_measures.iter_calc([measure], qrels, run)}
            ours = dict(zip(found["user_id"], found[f"{metric}@{k}"], strict=True))
            assert ours == pytest.approx(expected, abs=1e-9), (metric, k)


@given(lists=lists_of_users, targets=targets_of_users, k=st.integers(1, 14))
def test_every_metric_lies_between_0_and_1_and_is_never_nan(
    lists: Lists, targets: dict[int, set[int]], k: int
) -> None:
    values = evaluate_ranking(recs(lists), wants(targets), k=k, metrics=ALL).drop("user_id").to_numpy()
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(
    items=st.lists(st.integers(0, 15), unique=True, min_size=2, max_size=10),
    wanted=st.sets(st.integers(0, 15), min_size=1),
    place=st.integers(0, 8),
    k=st.integers(1, 10),
)
def test_moving_a_relevant_item_up_never_lowers_a_metric(
    items: list[int], wanted: set[int], place: int, k: int
) -> None:
    place = min(place, len(items) - 2)
    if items[place] in wanted or items[place + 1] not in wanted:
        return
    better = list(items)
    better[place], better[place + 1] = items[place + 1], items[place]
    before = evaluate_ranking(recs({1: items}), wants({1: wanted}), k=k, metrics=ALL).drop("user_id").row(0)
    after = evaluate_ranking(recs({1: better}), wants({1: wanted}), k=k, metrics=ALL).drop("user_id").row(0)
    assert all(a >= b - 1e-12 for a, b in zip(after, before, strict=True))


@given(lists=lists_of_users, targets=targets_of_users, seed=st.integers(0, 9))
def test_the_order_of_users_in_the_tables_changes_nothing(
    lists: Lists, targets: dict[int, set[int]], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(list(lists)).tolist()
    shuffled = recs({u: lists[u] for u in order})
    before = evaluate_ranking(recs(lists), wants(targets), k=5)
    after = evaluate_ranking(shuffled, wants(targets).sample(fraction=1.0, shuffle=True, seed=seed), k=5)
    assert before.equals(after)


@given(lists=lists_of_users, targets=targets_of_users)
def test_ids_as_text_give_the_same_numbers_as_integers(lists: Lists, targets: dict[int, set[int]]) -> None:
    text = [pl.col("user_id").cast(pl.String), pl.col("item_id").cast(pl.String)]
    by_int = evaluate_ranking(recs(lists), wants(targets), k=5, metrics=ALL)
    by_text = evaluate_ranking(
        recs(lists).with_columns(text), wants(targets).with_columns(text), k=5, metrics=ALL
    )
    assert by_int.with_columns(pl.col("user_id").cast(pl.String)).sort("user_id").equals(by_text)


@given(lists=lists_of_users, targets=targets_of_users, n_hashes=st.integers(1, 4))
def test_items_that_share_a_hash_are_still_told_apart(
    lists: Lists, targets: dict[int, set[int]], n_hashes: int
) -> None:
    expected = evaluate_ranking(recs(lists), wants(targets), k=5, metrics=ALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            lists_module,
            "_hashes",
            lambda ids: (ids.to_numpy() % n_hashes).astype(np.uint64) << np.uint64(40),
        )
        found = evaluate_ranking(recs(lists), wants(targets), k=5, metrics=ALL)
    assert found.equals(expected)


def test_an_item_whose_hash_is_the_padding_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists_module, "_hashes", lambda ids: np.full(len(ids), 2**64 - 1, np.uint64))
    found = evaluate_ranking(
        recs({1: [5, 6], 2: [5, 6, 7]}), wants({1: {6, 7}, 2: {7}}), k=3, metrics=["mrr"]
    )
    assert found["mrr@3"].to_list() == [0.5, 1 / 3]


def test_lists_of_very_different_length_fall_into_blocks_of_their_own() -> None:
    lists = {u: list(range(n)) for u, n in enumerate([1, 1, 2, 3, 5, 300, 40, 2])}
    places = lists_module.list_places(recs(lists))
    assert sum(block.keys.size for block in places.blocks) <= 2 * sum(map(len, lists.values()))
    found = evaluate_ranking(
        recs(lists), wants({5: {299}, 6: {39, 40}, 2: {1}, 4: {9}}), k=300, metrics=["mrr"]
    )
    assert found["mrr@300"].to_list() == [1 / 2, 0, 1 / 300, 1 / 40]


def test_a_user_without_recommendations_scores_zero() -> None:
    found = evaluate_ranking(recs({1: [5]}), wants({1: {5}, 2: {5}}), k=1, metrics=["ndcg"])
    assert found.rows() == [(1, 1.0), (2, 0.0)]


def test_no_recommendation_at_all_scores_zero_for_everybody() -> None:
    found = evaluate_ranking(recs({}), wants({1: {5}, 2: {5}}), k=1, metrics=["hr"])
    assert found["hr@1"].to_list() == [0.0, 0.0]


def test_lists_of_users_without_targets_are_ignored() -> None:
    found = evaluate_ranking(recs({1: [5], 2: [5]}), wants({3: {5}}), k=1, metrics=["hr"])
    assert found.rows() == [(3, 0.0)]


def test_a_target_named_twice_counts_once() -> None:
    twice = pl.concat([wants({1: {5, 6}}), wants({1: {6}})])
    assert evaluate_ranking(recs({1: [5]}), twice, k=1, metrics=["recall"])["recall@1"].item() == 0.5


def test_columns_come_in_the_order_asked() -> None:
    found = evaluate_ranking(recs({1: [5]}), wants({1: {5}}), k=(5, 1), metrics=["mrr", "hr"])
    assert found.columns == ["user_id", "mrr@5", "mrr@1", "hr@5", "hr@1"]


def test_hits_hold_the_places_up_to_the_longest_k() -> None:
    users, hits = hits_of(recs({2: [7, 8, 9], 1: [9, 8]}), wants({1: {8}, 2: {7, 9}}), max_k=2)
    assert users.to_list() == [1, 2]
    assert (hits.user.tolist(), hits.rank.tolist(), hits.n_relevant.tolist()) == ([0, 1], [2, 1], [1, 2])


def test_a_matrix_of_places_gives_the_same_numbers_as_a_table() -> None:
    mask = np.array([[True, False, True], [False, False, False]])
    hits = Hits.from_matrix(mask, np.array([2, 1]))
    table = evaluate_ranking(recs({1: [1, 2, 3], 2: [1, 2, 3]}), wants({1: {1, 3}, 2: {9}}), k=3, metrics=ALL)
    for name, metric in METRICS.items():
        assert metric(hits, k=3).tolist() == table[f"{name}@3"].to_list()


@pytest.mark.parametrize("name", ALL)
def test_a_user_without_relevant_items_has_no_number(name: str) -> None:
    hits = Hits.from_matrix(np.zeros((1, 2), np.bool_), np.array([0]))
    assert np.isnan(METRICS[name](hits, k=2)).all()


def test_a_matrix_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="n_places"):
        Hits.from_matrix(np.zeros((2, 2), np.bool_), np.array([1]))
    with pytest.raises(InputError, match="at least the number of hits"):
        Hits.from_matrix(np.ones((1, 2), np.bool_), np.array([1]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 5, 2)], "1, 2, 3"),
        ([(1, 5, 1), (1, 6, 3)], "1, 2, 3"),
        ([(1, 5, 2), (1, 6, 1)], "1, 2, 3"),
        ([(1, 5, 1), (1, 6, 1)], "1, 2, 3"),
        ([(1, 5, 0), (1, 6, 1)], "1, 2, 3"),
        ([(1, 5, 1), (2, 5, 1), (1, 6, 1)], "one list"),
        ([(1, 5, 1), (1, 5, 2)], "an item twice"),
        ([(1, None, 1)], "null"),
    ],
)
def test_a_broken_list_is_refused(rows: list[tuple[int, int, int]], message: str) -> None:
    table = pl.DataFrame(
        rows, schema={"user_id": pl.Int64, "item_id": pl.Int64, "rank": pl.Int32}, orient="row"
    )
    with pytest.raises(DataError, match=message):
        evaluate_ranking(table, wants({1: {5}}))


def test_an_item_twice_is_found_in_lists_of_different_length_and_of_text() -> None:
    table = recs({1: [1, 2], 2: [7], 3: [4, 5, 6, 4]}).with_columns(pl.col("item_id").cast(pl.String))
    with pytest.raises(DataError, match=r"1 row\(s\) break it, first: \[\(3, '4'\)\]"):
        evaluate_ranking(table, wants({1: {5}}).with_columns(pl.col("item_id").cast(pl.String)))


def test_ids_of_different_types_are_refused() -> None:
    with pytest.raises(DataError, match="item_id is String"):
        evaluate_ranking(recs({1: [5]}), wants({1: {5}}).with_columns(pl.col("item_id").cast(pl.String)))


@pytest.mark.parametrize(
    ("recommendations", "targets", "message"),
    [
        (recs({1: [5]}).drop("rank"), wants({1: {5}}), "missing"),
        (recs({1: [5]}), wants({1: {5}}).drop("item_id"), "missing"),
        (recs({1: [5]}), wants({}), "at least one row"),
        (recs({1: [5]}).with_columns(pl.col("rank").cast(pl.Float64)), wants({1: {5}}), "whole numbers"),
        (recs({1: [5]}).with_columns(pl.col("item_id").cast(pl.Float64)), wants({1: {5}}), "Int64 or String"),
    ],
)
def test_a_table_that_is_not_one_is_refused(
    recommendations: pl.DataFrame, targets: pl.DataFrame, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_ranking(recommendations, targets)


def test_a_wrong_call_names_its_rule() -> None:
    with pytest.raises(InputError, match="k: must be 1 or more; got 0"):
        evaluate_ranking(recs({1: [5]}), wants({1: {5}}), k=0)
    with pytest.raises(InputError, match="must name at least one"):
        evaluate_ranking(recs({1: [5]}), wants({1: {5}}), k=[])
    with pytest.raises(InputError, match="must name at least one"):
        evaluate_ranking(recs({1: [5]}), wants({1: {5}}), metrics=[])
    with pytest.raises(InputError, match="auc"):
        evaluate_ranking(recs({1: [5]}), wants({1: {5}}), metrics=["auc"])  # type: ignore[list-item]
