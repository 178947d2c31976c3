"""The part of the service that answers from a book of portfolios: one thread, the book let go of now and then for who writes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.database import FILE
from nextbest.data.holdings.sharing import SharedBook
from nextbest.errors import ArtifactError, DataError, ExternalError, NextbestError
from nextbest.portfolio import documents
from nextbest.portfolio.metrics_document import metrics_document
from nextbest.portfolio.peer_desk import DeskKeeper
from nextbest.portfolio.wording import Document, Mode
from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError
from nextbest.service.parts import probe

Question = Callable[[Book], Document]


class PortfolioPart:
    """A book behind its routes. Another process may write it between two answers; the next one sees the new state.

    Parameters
    ----------
    folder
        Of the book.
    config
        Limits.
    now
        Tells the time, UTC.
    """

    def __init__(self, folder: Path, *, config: ServiceConfig, now: Callable[[], datetime]) -> None:
        self.folder, self._config, self._now = folder, config, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nextbest-portfolio")
        self._pending = 0
        self._shared, self._desks = SharedBook(folder), DeskKeeper(folder)

    async def metrics(self, client: str, *, benchmark: str | None, currency: str | None) -> Document:
        """The client's figures."""
        until = self._now().date()
        document = await self._ask(
            lambda book: metrics_document(book, client, benchmark=benchmark, currency=currency, until=until)
        )
        figures = document["figures"]
        return document | {"metrics": figures | ({"twr_ann": figures["cagr"]} if figures else {})}

    async def peers(self, client: str) -> Document:
        """What may be told of similar clients."""
        now = self._now()

        def answer(book: Book) -> Document:
            book.currency_of(client)  # an unknown client is told before all others are read
            return documents.peers_document(book, client, self._desks.desk(book, as_of=now.date()), now=now)

        return await self._ask(answer)

    async def plan(self, client: str, *, mode: Mode = "information", **choices: Any) -> Document:
        """A plan; in advice mode written into the journal beside the book first, or refused."""
        now = self._now()

        def answer(book: Book) -> Document:
            book.currency_of(client)
            if mode == "advice":
                choices.update(documents.advice_choices(self.folder, self._config.advice))
            return documents.plan_document(
                documents.make_plan(
                    book, client, self._desks.desk(book, as_of=now.date()), now=now, **choices
                )
            )

        return await self._ask(answer)

    async def tracking(self, client: str) -> Document:
        """What tracking wrote."""
        return await self._ask(lambda book: documents.tracking_document(book, client))

    async def report(self, client: str, *, benchmark: str | None, currency: str | None) -> Document:
        """All of it."""
        now = self._now()

        def answer(book: Book) -> Document:
            book.currency_of(client)
            desk = self._desks.desk(book, as_of=now.date())
            return documents.report_document(
                book, client, desk, now=now, benchmark=benchmark, currency=currency
            )

        return await self._ask(answer)

    async def check(self) -> tuple[dict[str, str], float]:
        """Whether the book can be read, and how long that took, milliseconds."""
        word, took_ms = await probe(self._ask(_count), timeout_s=self._config.health_timeout_s)
        return {"portfolio": word}, took_ms

    async def stop(self) -> None:
        """Answer what waits, let go of the log."""
        await asyncio.to_thread(self._thread.shutdown)
        self._shared.close()
        self._desks.close()

    async def _ask(self, question: Question) -> Document:
        """Ask on the book's thread: reading it is CPU work, and the gate answers one at a time anyway.

        Raises
        ------
        OverloadedError
            As many as `max_pending` wait already.
        ArtifactError
            There is no book.
        """
        if self._pending >= self._config.max_pending:
            raise OverloadedError(
                f"{self._pending} questions about portfolios wait", retry_after_s=self._config.retry_after_s
            )
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, question)
        finally:
            self._pending -= 1

    def _read(self, question: Question) -> Document:
        try:
            return self._answer(question)
        except NextbestError as error:
            without_folder(error, self.folder)
            raise

    def _answer(self, question: Question) -> Document:
        if not (self.folder / FILE).is_file():
            raise ArtifactError(
                self.folder.name, "holds no book", remedy="import one with `nextbest portfolio ingest`"
            )
        with ExitStack() as stack:
            try:
                book = stack.enter_context(self._shared.lent())
            except (
                ExternalError
            ) as error:  # the database's own words name processes and files of this machine
                raise ExternalError(
                    "book",
                    "another process is writing to it",
                    retryable=error.retryable,
                    remedy="ask again when the import or tracking is over",
                ) from error
            return question(book)


def without_folder(error: NextbestError, folder: Path) -> None:
    """Take the way to a folder out of an error's words; what lies in it keeps its name.

    Where the book lies is nobody's business out there, and a broken file, log or journal is named by its path.
    """
    places = sorted({str(folder), str(folder.absolute()), str(folder.resolve())}, key=len, reverse=True)

    def cleaned(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(cleaned(part) for part in value)
        if isinstance(value, Path):
            value = str(value)
        if isinstance(value, str):
            for place in places:
                value = value.replace(f"{place}/", "").replace(place, folder.name)
        return value

    error.args = cleaned(error.args)
    for name, value in vars(error).items():
        setattr(error, name, cleaned(value))


def _count(book: Book) -> Document:
    """A real question that no client is in."""
    n = book.connection().execute("SELECT count(*) FROM investors").fetchall()[0][0]
    if not n:
        raise DataError("book", "holds no investor", remedy="import some with `nextbest portfolio ingest`")
    return {"n_clients": n}
