"""The panel as readers see it: product masks and presence month by month, attributes on demand.

Opens what `store.PanelWriter` wrote; writes nothing. What a model may see of it at a month is
`as_of.AsOf`'s business.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex
from nextbest.data.panel.manifest import PanelManifest, find_panel, read_panel_manifest
from nextbest.data.panel.masks import BoolArray, UInt32Array
from nextbest.data.panel.schema import ROW, PanelSchema
from nextbest.errors import ArtifactError, InputError
from nextbest.tables import QUARANTINE

if TYPE_CHECKING:
    from nextbest.data.panel.as_of import AsOf

AttributesKnown = Literal["month_end", "scoring_time"]
"""Which attributes are known when a month is scored: those of the month before, or the month's own."""
REMEDY = "ingest a panel with `nextbest ingest FILE --source santander`"


class Panel:
    """Clients by months: 24 or so products as bits of a mask, presence, and attributes.

    Everything here is of the snapshot that was committed when it was opened; a later ingest
    doesn't change it.
    """

    schema: PanelSchema
    months: tuple[date, ...]
    """Months that have rows, oldest first; gaps are possible."""
    ids: IdIndex
    """Client id <-> row, sorted by id; rows stay while no new client appears."""
    held_MC: UInt32Array
    """Products held: bit `p` of `held_MC[m, c]` is product `p` of the schema. Shape (n_months, n_customers),
    memory-mapped; 0 where the client is absent."""
    present_MC: BoolArray
    """Whether the client has a row in the month. Shape (n_months, n_customers), memory-mapped."""
    report: dict[str, Any]
    """The data contract of what was ingested, as `PanelReport.to_dict`; empty for a panel written directly."""

    def __init__(self, folder: Path, manifest: PanelManifest) -> None:
        """Open a snapshot; `Panel.open` finds it."""
        self.folder, self.manifest = folder, manifest
        self.schema = manifest.panel_schema
        self.months = tuple(part.month for part in manifest.months)
        self.report = manifest.report
        try:
            self.ids = IdIndex.load(folder / manifest.ids)
            self.held_MC = np.load(folder / manifest.held, mmap_mode="r")
            self.present_MC = np.load(folder / manifest.present, mmap_mode="r")
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(
                folder, f"files of the panel can't be read: {error}", remedy=REMEDY
            ) from error
        shape = (len(self.months), len(self.ids))
        if self.held_MC.shape != shape or self.present_MC.shape != shape:
            raise ArtifactError(
                folder,
                f"masks have shape {self.held_MC.shape}, {self.present_MC.shape}, the manifest says {shape}",
                remedy=REMEDY,
            )

    @classmethod
    def open(cls, folder: str | Path) -> "Panel":
        """The panel in `folder`, or in `folder/panel` (the workspace that `nextbest ingest` wrote).

        Raises
        ------
        ArtifactError
            There is none, or it is of another version or damaged.
        """
        found = find_panel(Path(folder))
        if found is None:
            raise ArtifactError(folder, "holds no panel", remedy=REMEDY)
        return cls(found, read_panel_manifest(found))

    def __repr__(self) -> str:
        if not self.months:
            return f"Panel({self.schema.name!r}, empty)"
        span = f"{self.months[0]:%Y-%m} to {self.months[-1]:%Y-%m}"
        return f"Panel({self.schema.name!r}, {self.n_customers} clients, {len(self.months)} months {span})"

    @property
    def n_customers(self) -> int:
        """Clients that ever have a row."""
        return len(self.ids)

    @property
    def n_products(self) -> int:
        """Products of the schema."""
        return len(self.schema.products)

    @property
    def n_rows(self) -> int:
        """Rows: clients present, summed over months."""
        return sum(part.rows for part in self.manifest.months)

    def index(self, month: date) -> int:
        """Place of a month in `months` and in the first axis of the masks; any day of it will do.

        Raises
        ------
        InputError
            The panel has no such month.
        """
        try:
            return self.months.index(self.schema.month_of(month))
        except ValueError:
            raise InputError("month", f"must be one of {_span(self.months)}", value=str(month)) from None

    def held(self, month: date) -> UInt32Array:
        """Products held in a month, a mask for every client of the panel. Shape (n_customers,)."""
        held_C: UInt32Array = self.held_MC[self.index(month)]
        return held_C

    def present(self, month: date) -> BoolArray:
        """Which clients have a row in a month. Shape (n_customers,)."""
        present_C: BoolArray = self.present_MC[self.index(month)]
        return present_C

    def rows(self, month: date) -> NDArray[np.int32]:
        """Row numbers of the clients present in a month, ascending. Shape (n_present,)."""
        return np.flatnonzero(self.present(month)).astype(np.int32)

    def attributes(self, month: date, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Attributes of the clients present in a month, one row each, ordered by `row`.

        Parameters
        ----------
        month
            A month of the panel.
        columns
            Attributes wanted, in their order; None: all of the schema.

        Returns
        -------
        DataFrame of (n_present,) rows
            `row` (Int32, place in `ids`) first; then categories as Enum or Categorical, integers Int16 or
            Int32, numbers Float32, flags Boolean, dates Date. Null: missing, or refused by the contract.

        Raises
        ------
        InputError
            No such month or attribute.
        ArtifactError
            The month's file is gone or damaged.
        """
        wanted = list(self.schema.attribute_names if columns is None else columns)
        if unknown := [name for name in wanted if name not in self.schema.attribute_names]:
            raise InputError("columns", f"must be among {list(self.schema.attribute_names)}", value=unknown)
        part = self.manifest.months[self.index(month)]
        rows = self.rows(month)
        try:
            table = pl.read_parquet(self.folder / part.file, columns=wanted, glob=False) if wanted else None
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(
                self.folder / part.file, f"can't be read: {str(error).splitlines()[0]}", remedy=REMEDY
            ) from error
        if part.rows != len(rows):
            raise ArtifactError(
                self.folder, f"{part.month}: {part.rows} rows against {len(rows)} clients", remedy=REMEDY
            )
        places = pl.Series(ROW, rows)
        return places.to_frame() if table is None else table.select(places, *wanted)

    def as_of(self, target: date, *, attributes: AttributesKnown = "month_end") -> "AsOf":
        """What may be known when `target` is to be predicted: products to the month before.

        Parameters
        ----------
        target
            The month to predict; it need not be in the panel, the month before must be.
        attributes
            `month_end`: attributes of the month before are the newest known (a bank that closes its month
            first). `scoring_time`: those of `target` itself are known too, products still aren't.

        Raises
        ------
        InputError
            The month before isn't in the panel, or the target's attributes are asked for and it isn't either.
        """
        from nextbest.data.panel.as_of import AsOf

        return AsOf(self, target, attributes=attributes)

    def quarantine(self) -> pl.LazyFrame:
        """Rows that ingest refused: `source, row, reason, raw`."""
        schema = {name: dtype for name, dtype in QUARANTINE.required.items() if dtype is not None}
        files = [self.folder / part.file for part in self.manifest.quarantine]
        return pl.scan_parquet(files, glob=False).select(*schema) if files else pl.LazyFrame(schema=schema)


class Additions(NamedTuple):
    """Clients who could add something in a month, and what they added; a plain triple."""

    row_N: NDArray[np.int32]
    """Rows of the clients present in the month and the calendar month before, ascending."""
    held_N: UInt32Array
    """Products held in the month before."""
    added_N: UInt32Array
    """Products held in the month and not the month before; 0 for most."""


def additions(panel: Panel, month: date) -> Additions:
    """Products that clients took in `month`: `own(t) = 1` and `own(t-1) = 0`, present in both.

    Clients who appear in `month` can't add; one who was absent last month can't either.

    Raises
    ------
    InputError
        The panel lacks the month or the calendar month before it.
    """
    now, before = panel.index(month), panel.index(panel.schema.month_before(month))
    row_N = np.flatnonzero(panel.present_MC[now] & panel.present_MC[before]).astype(np.int32)
    held_N: UInt32Array = panel.held_MC[before][row_N]
    return Additions(row_N, held_N, panel.held_MC[now][row_N] & ~held_N)


def _span(months: tuple[date, ...]) -> str:
    if len(months) <= 6:
        return str([str(month) for month in months])
    return f"the {len(months)} months {months[0]} to {months[-1]}"
