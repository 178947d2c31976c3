"""Rows on their way into the store, parted by bucket: in memory while they fit, on disk past that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextbest.data.buckets import bucket_of
from nextbest.tables import USER_ID


class Staged:
    """One chunk, sorted by bucket."""

    def __init__(
        self, source: int, offsets: np.ndarray, tables: "tuple[pl.DataFrame, pl.DataFrame] | Path"
    ) -> None:
        self.source, self.offsets, self.tables = source, offsets, tables


class Stage:
    """Collects typed rows (and raw columns beside them) and gives them back bucket by bucket.

    Rows of one bucket come back in the order they went in.
    """

    def __init__(self, folder: Path, *, n_buckets: int, memory_bytes: int) -> None:
        self.folder, self.n_buckets, self.memory_bytes = folder, n_buckets, memory_bytes
        self._chunks: list[Staged] = []
        self._held = 0

    def add(self, source: int, typed: pl.DataFrame, raw: pl.DataFrame) -> None:
        """Take the rows of one chunk of input number `source`."""
        if not len(typed):
            return
        if self.n_buckets > 1:
            bucket = bucket_of(typed[USER_ID], n_buckets=self.n_buckets)
            order = pl.Series(np.argsort(bucket, kind="stable").astype(np.uint32))
            offsets = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=self.n_buckets))])
            typed = typed.select(pl.all().gather(order))
            raw = raw.select(pl.all().gather(order)) if raw.width else raw
        else:
            offsets = np.array([0, len(typed)])
        size = int(typed.estimated_size()) + int(raw.estimated_size())
        if self._held + size <= self.memory_bytes:
            self._held += size
            self._chunks.append(Staged(source, offsets, (typed, raw)))
            return
        path = self.folder / f"stage-{len(self._chunks):06d}.arrow"
        self._spill(path, typed, raw, offsets)
        self._chunks.append(Staged(source, offsets, path))

    def _spill(self, path: Path, typed: pl.DataFrame, raw: pl.DataFrame, offsets: np.ndarray) -> None:
        import pyarrow as pa

        both = pl.concat([typed, raw.rename({c: f"raw.{c}" for c in raw.columns})], how="horizontal")
        arrow = both.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, arrow.schema) as writer:
            for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
                writer.write_batch(_one_batch(arrow.slice(start, end - start), arrow.schema))

    def bucket(self, number: int) -> Iterator[tuple[int, pl.DataFrame, pl.DataFrame]]:
        """`(input number, typed rows, raw rows)` of each chunk that has rows in this bucket."""
        for chunk in self._chunks:
            start, end = int(chunk.offsets[number]), int(chunk.offsets[number + 1])
            if start == end:
                continue
            if isinstance(chunk.tables, Path):
                typed, raw = _read_batch(chunk.tables, number)
            else:
                typed, raw = (t.slice(start, end - start) if t.width else t for t in chunk.tables)
            yield chunk.source, typed, raw


def _one_batch(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=schema)


def _read_batch(path: Path, number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        both = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(file).get_batch(number)))
    raw = [c for c in both.columns if c.startswith("raw.")]
    typed = both.select(c for c in both.columns if not c.startswith("raw."))
    return typed, both.select(pl.col(c).alias(c.removeprefix("raw.")) for c in raw)
