"""A book that several threads read and others still write: open while it is asked, closed at the same moments in all processes.

Opening costs more than most questions do, so a book stays open between them. Whoever reads shuts writers out; therefore
every reader of this machine lets go of the file at each whole `PERIOD_S` of the clock and waits `GAP_S` before it comes
back, which is when a writer that waits (`database.connect`) finds it free.
"""

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from typing import TypeAlias

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.database import FILE

PERIOD_S = 2.0
"""Longest time that a book stays open between two chances for a writer, seconds."""
GAP_S = 0.03
"""How long such a chance lasts, seconds; a writer looks several times in it."""

FileState: TypeAlias = tuple[int, int]


def file_state(folder: Path) -> FileState | None:
    """Another one after every change of a folder's book; None where there is none."""
    try:
        stat = (folder / FILE).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


class SharedBook:
    """The book in a folder, lent to one thread at a time.

    Parameters
    ----------
    folder
        Of the book, which need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn = Lock()
        self._book: Book | None = None
        self._state: FileState | None = None
        self._until_s = 0.0
        self._closing: Timer | None = None
        self._at_exit: weakref.finalize[[], SharedBook] | None = None

    @contextmanager
    def lent(self) -> Iterator[Book]:
        """The open book, as the last writer left it.

        Raises
        ------
        InputError, ExternalError, DataError, ArtifactError
            As `Book.open`.
        """
        with self._turn:
            if self._book is None or time.time() >= self._until_s or self._state != file_state(self.folder):
                self._open()
            assert self._book is not None
            yield self._book

    def close(self) -> None:
        """Let go of the file now; the next question opens it again."""
        with self._turn:
            self._close()

    def _open(self) -> None:
        self._close()
        gone = time.time() % PERIOD_S
        if gone < GAP_S:
            time.sleep(GAP_S - gone)
        self._state = file_state(self.folder)
        self._book = Book.open(self.folder)
        # DuckDB complains of what is still open when a process ends
        self._at_exit = weakref.finalize(self, self._book.close)
        now = time.time()
        self._until_s = now - now % PERIOD_S + PERIOD_S
        self._closing = Timer(self._until_s - now, _close_when_over, (weakref.ref(self),))
        self._closing.daemon = True
        self._closing.start()

    def close_when_over(self) -> None:
        """Let go of the file if its time is over."""
        with self._turn:
            if time.time() >= self._until_s:  # else somebody opened it anew meanwhile
                self._close()

    def _close(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._at_exit is not None:
            self._at_exit()
            self._at_exit = self._book = None


def _close_when_over(shared: "weakref.ref[SharedBook]") -> None:
    """On a timer's thread, which keeps nobody alive: who is forgotten is closed by that."""
    if (it := shared()) is not None:
        it.close_when_over()
