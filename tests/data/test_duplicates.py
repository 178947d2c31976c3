"""Copies: found as by hand, whatever the hashes are."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.cleaning.duplicates import copies

START = datetime(2024, 1, 1, tzinfo=UTC)
rows = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 2),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0.0, 1.5, None]),
        st.booleans(),
    ),
    max_size=30,
)


def table(events: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows sorted by user and time, in their order else."""
    return pl.DataFrame(
        {
            "user_id": [user for user, *_ in events],
            "item_id": [item for _, _, item, *_ in events],
            "time": [START + timedelta(seconds=second) for _, second, *_ in events],
            "amount": [amount for *_, amount, _ in events],
            "_old": [old for *_, old in events],
        },
        schema={
            "user_id": pl.Int64,
            "item_id": pl.String,
            "time": pl.Datetime("us", "UTC"),
            "amount": pl.Float64,
            "_old": pl.Boolean,
        },
    ).sort("user_id", "time", maintain_order=True)


def by_hand(rows: pl.DataFrame) -> list[tuple[int, int, int]]:
    """(place, new equals before, old equal) of each new row that has an equal, row by row."""
    olds: dict[Any, list[int]] = defaultdict(list)
    for place, (*key, old) in enumerate(rows.rows()):
        if old:
            olds[tuple(key)].append(place)
    seen: dict[Any, int] = defaultdict(int)
    found = []
    for place, (*values, old) in enumerate(rows.rows()):
        key = tuple(values)
        if old:
            continue
        nth, twins = seen[key], olds[key]
        if nth or twins:
            found.append((place, nth, twins[nth] if nth < len(twins) else -1))
        seen[key] += 1
    return found


@given(rows)
def test_copies_are_those_found_row_by_row(events: list[tuple[Any, ...]]) -> None:
    journal = table(events)
    found = copies(journal, old=journal["_old"])
    assert list(zip(*(part.tolist() for part in found), strict=True)) == by_hand(journal)


@given(rows)
def test_rows_of_one_hash_are_still_told_apart(events: list[tuple[Any, ...]]) -> None:
    journal = table(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.DataFrame, "hash_rows", lambda self: pl.zeros(len(self), pl.UInt64, eager=True))
        found = copies(journal, old=journal["_old"])
    assert list(zip(*(part.tolist() for part in found), strict=True)) == by_hand(journal)
