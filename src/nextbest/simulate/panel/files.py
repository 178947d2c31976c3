"""A simulated panel written as a bank would hand it over; the only module of the panel's that writes.

The text is made fifty thousand rows at a time: memory is the panel's masks, one month's truth and a slice.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl

from nextbest.data.manifest import disk_errors
from nextbest.data.panel.schema import CUSTOMER_ID, SANTANDER
from nextbest.errors import InputError
from nextbest.simulate.panel.dirt import PanelDirt
from nextbest.simulate.panel.offers import OfferConfig, simulate_offers
from nextbest.simulate.panel.panel import SimulatedPanel, simulate_panel
from nextbest.simulate.panel.people import N_MONTHS
from nextbest.simulate.panel.raw import csv_lines, header, raw_text, raw_typed

SLICE = 50_000
"""Rows of text made at once."""
TRUTH_MONTHS = 4
"""Last months whose P(add) is written."""
STEM = "train_ver2"
LEDGER = "simulation.json"
"""Says that a folder is ours, and which files in it."""
OFFERS, TRUTH_OF_OFFERS, CHOICES = "offers.parquet", "truth/offers.parquet", "truth/choices.parquet"
FileFormat = Literal["csv", "parquet"]


@dataclass(frozen=True)
class WrittenPanel:
    """What `write_panel_files` wrote."""

    folder: Path
    panel: tuple[Path, ...]
    """Files of the panel, in the order in which they are to be read."""
    offers: Path
    truth: tuple[Path, ...]
    rows: int
    """Rows in the panel's files, repeated ones counted."""
    months: int
    customers: int
    offers_made: int
    """Rows of the log, those of control customers too."""
    dirt: dict[str, int]
    """What was put in by kind, as `PanelDirt.counts`."""

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return {
            "folder": str(self.folder),
            "panel": [str(path) for path in self.panel],
            "offers": str(self.offers),
            "truth": [str(path) for path in self.truth],
            "rows": self.rows,
            "months": self.months,
            "customers": self.customers,
            "offers_made": self.offers_made,
            "dirt": dict(self.dirt),
        }

    def to_text(self) -> str:
        """A few lines for a terminal."""
        lines = [f"{self.rows:,} rows of {self.customers:,} customers in {self.months} months"]
        lines += [f"panel   {path}" for path in self.panel]
        lines += [f"offers  {self.offers}  ({self.offers_made:,} contacts)"]
        lines += [f"truth   {self.truth[0].parent}  ({len(self.truth)} files)"]
        lines += [f"dirt    {kind}: {n:,}" for kind, n in self.dirt.items()]
        return "\n".join(lines)


def write_panel_files(
    out: Path | str,
    *,
    scale: float,
    rng: int,
    file_format: FileFormat = "csv",
    dirt: Sequence[str] = (),
    months: int = N_MONTHS,
    offers: OfferConfig | None = None,
    progress: bool = False,
) -> WrittenPanel:
    """Simulate a panel and write it with its offers and the truth behind both.

    ::

        train_ver2.csv | .parquet            the panel as the bank would hand it over
        train_ver2_2016-05.csv               its last month, with schema_drift
        train_ver2_late.csv                  what came late, with late_month
        offers.parquet                       the log of offers (`Offers.log`), a contact history
        truth/additions_2016-05-28.parquet   P(add) of each customer and product, last four months
        truth/offers.parquet                 what each offer did (`Offers.truth`, rows as in the log)
        truth/choices.parquet                what else could have been offered (`Offers.choices`)
        simulation.json                      sizes, seed, files, dirt

    Parameters
    ----------
    out
        A new or empty folder, or one that this function wrote: its files are then replaced, others stay.
    scale, rng, months
        As in `simulate_panel`.
    file_format
        Parquet holds typed columns, or with `dirt` text as in the CSV file.
    dirt
        Kinds among `DIRT_KINDS`.
    offers
        How offers are made; None: the defaults.
    progress
        Show progress bars on standard error.

    Raises
    ------
    InputError
        A number is out of range, a kind of dirt isn't known, or the folder holds something else.
    ExternalError
        The disk refused.
    """
    if file_format not in ("csv", "parquet"):
        raise InputError("file_format", "must be csv or parquet", value=file_format)
    folder = Path(out)
    old = _our_files(folder)
    panel = simulate_panel(scale=scale, rng=rng, months=months, progress=progress)
    soiler = PanelDirt(dirt, rng=panel.seed, months=panel.months_)
    plan = _Plan(folder, panel, soiler, file_format)
    with disk_errors(folder):
        for name in old:
            (folder / name).unlink(missing_ok=True)
        (folder / "truth").mkdir(parents=True, exist_ok=True)
        about = {"scale": scale, "rng": panel.seed, "months": months, "files": plan.names}
        _write_ledger(folder, {**about, "is_complete": False})
        rows = _write_panel(plan, progress=progress)
        _write_truth(plan)
        made = simulate_offers(panel, config=offers, choice_months=TRUTH_MONTHS)
        made.log.write_parquet(folder / OFFERS)
        made.truth.write_parquet(folder / TRUTH_OF_OFFERS)
        made.choices.write_parquet(folder / CHOICES)
        written = WrittenPanel(
            folder=folder,
            panel=tuple(folder / name for name in plan.panel_names),
            offers=folder / OFFERS,
            truth=tuple(folder / name for name in plan.truth_names),
            rows=rows,
            months=months,
            customers=panel.n_customers,
            offers_made=len(made.log),
            dirt=dict(soiler.counts),
        )
        counts = {"rows": rows, "customers": panel.n_customers, "offers_made": len(made.log)}
        _write_ledger(folder, {**about, "is_complete": True, **counts, "dirt": written.dirt})
    return written


