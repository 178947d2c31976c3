"""Writes a panel's folder: one Parquet file a month, ids and memory-mapped masks over all of them, a manifest last.

::

    manifest.json                     the snapshot: months, files, schema, report; replaced by rename
    months/2015-01-28-000001.parquet  customer_id, held, attributes; sorted by client
    index/000001-ids.parquet          client ids in row order
    index/000001-held.npy             masks (months, clients); 0 where absent
    index/000001-present.npy          presence (months, clients)
    quarantine/                       rows that were refused
    lock                              held by the one writer

A process killed at any moment leaves the snapshot committed last; the next writer sweeps up.
"""

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.data.locking import new_folder, writer_lock
from nextbest.data.manifest import FILE, Part, commit, disk_errors, sync_folder
from nextbest.data.panel.manifest import MonthPart, PanelManifest, contract_of, read_panel_manifest
from nextbest.data.panel.masks import UInt32Array
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import CUSTOMER_ID, SANTANDER, Attribute, PanelSchema
from nextbest.errors import DataError, InputError

log = logging.getLogger(__name__)
HELD = "held"
FOLDERS = ("months", "index", "quarantine")


class PanelWriter:
    """Writes months of a panel and commits them together; holds the folder's lock until then.

    >>> from tempfile import TemporaryDirectory
    >>> from nextbest.data.panel.schema import Attribute, PanelSchema, Product
    >>> schema = PanelSchema("toy", "id", "month", (Product("card", "Card", "Карта"),), (Attribute("age", "integer"),))
    >>> ages = pl.DataFrame({"age": [40, 50]})
    >>> with TemporaryDirectory() as folder:
    ...     with PanelWriter(folder, schema=schema) as writer:
    ...         writer.append_month(date(2024, 1, 28), [7, 3], np.array([1, 0]), ages)
    ...         panel = writer.commit()
    ...     panel.ids.ids.to_list(), panel.held_MC.tolist()
    ([3, 7], [[0, 1]])
    """

    def __init__(self, folder: str | Path, *, schema: PanelSchema = SANTANDER) -> None:
        """Open `folder` for writing; made where it isn't there. A panel in it keeps months not written anew.

        Raises
        ------
        InputError
            The folder holds a panel of another schema.
        ExternalError
            Another process is writing there.
        """
        self.folder, self.schema = Path(folder), schema
        self._held_open = ExitStack()
        with disk_errors(self.folder):
            self._held_open.enter_context(new_folder(self.folder))
        self._held_open.enter_context(writer_lock(self.folder))
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        fresh = PanelManifest(contract=contract_of(self.schema))
        self.before = read_panel_manifest(self.folder) if (self.folder / FILE).exists() else fresh
        if self.before.contract != fresh.contract:
            raise InputError(
                "schema",
                f"{self.folder} holds a panel of schema {self.before.contract.get('name')!r}, "
                f"which isn't the {self.schema.name!r} given",
                remedy="write into another folder",
            )
        self.generation = self.before.generation + 1
        self._new: dict[date, MonthPart] = {}
        with disk_errors(self.folder):
            sweep(self.folder, self.before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not (self.folder / FILE).exists():
            with suppress(OSError):  # nothing was ever committed here, so that nothing is worth keeping
                sweep(self.folder, self.before)
                for kept in FOLDERS:
                    if (self.folder / kept).exists():
                        (self.folder / kept).rmdir()
        self._held_open.__exit__(kind, error, trace)

    def close(self) -> None:
        """Let go of the folder; what wasn't committed is swept up by the next writer."""
        self._held_open.close()

    def append_month(
        self,
        month: date,
        customer_ids: pl.Series | Sequence[int] | Sequence[str] | np.ndarray,
        held: UInt32Array,
        attributes: pl.DataFrame,
    ) -> None:
        """Write one month, rows in any order; it replaces the stored one of the same month at `commit`.

        Parameters
        ----------
        month
            Any day of it.
        customer_ids
            Clients present, each once. Shape (n,).
        held
            Their products, as masks. Shape (n,).
        attributes
            The schema's attributes, n rows in the same order; types are cast, values must obey the schema.

        Raises
        ------
        InputError
            The month was already written by this writer, or lengths differ.
        DataError
            An id stands twice or is null, a mask has bits of no product, an attribute is missing, unknown or
            breaks the schema.
        """
        month = self.schema.month_of(month)
        if month in self._new:
            raise InputError("month", "was written by this writer already", value=str(month))
        table = self._checked(month, pl.Series(CUSTOMER_ID, customer_ids), held, attributes)
        name = f"months/{month}-{self.generation:06d}.parquet"
        with disk_errors(self.folder):
            write_table(self.folder / name, table.sort(CUSTOMER_ID))
        nulls = {a: n for a in self.schema.attribute_names if (n := table[a].null_count())}
        self._new[month] = MonthPart(month=month, file=name, rows=len(table), missing=nulls)

    def _checked(
        self, month: date, ids: pl.Series, held: UInt32Array, attributes: pl.DataFrame
    ) -> pl.DataFrame:
        name = f"panel month {month}"
        masks = np.asarray(held)
        if not len(ids) == len(masks) == len(attributes):
            raise InputError(
                "append_month",
                "ids, masks and attributes must be equally long",
                value=(len(ids), len(masks), len(attributes)),
            )
        ids = _cast(name, ids, self.schema.id_dtype)
        if ids.null_count():
            raise DataError(name, "client ids must not be null", n_bad=ids.null_count())
        if n_twice := len(ids) - ids.n_unique():
            raise DataError(
                name,
                "a client must stand once in a month",
                n_bad=n_twice,
                examples=_twice(ids),
                remedy="keep one row",
            )
        foreign = np.flatnonzero(masks.astype(np.int64) >> len(self.schema.products))
        if len(foreign):
            raise DataError(
                name,
                f"masks must use {len(self.schema.products)} bits",
                n_bad=len(foreign),
                examples=masks[foreign[:5]].tolist(),
            )
        names = self.schema.attribute_names
        missing = [c for c in names if c not in attributes.columns]
        unknown = [c for c in attributes.columns if c not in names]
        if missing or unknown:
            raise DataError(name, f"attributes missing: {missing}, not of the schema: {unknown}")
        columns = [_obeying(name, attributes[a.name], a) for a in self.schema.attributes]
        return pl.DataFrame([ids, pl.Series(HELD, masks.astype(np.uint32, copy=False)), *columns])

    def commit(
        self,
        *,
        report: dict[str, Any] | Callable[[Panel], dict[str, Any]] | None = None,
        quarantine: Sequence[Part] | None = None,
    ) -> Panel:
        """Make the months written the panel, beside the stored ones; returns it, opened.

        Parameters
        ----------
        report
            What `Panel.report` says from now on, or a function that makes it of the new panel; None keeps what
            it said.
        quarantine
            Quarantine parts of the new snapshot; None keeps the stored ones.
        """
        months = {part.month: part for part in self.before.months} | self._new
        parts = tuple(months[month] for month in sorted(months))
        with disk_errors(self.folder):
            if self._new or not self.before.ids:
                ids, held, present = _write_index(self.folder, parts, self.generation, self.schema.id_dtype)
            else:
                ids, held, present = self.before.ids, self.before.held, self.before.present
            after = self.before.model_copy(
                update={
                    "generation": self.generation,
                    "months": parts,
                    "ids": ids,
                    "held": held,
                    "present": present,
                    "quarantine": self.before.quarantine if quarantine is None else tuple(quarantine),
                    "previous": self.before.files,
                }
            )
            if report is not None:
                said = report(Panel(self.folder, after)) if callable(report) else report
                after = after.model_copy(update={"report": said})
            for kind in FOLDERS:
                if (self.folder / kind).exists():
                    sync_folder(self.folder / kind)
            commit(self.folder, after)
            sweep(self.folder, after)
        self.close()
        log.info("panel committed", extra={"n_months": len(parts), "generation": self.generation})
        return Panel(self.folder, after)


def write_table(path: Path, table: pl.DataFrame) -> None:
    """One Parquet file, flushed to disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        table.write_parquet(file, compression="zstd", compression_level=1, statistics=True)
        file.flush()
        os.fsync(file.fileno())


def _write_index(
    folder: Path, parts: Sequence[MonthPart], generation: int, id_dtype: pl.DataType
) -> tuple[str, str, str]:
    """Ids of all months and the masks over them; names of the three files."""
    (folder / "index").mkdir(exist_ok=True)
    names = [f"index/{generation:06d}-{what}" for what in ("ids.parquet", "held.npy", "present.npy")]
    known = pl.Series(CUSTOMER_ID, [], dtype=id_dtype)
    for part in parts:
        column = pl.read_parquet(folder / part.file, columns=[CUSTOMER_ID], glob=False)[CUSTOMER_ID]
        known = pl.concat([known, column]).unique()
    known = known.sort()
    shape = (len(parts), len(known))
    held_MC = np.zeros(shape, dtype=np.uint32)
    present_MC = np.zeros(shape, dtype=np.bool_)
    for m, part in enumerate(parts):
        table = pl.read_parquet(folder / part.file, columns=[CUSTOMER_ID, HELD], glob=False)
        rows = known.search_sorted(table[CUSTOMER_ID]).to_numpy()
        held_MC[m, rows] = table[HELD].to_numpy()
        present_MC[m, rows] = True
    IdIndex(known).save(folder / names[0])
    for name, array in zip(names[1:], (held_MC, present_MC), strict=True):
        with (folder / name).open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    return names[0], names[1], names[2]


def sweep(folder: Path, manifest: PanelManifest) -> int:
    """Remove files that neither this snapshot nor the one before names: what a killed process left."""
    keep = {*manifest.files, *manifest.previous}
    removed = 0
    for kind in FOLDERS:
        for path in sorted((folder / kind).glob("*")):
            if f"{kind}/{path.name}" not in keep:
                path.unlink()
                removed += 1
    for stage in sorted(folder.glob("stage-*")):
        shutil.rmtree(stage)
        removed += 1
    (folder / f"{FILE}.new").unlink(missing_ok=True)
    if removed:
        log.info("removed files that no snapshot names", extra={"n_files": removed})
    return removed


def _cast(name: str, values: pl.Series, dtype: pl.DataType) -> pl.Series:
    try:
        return values.cast(dtype)
    except pl.exceptions.PolarsError as error:
        found = values.filter(values.is_not_null() & values.cast(dtype, strict=False).is_null())
        raise DataError(
            name, f"{values.name} must be {dtype}", n_bad=len(found), examples=found.head(5).to_list()
        ) from error


def _obeying(name: str, values: pl.Series, attribute: Attribute) -> pl.Series:
    """An attribute in its type, if all values obey the schema."""
    typed = _cast(name, values, attribute.dtype).alias(attribute.name)
    if attribute.kind in ("integer", "number"):
        low = -np.inf if attribute.low is None else attribute.low
        high = np.inf if attribute.high is None else attribute.high
        bad = ~typed.is_between(low, high).fill_null(value=True)
        if typed.dtype == pl.Float32:
            bad |= ~typed.is_finite().fill_null(value=True)
        if n_bad := int(bad.sum()):
            raise DataError(
                name,
                f"{attribute.name} must lie in {low:g} to {high:g}",
                n_bad=n_bad,
                examples=typed.filter(bad).head(5).to_list(),
                remedy="null stands for missing",
            )
    return typed


def _twice(ids: pl.Series) -> list[Any]:
    return ids.filter(ids.is_duplicated()).unique().sort().head(5).to_list()
