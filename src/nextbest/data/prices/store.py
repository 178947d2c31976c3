"""Candles kept in a workspace: `prices/STEP/ASSET.parquet`, one file an asset and step.

A file is written aside, flushed and renamed, so a reader or a killed process never meets half of one; an addition of
several assets is whole for each of them, and adding the same again makes good what was cut short. One writer at a
time. A later candle of a time that is there already replaces it, and the addition says so.
"""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import polars as pl
from pydantic import BaseModel

from nextbest.data.locking import new_folder, writer_lock
from nextbest.data.manifest import disk_errors, sync_folder
from nextbest.data.prices.candles import SCHEMA
from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import PriceTable
from nextbest.data.prices.steps import check_step, parse_step, step_name
from nextbest.errors import DataError, InputError

FOLDER = "prices"
_LONGEST_NAME = 200
_EXAMPLES = 5
_VALUES = tuple(name for name in SCHEMA if name not in ("asset_id", "time"))


class ChangedBar(BaseModel, frozen=True, extra="forbid"):
    """A candle that the store had with other values."""

    time: datetime
    close_before: float
    close: float


class Addition(BaseModel, frozen=True, extra="forbid"):
    """What an addition did to one asset; `rows` of the table are `added + same + changed`."""

    asset_id: str
    added: int
    """Bars at times that the store didn't have."""
    same: int
    """Bars that it had with the same values."""
    changed: int
    """Bars that it had with others; the new values stand now."""
    examples: tuple[ChangedBar, ...] = ()
    """The first five changed."""


