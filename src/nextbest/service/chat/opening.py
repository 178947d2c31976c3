"""The assistant of a service: over the models that are live here, the event log of the service, and its workspace."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from nextbest.assistant.agent.assistant import Assistant
from nextbest.assistant.agent.opening import open_assistant
from nextbest.assistant.base import Caller
from nextbest.assistant.tools.identities import complete
from nextbest.data.event_log import Event
from nextbest.data.ids import OutsideId
from nextbest.pipeline.products.query import ProductAnswer, ProductQuery
from nextbest.pipeline.query import Answer, Query
from nextbest.service.chat.part import ChatPart

if TYPE_CHECKING:
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.service.products.part import ProductsPart
    from nextbest.service.shop import ShopPart
    from nextbest.service.state import Service

ANSWER_TIMEOUT_S = 30.0
OpenAssistant: TypeAlias = Callable[[asyncio.AbstractEventLoop], Assistant]


class ServedShop:
    """The live pipeline of the service, its recommendations asked of the engine, so that every stored event is in them."""

    def __init__(self, shop: "ShopPart", loop: asyncio.AbstractEventLoop) -> None:
        self._shop, self._loop, self._pipeline = shop, loop, shop.holder.live.pipeline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def recommend(self, queries: Sequence[Query]) -> list[Answer]:
        """As `Pipeline.recommend`; waits for the engine."""
        asked = asyncio.run_coroutine_threadsafe(self._shop.engine.ask_many(list(queries)), self._loop)
        return [cast(Answer, answer) for answer, _ in asked.result(ANSWER_TIMEOUT_S)]


class ServedProducts:
    """The live product model of the service, asked on its own thread."""

    def __init__(self, products: "ProductsPart", loop: asyncio.AbstractEventLoop) -> None:
        self._products, self._loop, self._advisor = products, loop, products.holder.live.pipeline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._advisor, name)

    def answer(self, queries: Sequence[ProductQuery]) -> list[ProductAnswer]:
        """As `ProductAdvisor.answer`; waits for its thread. Offers of chats aren't in the decision log."""
        asked = asyncio.run_coroutine_threadsafe(self._products.asker.ask_many(list(queries)), self._loop)
        return [answer for answer, _ in asked.result(ANSWER_TIMEOUT_S)]


def chat_part(
    service: "Service",
    store: Path,
    *,
    open_one: OpenAssistant | None = None,
    on_open: Callable[[], None] | None = None,
) -> ChatPart:
    """The part that talks about what this service serves.

    Parameters
    ----------
    service
        With its other parts already added.
    store
        The workspace: documents, who is who, a book, candles.
    open_one
        Makes the assistant in place of `open_assistant`.
    on_open
        Called on its thread once the assistant is open and warm.
    """
    shop, products, config = service.shop, service.products, service.config

    def opened(loop: asyncio.AbstractEventLoop) -> Assistant:
        return open_assistant(
            store,
            provider=config.chat_provider,
            memory=config.conversations,
            advice=config.advice,
            live_shop=None if shop is None else (lambda: cast("Pipeline", ServedShop(shop, loop))),
            live_products=None
            if products is None
            else (lambda: cast("ProductAdvisor", ServedProducts(products, loop))),
            on_taken=None if shop is None else _events_of(service, loop),
            now=service.now,
        )

    return ChatPart(
        open_one or opened, complete=lambda caller: complete(caller, store), config=config, on_open=on_open
    )


def _events_of(
    service: "Service", loop: asyncio.AbstractEventLoop
) -> Callable[[Caller, tuple[OutsideId, ...], datetime], None]:
    def taken(caller: Caller, items: tuple[OutsideId, ...], at: datetime) -> None:
        if caller.user_id is None:
            return
        events = [Event(caller.user_id, item, at) for item in items]
        asyncio.run_coroutine_threadsafe(service.writer.ask(events), loop).result(ANSWER_TIMEOUT_S)

    return taken
