"""Who may be asked about peers: an index of the book's clients, and the privacy gate that alone answers for it."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nextbest.data.holdings.book import Book
from nextbest.errors import ArtifactError, DataError
from nextbest.portfolio.peers.from_book import peer_tables
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.privacy import Peers, PrivacyGate
from nextbest.portfolio.peers.query_log import QueryLog

QUERIES_FOLDER = "peer-queries"
"""Beside the book: the gate's memory, which binds every process that answers for this book."""
INDEX_FOLDER = "peer-index"
"""Beside the book: the index of its present state, a folder named after it."""


@dataclass(frozen=True)
class PeerDesk:
    """An index and its gate."""

    peers: Peers
    gate: PrivacyGate

    @classmethod
    def of_book(cls, book: Book, folder: str | Path, *, as_of: date) -> "PeerDesk":
        """The clients of a book as of a day (its last day with prices where that is earlier).

        Valuing everybody takes milliseconds a client, so the index is kept beside the book until the book changes.

        Parameters
        ----------
        folder
            Of the book: the gate's log stands in it.

        Raises
        ------
        DataError
            There are no prices up to that day, or an account can't be valued.
        ExternalError
            The log can't be opened.
        """
        sql = "SELECT max(day) FROM asset_prices WHERE day <= ?"
        last: date | None = book.connection().execute(sql, [as_of]).fetchall()[0][0]
        if last is None:
            raise DataError("asset_prices", f"hold no day up to {as_of}", remedy="import prices first")
        return cls(_index(book, Path(folder), last), PrivacyGate(QueryLog(Path(folder) / QUERIES_FOLDER)))

    def close(self) -> None:
        """Let go of the log."""
        self.gate.log.close()


class DeskKeeper:
    """The desk of a book as it is on a day, made anew when the book or the day changed. One thread at a time may ask.

    Parameters
    ----------
    folder
        Of the book.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._desk: PeerDesk | None = None
        self._key: tuple[int, int, date] | None = None

    def desk(self, book: Book, *, as_of: date) -> PeerDesk:
        """The kept desk, or a new one; raises as `PeerDesk.of_book`."""
        stat = book.path.stat()
        key = (stat.st_mtime_ns, stat.st_size, as_of)
        if self._desk is None or key != self._key:
            self.close()
            self._desk = PeerDesk.of_book(book, self._folder, as_of=as_of)
            self._key = key
        return self._desk

    def close(self) -> None:
        """Let go of the log."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None


def _index(book: Book, folder: Path, as_of: date) -> PeerIndex:
    """The kept index of this state of the book, or a new one, which is kept instead of older ones."""
    state = book.path.stat()
    kept = folder / INDEX_FOLDER / f"{as_of}-{state.st_mtime_ns:x}-{state.st_size:x}"
    if kept.is_dir():
        with suppress(ArtifactError):  # damaged or of another version: fitted again below
            return PeerIndex.load(kept)
    tables = peer_tables(book, as_of=as_of)
    peers = PeerIndex.fit(tables.profiles, tables.allocations, tables.outcomes, as_of=as_of)
    shutil.rmtree(kept.parent, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    peers.save(kept)
    return peers
