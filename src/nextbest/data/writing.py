"""New files of a snapshot: parts by bucket, quarantine, companions; and the removal of files nobody names."""

import logging
import os
import shutil
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Protocol

import polars as pl

from nextbest.data.manifest import Manifest, Part
from nextbest.tables import QUARANTINE

log = logging.getLogger(__name__)
FOLDERS = ("journal", "aside", "quarantine", "tables")
_QUARANTINE_ROWS = 200_000


def write_part(folder: Path, kind: str, name: str, table: pl.DataFrame) -> Part:
    """Write one Parquet file, flushed to disk, that no manifest names yet."""
    target = folder / kind / f"{name}.parquet"
    target.parent.mkdir(exist_ok=True)
    with target.open("wb") as file:
        table.write_parquet(file, compression="zstd", compression_level=1, statistics=True)
        file.flush()
        os.fsync(file.fileno())
    return Part(file=f"{kind}/{name}.parquet", rows=len(table))


def sweep(folder: Path, manifest: Manifest) -> int:
    """Remove files that neither this snapshot nor the one before names: what a killed process left."""
    keep = {*manifest.files, *manifest.previous}
    removed = 0
    for kind in FOLDERS:
        for path in sorted((folder / kind).glob("*.parquet")):
            if f"{kind}/{path.name}" not in keep:
                path.unlink()
                removed += 1
    for stage in sorted(folder.glob("stage-*")):
        shutil.rmtree(stage)
        removed += 1
    (folder / "manifest.json.new").unlink(missing_ok=True)
    if removed:
        log.info("removed files that no snapshot names", extra={"n_files": removed})
    return removed


class HoldsQuarantine(Protocol):
    """A manifest, of whatever it is, that names quarantine parts."""

    @property
    def quarantine(self) -> Sequence[Part]:
        """Parts with rejected rows."""
        ...


class QuarantineWriter:
    """Collects rejected rows and writes those that quarantine doesn't hold yet."""

    def __init__(self, folder: Path, manifest: HoldsQuarantine, *, generation: int) -> None:
        self.folder, self.generation = folder, generation
        self.parts = list(manifest.quarantine)
        self._old = list(manifest.quarantine)
        self._known: dict[str, pl.DataFrame] = {}
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        self._n_written = 0

    def add(self, source: str, rejected: pl.DataFrame, *, number: int | None = None) -> None:
        """Take rows with columns `row, reason, raw` of a source; `number` is its place in the manifest's `sources`."""
        if not len(rejected):
            return
        known = self._of(source)
        if len(known):
            rejected = (
                rejected.with_columns(_h=pl.col("raw").hash())
                .join(known, on=["row", "reason", "_h"], how="anti", maintain_order="left")
                .drop("_h")
            )
        lineage = pl.lit(number, pl.UInt32).alias("_source")
        self._waiting.append(rejected.select(pl.lit(source).alias("source"), "row", "reason", "raw", lineage))
        self._n_waiting += len(rejected)
        if self._n_waiting >= _QUARANTINE_ROWS:
            self.flush()

    def _of(self, source: str) -> pl.DataFrame:
        """What quarantine already holds of a source; the hash lives in memory only."""
        if source not in self._known:
            files = [self.folder / p.file for p in self._old if source in p.sources]
            self._known[source] = (
                pl.scan_parquet(files, glob=False)
                .filter(pl.col("source") == source)
                .select("row", "reason", pl.col("raw").hash().alias("_h"))
                .collect()
                if files
                else pl.DataFrame()
            )
        return self._known[source]

    def flush(self) -> None:
        """Write what waits."""
        if not self._n_waiting:
            return
        self._write(pl.concat(self._waiting))
        self._waiting, self._n_waiting = [], 0

    def _write(self, table: pl.DataFrame) -> None:
        QUARANTINE.check(table)
        part = write_part(self.folder, "quarantine", f"{self.generation:06d}-{self._n_written:05d}", table)
        self._n_written += 1
        sources = tuple(table["source"].unique().sort().to_list())
        self.parts.append(part.model_copy(update={"sources": sources}))

    def release(self, released: pl.DataFrame, *, names: Set[str]) -> None:
        """Take out entries (`_source, row, reason`) that no longer hold; `names` are those of their sources.

        The number tells apart the days of a file that is written anew every day under one name.
        """
        for part in [p for p in self.parts if names & set(p.sources)]:
            table = pl.read_parquet(self.folder / part.file, glob=False)
            left = table.join(released, on=["_source", "row", "reason"], how="anti", maintain_order="left")
            if len(left) < len(table):
                self.parts.remove(part)
                if len(left):
                    self._write(left)
