"""All tools behind one door: who may ask what, which room answers, and a typed answer whatever happens.

The permission comes first, then everything else: a client who names another one is refused in the same words whether or not
there is such a client. Nothing that a client asks raises.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import ValidationError

from nextbest.assistant.base import Caller, Language, Room, ToolCall, ToolResult
from nextbest.assistant.tools import documents, market, portfolio, products, shop
from nextbest.assistant.tools.explain import DESCRIPTION, EXPLAIN, ROOMS, ExplainItem, Explains
from nextbest.assistant.tools.tool import About, Arguments, Nothing, TitleRow, Tool
from nextbest.assistant.tools.words import DEFAULT_STATUS, TOLD
from nextbest.data.ids import OutsideId
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError, NotFittedError

if TYPE_CHECKING:
    from nextbest.assistant.intent.slots import Links
    from nextbest.assistant.tools.documents import DocumentIndex, Documents
    from nextbest.assistant.tools.market import Market
    from nextbest.assistant.tools.portfolio import Portfolio
    from nextbest.assistant.tools.products import Products
    from nextbest.assistant.tools.shop import Shop
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.portfolio.plan.advice import AdviceConfig

log = logging.getLogger(__name__)

T = TypeVar("T")
Titles = tuple[TitleRow, ...]


def _explain(toolbox: "Toolbox", asked: ExplainItem, about: About) -> ToolResult:
    """Of the first room that knows the thing."""
    return toolbox.explain(asked, about)


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        *shop.TOOLS,
        *products.TOOLS,
        *portfolio.TOOLS,
        *market.TOOLS,
        Tool(EXPLAIN, "shop", DESCRIPTION, ExplainItem, _explain),  # type: ignore[arg-type]  # both languages
        *documents.TOOLS,
    )
}
"""Every tool by name."""


class Toolbox:
    """The tools over those rooms that there are; may be asked from several threads.

    Parameters
    ----------
    shop, products, portfolio, market, documents
        The rooms; None: not served.
    make_linker
        Makes of all titles what finds them in a text; None: nothing finds them.
    on_close
        Called by `close`.
    """

    def __init__(
        self,
        *,
        shop: "Shop | None" = None,
        products: "Products | None" = None,
        portfolio: "Portfolio | None" = None,
        market: "Market | None" = None,
        documents: "Documents | None" = None,
        make_linker: "Callable[[Titles], Links] | None" = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        rooms: dict[Room, Any] = {
            "shop": shop,
            "products": products,
            "portfolio": portfolio,
            "market": market,
            "documents": documents,
        }
        self._rooms = {name: room for name, room in rooms.items() if room is not None}
        self._make_linker, self._on_close = make_linker, on_close
        self._linked: tuple[object, Links] | None = None
        self._lock = Lock()

    @classmethod
    def open(
        cls,
        *,
        model: str | Path | None = None,
        workspace: str | Path | None = None,
        products: str | Path | None = None,
        panel: str | Path | None = None,
        portfolio: str | Path | None = None,
        market: str | Path | None = None,
        documents: "DocumentIndex | None" = None,
        market_model: str = "rw_hist_sim",
        make_linker: "Callable[[Titles], Links] | None" = None,
        live_shop: "Callable[[], Pipeline] | None" = None,
        live_products: "Callable[[], ProductAdvisor] | None" = None,
        advice: "AdviceConfig | None" = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "Toolbox":
        """The tools over folders; what isn't named is looked for in the workspace, and opened at the first question.

        Parameters
        ----------
        model
            A shop's model folder, or a folder of them (workspace: `model`).
        workspace
            Events posted to the service are read from here too.
        products, panel
            A bank's product model (workspace: `products`) and the panel of its clients (workspace).
        portfolio
            Folder of a book (workspace: `portfolio`).
        market
            A workspace with candles (the workspace).
        documents
            What `search_documents` searches.
        market_model
            The forecaster asked.
        make_linker
            As of the constructor.
        live_shop, live_products
            Models that somebody else holds in memory, in place of folders.
        advice
            The house's list for callers in mode "advice"; None: individual recommendations are refused.
        now
            Tells the time, UTC.
        """
        from nextbest.assistant.tools.opening import open_rooms

        return open_rooms(
            cls,
            model=model,
            workspace=workspace,
            products=products,
            panel=panel,
            portfolio=portfolio,
            market=market,
            documents=documents,
            market_model=market_model,
            make_linker=make_linker,
            live_shop=live_shop,
            live_products=live_products,
            advice=advice,
            now=now,
        )

    # --- asking -----------------------------------------------------------------------------------
    def run(self, caller: Caller, call: ToolCall) -> ToolResult:
        """The answer to a call; a reason in words where there is none. Never raises."""
        tool = TOOLS.get(call.tool) if isinstance(call.tool, str) else None
        if tool is None:
            return _none(str(call.tool)[:100], "documents", "unknown_tool")
        room: Room = tool.room
        try:
            named = call.arguments.get("client") if isinstance(call.arguments, Mapping) else None
            refused = self._refused(caller, tool, named)
            if refused is not None:
                return _none(tool.name, room, refused)
            asked = tool.arguments.model_validate(dict(call.arguments))
            arguments = asked.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        except (ValidationError, TypeError, ValueError):
            return _none(tool.name, room, "bad_arguments")
        try:
            result = self._ask(caller, tool, asked)
        except Exception as error:
            result = _none(tool.name, room, *_reason(error, tool.name))
        return replace(result, arguments=arguments)

    def _refused(self, caller: Caller, tool: Tool, named: object) -> str | None:
        """The code of a refusal; None where the caller may ask about whom he names."""
        if named is None:
            return None
        rooms = ROOMS if tool.name == EXPLAIN else (tool.room,)
        if type(named) in (str, int) and any(caller.may_ask(room, cast(OutsideId, named)) for room in rooms):
            return None
        return "not_allowed" if caller.role == "clerk" else "not_yours"

    def _ask(self, caller: Caller, tool: Tool, asked: Arguments) -> ToolResult:
        if tool.name == EXPLAIN:
            return tool.run(self, asked, About(caller, None, is_own=True))
        room = self._rooms.get(tool.room)
        if room is None:
            raise Nothing("not_served")
        return tool.run(room, asked, _about(caller, tool.room, getattr(asked, "client", None)))

    def explain(self, asked: ExplainItem, about: About) -> ToolResult:
        """Why a thing was named, by the first room that knows it and that the caller may ask about this client.

        Raises
        ------
        Nothing
            No room knows it.
        """
        failed: Nothing | None = None
        for name in ROOMS:
            room: Explains | None = self._rooms.get(name)
            client = asked.client
            if room is None or (client is not None and not about.caller.may_ask(name, client)):
                continue
            try:
                found = room.explain(asked.item_id, _about(about.caller, name, client))
            except Nothing as nothing:  # another room may know it; else its reason is told
                failed = failed or nothing
                continue
            if found is not None:
                return found
        raise failed or Nothing("unknown_item")

    # --- what there is ----------------------------------------------------------------------------
    @property
    def rooms(self) -> frozenset[Room]:
        """Those that are served."""
        return frozenset(self._rooms)

    @property
    def linker(self) -> "Links | None":
        """Finds the titles of the shop and of the bank in a text; None where there are none. Made anew when a model changed."""
        with self._lock:
            state = self._state()
            if self._linked is None or self._linked[0] != state:
                titles = self.titles
                if not titles or self._make_linker is None:
                    return None
                self._linked = state, self._make_linker(titles)
            return self._linked[1]

    def _state(self) -> tuple[object, ...]:
        """Another one after every change of what can be linked."""
        rooms = (self._rooms.get("shop"), self._rooms.get("products"))
        return tuple(
            None if room is None else _quiet(partial(getattr, room, "state"), None) for room in rooms
        )

    @property
    def titles(self) -> Titles:
        """Every item and product that has a title: id, Russian, English."""
        found: list[TitleRow] = []
        for room in (self._rooms.get("products"), self._rooms.get("shop")):
            if room is not None:
                found += _quiet(room.titles, ())
        return tuple(found)

    @property
    def categories(self) -> tuple[str, ...]:
        """Sections of the shop's catalogue."""
        room: Shop | None = self._rooms.get("shop")
        return () if room is None else _quiet(room.categories, ())

    @property
    def assets(self) -> tuple[str, ...]:
        """Assets that can be forecast."""
        return tuple(self.asset_names)

    @property
    def asset_names(self) -> Mapping[str, tuple[str, ...]]:
        """Assets that can be forecast -> other names of them."""
        room: Market | None = self._rooms.get("market")
        return {} if room is None else _quiet(room.names, {})

    def schemas(self) -> list[dict[str, Any]]:
        """The tools of the rooms served, in the form of OpenAI's protocol."""
        return [tool.schema() for tool in self._served()]

    def describe(self, language: Language) -> str:
        """A line a tool: its name and what it computes."""
        return "\n".join(f"{tool.name}: {tool.description[language]}" for tool in self._served())

    def warm(self) -> None:
        """Load what the first questions would load, so that no client waits for it; what isn't ready is told to who asks."""
        for room in (self._rooms.get("shop"), self._rooms.get("products")):
            if room is not None:
                _quiet(room.warm, None)
        _ = self.linker, self.asset_names

    def close(self) -> None:
        """Let go of files."""
        room: Portfolio | None = self._rooms.get("portfolio")
        if room is not None:
            room.close()
        if self._on_close is not None:
            self._on_close()

    def _served(self) -> list[Tool]:
        return [
            tool
            for tool in TOOLS.values()
            if (set(ROOMS) & set(self._rooms) if tool.name == EXPLAIN else tool.room in self._rooms)
        ]


