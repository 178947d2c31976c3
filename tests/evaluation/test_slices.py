"""Users in groups on tables small enough to check by eye."""

import polars as pl
import pytest

from nextbest.errors import DataError, InputError
from nextbest.evaluation.slices import history_slices, slice_means, user_slices
from nextbest.evaluation.splits import Split


def split(history: dict[str, int], asked: str) -> Split:
    """Users with so many events, and users asked."""
    rows = [(user, "x") for user, n in history.items() for _ in range(n)]
    events = pl.DataFrame(rows, schema={"user_id": pl.String, "item_id": pl.String}, orient="row")
    targets = pl.DataFrame({"user_id": list(asked), "item_id": ["y"] * len(asked)})
    return Split(events, events, targets, {})


def test_without_clients_a_user_is_hot_or_cold() -> None:
    assert user_slices(split({"a": 1}, "ba")).rows() == [("a", "hot"), ("b", "cold")]


def test_a_client_row_makes_a_user_without_history_warm() -> None:
    found = user_slices(split({"a": 1}, "abc"), clients=pl.DataFrame({"user_id": ["a", "b"]}))
    assert found["slice"].to_list() == ["hot", "warm", "cold"]


def test_a_user_asked_twice_stands_in_one_slice() -> None:
    assert len(user_slices(split({"a": 1}, "aa"))) == 1


def test_history_lengths_fall_between_edges() -> None:
    found = history_slices(split({"b": 1, "c": 4, "d": 5, "e": 50}, "abcde"), edges=(1, 5, 6))
    assert found["slice"].to_list() == ["0", "1-4", "1-4", "5", "6+"]


def test_edges_above_one_join_the_short_histories() -> None:
    assert history_slices(split({"b": 2}, "ab"), edges=(3,))["slice"].to_list() == ["0-2", "0-2"]


@pytest.mark.parametrize("edges", [(), (0, 5), (5, 5), (5, 1)])
def test_edges_that_do_not_rise_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="edges"):
        history_slices(split({"b": 2}, "ab"), edges=edges)


PER_USER = pl.DataFrame({"user_id": ["a", "b", "c"], "hr@1": [1.0, 0.0, 1.0], "mrr@1": [0.5, 0.5, 0.25]})


def test_each_slice_has_its_own_mean_of_each_metric() -> None:
    slices = pl.DataFrame({"user_id": ["a", "b", "c"], "slice": ["hot", "hot", "cold"]})
    found = slice_means(PER_USER, slices, rng=0)
    assert found.select("slice", "n_users", "metric", "value").rows() == [
        ("cold", 1, "hr@1", 1.0),
        ("cold", 1, "mrr@1", 0.25),
        ("hot", 2, "hr@1", 0.5),
        ("hot", 2, "mrr@1", 0.5),
    ]
    assert found.filter(pl.col("slice") == "hot").select("ci_low", "ci_high").row(0) == (0.0, 1.0)


def test_a_user_without_a_slice_or_with_two_is_refused() -> None:
    with pytest.raises(DataError, match=r"must have a slice; 1 row.*'c'"):
        slice_means(PER_USER, pl.DataFrame({"user_id": ["a", "b"], "slice": ["x", "x"]}), rng=0)
    with pytest.raises(DataError, match="one slice"):
        slice_means(PER_USER, pl.DataFrame({"user_id": ["a", "a"], "slice": ["x", "y"]}), rng=0)