class _Plan:
    """Which file holds what."""

    def __init__(self, folder: Path, panel: SimulatedPanel, dirt: PanelDirt, file_format: FileFormat) -> None:
        self.folder, self.panel, self.dirt, self.file_format = folder, panel, dirt, file_format
        self.main = f"{STEM}.{file_format}"
        self.late = f"{STEM}_late.{file_format}" if dirt.late_month else None
        self.drifted = f"{STEM}_{dirt.drift_month:%Y-%m}.{file_format}" if dirt.drift_month else None
        self.panel_names = [name for name in (self.main, self.drifted, self.late) if name]
        self.truth_months = panel.months_[1:][-TRUTH_MONTHS:]
        additions = [f"truth/additions_{month}.parquet" for month in self.truth_months]
        self.truth_names = [*additions, TRUTH_OF_OFFERS, CHOICES]

    @property
    def names(self) -> list[str]:
        """Every file, relative to the folder."""
        return [*self.panel_names, OFFERS, *self.truth_names]

    @property
    def is_text(self) -> bool:
        return self.file_format == "csv" or bool(self.dirt.kinds)


class _Writer(Protocol):
    def write(self, table: pl.DataFrame) -> None: ...


class _CsvWriter:
    """Appends raw rows to one CSV file; its first table names the columns."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._file = stack.enter_context(path.open("wb"))
        self._is_new = True

    def write(self, table: pl.DataFrame) -> None:
        if self._is_new:
            self._file.write(header(tuple(table.columns)))
            self._is_new = False
        self._file.write(csv_lines(table))


class _ParquetWriter:
    """Appends tables to one Parquet file, a row group each."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path, self._stack = path, stack
        self._writer: Any = None

    def write(self, table: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = self._stack.enter_context(
                pq.ParquetWriter(self._path, arrow.schema, compression="zstd")
            )
        self._writer.write_table(arrow)


def _write_panel(plan: _Plan, *, progress: bool) -> int:
    """Write every month; returns the rows written."""
    panel, dirt = plan.panel, plan.dirt
    kind = _CsvWriter if plan.file_format == "csv" else _ParquetWriter
    rows = 0
    with ExitStack() as stack:
        writers: dict[str, _Writer] = {name: kind(plan.folder / name, stack) for name in plan.panel_names}
        for m, month in _shown(panel.months_, progress=progress):
            for table in _slices(panel, m, as_text=plan.is_text):
                if not plan.is_text:
                    writers[plan.main].write(table)
                    rows += len(table)
                    continue
                in_time, late = dirt.split_late(dirt.soil(table, month), month)
                rows += len(in_time) + len(late)
                in_time, late = in_time.select(dirt.columns), late.select(dirt.columns)
                if month == dirt.drift_month:
                    writers[str(plan.drifted)].write(dirt.drift(in_time))
                else:
                    writers[plan.main].write(in_time)
                if month == dirt.late_month:
                    writers[str(plan.late)].write(late)
    return rows


def _slices(panel: SimulatedPanel, m: int, *, as_text: bool) -> Iterator[pl.DataFrame]:
    """Rows of a month, some at a time."""
    rows = np.flatnonzero(panel.present(panel.months_[m]))
    make = raw_text if as_text else raw_typed
    for start in range(0, len(rows), SLICE):
        some = rows[start : start + SLICE]
        yield make(
            panel.people.take(some),
            m,
            held=panel.held_MC[m, some],
            active=panel.active_MC[m, some],
            seed=panel.seed,
        )


def _write_truth(plan: _Plan) -> None:
    for month in plan.truth_months:
        ids, p_NP = plan.panel.truth(month)
        columns = {CUSTOMER_ID: ids} | {
            column: p_NP[:, p] for p, column in enumerate(SANTANDER.product_columns)
        }
        pl.DataFrame(columns).write_parquet(plan.folder / f"truth/additions_{month}.parquet")


def _our_files(folder: Path) -> list[str]:
    """Files of an earlier simulation in the folder, to be replaced.

    Raises
    ------
    InputError
        The folder holds something else.
    """
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise InputError("out", "must be a folder, is a file", value=str(folder))
    if not there:
        return []
    remedy = "name a new or empty folder, or empty this one"
    if LEDGER not in there:
        raise InputError("out", f"{folder} holds something else", value=there[:5], remedy=remedy)
    try:
        names = json.loads((folder / LEDGER).read_text("utf-8"))["files"]
        inside = [str(name) for name in names if (folder / name).resolve().is_relative_to(folder.resolve())]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("out", f"{folder / LEDGER} can't be read", remedy=remedy) from error
    return inside


def _write_ledger(folder: Path, content: dict[str, Any]) -> None:
    (folder / LEDGER).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _shown(months: Sequence[date], *, progress: bool) -> Iterator[tuple[int, date]]:
    if not progress:
        return iter(enumerate(months))
    from tqdm import tqdm

    return iter(tqdm(enumerate(months), total=len(months), desc="write", unit="month"))
