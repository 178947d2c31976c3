"""Laws of ingest on random journals: nothing lost, re-runs add nothing, the order of ingests doesn't matter."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.data import ingest as ingest_module
from nextbest.data.buckets import bucket_of, hash_int, hash_text
from nextbest.data.cleaning import CleaningConfig
from nextbest.data.ingest import ingest
from nextbest.data.store import Workspace

START = datetime(2024, 1, 1, tzinfo=UTC)
COLUMNS = ["user_id", "item_id", "time", "quantity"]
Row = tuple[int, int, int, float | None]
rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 1),
        st.integers(0, 12),
        st.sampled_from([1.0, 2.0, 3.0, -1.0, -2.0, None]),
    ),
    min_size=1,
    max_size=25,
)
config = st.builds(
    CleaningConfig,
    exact_duplicates=st.booleans(),
    near_duplicates_s=st.sampled_from([0.0, 2.0]),
    refunds=st.booleans(),
)


@pytest.fixture(scope="module", autouse=True)
def small_buckets() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest_module, "ROWS_PER_BUCKET", 8)
        yield


def table(events: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": [u for u, *_ in events],
            "item_id": [i for _, i, *_ in events],
            "time": [START + timedelta(seconds=t) for _, _, t, _ in events],
            "quantity": pl.Series([q for *_, q in events], dtype=pl.Float64),
        }
    )


def held(folder: str) -> Counter[tuple[Any, ...]]:
    return Counter(Workspace(folder).journal(COLUMNS).collect().rows())


def rejected(folder: str) -> Counter[tuple[str, str]]:
    """Reason and raw values of quarantined rows, plain duplicates aside: they depend on what else is in the file."""
    return Counter(
        Workspace(folder)
        .quarantine()
        .filter(pl.col("reason") != "duplicate")
        .select("reason", "raw")
        .collect()
        .rows()
    )


@settings(max_examples=30, deadline=None)
@given(rows, config)
def test_nothing_is_lost_and_a_second_run_adds_nothing(events: list[Row], config: CleaningConfig) -> None:
    with TemporaryDirectory() as folder:
        first = ingest(folder, table(events), config=config)
        assert first.read == len(events) == first.stored + first.quarantined
        assert first.quarantined == len(Workspace(folder).quarantine().collect())
        assert first.stored == first.added == first.n_rows_total
        before, reasons = held(folder), rejected(folder)
        second = ingest(folder, table(events), config=config)
        assert (second.stored, second.quarantined, second.added) == (first.stored, first.quarantined, 0)
        assert second.reasons == first.reasons
        assert (held(folder), rejected(folder)) == (before, reasons)


@settings(max_examples=30, deadline=None)
@given(rows, st.lists(st.integers(0, 25), max_size=3), config)
def test_a_journal_in_pieces_is_the_journal_at_once(
    events: list[Row], cuts: list[int], config: CleaningConfig
) -> None:
    ends = sorted({min(c, len(events)) for c in cuts} | {0, len(events)})
    pieces = [events[a:b] for a, b in pairwise(ends)]
    if not config.exact_duplicates:
        # Copies are told apart by their place inside one input, so pieces may not share equal rows.
        seen: set[Row] = set()
        pieces = [[r for r in piece if r not in seen and not seen.add(r)] for piece in pieces]  # type: ignore[func-returns-value]
        events = [r for piece in pieces for r in piece]
    with TemporaryDirectory() as whole, TemporaryDirectory() as parts:
        ingest(whole, table(events), config=config)
        for piece in pieces:
            if piece:
                ingest(parts, table(piece), config=config)
        assert held(parts) == held(whole)
        # A copy of a row of another piece shares that row's reason; in one piece it is a duplicate.
        assert set(rejected(parts)) == set(rejected(whole))


def settled_by_hand(events: list[Row]) -> Counter[tuple[int, int, int, float | None]]:
    """What is left after exact duplicates and netting, event by event, the slow way."""
    unique = list(dict.fromkeys(events))
    ordered = sorted(range(len(unique)), key=lambda n: (unique[n][0], unique[n][2], n))
    left: dict[int, float | None] = {}
    for n in ordered:
        user, item, _, quantity = unique[n]
        if quantity is None or quantity >= 0:
            left[n] = quantity
            continue
        earlier = [m for m in left if unique[m][:2] == (user, item) and m != n]
        earlier.sort(key=lambda m: (unique[m][2], m), reverse=True)
        for m in earlier:
            have = left[m]
            if have is None or have >= -quantity:
                rest = 0.0 if have is None else have + quantity
                if rest > 0:
                    left[m] = rest
                else:
                    del left[m]
                break
    return Counter((*unique[n][:3], q) for n, q in left.items())


@settings(max_examples=40, deadline=None)
@given(rows)
def test_duplicates_and_returns_agree_with_the_slow_way(events: list[Row]) -> None:
    with TemporaryDirectory() as folder:
        ingest(folder, table(events))
        found = Counter(
            (u, i, int((t - START).total_seconds()), q)
            for (u, i, t, q), n in held(folder).items()
            for _ in range(n)
        )
        assert found == settled_by_hand(events)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_an_id_has_one_bucket_whether_it_is_a_number_or_text(ids: list[int]) -> None:
    numbers, text = pl.Series(ids, dtype=pl.Int64), pl.Series([str(i) for i in ids])
    assert bucket_of(numbers, n_buckets=64).tolist() == bucket_of(text, n_buckets=64).tolist()


@given(st.lists(st.text(min_size=1), min_size=1))
def test_twice_the_buckets_split_each_in_two(ids: list[str]) -> None:
    coarse = bucket_of(pl.Series(ids), n_buckets=8)
    assert (bucket_of(pl.Series(ids), n_buckets=16) // 2).tolist() == coarse.tolist()


def test_buckets_are_filled_evenly_by_running_numbers_and_by_text() -> None:
    for ids in (
        pl.Series(range(64_000)),
        pl.Series(range(0, 6_400_000, 100)),
        pl.Series([f"u{i}" for i in range(64_000)]),
    ):
        sizes = np.bincount(bucket_of(ids, n_buckets=64), minlength=64)
        assert sizes.min() > 800
        assert sizes.max() < 1200


def test_the_hash_is_fixed_for_ever() -> None:
    assert [int(h) for h in hash_int(np.array([0, 1, -1]))] == [0, 12258477388800456012, 1663893758502034181]
    assert hash_text("u7") == 2871802435


def test_a_workspace_made_by_pieces_has_one_part_a_bucket(tmp_path: Path) -> None:
    for start in range(0, 60, 10):
        ingest(tmp_path, table([(u, 1, u % 12, None) for u in range(start, start + 10)]))
    buckets = [p.bucket for p in Workspace(tmp_path).manifest.journal]
    assert len(buckets) == len(set(buckets)) > 3
