"""A provider that says what it is told: for tests, demonstrations and the documentation. It ships with the package."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from nextbest.assistant.providers import answers
from nextbest.assistant.providers.protocol import (
    ChatRequest,
    Completion,
    Feature,
    Piece,
    ProviderError,
    Usage,
    check_features,
)
from nextbest.errors import InputError


@dataclass(frozen=True, slots=True)
class Cut:
    """An answer that breaks off in the middle."""

    text: str


Answer = str | Cut | Exception
"""A text, half a one, or what is raised instead."""


class ScriptedProvider:
    """Answers from a list, the last one again and again, or from a function of the request.

    What it says is checked like a real model's: JSON against the schema, calls against the tools.

    Parameters
    ----------
    script
        Answers in order, or a function. A call of a tool is its JSON: {"tool": NAME, "arguments": {...}}.
    piece_size
        Characters of a streamed piece.
    """

    def __init__(
        self,
        script: Sequence[Answer] | Callable[[ChatRequest], Answer],
        *,
        name: str = "scripted",
        piece_size: int = 8,
        features: frozenset[Feature] = frozenset({"stream", "schema", "grammar", "tools"}),
    ) -> None:
        if not callable(script) and not script:
            raise InputError("script", "must hold an answer")
        if piece_size < 1:
            raise InputError("piece_size", "must be 1 or more", value=piece_size)
        self._script, self._size = script if callable(script) else list(script), piece_size
        self._name, self._features = name, features
        self._lock = Lock()
        self.requests: list[ChatRequest] = []
        """What it was asked, in order."""

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """As given."""
        return self._features

    def complete(self, request: ChatRequest) -> Completion:
        """The next answer; errors as the protocol says."""
        check_features(self, request)
        answer = self._next(request)
        if isinstance(answer, Cut):
            raise self._cut(answer.text)
        if isinstance(answer, Exception):
            raise answer
        if not answer.strip():
            raise ProviderError(self.name, "answered nothing", kind="empty")
        if request.schema is not None:
            answers.parsed(answer, request.schema, system=self.name)
        is_call = bool(request.tools) and (request.tool_choice == "required" or answer.startswith("{"))
        calls = (answers.call_from_text(answer, request.tools, system=self.name),) if is_call else ()
        return Completion(
            text="" if calls else answer,
            usage=_usage(request, answer),
            finish="tool_calls" if calls else "stop",
            tool_calls=calls,
            provider=self.name,
        )

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The next answer in pieces; a `Cut` breaks off after its last one."""
        check_features(self, request, streams=True)
        return self._pieces(request)

    def _pieces(self, request: ChatRequest) -> Iterator[Piece]:
        answer = self._next(request)
        if isinstance(answer, Exception):
            raise answer
        text = answer.text if isinstance(answer, Cut) else answer
        for start in range(0, len(text), self._size):
            yield Piece(text[start : start + self._size], provider=self.name)
        if isinstance(answer, Cut):
            raise self._cut(text)
        if not text.strip():
            raise ProviderError(self.name, "answered nothing", kind="empty")
        if request.schema is not None:
            answers.parsed(text, request.schema, system=self.name)
        yield Piece("", finish="stop", usage=_usage(request, text), provider=self.name)

    def _next(self, request: ChatRequest) -> Answer:
        with self._lock:
            self.requests.append(request)
            if callable(self._script):
                return self._script(request)
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    def _cut(self, partial: str) -> ProviderError:
        return ProviderError(self.name, "stopped in the middle of its answer", kind="cut", partial=partial)


def _usage(request: ChatRequest, text: str) -> Usage:
    """Words, because a script has no tokens."""
    return Usage(sum(len(m.content.split()) for m in request.messages), len(text.split()))