class PriceStore:
    """The candles of a workspace; `PriceStore.open` makes its folder at the first addition."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"PriceStore({str(self.folder)!r})"

    @classmethod
    def open(cls, folder: str | Path) -> "PriceStore":
        """The store in `folder/prices` of a workspace, which need not be there yet."""
        path = Path(folder) / FOLDER
        if path.exists() and not path.is_dir():
            raise InputError("workspace", "must be a folder, is a file", value=str(path))
        return cls(path)

    def add(self, table: PriceTable) -> tuple[Addition, ...]:
        """Keep the candles of a reading; one answer for each asset, by name.

        Raises
        ------
        InputError
            An asset's name is too long for a file.
        ExternalError
            The disk is full, or another process is writing; retryable.
        """
        names = table.prices["asset_id"].unique().sort().to_list()
        if not names:
            return ()
        paths = {name: self._path(name, table.step) for name in names}
        with disk_errors(self.folder), new_folder(self.folder), writer_lock(self.folder):
            parts = table.prices.partition_by("asset_id", as_dict=True, include_key=False)
            return tuple(_merge(paths[name], name, parts[(name,)]) for name in names)

    def assets(self) -> pl.DataFrame:
        """What there is: `asset_id, step, rows, first, last`, by asset and step; reads no candle.

        `step` is a Duration, `first` and `last` are opens.
        """
        found = []
        for path in sorted(self.folder.glob("*/*.parquet")):
            try:
                first, last, rows = (
                    pl.scan_parquet(path, glob=False)
                    .select(pl.col("time").first(), pl.col("time").last().alias("last"), pl.len())
                    .collect()
                    .row(0)
                )
            except (OSError, pl.exceptions.PolarsError) as error:
                raise _damaged(path, error) from error
            found.append((unquote(path.stem), parse_step(path.parent.name), rows, first, last))
        schema = {"asset_id": pl.String(), "step": pl.Duration("us"), "rows": pl.Int64()}
        schema |= {"first": SCHEMA["time"], "last": SCHEMA["time"]}
        return pl.DataFrame(found, schema=schema, orient="row").sort("asset_id", "step")

    def steps(self) -> list[timedelta]:
        """Lengths of bars that there are, the shortest first; reads no file."""
        return sorted({parse_step(path.parent.name) for path in self.folder.glob("*/*.parquet")})

    def state(self, step: timedelta) -> tuple[tuple[str, int, int], ...]:
        """Name, time of change and size of each file of a step: another one after every addition; reads no file."""
        files = [(path.name, path.stat()) for path in (self.folder / step_name(step)).glob("*.parquet")]
        return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in files))

    def table(self, step: timedelta, assets: Sequence[str] | None = None) -> pl.DataFrame:
        """Candles of a step as `tables.PRICES`, by asset and time; `assets=None` = all that have it.

        Raises
        ------
        InputError
            The store has no candle of that step, or not of all the assets; says which steps and assets it has.
        """
        folder = self.folder / step_name(step)
        if assets is None:
            wanted = sorted(unquote(path.stem) for path in folder.glob("*.parquet"))
        else:
            wanted = list(assets)
        missing = [name for name in wanted if not self._path(name, step).is_file()]
        if not wanted or missing:
            have = self.assets()
            steps = [step_name(s) for s in have["step"].unique().sort()]
            raise InputError(
                "assets" if missing else "step",
                f"no candles of {step_name(step)}" + (f" of {missing[:5]}" if missing else ""),
                remedy=f"{self.folder} has the steps {steps} of {have['asset_id'].unique().sort().to_list()[:20]}",
            )
        parts = [
            _read(self._path(name, step)).select(pl.lit(name).alias("asset_id"), pl.all()) for name in wanted
        ]
        return pl.concat(parts).sort("asset_id", "time")

    def panel(self, step: timedelta, assets: Sequence[str] | None = None) -> PricePanel:
        """The candles of a step on one clock; `InputError` as of `table`."""
        return PricePanel.of(self.table(step, assets), step=step, assets=assets)

    def first(self, asset_id: str, step: timedelta) -> datetime | None:
        """Open of the first candle kept, None where there is none."""
        return self._edge(asset_id, step, 0)

    def last(self, asset_id: str, step: timedelta) -> datetime | None:
        """Open of the last candle kept, None where there is none."""
        return self._edge(asset_id, step, -1)

    def _edge(self, asset_id: str, step: timedelta, row: int) -> datetime | None:
        path = self._path(asset_id, step)
        if not path.is_file():
            return None
        moment: datetime = _read(path, columns=["time"])["time"][row]
        return moment

    def _path(self, asset_id: str, step: timedelta) -> Path:
        check_step(step)
        name = quote(asset_id, safe=" ()")
        if not asset_id or len(name) > _LONGEST_NAME:
            raise InputError("asset_id", f"must be 1 to about {_LONGEST_NAME} letters", value=asset_id[:40])
        return self.folder / step_name(step) / f"{name}.parquet"


def _merge(path: Path, asset_id: str, new: pl.DataFrame) -> Addition:
    """Bring new candles (`time` and values) of one asset into its file."""
    if not path.is_file():
        _write(path, new.sort("time"))
        return Addition(asset_id=asset_id, added=len(new), same=0, changed=0)
    old = _read(path)
    both = new.join(old, on="time", how="inner", suffix="_before", maintain_order="left")
    other = pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in _VALUES)
    changed = both.filter(other).sort("time")
    added = new.join(old, on="time", how="anti")
    if len(added) or len(changed):
        kept = old.join(new, on="time", how="anti")
        _write(path, pl.concat([kept, new.select(old.columns)]).sort("time"))
    examples = changed.head(_EXAMPLES).select("time", "close_before", "close").iter_rows(named=True)
    return Addition(
        asset_id=asset_id,
        added=len(added),
        same=len(both) - len(changed),
        changed=len(changed),
        examples=tuple(ChangedBar(**row) for row in examples),
    )


def _write(path: Path, table: pl.DataFrame) -> None:
    """All at once: written aside, flushed to disk, renamed."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        table.write_parquet(file, compression="zstd", compression_level=1, statistics=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def _read(path: Path, *, columns: list[str] | None = None) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        str(path),
        f"can't be read: {str(error).splitlines()[0]}",
        remedy="remove the file and add the candles again",
    )
