"""A toolbox and an understander that do as a test says, and a provider that writes what it is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nextbest.assistant.base import (
    Caller,
    Figure,
    Intent,
    ItemFact,
    Language,
    Note,
    Room,
    Slots,
    ToolCall,
    ToolResult,
    Understood,
)
from nextbest.assistant.providers.protocol import ChatRequest, Completion, Piece

ITEMS = (
    ItemFact("g1", {"ru": "Hades", "en": "Hades"}, reason={"ru": "вы любите рогалики", "en": "you like roguelikes"}, rank=1, attributes={"price": 990.0}),
    ItemFact("g2", {"ru": "Celeste", "en": "Celeste"}, reason={"ru": "похоже на Braid", "en": "it is like Braid"}, rank=2, attributes={"price": 590.0}),
)  # fmt: skip
RETURN = Figure("twr", 0.123, "fraction", {"ru": "доходность", "en": "return"})
DISCLAIMER = Note(
    "disclaimer", {"ru": "Не является рекомендацией", "en": "This is not advice"}, is_disclaimer=True
)


def found(tool: str) -> ToolResult:
    """What a tool answers when nothing else is said."""
    if tool == "portfolio_metrics":
        return ToolResult(tool, "ok", "portfolio", figures=(RETURN,), notes=(DISCLAIMER,))
    return ToolResult(tool, "ok", "shop", items=ITEMS)


@dataclass
class ScriptedToolbox:
    """Answers by `answer`, and keeps what it was asked."""

    answer: Callable[[str], ToolResult] = found
    rooms: frozenset[Room] = frozenset({"shop", "portfolio", "market"})
    assets: tuple[str, ...] = ("BTC", "ETH")
    asset_names: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"BTC": (), "ETH": ()})
    categories: tuple[str, ...] = ()
    linker: Any = None
    asked: list[tuple[Caller, ToolCall]] = field(default_factory=list)

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass

    def run(self, caller: Caller, call: ToolCall) -> ToolResult:
        self.asked.append((caller, call))
        return self.answer(call.tool)


@dataclass
class ScriptedUnderstander:
    """Understands what `meanings` says of a text."""

    meanings: Mapping[str, tuple[Intent, Slots] | Understood]
    languages: list[Language | None] = field(default_factory=list)

    def warm(self) -> None:
        pass

    def understand(self, text: str, *, language: Language | None = None, **_: Any) -> Understood:
        self.languages.append(language)
        said: Language = language or ("ru" if any("а" <= c <= "я" for c in text.lower()) else "en")
        meaning = self.meanings.get(text, ("off_topic", Slots()))
        if isinstance(meaning, Understood):
            return meaning
        return Understood(text, said, meaning[0], 0.95, slots=meaning[1])


@dataclass
class Writer:
    """A provider that streams a text in pieces of a few characters, or raises."""

    text: str
    size: int = 5
    fails: Exception | None = None
    name: str = "writer"
    features: frozenset[Any] = frozenset({"stream"})
    requests: list[ChatRequest] = field(default_factory=list)
    closed: int = 0

    def complete(self, request: ChatRequest) -> Completion:
        return Completion(self.text)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        self.requests.append(request)
        try:
            for start in range(0, len(self.text), self.size):
                yield Piece(self.text[start : start + self.size])
            if self.fails is not None:
                raise self.fails
            yield Piece("", finish="stop")
        finally:
            self.closed += 1
