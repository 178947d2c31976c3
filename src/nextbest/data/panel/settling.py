"""Typed rows on their way to the store: spilled by month, then each month settled against what is stored of it."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from nextbest.data.panel.schema import CUSTOMER_ID, MONTH


class Spill:
    """Rows parted by month on disk; a month's come back in the order they went in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[date, list[Path]] = defaultdict(list)
        self._n_files = 0

    def add(self, table: pl.DataFrame) -> None:
        """Take rows with a `month` column."""
        if not len(table):
            return
        parts = table.partition_by(MONTH, as_dict=True, maintain_order=True, include_key=False)
        for (month,), part in parts.items():
            assert isinstance(month, date)
            path = self.folder / f"{self._n_files:06d}.arrow"
            part.write_ipc(path, compression="lz4")
            self._files[month].append(path)
            self._n_files += 1

    def months(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """Months oldest first, each with its rows."""
        for month in sorted(self._files):
            yield month, pl.concat([pl.read_ipc(path) for path in self._files[month]])


class Settled(NamedTuple):
    """A month after new rows met the stored ones."""

    table: pl.DataFrame
    """All rows of the month, sorted by client, each client once."""
    is_changed: bool
    """Whether it differs from what is stored."""
    n_rows: int
    """Clients of the new rows."""
    n_merged: int
    """New rows that repeat a client."""
    n_conflicting: int
    """Of these, rows that say something else than another row of the client."""
    n_added: int
    """Clients that weren't stored in this month."""
    n_updated: int
    """Clients that were, with other values."""
    conflicting: tuple[int | str, ...]
    """First five clients with rows that differ."""


def settle_month(new: pl.DataFrame, stored: pl.DataFrame | None) -> Settled:
    """New rows of a month merged over the stored ones: of a client's rows the last wins, new ones over stored.

    Parameters
    ----------
    new
        `customer_id`, `held` and the attributes, in source order.
    stored
        The month as it is stored, sorted by client; None where there is none.
    """
    ordered = new.sort(CUSTOMER_ID, maintain_order=True)
    ids = ordered[CUSTOMER_ID]
    is_last = (ids != ids.shift(-1)).fill_null(value=True)
    n_merged = len(ordered) - int(is_last.sum())
    n_conflicting, conflicting = _conflicts(ordered) if n_merged else (0, ())
    ordered = ordered.filter(is_last) if n_merged else ordered
    table, n_added, n_updated = ordered, len(ordered), 0
    if stored is not None:
        stored = stored.select(ordered.columns)
        table, n_added, n_updated = _over(stored, ordered)
    return Settled(
        table=table,
        is_changed=bool(n_added or n_updated),
        n_rows=len(ordered),
        n_merged=n_merged,
        n_conflicting=n_conflicting,
        n_added=n_added,
        n_updated=n_updated,
        conflicting=conflicting,
    )


def _over(stored: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
    """New rows over stored ones, both sorted by client, each client once: the month, clients added, clients updated."""
    if new.equals(stored):
        return stored, 0, 0
    is_again = stored[CUSTOMER_ID].is_in(new[CUSTOMER_ID].implode())
    is_known = new[CUSTOMER_ID].is_in(stored[CUSTOMER_ID].implode())
    n_updated = _n_different(new.filter(is_known), stored.filter(is_again))
    table = pl.concat([stored.filter(~is_again), new]).sort(CUSTOMER_ID)
    return table, len(new) - int(is_known.sum()), n_updated


def _conflicts(ordered: pl.DataFrame) -> tuple[int, tuple[int | str, ...]]:
    """Repeated rows beyond one for each distinct content, and the first clients that have them."""
    repeated = ordered.filter(ordered[CUSTOMER_ID].is_duplicated()).unique()
    odd = repeated.filter(repeated[CUSTOMER_ID].is_duplicated())[CUSTOMER_ID]
    clients = odd.unique().sort()
    return len(odd) - len(clients), tuple(clients.head(5).to_list())


def _n_different(left: pl.DataFrame, right: pl.DataFrame) -> int:
    """Rows that differ in any column; both sorted by client, the same clients."""
    differs = pl.Series([False] * len(left), dtype=pl.Boolean)
    for name in left.columns:
        differs |= left[name].ne_missing(right[name])
    return int(differs.sum())
