"""From files, queries and tables to a committed snapshot: read, clean, stage by bucket, settle, write, commit."""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.data.cleaning.context import ColumnTypes, as_schema, common_type
from nextbest.data.cleaning.money import AmountHistogram
from nextbest.data.cleaning.raw import as_json
from nextbest.data.cleaning.rows import RowCleaner
from nextbest.data.companions import store_companion
from nextbest.data.locking import writer_lock
from nextbest.data.manifest import Manifest, Part, commit, disk_errors, dtype_name, read_manifest
from nextbest.data.report import IngestReport, TableReport, Tally
from nextbest.data.settling import STATUS, Settled, settle
from nextbest.data.sources import plan
from nextbest.data.sources.base import Job
from nextbest.data.sources.opening import Readable
from nextbest.data.staging import Stage
from nextbest.data.store import Workspace
from nextbest.data.writing import QuarantineWriter, sweep, write_part
from nextbest.errors import DataError, ExternalError, InputError
from nextbest.tables import CATALOG, CLIENTS, ITEM_ID, USER_ID, TimeKind

log = logging.getLogger(__name__)
ROWS_PER_BUCKET = 750_000
"""Rows that one bucket should hold: small enough for a processor's caches, large enough for Parquet."""
MAX_BUCKETS = 4096
_LINEAGE = {"_source": pl.UInt32(), "_row": pl.Int64()}


def ingest(
    workspace: Workspace | str | Path,
    inputs: Readable | Sequence[Readable],
    *,
    mapping: Mapping[str, str] | None = None,
    source: str | None = None,
    catalog: Readable | None = None,
    clients: Readable | None = None,
    catalog_mapping: Mapping[str, str] | None = None,
    clients_mapping: Mapping[str, str] | None = None,
    config: CleaningConfig | None = None,
    time_kind: TimeKind | None = None,
    memory_mb: int = 512,
    progress: bool | None = None,
) -> IngestReport:
    """Read, check, clean and store a journal; all of it or nothing.

    Running it again on the same input adds nothing, on an overlapping input only what is new.

    Parameters
    ----------
    workspace
        The workspace or its folder; made where it isn't there.
    inputs
        Files, folders, globs, database URLs or polars tables with the journal's rows.
    mapping
        Our column -> theirs, such as `{"user_id": "CustomerID"}`. Columns it doesn't name are kept as
        context under their own names.
    source
        Name of a known format (`nextbest.data.sources.ADAPTERS`); None reads columns as they are.
    catalog, clients
        Companion tables; a known format finds its own beside the journal.
    config
        Cleaning rules.
    time_kind
        What the journal's `time` means; None: what the format says, real moments where there is none.
    memory_mb
        Megabytes of rows that may wait in memory before they go to disk, of the whole a part.
    progress
        Show a progress bar on standard error.

    Returns
    -------
    IngestReport
        With `read == stored + quarantined`.

    Raises
    ------
    InputError
        A mapping names a column that isn't there, the format isn't known, or the workspace's times mean
        something else (real moments against mere order).
    DataError
        A file is missing, broken or empty, or a needed column is missing.
    ExternalError
        The disk is full, a database fails, or another process is writing. The store is as it was.
    """
    workspace = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    config = config or CleaningConfig()
    job = plan(
        inputs,
        mapping=mapping,
        source=source,
        catalog=catalog,
        clients=clients,
        catalog_mapping=catalog_mapping,
        clients_mapping=clients_mapping,
    )
    if time_kind is not None:
        inputs_of_kind = tuple(replace(one, time_kind=time_kind) for one in job.journal)
        job = replace(job, journal=inputs_of_kind, time_kind=time_kind)
    settled = {k: v for k, v in job.cleaning.items() if k not in config.model_fields_set}
    config = config.model_copy(update=settled)
    with disk_errors(workspace.path):
        workspace.path.mkdir(parents=True, exist_ok=True)
        with writer_lock(workspace.path):
            return _Run(workspace.path, job, config, memory_mb=memory_mb, progress=bool(progress)).run()


def read_journal(
    inputs: Readable | Sequence[Readable],
    *,
    mapping: Mapping[str, str] | None = None,
    source: str | None = None,
    config: CleaningConfig | None = None,
) -> pl.DataFrame:
    """The cleaned journal as one table in memory, without a workspace that stays.

    The same as `ingest` into a temporary folder and `Workspace.journal().collect()`; for logs that fit
    in memory. Errors as of `ingest`.
    """
    with TemporaryDirectory(prefix="nextbest-") as folder:
        ingest(folder, inputs, mapping=mapping, source=source, config=config)
        return Workspace(folder).journal().collect()


