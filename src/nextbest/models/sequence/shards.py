"""A log as one shard or many: an epoch is a stream of histories, so memory is that of the shard at hand.

A folder of shards holds Parquet files of users parted by a fixed hash, one row a user, and a manifest that
vouches for them. Knows no torch, no model and no journal; segments of users aren't kept.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.buckets import bucket_of
from nextbest.data.interactions import Histories, Interactions
from nextbest.data.whole_folder import whole_folder
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.models.base import Rng
from nextbest.models.checks import check_items
from nextbest.models.sequence.shard_files import (
    MANIFEST,
    REMEDY,
    Shard,
    ShardsManifest,
    read_manifest,
    read_shard,
    schema,
    to_table,
)

_EVENTS_HELD = 4_000_000
"""Events that wait in memory, over all shards, before row groups are written: 64 MB."""
_MOST_SHARDS = 512
"""All are open while they are written; systems allow a process about a thousand open files."""


class Shards(Protocol):
    """A log to train on."""

    @property
    def n_items(self) -> int:
        """Items that have a row number."""
        ...

    @property
    def item_counts(self) -> NDArray[np.int64]:
        """Events of each item in the whole log, shape (n_items,)."""
        ...

    @property
    def n_events(self) -> int:
        """Events of one epoch."""
        ...

    @property
    def n_shards(self) -> int:
        """Blocks that `read` gives."""
        ...

    def read(self, number: int) -> Histories:
        """One block, 0..n_shards-1; the same users in the same order every time."""
        ...

    def epoch(self, rng: Rng) -> Iterator[Histories]:
        """Every user once: all blocks, in an order that `rng` draws."""
        ...


class InMemory:
    """A log that is in memory as one shard.

    Raises
    ------
    InputError
        `n_items` < 1, or a history holds a row number that isn't one of them.
    """

    def __init__(self, histories: Histories, n_items: int) -> None:
        if n_items < 1:
            raise InputError("n_items", "must be 1 or more", value=n_items)
        check_items("histories", histories.item_idx, n_items=n_items)
        self._histories = histories
        self.n_items = n_items
        self.item_counts: NDArray[np.int64] = np.bincount(histories.item_idx, minlength=n_items)

    @property
    def n_events(self) -> int:
        """Events of one epoch."""
        return self._histories.n_events

    @property
    def n_shards(self) -> int:
        """One."""
        return 1

    def read(self, number: int) -> Histories:
        """The log itself; `number` is 0."""
        assert number == 0
        return self._histories

    def epoch(self, rng: Rng) -> Iterator[Histories]:
        """The log itself; `rng` isn't drawn from."""
        yield self._histories


