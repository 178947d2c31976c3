"""The journal's order against a plain sort."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nextbest.data.buckets import bucket_of
from nextbest.data.ordering import in_order

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def table(users: list[int] | list[str], times: list[datetime]) -> pl.DataFrame:
    n = len(users)
    return pl.DataFrame(
        {
            "user_id": users,
            "time": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "_source": pl.Series([i % 2 for i in range(n)], dtype=pl.UInt32),
            "_row": [n - i for i in range(n)],
        }
    )


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-2, 2)), max_size=40), st.booleans())
def test_rows_are_in_the_order_of_a_plain_sort(rows: list[tuple[int, int]], text: bool) -> None:
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=t) for _, t in rows]
    users = [f"u{u}" if text else u for u, _ in rows]
    given_table = table(users, times)  # type: ignore[arg-type]
    assert_frame_equal(in_order(given_table), given_table.sort("user_id", "time", "_source", "_row"))


def test_users_and_times_too_wide_for_one_key_are_sorted_all_the_same() -> None:
    wide = table(list(range(200)) * 2, [LAST, FIRST] * 200)
    assert_frame_equal(in_order(wide), wide.sort("user_id", "time", "_source", "_row"))


def test_one_bucket_holds_everybody() -> None:
    assert bucket_of(pl.Series([1, 2]), n_buckets=1).tolist() == [0, 0]
