"""A book of portfolios that is open only while it is read, by one question at a time; answers of an unchanged book are kept.

Whoever reads shuts writers out, so the book is closed when nobody waits for it, and now and then where always somebody does.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock

from nextbest.assistant.tools.tool import Nothing
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.database import FILE
from nextbest.portfolio.wording import Document

MAX_OPEN_S = 1.0
"""Longest time that a book stays open for a row of questions, seconds."""
KEPT = 48
"""Documents that are kept, the least asked forgotten first; one with its charts is about half a megabyte."""


class BookReader:
    """The book in a folder, for several threads.

    Parameters
    ----------
    folder
        Of the book, which need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._turn, self._count = Lock(), Lock()
        self._n_waiting = 0
        self._book: Book | None = None
        self._opened_s = 0.0
        self._state: tuple[int, int] | None = None
        self._kept: OrderedDict[Hashable, Document] = OrderedDict()
        self.n_read = 0
        """Questions that were answered from the book itself."""

    def ask(self, question: Callable[[Book], Document], *, key: Hashable | None) -> Document:
        """The document that answers a question.

        Parameters
        ----------
        question
            Asked of the open book; an error of it goes to the asker.
        key
            What the answer depends on besides the book; None: it isn't kept.

        Raises
        ------
        Nothing
            There is no book.
        ExternalError
            Another process is writing to it.
        """
        with self._count:
            self._n_waiting += 1
        with self._turn:
            with self._count:
                self._n_waiting -= 1
            try:
                return self._answer(question, key)
            finally:
                if not self._n_waiting or time.monotonic() - self._opened_s > MAX_OPEN_S:
                    self._close()

    def close(self) -> None:
        """Let go of the book and of what is kept."""
        with self._turn:
            self._close()
            self._kept.clear()

    def _answer(self, question: Callable[[Book], Document], key: Hashable | None) -> Document:
        path = self.folder / FILE
        if not path.is_file():
            raise Nothing("not_ready")
        stat = path.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        if state != self._state:
            self._close()
            self._kept.clear()
            self._state = state
        if key is not None and (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        if self._book is None:
            self._book, self._opened_s = Book.open(self.folder), time.monotonic()
        self.n_read += 1
        document = question(self._book)
        if key is not None:
            self._kept[key] = document
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return document

    def _close(self) -> None:
        if self._book is not None:
            self._book.close()
            self._book = None