class ParquetShards:
    """A folder of shards, or one process's share of it; one shard is in memory at a time."""

    def __init__(self, folder: Path, manifest: ShardsManifest, share: tuple[Shard, ...]) -> None:
        """Use `open`."""
        self._folder, self._share = folder, share
        self.manifest = manifest
        self.n_items = manifest.n_items
        self.item_counts: NDArray[np.int64] = np.asarray(manifest.item_counts, dtype=np.int64)

    @classmethod
    def open(cls, folder: Path, rank: int = 0, world: int = 1) -> "ParquetShards":
        """The shards of process `rank` of `world`; together these are all, each once.

        Shares are as equal in events as whole shards allow, and the same on every machine. `item_counts` are
        those of the whole log, so that all processes draw negatives alike; `n_events` are the share's own.

        Raises
        ------
        InputError
            `rank` isn't one of 0..world-1, or there are fewer shards with users than processes.
        ArtifactError
            The manifest is missing or malformed, or a file of the share is missing.
        """
        folder = Path(folder)
        if not 0 <= rank < world:
            raise InputError("rank", f"must lie in 0..{world - 1}", value=rank)
        manifest = read_manifest(folder)
        full = [shard for shard in manifest.shards if shard.n_users]
        if world > max(1, len(full)):
            raise InputError(
                "world",
                f"must be at most the number of shards with users, {len(full)}",
                value=world,
                remedy="write the log in more shards (n_shards of write_shards), or start fewer processes",
            )
        share = _shares(full, world)[rank]
        if missing := [shard.file for shard in share if not (folder / shard.file).is_file()]:
            raise ArtifactError(
                folder, f"{len(missing)} file(s) missing, first: {missing[:5]}", remedy=REMEDY
            )
        return cls(folder, manifest, share)

    @property
    def n_events(self) -> int:
        """Events of one epoch of this share."""
        return sum(shard.n_events for shard in self._share)

    @property
    def n_shards(self) -> int:
        """Files of this share."""
        return len(self._share)

    def epoch(self, rng: Rng) -> Iterator[Histories]:
        """Every user of the share once, a shard at a time in an order that `rng` draws.

        Raises
        ------
        ArtifactError
            At the shard in question: its file is missing, unreadable, or not as the manifest says.
        """
        for number in np.random.default_rng(rng).permutation(len(self._share)):
            yield self.read(int(number))

    def read(self, number: int) -> Histories:
        """The histories of one file of this share, 0..n_shards-1.

        Raises
        ------
        ArtifactError
            Its file is missing, unreadable, or not as the manifest says.
        """
        shard = self._share[number]
        path = self._folder / shard.file
        histories = read_shard(path)
        found = (len(histories), histories.n_events)
        if found != (shard.n_users, shard.n_events):
            wanted = f"{shard.n_users} users and {shard.n_events} events"
            raise ArtifactError(
                path, f"holds {found[0]} users and {found[1]} events, not {wanted}", remedy=REMEDY
            )
        items = histories.item_idx
        if len(items) and (items.min() < 0 or items.max() >= self.n_items):
            bad = items[(items < 0) | (items >= self.n_items)][:5].tolist()
            raise ArtifactError(
                path, f"holds item row numbers outside 0..{self.n_items - 1}, first: {bad}", remedy=REMEDY
            )
        return histories


