"""What a language model is asked and what it answers, whoever runs it. Knows no library, no prompt and no tool of ours.

Sync: a provider may be asked from several threads. A provider never repairs an answer; it delivers a whole one or raises
`ProviderError`, whose `kind` says what went wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from nextbest.assistant.base import ToolCall
from nextbest.errors import ExternalError, InputError

Feature = Literal["stream", "schema", "grammar", "tools"]
Finish = Literal["stop", "length", "tool_calls", "filtered"]
"""Why an answer ended: by itself, as long as allowed, to call tools, or stopped by the server's filter."""
ToolChoice = Literal["auto", "required"]
Kind = Literal[
    "timeout",
    "rate_limited",
    "server",
    "connection",
    "cut",
    "empty",
    "length",
    "broken_json",
    "unknown_tool",
    "bad_arguments",
    "no_tool_call",
    "filtered",
    "denied",
    "not_found",
    "refused",
    "not_ready",
    "too_long",
]
RETRYABLE: frozenset[Kind] = frozenset(
    {"timeout", "rate_limited", "server", "connection", "cut", "empty", "broken_json", "not_ready"}
)
"""What the same request may well survive a moment later."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to a model."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """JSON schema, an object, that the answer's text must fit."""
    grammar: str | None = None
    """GBNF with a rule `root` that the answer's text must fit; only where "grammar" is among the provider's features."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """In the form of OpenAI's protocol: {"type": "function", "function": {"name", "description", "parameters"}}."""
    tool_choice: ToolChoice = "auto"
    """"required": an answer without a call of one of `tools` is an error."""
    max_tokens: int = 256
    """Of the answer."""
    temperature: float = 0.0
    timeout_s: float = 20.0
    """For the whole answer, waiting for its turn included."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Texts that end the answer and aren't part of it."""
    taught: tuple[Message, ...] = ()
    """The same asked in the short form of `prompts/taught.py`: a provider whose adapter knows it reads this in place of
    `messages`, `schema` and `grammar`; others leave it alone."""
    taught_grammar: str | None = None
    """GBNF of the answer in that form, for those of them that can keep one."""

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role != "user":
            raise InputError("messages", "must end with one of the user's", value=len(self.messages))
        if self.max_tokens < 1:
            raise InputError("max_tokens", "must be 1 or more", value=self.max_tokens)
        if not self.timeout_s > 0:
            raise InputError("timeout_s", "must be positive", value=self.timeout_s)
        if not self.temperature >= 0:
            raise InputError("temperature", "must be 0 or more", value=self.temperature)
        if sum(map(bool, (self.schema, self.grammar, self.tools))) > 1:
            raise InputError("request", "may have one of schema, grammar and tools")
        if self.tool_choice == "required" and not self.tools:
            raise InputError("tool_choice", "needs tools", value=self.tool_choice)

    @property
    def needs(self) -> frozenset[Feature]:
        """What a provider must be able to do."""
        wanted: dict[Feature, object] = {"schema": self.schema, "grammar": self.grammar, "tools": self.tools}
        return frozenset(name for name, value in wanted.items() if value)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the model counts them; 0 where it doesn't say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt, not read anew."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of wall clock."""

    first_token_ms: float | None = None
    """None: the answer came in one piece."""
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer."""

    text: str
    usage: Usage = field(default_factory=Usage)
    finish: Finish = "stop"
    """"length" only for free text; half a JSON document or half a call is a `ProviderError`."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Names and arguments checked against the request's tools."""
    timings: Timings = field(default_factory=Timings)
    provider: str = ""
    """Who answered, where several could."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer as it is written; the last one says how it ended."""

    text: str
    finish: Finish | None = None
    """None: more follows."""
    usage: Usage | None = None
    """With the last piece, where the model counts."""
    provider: str = ""


class ProviderError(ExternalError):
    """A model gave no answer that may be used."""

    def __init__(
        self,
        system: str,
        problem: str,
        *,
        kind: Kind,
        partial: str = "",
        retry_after_s: float | None = None,
        remedy: str | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.partial = partial
        """What had come until then."""
        self.retry_after_s = retry_after_s
        """How long the server asks to be left alone."""
        super().__init__(system, problem, retryable=kind in RETRYABLE, remedy=remedy)


class ChatProvider(Protocol):
    """A language model that can be asked. May be used from several threads."""

    @property
    def name(self) -> str:
        """What figures and metrics call it; without secrets."""

    @property
    def features(self) -> frozenset[Feature]:
        """What requests may ask for."""

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer.

        Raises
        ------
        InputError
            The request needs a feature that isn't among `features`.
        ProviderError
            No answer, or none that may be used: late, empty, cut, not of the schema, a tool that doesn't exist.
        """

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The answer as it is written, the last piece with `finish`; closing the iterator stops the model.

        Raises
        ------
        InputError
            The request needs a feature that isn't among `features`, or has tools: calls come whole.
        ProviderError
            As `complete`, some after pieces were delivered.
        """


def as_read(provider: ChatProvider, request: ChatRequest) -> ChatRequest:
    """The request as a provider reads it: in the form that its adapter was taught, where it was and there is one."""
    if not request.taught or not getattr(provider, "is_taught", False):
        return request
    grammar = request.taught_grammar if "grammar" in provider.features else None
    return replace(
        request, messages=request.taught, schema=None, grammar=grammar, taught=(), taught_grammar=None
    )


def check_features(provider: ChatProvider, request: ChatRequest, *, streams: bool = False) -> None:
    """Refuse what a provider can't do, rather than answer something else.

    Raises
    ------
    InputError
        A feature is missing, or tool calls are to be streamed.
    """
    if streams and request.tools:
        raise InputError("tools", "are called whole, not streamed", remedy="use complete()")
    if missing := sorted(as_read(provider, request).needs - provider.features):
        raise InputError("request", f"{provider.name} can't do {', '.join(missing)}")


def check_end(name: str, request: ChatRequest, text: str, finish: Finish | None) -> None:
    """Refuse what isn't a whole answer; whether it fits its schema is `answers.parsed`'s to say.

    Parameters
    ----------
    finish
        Why it ended; None: it doesn't say, so it broke off.

    Raises
    ------
    ProviderError
        "cut", "filtered", "empty", or "length" where the answer has to be whole to be of use.
    """
    if finish is None:
        raise ProviderError(name, "stopped in the middle of its answer", kind="cut", partial=text)
    if finish == "filtered":
        raise ProviderError(name, "the server's filter stopped the answer", kind="filtered", partial=text)
    if finish == "length" and request.needs:
        problem = f"needs more than {request.max_tokens} tokens for its answer"
        raise ProviderError(name, problem, kind="length", partial=text)
    if not text.strip():
        raise ProviderError(name, "answered nothing", kind="empty")
