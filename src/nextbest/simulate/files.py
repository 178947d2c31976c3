"""A simulated shop written as the files an outside shop would hand over; the only module here that writes.

A block of clients at a time, so size is bounded by the disk, not by memory.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from tqdm import tqdm

from nextbest.errors import ExternalError, InputError
from nextbest.simulate.config import ShopConfig
from nextbest.simulate.dirt import DirtConfig, add_dirt
from nextbest.simulate.shop import ShopStream

HUMAN = {
    "user_id": "client",
    "item_id": "product",
    "time": "moment",
    "amount": "sum",
    "currency": "currency",
    "quantity": "pieces",
    "kind": "operation",
    "mcc": "mcc_code",
    "merchant": "shop",
}
"""Our column -> the name in the written journal; `channel` keeps its own."""
FULL_USERS, FULL_ITEMS = 100_000, 10_000
"""Size at `scale=1`; items grow with the square root."""


@dataclass(frozen=True)
class ShopFiles:
    """What `write_shop` wrote."""

    journal: Path
    """A CSV file, or a folder of Parquet parts."""
    catalog: Path
    clients: Path
    ledger: Path
    """JSON: sizes, and how many rows of each kind the journal holds."""
    mapping: tuple[str, ...]
    """`ours=theirs` of each journal column, as `nextbest ingest --map` takes them."""

    def __iter__(self) -> Iterator[Path]:
        return iter((self.journal, self.catalog, self.clients, self.ledger))


def write_shop(
    folder: Path | str,
    *,
    scale: float,
    rng: int = 0,
    progress: bool | None = None,
    dirt: DirtConfig | None = DirtConfig(),  # noqa: B008  # a frozen value, nothing to share by mistake
    config: ShopConfig | None = None,
    n_days: int = 180,
    events_per_user: float = 40,
    format: Literal["csv", "parquet"] = "csv",  # noqa: A002  # the word every table library uses
) -> ShopFiles:
    """Write journal, catalogue, clients and the ledger of dirt into `folder`, replacing what is there.

    Parameters
    ----------
    folder
        Made if it isn't there.
    scale
        1 = 100,000 clients, 10,000 items and 4 million purchases; clients grow with it, items with its
        square root. Above 0.
    rng
        Seed; the same one gives the same files.
    progress
        Whether to show a bar on standard error.
    dirt
        Kinds and shares of bad rows; None = none. Times are then written as text all the same.
    config, n_days, events_per_user
        As in `simulate_shop`.
    format
        `csv`: one UTF-8 file. `parquet`: a folder of parts, a block of clients each, all columns text
        when there is dirt.

    Raises
    ------
    InputError
        A number is out of range.
    ExternalError
        The disk refuses; retryable.
    """
    if not scale > 0:
        raise InputError("scale", "must be above 0", value=scale)
    if format not in ("csv", "parquet"):
        raise InputError("format", "must be 'csv' or 'parquet'", value=format)
    stream = ShopStream(
        n_users=max(1, round(FULL_USERS * scale)),
        n_items=max(24, round(FULL_ITEMS * scale**0.5)),
        n_days=n_days,
        events_per_user=events_per_user,
        rng=rng,
        config=config,
    )
    folder = Path(folder)
    files = ShopFiles(
        folder / ("journal.csv" if format == "csv" else "journal"),
        folder / "catalog.csv",
        folder / "clients.csv",
        folder / "ledger.json",
        tuple(f"{ours}={theirs}" for ours, theirs in HUMAN.items()),
    )
    try:
        _write(stream, files, rng=rng, dirt=dirt, progress=bool(progress))
    except OSError as error:
        raise ExternalError("disk", f"can't write {folder}: {error}", retryable=True) from error
    return files


def _write(
    stream: ShopStream, files: ShopFiles, *, rng: int, dirt: DirtConfig | None, progress: bool
) -> None:
    files.catalog.parent.mkdir(parents=True, exist_ok=True)
    stream.catalog.write_csv(files.catalog)
    as_csv = files.journal.suffix == ".csv"
    if as_csv:
        files.journal.unlink(missing_ok=True)
    else:
        files.journal.mkdir(exist_ok=True)
        for old in files.journal.glob("part-*.parquet"):
            old.unlink()
    files.clients.unlink(missing_ok=True)
    counts: dict[str, int] = {}
    bar = tqdm(stream.blocks(), total=stream.n_blocks, desc="simulate", unit="block", disable=not progress)
    for number, (journal, clients) in enumerate(bar):
        table, found = _block(journal, dirt, np.random.default_rng([rng, 2, number]))
        for kind, n in found.items():
            counts[kind] = counts.get(kind, 0) + n
        named = table.rename(HUMAN)
        if as_csv:
            _append_csv(named, files.journal, first=number == 0)
        else:
            named.write_parquet(files.journal / f"part-{number:05d}.parquet")
        _append_csv(clients, files.clients, first=number == 0)
    sizes = {"n_users": stream.n_users, "n_items": stream.n_items, "n_days": stream.n_days, "rng": rng}
    ledger = {**sizes, "rows": sum(counts.values()), "marks": counts}
    files.ledger.write_text(json.dumps(ledger, indent=2) + "\n", encoding="utf-8")


def _block(
    journal: pl.DataFrame, dirt: DirtConfig | None, gen: np.random.Generator
) -> tuple[pl.DataFrame, dict[str, int]]:
    """One block as it is written, and its rows of each mark."""
    if dirt is None:
        return journal, {"clean": len(journal)}
    dirty = add_dirt(journal, config=dirt, rng=gen)
    return dirty.table, dirty.counts


def _append_csv(table: pl.DataFrame, path: Path, *, first: bool) -> None:
    with path.open("ab") as file:
        table.write_csv(file, include_header=first, datetime_format="%Y-%m-%d %H:%M:%S")
