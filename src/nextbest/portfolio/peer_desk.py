"""Who may be asked about peers: an index of the book's clients, and the privacy gate that alone answers for it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nextbest.data.holdings.book import Book
from nextbest.errors import DataError
from nextbest.portfolio.peers.from_book import peer_tables
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.privacy import Peers, PrivacyGate
from nextbest.portfolio.peers.query_log import QueryLog

QUERIES_FOLDER = "peer-queries"
"""Beside the book: the gate's memory, which binds every process that answers for this book."""


@dataclass(frozen=True)
class PeerDesk:
    """An index and its gate."""

    peers: Peers
    gate: PrivacyGate

    @classmethod
    def of_book(cls, book: Book, folder: str | Path, *, as_of: date) -> "PeerDesk":
        """The clients of a book as of a day (its last day with prices where that is earlier).

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
        tables = peer_tables(book, as_of=last)
        peers = PeerIndex.fit(tables.profiles, tables.allocations, tables.outcomes, as_of=last)
        return cls(peers, PrivacyGate(QueryLog(Path(folder) / QUERIES_FOLDER)))

    def close(self) -> None:
        """Let go of the log."""
        self.gate.log.close()
