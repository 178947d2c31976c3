"""From raw files, tables and queries to a stored panel: read, repair, refuse, spill by month, settle, commit."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from nextbest.data.manifest import disk_errors
from nextbest.data.panel.breaks import find_breaks
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.profile import MonthProfile, profile
from nextbest.data.panel.report import MonthReport, PanelReport, column_reports
from nextbest.data.panel.rows import RowReader
from nextbest.data.panel.schema import SANTANDER, SCHEMAS, PanelSchema
from nextbest.data.panel.settling import Settled, Spill, settle_month
from nextbest.data.panel.store import HELD, PanelWriter
from nextbest.data.report import StepReport, Tally
from nextbest.data.sources.base import Source
from nextbest.data.sources.delimited import DelimitedFile
from nextbest.data.sources.opening import Readable, open_sources
from nextbest.data.writing import QuarantineWriter
from nextbest.errors import DataError, InputError

log = logging.getLogger(__name__)
_STEPS = ("rows", "repairs", "duplicates")


def ingest_panel(
    files: Readable | Sequence[Readable],
    folder: str | Path,
    *,
    schema: PanelSchema = SANTANDER,
    source: str | None = None,
    progress: bool = False,
) -> PanelReport:
    """Read, check, repair and store a monthly panel; all of it or nothing.

    The same files again change nothing; a file with a new month adds it; rows of a client and month that
    are stored already are replaced where they say something else.

    Parameters
    ----------
    files
        Files (CSV also as .gz or .zip, Parquet, Arrow), folders, globs, database URLs or polars tables, in the
        order in which later rows win over earlier ones. Rows and columns in any order.
    folder
        The panel's folder, `STORE/panel` in a workspace; made where it isn't there.
    schema
        What the columns mean.
    source
        Name of a known panel format (`nextbest.data.panel.schema.SCHEMAS`) instead of `schema`.
    progress
        Show a progress bar on standard error.

    Returns
    -------
    PanelReport
        With `read == stored + quarantined + merged`.

    Raises
    ------
    InputError
        The format isn't known, or the folder holds a panel of another schema.
    DataError
        A file is missing, broken, empty or without rows, or lacks columns of the schema.
    ExternalError
        The disk is full, a database fails, or another process is writing. The panel is as it was.
    """
    if source is not None:
        if source not in SCHEMAS:
            raise InputError("source", f"must be one of {sorted(SCHEMAS)}", value=source)
        schema = SCHEMAS[source]
    sources = _sources(files, schema)
    columns = [match_columns(item, schema) for item in sources]
    with PanelWriter(folder, schema=schema) as writer, disk_errors(writer.folder):
        return _Run(writer, sources, columns, progress=progress).run()


def _sources(files: Readable | Sequence[Readable], schema: PanelSchema) -> list[Source]:
    if schema.name == SANTANDER.name:
        from nextbest.data.sources.santander import panel_sources

        return panel_sources(files)
    return open_sources(files)


def match_columns(source: Source, schema: PanelSchema) -> dict[str, str]:
    """The schema's columns -> the source's, by name without case and spaces around it.

    Raises
    ------
    DataError
        Columns of the schema are missing.
    """
    there = source.columns()
    by_name = {name.strip().casefold(): name for name in reversed(there)}
    wanted = (schema.id_column, schema.month_column, *schema.attribute_names, *schema.product_columns)
    found = {name: by_name[name.casefold()] for name in wanted if name.casefold() in by_name}
    if missing := [name for name in wanted if name not in found]:
        what = f"{len(missing)} of the {len(wanted)} columns of a {schema.name} panel missing: {missing[:8]}"
        if set(schema.product_columns) <= set(missing):
            what = f"no product column of a {schema.name} panel, it holds clients and not what they hold"
        raise DataError(
            source.name,
            what,
            remedy=f"it has {there[:12]}{' ...' if len(there) > 12 else ''}; add the columns, empty if need be, "
            "or describe the panel with a schema of its own",
        )
    return found


class _Run:
    """One ingest, from first row to commit."""

    def __init__(
        self,
        writer: PanelWriter,
        sources: Sequence[Source],
        columns: Sequence[Mapping[str, str]],
        *,
        progress: bool,
    ) -> None:
        self.writer, self.schema, self.progress = writer, writer.schema, progress
        self.sources, self.columns = sources, columns
        self.reader = RowReader(self.schema)
        self.quarantine = QuarantineWriter(writer.folder, writer.before, generation=writer.generation)
        self.tally = Tally()
        self.n_read = self.n_quarantined = 0
        self.settled: list[Settled] = []

    def run(self) -> PanelReport:
        with tempfile.TemporaryDirectory(prefix="stage-", dir=self.writer.folder) as stage:
            spill = Spill(Path(stage))
            self._read(spill)
            stored = {part.month: part for part in self.writer.before.months}
            for month, new in spill.months():
                part = stored.get(month)
                before = None if part is None else pl.read_parquet(self.writer.folder / part.file, glob=False)
                settled = settle_month(new, before)
                if settled.is_changed:
                    table = settled.table
                    attributes = table.select(self.schema.attribute_names)
                    self.writer.append_month(month, table.to_series(0), table[HELD].to_numpy(), attributes)
                self.settled.append(settled._replace(table=pl.DataFrame()))
            self.quarantine.flush()
        made: list[PanelReport] = []

        def report(panel: Panel) -> dict[str, Any]:
            made.append(self._report(panel))
            return made[0].to_dict()

        self.writer.commit(report=report, quarantine=self.quarantine.parts)
        log.info("panel ingested", extra={"read": self.n_read, "added": made[0].added})
        return made[0]

    def _read(self, spill: Spill) -> None:
        from tqdm import tqdm

        hints = [item.size_hint() for item in self.sources]
        total = None if None in hints else sum(hint or 0 for hint in hints)
        bar = tqdm(total=total, unit="row", unit_scale=True, desc="ingest", disable=not self.progress)
        for source, columns in zip(self.sources, self.columns, strict=True):
            many = {self.schema.id_column, *(a.name for a in self.schema.attributes if a.kind == "number")}
            if isinstance(source, DelimitedFile):
                source.categorical = frozenset(theirs for ours, theirs in columns.items() if ours not in many)
            n_before = self.n_read
            for chunk in source.chunks():
                rows = self.reader.read(chunk, columns)
                self.n_read += rows.n_read
                self.n_quarantined += len(rows.rejected)
                for reason, n in rows.rejected["reason"].value_counts().iter_rows():
                    self.tally.reject("rows", reason, n)
                self.quarantine.add(source.name, rows.rejected)
                spill.add(rows.table)
                bar.update(rows.n_read)
            if self.n_read == n_before:
                raise DataError(
                    source.name,
                    "holds no rows, only columns",
                    remedy="nothing was stored; look whether its export was cut short, or leave it out",
                )
        bar.close()

    def _report(self, panel: Panel) -> PanelReport:
        months = profile(panel)
        breaks = find_breaks(panel, months)
        return PanelReport(
            read=self.n_read,
            stored=sum(s.n_rows for s in self.settled),
            quarantined=self.n_quarantined,
            merged=sum(s.n_merged for s in self.settled),
            conflicting=sum(s.n_conflicting for s in self.settled),
            added=sum(s.n_added for s in self.settled),
            updated=sum(s.n_updated for s in self.settled),
            steps=self._steps(),
            sources=tuple(dict.fromkeys(item.name for item in self.sources)),
            source_schema=self.schema.name,
            columns=column_reports(self.schema, self.reader.counts),
            extra_columns=self._extra_columns(),
            joint_gaps=self.reader.missing_sets.gaps(),
            months=month_reports(months),
            breaks=breaks,
            n_rows_total=panel.n_rows,
            n_customers=panel.n_customers,
        )

    def _steps(self) -> tuple[StepReport, ...]:
        for counts in self.reader.counts.values():
            self.tally.change("repairs", sum(counts.repairs.values()) - counts.repairs["missing"])
        broken = [name for name, counts in self.reader.counts.items() if counts.examples]
        if broken:
            self.tally.note("repairs", f"values broke the contract in {', '.join(broken)}")
        self.tally.change("duplicates", sum(s.n_merged for s in self.settled))
        odd = [client for s in self.settled for client in s.conflicting][:5]
        if odd:
            self.tally.note(
                "duplicates", f"rows of one client and month differ, the last stays; clients {odd}"
            )
        return self.tally.steps(dict.fromkeys(_STEPS, True))

    def _extra_columns(self) -> tuple[str, ...]:
        extra = {
            name: None
            for source, columns in zip(self.sources, self.columns, strict=True)
            for name in source.columns()
            if name not in columns.values()
        }
        return tuple(extra)


def month_reports(months: MonthProfile) -> tuple[MonthReport, ...]:
    """The lines of a report's months."""
    return tuple(
        MonthReport(
            month=month,
            rows=int(months.rows_M[m]),
            first_seen=int(months.first_seen_M[m]),
            left=int(months.left_M[m]),
            additions=int(months.added_MP[m].sum()) if months.follows_M[m] else None,
            drops=int(months.dropped_MP[m].sum()) if months.follows_M[m] else None,
        )
        for m, month in enumerate(months.months)
    )
