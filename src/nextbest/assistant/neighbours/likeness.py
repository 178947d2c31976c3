"""The neighbours of meaning that `nextbest assistant embed` wrote into a workspace, read when an item is asked about."""

import logging
import time
from pathlib import Path
from threading import Lock

import polars as pl

from nextbest.data.ids import OutsideId
from nextbest.errors import ArtifactError
from nextbest.tables import ITEM_ID

log = logging.getLogger(__name__)
FOLDER = "vectors"
"""Inside the workspace: vectors of items and their neighbours."""
NEIGHBOURS, N_EVENTS = "neighbours.parquet", "n_events"
EQUAL_AT = 100
"""Events of an item at which what people take together counts as much as what texts say: item-kNN over 3 to 80 events of an item
stayed behind meaning on Steam, and is far before it over all (benchmarks/assistant_neighbours.md)."""
LOOK_S = 2.0
"""Pause between two looks whether the file changed, seconds."""


class Neighbours:
    """Each item's nearest by meaning.

    Parameters
    ----------
    table
        `item_id, neighbour_id, rank` and, where the file has it, `n_events` of `item_id`.
    """

    def __init__(self, table: pl.DataFrame) -> None:
        self._has_events = N_EVENTS in table.columns
        ids = [pl.col(name).cast(pl.String) for name in (ITEM_ID, "neighbour_id")]
        more = [pl.col(N_EVENTS)] if self._has_events else []
        self._table = table.sort(ITEM_ID, "rank").select(*ids, *more)

    @classmethod
    def load(cls, folder: Path) -> "Neighbours":
        """What `nextbest assistant embed` wrote.

        Raises
        ------
        ArtifactError
            The file is missing or isn't such a table.
        """
        path = Path(folder) / NEIGHBOURS
        try:
            return cls(pl.read_parquet(path))
        except (OSError, pl.exceptions.PolarsError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ArtifactError(
                path, f"holds no neighbours ({why})", remedy="make it again with `nextbest assistant embed`"
            ) from error

    def of(self, item_id: OutsideId) -> tuple[tuple[str, ...], float]:
        """Ids as text, nearest first, and how far events are to be trusted beside them, 0-1; nothing for an unknown item."""
        found = self._table.filter(pl.col(ITEM_ID) == str(item_id))
        if found.is_empty():
            return (), 1.0
        n_events = float(found[N_EVENTS][0] or 0) if self._has_events else float(EQUAL_AT)
        return tuple(found["neighbour_id"].to_list()), n_events / (n_events + EQUAL_AT)


class WatchedNeighbours:
    """Those of a workspace that may be embedded later, or again; may be asked by several threads."""

    def __init__(self, workspace: Path) -> None:
        self._folder = Path(workspace) / FOLDER
        self._lock = Lock()
        self._looked = -LOOK_S
        self._seen: object = None
        self._neighbours: Neighbours | None = None

    def __call__(self) -> Neighbours | None:
        """What the file holds now; None where there is none, or one that can't be read."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_S:
                self._looked = time.monotonic()
                self._refresh()
            return self._neighbours

    def _refresh(self) -> None:
        try:
            found = (self._folder / NEIGHBOURS).stat()
        except OSError:
            self._seen, self._neighbours = None, None
            return
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._neighbours = Neighbours.load(self._folder)
        except ArtifactError as error:
            log.warning("neighbours of meaning can't be read: %s", error)
            self._neighbours = None