def write_shards(
    log: Interactions | Iterable[Histories],
    folder: Path,
    *,
    n_items: int | None = None,
    item_ids_digest: str | None = None,
    n_shards: int = 64,
) -> ShardsManifest:
    """Write a log as a folder of shards, and say what is in it; the folder appears whole or not at all.

    Parameters
    ----------
    log
        A log, or blocks of histories in any number, each user in one block only; blocks are taken one at a
        time, and a few million events at most wait in memory.
    folder
        A new or empty one.
    n_items
        Items that have a row number; needed for blocks, known for a log.
    item_ids_digest
        `IdIndex.digest` of the items; known for a log.
    n_shards
        Files: a power of two, at most 512. A shard is batched on its own: some hundred thousand events each
        keep batches full, and several for each process keep shares equal.

    Raises
    ------
    InputError
        `folder` holds something, `n_shards` isn't such a number, or `n_items` is missing or below 1.
    DataError
        A history holds a row number that isn't one of `n_items`.
    ExternalError
        The disk refused; nothing is left of the attempt.

    Notes
    -----
    A user's shard is `data.buckets.bucket_of` its id; of its running number where blocks come without ids.
    """
    folder = Path(folder)
    if n_shards < 1 or n_shards & (n_shards - 1) or n_shards > _MOST_SHARDS:
        raise InputError("n_shards", f"must be a power of two, at most {_MOST_SHARDS}", value=n_shards)
    if folder.exists() and not (folder.is_dir() and next(folder.iterdir(), None) is None):
        raise InputError("folder", "must be new or empty", value=str(folder), remedy="choose a new folder")
    if isinstance(log, Interactions):
        n_items, item_ids_digest = log.n_items, log.item_ids.digest
        blocks = _sliced(log.histories, bucket_of(log.user_ids.ids, n_buckets=n_shards))
    else:
        blocks = _numbered(log, n_shards=n_shards)
    if n_items is None or n_items < 1:
        raise InputError("n_items", "must be given for blocks of histories, 1 or more", value=n_items)
    with whole_folder(folder) as temporary:
        manifest = _write(
            blocks, temporary, n_items=n_items, item_ids_digest=item_ids_digest, n_shards=n_shards
        )
        text = json.dumps(manifest.model_dump(mode="json"), separators=(",", ":"))
        (temporary / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def _sliced(
    histories: Histories, bucket_B: NDArray[np.uint16]
) -> Iterator[tuple[Histories, NDArray[np.uint16]]]:
    """A log in blocks of users, so that what waits to be written isn't a second copy of it."""
    places = histories.indptr[:-1] + np.arange(len(histories))  # a user without events takes room, too
    edges = np.flatnonzero(np.diff(places // _EVENTS_HELD)) + 1
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(histories)], strict=True):
        yield histories.take(slice(start, end)), bucket_B[start:end]


def _numbered(
    blocks: Iterable[Histories], *, n_shards: int
) -> Iterator[tuple[Histories, NDArray[np.uint16]]]:
    """Blocks with the bucket of each user, by the user's running number."""
    n_users = 0
    for block in blocks:
        numbers = pl.int_range(n_users, n_users + len(block), dtype=pl.Int64, eager=True)
        yield block, bucket_of(numbers, n_buckets=n_shards)
        n_users += len(block)


def _write(
    blocks: Iterable[tuple[Histories, NDArray[np.uint16]]],
    folder: Path,
    *,
    n_items: int,
    item_ids_digest: str | None,
    n_shards: int,
) -> ShardsManifest:
    import pyarrow as pa
    from pyarrow import parquet

    files = [f"part-{number:05d}.parquet" for number in range(n_shards)]
    n_users, n_events = np.zeros(n_shards, np.int64), np.zeros(n_shards, np.int64)
    item_counts = np.zeros(n_items, np.int64)
    waiting: list[list[Any]] = [[] for _ in files]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                parquet.ParquetWriter(
                    folder / file,
                    schema(),
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=["item_idx"],
                    write_page_checksum=True,
                )
            )
            for file in files
        ]

        def flush() -> None:
            for writer, tables in zip(writers, waiting, strict=True):
                if tables:
                    writer.write_table(pa.concat_tables(tables).combine_chunks())
                    tables.clear()

        n_waiting = 0
        for block, bucket_B in blocks:
            _check_block(block, n_items=n_items)
            item_counts += np.bincount(block.item_idx, minlength=n_items)
            order = np.argsort(bucket_B, kind="stable")
            edges = np.searchsorted(bucket_B[order], np.arange(n_shards + 1))
            for number in np.flatnonzero(np.diff(edges)):
                part = block.take(order[edges[number] : edges[number + 1]])
                waiting[number].append(to_table(part))
                n_users[number] += len(part)
                n_events[number] += part.n_events
            n_waiting += block.n_events + len(block)
            if n_waiting >= _EVENTS_HELD:
                flush()
                n_waiting = 0
        flush()
    return ShardsManifest(
        n_items=n_items,
        n_users=int(n_users.sum()),
        n_events=int(n_events.sum()),
        item_counts=tuple(item_counts.tolist()),
        item_ids_digest=item_ids_digest,
        shards=tuple(
            Shard(file=file, n_users=int(u), n_events=int(e))
            for file, u, e in zip(files, n_users, n_events, strict=True)
        ),
    )


def _check_block(block: Histories, *, n_items: int) -> None:
    bad = (block.item_idx < 0) | (block.item_idx >= n_items)
    if bad.any():
        raise DataError(
            "histories",
            f"item row numbers must lie in 0..{n_items - 1}",
            n_bad=int(bad.sum()),
            examples=block.item_idx[bad][:5].tolist(),
            remedy="encode every block with the same item ids, and give their number as n_items",
        )


def _shares(shards: list[Shard], world: int) -> list[tuple[Shard, ...]]:
    """Shards of each process: the largest that is left goes to the one that has least."""
    shares: list[list[Shard]] = [[] for _ in range(world)]
    events = [0] * world
    for shard in sorted(shards, key=lambda s: (-s.n_events, s.file)):
        least = min(range(world), key=lambda r: (events[r], len(shares[r]), r))
        shares[least].append(shard)
        events[least] += shard.n_events
    return [tuple(sorted(share, key=lambda s: s.file)) for share in shares]
