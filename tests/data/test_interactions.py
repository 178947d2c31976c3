"""Journal to histories: oldest first, ties as in the journal, nothing of one user in another's row."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import DataError


def journal(rows: list[tuple[object, object, int]], **columns: list[object]) -> pl.DataFrame:
    users, items, days = zip(*rows, strict=True) if rows else ([], [], [])
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in days]
    return pl.DataFrame({"user_id": users, "item_id": items, "time": times, **columns})


LOG = journal([("b", 5, 3), ("a", 5, 1), ("b", 7, 1), ("b", 6, 1)])


def rows_of(histories: Histories) -> list[list[int]]:
    return [histories.item_idx[histories.row(b)].tolist() for b in range(len(histories))]


def test_events_are_in_time_order_inside_a_user_and_ties_keep_the_journals_order() -> None:
    log = Interactions.from_journal(LOG)
    assert log.item_ids.ids.to_list() == [5, 6, 7]
    assert rows_of(log.histories) == [[0], [2, 1, 0]]
    assert log.item_counts.tolist() == [2, 1, 1]
    assert log.last_time_us == int(datetime(2024, 1, 3, tzinfo=UTC).timestamp() * 1e6)


def test_given_row_numbers_are_used_and_events_of_other_ids_are_left_out() -> None:
    log = Interactions.from_journal(
        LOG, user_ids=IdIndex(pl.Series(["zoe", "b"])), item_ids=IdIndex(pl.Series([7, 5]))
    )
    assert rows_of(log.histories) == [[], [0, 1]]
    assert rows_of(log.histories_of(["b", "nobody", "b"])) == [[0, 1], [], [0, 1]]


def test_weights_travel_with_their_events() -> None:
    log = Interactions.from_journal(LOG.with_columns(hours=pl.Series([4.0, 3.0, 2.0, 1.0])), weight="hours")
    assert log.histories.weight.tolist() == [3, 2, 1, 4]


@pytest.mark.parametrize("hours", [[1.0, 0.0], [1.0, -2.0], [1.0, None], [1.0, float("nan")]])
def test_a_weight_that_is_none_is_refused_with_its_value(hours) -> None:
    with pytest.raises(DataError, match=r"hours must be positive.*1 row"):
        Interactions.from_journal(journal([("a", 1, 1), ("a", 2, 2)], hours=hours), weight="hours")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"\['time'\] missing"):
        Interactions.from_journal(LOG.drop("time"))


def test_segments_follow_their_users_and_an_unknown_one_is_minus_one() -> None:
    segments = pl.DataFrame({"user_id": ["b", "stranger"], "segment": ["north", "south"]})
    log = Interactions.from_journal(LOG, segments=segments)
    assert log.segment_ids is not None
    assert log.histories.segment.tolist() == [-1, 0]
    assert log.histories.take([1, -1, 0]).segment.tolist() == [0, -1, -1]
    assert log.histories.last(1).segment.tolist() == [-1, 0]


def test_an_empty_journal_has_no_histories_and_no_last_time() -> None:
    log = Interactions.from_journal(LOG.clear())
    assert (log.n_users, log.n_items, log.histories.n_events, log.last_time_us) == (0, 0, 0, None)


def test_a_matrix_sums_repeats_by_weight_or_counts_them_once() -> None:
    one = Histories.from_lists([[0, 2, 0], []])
    assert one.to_csr(3).toarray().tolist() == [[2, 0, 1], [0, 0, 0]]
    assert one.to_csr(3, binary=True).toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert one.weight.tolist() == [1, 1, 1]


def test_unknown_items_are_left_out_of_lists_with_their_times() -> None:
    own = Histories.from_lists([[4, -1, 2]], time_us=[[10, 20, 30]])
    assert own.item_idx.tolist() == [4, 2]
    assert own.time_us.tolist() == [10, 30]


LISTS = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=6)


@given(LISTS, st.data())
def test_take_and_last_are_what_lists_would_give(lists, data) -> None:
    histories = Histories.from_lists(lists)
    places = data.draw(st.lists(st.integers(-1, len(lists) - 1), max_size=8))
    assert rows_of(histories.take(places)) == [lists[p] if p >= 0 else [] for p in places]
    n = data.draw(st.integers(1, 7))
    assert rows_of(histories.last(n)) == [row[-n:] for row in lists]
    assert rows_of(histories.take(slice(0, 2))) == lists[:2]
    np.testing.assert_array_equal(histories.lengths, [len(row) for row in lists])
