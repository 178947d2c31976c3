"""The part of the service that talks: one assistant, some threads, pieces of an answer handed to the event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event as Flag
from typing import TYPE_CHECKING

from nextbest.assistant.agent.events import Event
from nextbest.assistant.base import Caller, Language, Reply
from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError
from nextbest.service.metrics import gauge
from nextbest.service.parts import probe

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from nextbest.assistant.agent.assistant import Assistant


class ChatPart:
    """An assistant behind its routes.

    Parameters
    ----------
    open_one
        Makes the assistant, given the event loop; called once, on a thread, when the service starts.
    complete
        Adds the ids that the workspace knows to be the same person's.
    config
        Limits.
    on_open
        Called on a thread once the assistant is open and warm.
    """

    def __init__(
        self,
        open_one: "Callable[[asyncio.AbstractEventLoop], Assistant]",
        *,
        complete: Callable[[Caller], Caller],
        config: ServiceConfig,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        self._open_one, self._complete, self._config, self._on_open = open_one, complete, config, on_open
        self._assistant: Assistant | None = None
        self._opening: asyncio.Future[Assistant] | None = None
        self._threads = ThreadPoolExecutor(config.chat_threads, thread_name_prefix="nextbest-chat")
        self._pending = 0

    async def start(self) -> None:
        """Begin to open the assistant, and warm it, so that no client waits for what is read once; requests wait for it."""
        loop = asyncio.get_running_loop()
        self._opening = loop.run_in_executor(self._threads, self._opened, loop)

    async def stop(self) -> None:
        """Answer what waits, let go of files."""
        if self._opening is not None:
            with suppress(Exception):  # told when it was asked for
                await self._opening
        await asyncio.to_thread(self._threads.shutdown)
        if self._assistant is not None:
            self._assistant.close()

    async def ask(self, caller: Caller, text: str, *, session: str, language: Language | None) -> Reply:
        """The whole answer: one thread makes it, and the event loop hears of it once. Raises as `stream`."""
        assistant, gone = await self._admitted(), Flag()

        def work() -> Reply:
            reply: Reply | None = None
            events = assistant.stream(self._complete(caller), text, session=session, language=language)
            for event in _until(events, gone):
                reply = event.reply or reply
            assert reply is not None  # a stream that nobody left ends with one
            return reply

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            gone.set()
            self._pending -= 1

    async def stream(
        self, caller: Caller, text: str, *, session: str, language: Language | None
    ) -> AsyncGenerator[Event, None]:
        """The answer as it is made. Closing it stops the model that is speaking.

        Raises
        ------
        OverloadedError
            As many as `max_chats_pending` wait or are being answered.
        """
        assistant = await self._admitted()
        loop, queue, gone = asyncio.get_running_loop(), asyncio.Queue[Event | BaseException | None](), Flag()

        def work() -> None:
            last: BaseException | None = None
            try:
                events = assistant.stream(self._complete(caller), text, session=session, language=language)
                for event in _until(events, gone):
                    loop.call_soon_threadsafe(queue.put_nowait, event)
            except BaseException as error:
                last = error
            loop.call_soon_threadsafe(queue.put_nowait, last)

        working = loop.run_in_executor(self._threads, work)
        try:
            while (event := await queue.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            gone.set()
            self._pending -= 1
            if not working.done():
                working.cancel()  # if no thread has begun with it, none will

    async def _admitted(self) -> "Assistant":
        """The assistant for one more question, which counts as pending from here on."""
        if self._pending >= self._config.max_chats_pending:
            raise OverloadedError(f"{self._pending} questions wait", retry_after_s=self._config.retry_after_s)
        self._pending += 1
        try:
            return await self._ready()
        except BaseException:
            self._pending -= 1
            raise

    async def forget(self, caller: Caller) -> int:
        """Erase all conversations of a caller; how many there were."""
        assistant = await self._ready()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, assistant.forget, self._complete(caller)
        )

    async def check(self) -> tuple[dict[str, str], float]:
        """Whether the assistant answers a greeting, and how long that took, milliseconds; "ok" while it is being opened."""
        if self._opening is None or not self._opening.done():
            return {"chat": "ok"}, 0.0
        nobody = Caller(user_id="health")
        word, took_ms = await probe(
            self.ask(nobody, "hello", session="health", language="en"),
            timeout_s=self._config.health_timeout_s,
        )
        return {"chat": word}, took_ms

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for."""
        yield gauge(
            "nextbest_chat_pending", "Questions that wait or are being answered.", float(self._pending)
        )
        if self._assistant is not None:
            for name, count in sorted(self._assistant.counts.items()):
                yield gauge(
                    "nextbest_chat_replies",
                    "Replies since the start, by what is counted.",
                    float(count),
                    counted=name,
                )

    async def _ready(self) -> "Assistant":
        """The assistant, once it is open.

        Raises
        ------
        NextbestError
            It can't be opened: what stopped it, each time.
        """
        assert self._opening is not None, "the application isn't started"
        self._assistant = await asyncio.shield(self._opening)
        return self._assistant

    def _opened(self, loop: asyncio.AbstractEventLoop) -> "Assistant":
        assistant = self._open_one(loop)
        assistant.warm()
        assistant.ask(Caller(user_id="health"), "hello", session="health", language="en")
        if self._on_open is not None:
            self._on_open()
        return assistant


def _until(events: Iterator[Event], gone: Flag) -> Iterator[Event]:
    """Events for as long as somebody listens; then the generator is closed, which stops what makes them."""
    try:
        for event in events:
            if gone.is_set():
                return
            yield event
    finally:
        if hasattr(events, "close"):
            events.close()
