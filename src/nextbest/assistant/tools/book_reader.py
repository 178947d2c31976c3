"""A book of portfolios that is read once for the same question, for as long as nobody changes it."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import cast

import orjson

from nextbest.assistant.tools.tool import Nothing
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.sharing import FileState, SharedBook, file_state
from nextbest.portfolio.wording import Document

KEPT_BYTES = 16 << 20
"""Of documents that are kept, packed, the least asked forgotten first; one with its charts is 3 to 50 kB so."""


class BookReader:
    """The book in a folder, for several threads.

    Parameters
    ----------
    folder
        Of the book, which need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shared, self._guard = SharedBook(folder), Lock()
        self._state: FileState | None = None
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._n_bytes = 0
        self.n_read = 0
        """Questions that were answered from the book itself."""

    def ask(self, question: Callable[[Book], Document], *, key: Hashable | None) -> Document:
        """The document that answers a question.

        Parameters
        ----------
        question
            Asked of the open book; an error of it goes to the asker. Its answer is JSON: what is kept is read back so.
        key
            What the answer depends on besides the book; None: it isn't kept.

        Raises
        ------
        Nothing
            There is no book.
        ExternalError
            Another process is writing to it.
        """
        kept = None if key is None else self._known(key)
        if kept is not None:  # without waiting for whoever reads the book
            return kept
        state = file_state(self.folder)
        if state is None:
            raise Nothing("not_ready")
        with self._shared.lent() as book:
            if key is not None and (kept := self._known(key)) is not None:
                return kept
            self.n_read += 1
            document = question(book)
        if key is not None:
            self._keep(state, key, document)
        return document

    def close(self) -> None:
        """Let go of the book and of what is kept."""
        self._shared.close()
        with self._guard:
            self._forget()

    # --- what is kept -----------------------------------------------------------------------------
    def _known(self, key: Hashable) -> Document | None:
        """The kept answer, if the book is as it was."""
        state = file_state(self.folder)
        with self._guard:
            if state != self._state:
                self._forget()
                self._state = state
            packed = self._kept.get(key)
            if packed is None:
                return None
            self._kept.move_to_end(key)
        return cast(Document, orjson.loads(zlib.decompress(packed)))

    def _keep(self, state: FileState | None, key: Hashable, document: Document) -> None:
        packed = zlib.compress(orjson.dumps(document), 1)
        with self._guard:
            if state != self._state:  # it was changed meanwhile
                return
            self._n_bytes += len(packed) - len(self._kept.pop(key, b""))
            self._kept[key] = packed
            while self._n_bytes > KEPT_BYTES:
                self._n_bytes -= len(self._kept.popitem(last=False)[1])

    def _forget(self) -> None:
        self._kept.clear()
        self._n_bytes = 0