def _about(caller: Caller, room: Room, named: str | None) -> About:
    own = caller.own_id(room)
    if named is None:
        # A clerk without an id of his own asks about nobody; anybody may be such a nobody where a room serves them.
        return About(caller, own, is_own=True)
    return About(caller, named, is_own=own is not None and str(own) == named)


def _none(tool: str, room: Room, code: str, told: Any = None, document: Any = None) -> ToolResult:
    status = DEFAULT_STATUS.get(code, "no_data")
    return ToolResult(tool, status, room, code=code, told=told or TOLD[code], document=document or {})


def _reason(error: Exception, tool: str) -> tuple[Any, ...]:
    """Code, words and document of what stopped a tool; only what nobody foresaw needs a traceback."""
    if isinstance(error, Nothing):
        return error.code, error.told, error.document
    log.warning("tool without an answer", extra={"tool": tool, "error": type(error).__name__})
    if isinstance(error, InputError | DataError):
        return ("not_computable",)
    if isinstance(error, ArtifactError | NotFittedError):
        return ("not_ready",)
    if isinstance(error, ExternalError):
        return ("busy" if error.retryable else "not_ready",)
    log.error("tool failed", extra={"tool": tool}, exc_info=error)
    return ("failed",)


def _quiet(ask: Callable[[], T], otherwise: T) -> T:
    """What a room tells of itself; `otherwise` while it isn't ready."""
    try:
        return ask()
    except (Nothing, InputError, DataError, ArtifactError, NotFittedError, ExternalError) as error:
        log.warning("a room isn't ready", extra={"error": type(error).__name__})
        return otherwise
