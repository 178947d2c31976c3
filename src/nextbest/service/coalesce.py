"""Concurrent requests answered by one batch: a queue, and one thread that empties it.

The thread takes whatever waits (at most `max_batch` questions), answers it with one call and
goes on. An idle service adds no wait: the first question starts at once, and what arrives
meanwhile forms the next batch. Knows nothing of HTTP, models or events.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from nextbest.service.errors import OverloadedError

log = logging.getLogger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(slots=True)
class _Group(Generic[Q, A]):
    """Questions of one request: answered together, delivered together."""

    questions: Sequence[Q]
    future: "asyncio.Future[list[A | Exception]]"
    enqueued_s: float


class Coalescer(Generic[Q, A]):
    """Gathers questions from one event loop and answers them in batches on a thread of its own.

    Parameters
    ----------
    answer
        Answers a batch, on the thread; an answer that is an exception goes to its own asker only.
        An exception *raised* goes to everyone in the batch.
    name
        Of the thread.
    max_batch
        Most questions in one call; a group is never split, so one group may be larger.
    max_pending
        Questions waiting or being answered; past them `ask` refuses.
    queue_timeout_s
        A group that waited longer, seconds, is refused instead of answered.
    retry_after_s
        What a refusal tells the client, seconds.
    close
        Called on the thread after its last batch.
    observe
        Called on the event loop after each batch with its size and its age when it started, seconds.
    """

    def __init__(
        self,
        answer: Callable[[list[Q]], Sequence[A | Exception]],
        *,
        name: str,
        max_batch: int,
        max_pending: int,
        queue_timeout_s: float,
        retry_after_s: int = 1,
        close: Callable[[], None] | None = None,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._answer, self._close, self._observe = answer, close, observe
        self._max_batch, self._max_pending = max_batch, max_pending
        self._queue_timeout_s, self._retry_after_s = queue_timeout_s, retry_after_s
        self._queue: SimpleQueue[_Group[Q, A] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self.n_pending = 0
        """Questions waiting or being answered."""

    def start(self) -> None:
        """Start the thread; from here on questions come from the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Answer what waits, then end the thread; later questions are refused."""
        if not self._stopping and self._loop is not None:
            self._stopping = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)  # answers that the thread sent last are delivered

    async def ask(self, question: Q, *, urgent: bool = False) -> A:
        """The answer to one question, raised if it is an error.

        Parameters
        ----------
        question
            Handed to `answer` as it is.
        urgent
            Accepted past `max_pending`; for health probes.

        Raises
        ------
        OverloadedError
            More than `max_pending` wait, the question waited too long, or the service stops.
        """
        (result,) = await self._submit((question,), urgent=urgent)
        if isinstance(result, Exception):
            raise result
        return result

    async def ask_many(self, questions: Sequence[Q]) -> list[A]:
        """Answers in the order of `questions`; the first error among them is raised.

        Sent in groups of half a batch, one after another, so that a large request leaves room
        for single ones in every batch.
        """
        step = max(1, self._max_batch // 2)
        answers: list[A] = []
        for start in range(0, len(questions), step):
            for result in await self._submit(questions[start : start + step]):
                if isinstance(result, Exception):
                    raise result
                answers.append(result)
        return answers

    def _submit(
        self, questions: Sequence[Q], *, urgent: bool = False
    ) -> "asyncio.Future[list[A | Exception]]":
        loop = self._loop
        if loop is None or self._stopping:
            raise OverloadedError("is stopping or not started", retry_after_s=self._retry_after_s)
        if self.n_pending + len(questions) > self._max_pending and not urgent:
            raise OverloadedError(
                f"{self._max_pending} queries wait already", retry_after_s=self._retry_after_s
            )
        self.n_pending += len(questions)
        future: asyncio.Future[list[A | Exception]] = loop.create_future()
        self._queue.put(_Group(questions, future, time.monotonic()))
        return future

    # --- on the thread ------------------------------------------------------------------------
    def _run(self) -> None:
        assert self._loop is not None
        stop = False
        while not stop:
            groups: list[_Group[Q, A]] = []
            size = 0
            group = self._queue.get()
            while group is not None:
                groups.append(group)
                size += len(group.questions)
                if size >= self._max_batch or self._queue.empty():
                    break
                group = self._queue.get()
            stop = group is None
            if groups:
                self._loop.call_soon_threadsafe(self._deliver, *self._answer_groups(groups))
        if self._close is not None:
            try:
                self._close()
            except Exception as error:
                log.error("closing failed", extra={"error": type(error).__name__})

    def _answer_groups(
        self, groups: list[_Group[Q, A]]
    ) -> tuple[list[_Group[Q, A]], list[Sequence[A | Exception]], int, float]:
        """Answers for each group, and what `observe` wants to know."""
        now = time.monotonic()
        fresh = [now - g.enqueued_s <= self._queue_timeout_s for g in groups]
        questions = [q for g, ok in zip(groups, fresh, strict=True) if ok for q in g.questions]
        answers: Sequence[A | Exception] = ()
        if questions:
            try:
                answers = self._answer(questions)
                assert len(answers) == len(questions)
            except Exception as error:
                answers = [error] * len(questions)
        results: list[Sequence[A | Exception]] = []
        start = 0
        for group, ok in zip(groups, fresh, strict=True):
            n = len(group.questions)
            if ok:
                results.append(answers[start : start + n])
                start += n
            else:
                late = OverloadedError(
                    f"waited longer than {self._queue_timeout_s:g} s", retry_after_s=self._retry_after_s
                )
                results.append([late] * n)
        return groups, results, len(questions), now - groups[0].enqueued_s

    # --- back on the event loop -----------------------------------------------------------------
    def _deliver(
        self, groups: list[_Group[Q, A]], results: list[Sequence[A | Exception]], size: int, age_s: float
    ) -> None:
        for group, result in zip(groups, results, strict=True):
            self.n_pending -= len(group.questions)
            if not group.future.done():  # the asker may be gone
                group.future.set_result(list(result))
        if self._observe is not None:
            self._observe(size, age_s)