class _Run:
    """One ingest, from first row to commit."""

    def __init__(
        self, folder: Path, job: Job, config: CleaningConfig, *, memory_mb: int, progress: bool
    ) -> None:
        self.folder, self.job, self.config, self.progress = folder, job, config, progress
        self.memory_bytes = memory_mb << 20
        self.before = read_manifest(folder)
        self.generation = self.before.generation + 1
        self.tally, self.types, self.amounts = Tally(), ColumnTypes(), AmountHistogram()
        self.quarantine = QuarantineWriter(folder, self.before, generation=self.generation)
        self.sources = list(self.before.sources)
        self.n_read = self.n_stored = self.n_added = self.n_netted_before = 0
        self.cleaners: list[RowCleaner] = []

    def run(self) -> IngestReport:
        kind = self.job.time_kind
        if self.before.time_kind not in (None, kind):
            raise InputError(
                "workspace",
                f"{self.folder} holds times of kind {self.before.time_kind!r}, the input's are {kind!r}",
                remedy="ingest into another workspace",
            )
        sweep(self.folder, self.before)
        stage_folder = self.folder / f"stage-{os.getpid()}"
        stage_folder.mkdir()
        try:
            return self._run(stage_folder)
        except (OSError, pl.exceptions.ComputeError, ExternalError):
            sweep(self.folder, read_manifest(self.folder))  # committed or not: the manifest on disk says
            raise
        finally:
            shutil.rmtree(stage_folder, ignore_errors=True)

    def _run(self, stage_folder: Path) -> IngestReport:
        n_buckets = self._n_buckets()
        stage = Stage(stage_folder, n_buckets=n_buckets, memory_bytes=self.memory_bytes)
        self._read(stage)
        if not self.n_read and not self.before.n_rows:
            raise DataError(", ".join(i.source.name for i in self.job.journal), "the journal holds no rows")
        companions = self._companions()
        schema = self._schema([c[0] for c in companions.values() if c is not None])
        journal, aside = self._settle_all(stage, schema, n_buckets)
        tables = {
            name: self._write_companion(name, found[0], schema) if found else getattr(self.before, name)
            for name, found in companions.items()
        }
        self.quarantine.flush()
        kept = (tuple(journal), tuple(aside), tuple(self.quarantine.parts))
        if kept == (self.before.journal, self.before.aside, self.before.quarantine):
            self.sources = list(self.before.sources)  # no row speaks of this ingest's
        after = Manifest(
            generation=self.generation,
            n_buckets=n_buckets,
            time_kind=self.job.time_kind,
            columns={name: dtype_name(dtype) for name, dtype in schema.items()},
            sources=tuple(self.sources),
            journal=tuple(journal),
            aside=tuple(aside),
            quarantine=tuple(self.quarantine.parts),
            catalog=tables["catalog"],
            clients=tables["clients"],
            outlier_bounds=self.bounds,
        )
        after = after.model_copy(update={"previous": self.before.files})
        commit(self.folder, after)
        try:
            sweep(self.folder, after)
        except OSError as error:  # a file that a reader holds on some systems; the next ingest removes it
            log.warning("left files that no snapshot names", extra={"error": str(error)})
        report = self._report(after, {k: c[1] for k, c in companions.items() if c})
        log.info("ingested", extra={"n_read": report.read, "n_added": report.added})
        return report

    def _n_buckets(self) -> int:
        """Buckets for what is stored and what is coming; never fewer than before."""
        hints = [item.source.size_hint() for item in self.job.journal]
        coming = sum(h if h is not None else ROWS_PER_BUCKET * 8 for h in hints)
        wanted = max((self.before.n_rows + coming) // ROWS_PER_BUCKET, 1)
        return max(self.before.n_buckets, min(1 << (wanted - 1).bit_length(), MAX_BUCKETS))

    def _read(self, stage: Stage) -> None:
        bar = _bar(self.job, show=self.progress)
        for item in self.job.journal:
            cleaner = RowCleaner(item, self.config, self.tally)
            self.cleaners.append(cleaner)
            number = len(self.sources)
            self.sources.append(item.source.name)
            for chunk in item.source.chunks():
                rows = cleaner.clean(chunk)
                self.n_read += rows.n_read
                self.quarantine.add(item.source.name, rows.rejected, number=number)
                if self.config.outliers != "off":
                    self.amounts.see(rows.kept)
                kept = rows.kept.with_columns(pl.lit(number, dtype=pl.UInt32).alias("_source"))
                stage.add(len(self.cleaners) - 1, kept, rows.raw)
                bar.update(rows.n_read)
            for name, dtype in cleaner.types.dtypes.items():
                known = self.types.dtypes.get(name)
                self.types.dtypes[name] = common_type(known, dtype) if name in self.types.dtypes else dtype
        bar.close()

    def _schema(self, companions: list[pl.DataFrame]) -> dict[str, pl.DataType]:
        """Types of the journal's columns: the narrowest that hold what is stored, what came, and the companions' ids."""
        schema = dict(self.before.dtypes)
        for name, dtype in self.types.dtypes.items():
            if (common := common_type(schema.get(name), dtype)) is not None:
                schema[name] = common  # a column that never held a value has no type yet, and no place
        for name in (USER_ID, ITEM_ID):
            schema.setdefault(name, pl.Int64())
            for table in companions:
                if name in table.columns:
                    schema[name] = common_type(schema[name], table.schema[name]) or pl.Int64()
        first = [c for c in ("user_id", "item_id", "time") if c in schema]
        return {name: schema[name] for name in [*first, *(c for c in schema if c not in first)]}

    def _settle_all(
        self, stage: Stage, schema: dict[str, pl.DataType], n_buckets: int
    ) -> tuple[list[Part], list[Part]]:
        """Every bucket: settled where rows came, rewritten where types or buckets changed, else as it was."""
        self.bounds = dict(self.before.outlier_bounds)
        if self.config.outliers != "off":
            self.bounds = {**self.amounts.bounds(self.config.outlier_mads), **self.bounds}
        grown = n_buckets != self.before.n_buckets
        retyped = any(schema[c] != dtype for c, dtype in self.before.dtypes.items())
        old_journal = {part.bucket: part for part in self.before.journal}
        old_aside = {part.bucket: part for part in self.before.aside}
        journal: list[Part] = []
        aside: list[Part] = []
        for bucket in range(n_buckets):
            pieces = list(stage.bucket(bucket))
            if not pieces and not grown and not retyped:
                journal.extend(p for p in [old_journal.get(bucket)] if p)
                aside.extend(p for p in [old_aside.get(bucket)] if p)
                continue
            stored = self._old(old_journal, bucket, n_buckets, schema)
            gone = self._old(old_aside, bucket, n_buckets, schema)
            if not pieces:
                self._put(journal, "journal", bucket, stored)
                self._put(aside, "aside", bucket, gone)
                continue
            new = pl.concat([as_schema(typed, schema) for _, typed, _ in pieces])
            new = new.select(*schema, *_LINEAGE)
            done = settle(new, stored, gone, config=self.config, bounds=self.bounds, tally=self.tally)
            self._count(done, new, pieces)
            same_aside = len(done.aside) == (0 if gone is None else len(gone))
            moved = done.n_added or len(done.newly_out) or len(done.released) or not same_aside
            unchanged = not (moved or grown or retyped)
            if unchanged and bucket in old_journal:
                journal.append(old_journal[bucket])
                aside.extend(p for p in [old_aside.get(bucket)] if p)
                continue
            self._put(journal, "journal", bucket, done.journal)
            self._put(aside, "aside", bucket, done.aside)
        return journal, aside

    def _old(
        self, parts: dict[int, Part], bucket: int, n_buckets: int, schema: dict[str, pl.DataType]
    ) -> pl.DataFrame | None:
        """Stored rows of a bucket; where buckets were split since, its share of the one they were in."""
        split = n_buckets // self.before.n_buckets
        part = parts.get(bucket // split)
        if part is None:
            return None
        table = pl.read_parquet(self.folder / part.file, glob=False)
        if split > 1:
            from nextbest.data.buckets import bucket_of

            table = table.filter(pl.Series(bucket_of(table[USER_ID], n_buckets=n_buckets)) == bucket)
        return as_schema(
            table.with_columns(pl.col(name).cast(dtype) for name, dtype in _LINEAGE.items()), schema
        )

    def _put(self, parts: list[Part], kind: str, bucket: int, table: pl.DataFrame | None) -> None:
        if table is not None and len(table):
            largest = table["_row"].max()
            if isinstance(largest, int) and largest < 2**32:
                table = table.with_columns(pl.col("_row").cast(pl.UInt32))
            part = write_part(self.folder, kind, f"{self.generation:06d}-{bucket:05d}", table)
            parts.append(part.model_copy(update={"bucket": bucket}))

    def _count(
        self, done: Settled, new: pl.DataFrame, pieces: list[tuple[int, pl.DataFrame, pl.DataFrame]]
    ) -> None:
        """Add a settled bucket to the counts and its rejected rows to quarantine."""
        self.n_added += done.n_added
        self.n_stored += done.n_stored
        self.n_netted_before += done.n_netted_before
        start = 0
        for number, typed, raw in pieces:
            mine = done.rejected.filter(pl.col("_place").is_between(start, start + len(typed) - 1))
            if len(mine):
                at = (mine["_place"] - start).cast(pl.UInt32)
                cleaner = self.cleaners[number]
                rows = typed.select(pl.all().gather(at))
                kept = raw.select(pl.all().gather(at)) if raw.width else raw
                table = pl.DataFrame(
                    {
                        "row": rows["_row"],
                        "reason": mine["reason"],
                        "raw": cleaner.raw_values.rebuilt(rows, kept),
                    }
                )
                source = len(self.before.sources) + number
                self.quarantine.add(self.sources[source], table, number=source)
            start += len(typed)
        if len(done.newly_out):
            columns = [c for c in done.newly_out.columns if c not in (*_LINEAGE, "reason", STATUS)]
            out = done.newly_out.with_columns(as_json(done.newly_out.select(columns)).alias("raw"))
            for (number,), group in out.group_by("_source"):
                source = int(str(number))
                table = group.select(pl.col("_row").alias("row"), "reason", "raw")
                self.quarantine.add(self.sources[source], table, number=source)
        if len(done.released):
            names = {self.sources[source] for source in done.released["_source"].unique()}
            self.quarantine.release(done.released.rename({"_row": "row"}), names=names)

    def _companions(self) -> dict[str, tuple[pl.DataFrame, TableReport] | None]:
        found: dict[str, tuple[pl.DataFrame, TableReport] | None] = {}
        for name, spec, items in (
            ("catalog", CATALOG, self.job.catalog),
            ("clients", CLIENTS, self.job.clients),
        ):
            part = getattr(self.before, name)
            stored = None if part is None else pl.read_parquet(self.folder / part.file, glob=False)
            found[name] = (
                store_companion(spec, items, stored, config=self.config, quarantine=self.quarantine)
                if items
                else None
            )
            if not items and stored is not None:
                found[name] = (stored, TableReport(read=0, stored=0, quarantined=0))
        return found

    def _write_companion(self, name: str, table: pl.DataFrame, schema: dict[str, pl.DataType]) -> Part:
        key = ITEM_ID if name == "catalog" else USER_ID
        table = table.with_columns(pl.col(key).cast(schema[key])).sort(key)
        before: Part | None = getattr(self.before, name)
        if before is not None and pl.read_parquet(self.folder / before.file, glob=False).equals(table):
            return before
        return write_part(self.folder, "tables", f"{name}-{self.generation:06d}", table)

    def _report(self, after: Manifest, companions: dict[str, TableReport]) -> IngestReport:
        return IngestReport(
            read=self.n_read,
            stored=self.n_stored,
            quarantined=self.n_read - self.n_stored,
            added=self.n_added,
            steps=self.tally.steps(self.config.enabled),
            sources=tuple(dict.fromkeys(item.source.name for item in self.job.journal)),
            time_kind=self.job.time_kind,
            n_rows_total=after.n_rows,
            n_netted_before=self.n_netted_before,
            catalog=companions.get("catalog") if self.job.catalog else None,
            clients=companions.get("clients") if self.job.clients else None,
        )


def _bar(job: Job, *, show: bool) -> Any:
    from tqdm import tqdm

    hints = [item.source.size_hint() for item in job.journal]
    total = None if None in hints else sum(h or 0 for h in hints)
    return tqdm(total=total, unit="row", unit_scale=True, desc="ingest", disable=not show)
