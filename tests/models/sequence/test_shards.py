"""Shards: what was written is read, once, in shares that meet nowhere; damage is told in words."""

import json
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pyarrow import parquet

from nextbest.data.buckets import bucket_of
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError
from nextbest.models.sequence import shards
from nextbest.models.sequence.shards import InMemory, ParquetShards, write_shards

rows = st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=15)


def users_of(blocks):
    """Every user's events as a multiset: times tell users apart."""
    return Counter(
        (
            tuple(block.item_idx[r].tolist()),
            tuple(block.weight[r].tolist()),
            tuple(block.time_us[r].tolist()),
        )
        for block in blocks
        for r in map(block.row, range(len(block)))
    )


def log_of(histories, *, first_time=0):
    log = Histories.from_lists(
        histories,
        time_us=[[first_time + 100 * b + i for i in range(len(h))] for b, h in enumerate(histories)],
    )
    weight = 1 + (log.item_idx % 3).astype(np.float32) / 2
    return Histories(log.indptr, log.item_idx, weight, log.time_us)


def interactions(n_users=40, n_items=6, *, text=False):
    histories = log_of([[(b * i) % n_items for i in range(b % 5)] for b in range(n_users)])
    ids = pl.Series([f"u{b}" for b in range(n_users)]) if text else pl.Series(range(100, 100 + n_users))
    return Interactions(IdIndex(ids), IdIndex(pl.Series(range(n_items))), histories)


@pytest.fixture
def folder(tmp_path):
    write_shards(interactions(), tmp_path / "log", n_shards=8)
    return tmp_path / "log"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(blocks=st.lists(rows, max_size=4), bits=st.integers(0, 3), seed=st.integers(0, 9))
def test_what_is_written_in_blocks_is_read_once(blocks, bits, seed, tmp_path_factory):
    logs = [log_of(block, first_time=10_000 * number) for number, block in enumerate(blocks)]
    folder = tmp_path_factory.mktemp("shards") / "log"
    manifest = write_shards(iter(logs), folder, n_items=6, item_ids_digest="abc", n_shards=2**bits)
    opened = ParquetShards.open(folder)
    assert opened.manifest == manifest
    assert users_of(opened.epoch(seed)) == users_of(logs)
    assert opened.n_events == manifest.n_events == sum(log.n_events for log in logs)
    assert manifest.n_users == sum(len(log) for log in logs)
    assert_array_equal(
        opened.item_counts, sum((np.bincount(log.item_idx, minlength=6) for log in logs), np.zeros(6, int))
    )


@pytest.mark.parametrize("text", [False, True])
def test_a_users_shard_is_the_bucket_of_its_id(tmp_path, text):
    log = interactions(text=text)
    manifest = write_shards(log, tmp_path / "log", n_shards=4)
    assert manifest.item_ids_digest == log.item_ids.digest
    buckets = bucket_of(log.user_ids.ids, n_buckets=4)
    opened = ParquetShards.open(tmp_path / "log")
    for number, shard in enumerate(opened.manifest.shards):
        assert shard.n_users == np.count_nonzero(buckets == number)
        wanted = log.histories.take(np.flatnonzero(buckets == number))
        assert users_of([opened.read(number)]) == users_of([wanted])


def test_shares_of_processes_meet_nowhere_and_are_nearly_equal(tmp_path):
    log = interactions(n_users=600)
    write_shards(log, tmp_path / "log", n_shards=32)
    shares = [ParquetShards.open(tmp_path / "log", rank, 3) for rank in range(3)]
    assert users_of(b for s in shares for b in s.epoch(0)) == users_of([log.histories])
    events = [share.n_events for share in shares]
    assert sum(events) == log.histories.n_events
    assert max(events) - min(events) < 0.05 * sum(events)
    for share in shares:
        assert_array_equal(share.item_counts, log.item_counts)


def test_the_order_of_an_epoch_is_random_and_fixed_by_rng(folder):
    opened = ParquetShards.open(folder)

    def order(rng):
        return [block.time_us.tolist() for block in opened.epoch(rng)]

    assert order(3) == order(np.random.default_rng(3))
    assert len({str(order(seed)) for seed in range(5)}) > 1


def test_memory_of_an_epoch_is_that_of_a_shard_not_of_the_log(tmp_path):
    def block(number):
        items = np.full(50_000, number % 6, np.int32)
        times = np.arange(50_000, dtype=np.int64)
        return Histories(np.arange(0, 50_001, 100), items, np.ones(50_000, np.float32), times)

    peaks, usual = [], pa.default_memory_pool()
    for n_blocks in (4, 16):
        folder = tmp_path / f"log{n_blocks}"
        write_shards(map(block, range(n_blocks)), folder, n_items=6, n_shards=2 * n_blocks)
        opened = ParquetShards.open(folder)
        pool = pa.proxy_memory_pool(usual)  # Arrow's memory is where a shard is held
        pa.set_memory_pool(pool)
        try:
            assert sum(part.n_events for part in opened.epoch(0)) == n_blocks * 50_000
        finally:
            pa.set_memory_pool(usual)
        peaks.append(pool.max_memory())
    assert peaks[0] >= 25_000 * 16  # a shard was held at all
    assert peaks[1] < 2 * peaks[0]


def test_blocks_are_written_before_all_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_EVENTS_HELD", 30)
    log = interactions(n_users=300)
    write_shards(log, tmp_path / "log", n_shards=2)
    assert users_of(ParquetShards.open(tmp_path / "log").epoch(0)) == users_of([log.histories])


def test_in_memory_is_one_shard():
    histories = log_of([[1, 1], [], [3]])
    log = InMemory(histories, 5)
    assert list(log.epoch(0)) == [histories]
    assert log.n_events == 3
    assert log.item_counts.tolist() == [0, 2, 0, 1, 0]


def test_in_memory_refuses_items_that_it_doesnt_have():
    with pytest.raises(InputError, match=r"item row numbers must lie in 0..2; got \[3\]"):
        InMemory(log_of([[1, 3]]), 3)
    with pytest.raises(InputError, match="n_items: must be 1 or more"):
        InMemory(log_of([]), 0)


# --- damage --------------------------------------------------------------------------------------
def test_a_folder_without_a_manifest_holds_no_shards(tmp_path):
    with pytest.raises(
        ArtifactError, match=r"holds no shards: manifest.json is missing; write the shards again"
    ):
        ParquetShards.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "is not a manifest of shards of this version"),
        ({"n_items": 9}, "counts 6 items, says it has 9"),
        (
            {"shards": [{"file": "../x", "n_users": 1, "n_events": 1}]},
            r"names file\(s\) outside its folder: \['../x'\]",
        ),
    ],
)
def test_a_manifest_that_is_wrong_is_told(folder, change, words):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=words):
        ParquetShards.open(folder)


def test_a_manifest_that_is_cut_off_is_told(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtifactError, match="is not a manifest of shards"):
        ParquetShards.open(folder)


def test_a_missing_file_is_told_at_open_and_one_that_goes_later_at_its_turn(folder):
    opened = ParquetShards.open(folder)
    gone = opened.manifest.shards[3].file
    (folder / gone).unlink()
    with pytest.raises(ArtifactError, match=f"1 file\\(s\\) missing, first: \\['{gone}'\\]"):
        ParquetShards.open(folder)
    with pytest.raises(ArtifactError, match=f"{gone}: is missing"):
        list(opened.epoch(0))


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_a_damaged_file_is_told(folder, how):
    opened = ParquetShards.open(folder)
    for shard in opened.manifest.shards:
        content = bytearray((folder / shard.file).read_bytes())
        if how == "flipped":
            content[len(content) // 8] ^= 0xFF
        (folder / shard.file).write_bytes({"cut": content[:-9], "empty": b"", "flipped": content}[how])
    with pytest.raises(ArtifactError, match=r"part-\d{5}.parquet: is not a readable shard"):
        list(opened.epoch(0))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"item_idx": [[1, 2]], "weight": [[1.0, 1.0]]}, "is not a readable shard"),
        ({"item_idx": [1], "weight": [[1.0]], "time_us": [[5]]}, "column 'item_idx' is int32"),
        (
            {"item_idx": [[1, None]], "weight": [[1.0, 1.0]], "time_us": [[5, 6]]},
            "column 'item_idx' holds nulls",
        ),
        ({"item_idx": [[1, 2]], "weight": [[1.0]], "time_us": [[5, 6]]}, "columns of unlike length"),
        ({"item_idx": [[1]], "weight": [[1.0]], "time_us": [[5]]}, "holds 1 users and 1 events, not "),
    ],
)
def test_a_file_of_another_making_is_told(folder, table, words):
    kinds = {"item_idx": pa.int32(), "weight": pa.float32(), "time_us": pa.int64()}
    columns = {
        name: pa.array(values, pa.list_(kinds[name]) if isinstance(values[0], list) else kinds[name])
        for name, values in table.items()
    }
    opened = ParquetShards.open(folder)
    parquet.write_table(pa.table(columns), folder / opened.manifest.shards[0].file)
    with pytest.raises(ArtifactError, match=words):
        opened.read(0)


def test_items_outside_the_catalogue_are_told_when_read(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"n_items": 2, "item_counts": manifest["item_counts"][:2]}))
    with pytest.raises(ArtifactError, match=r"item row numbers outside 0..1, first: \["):
        list(ParquetShards.open(folder).epoch(0))


# --- bad calls -----------------------------------------------------------------------------------
def test_items_outside_the_catalogue_are_not_written_and_nothing_is_left(tmp_path):
    with pytest.raises(DataError, match=r"histories: item row numbers must lie in 0..3; 2 row\(s\) break it"):
        write_shards([log_of([[1]]), log_of([[4, 0, 5]])], tmp_path / "log", n_items=4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_shards": 3}, "n_shards: must be a power of two, at most 512; got 3"),
        ({"n_shards": 1024}, "n_shards: must be a power of two"),
        ({"n_items": None}, "n_items: must be given for blocks of histories"),
        ({"n_items": 0}, "n_items: must be given for blocks of histories, 1 or more; got 0"),
    ],
)
def test_bad_arguments_of_the_writer_are_told(tmp_path, arguments, words):
    with pytest.raises(InputError, match=words):
        write_shards([log_of([[1]])], tmp_path / "log", **({"n_items": 2} | arguments))


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="folder: must be new or empty"):
        write_shards(interactions(), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExternalError, match="could not write"):
        write_shards(interactions(), tmp_path / "file" / "log")


@pytest.mark.parametrize(
    ("rank", "world", "words"),
    [
        (2, 2, "rank: must lie in 0..1; got 2"),
        (-1, 1, "rank: must lie in 0..0"),
        (0, 9, "world: must be at most the number of shards with users, 8; got 9"),
    ],
)
def test_a_share_that_cant_be_is_told(folder, rank, world, words):
    with pytest.raises(InputError, match=words):
        ParquetShards.open(folder, rank, world)
