"""Any endpoint that speaks OpenAI's chat protocol, through OpenAI's own library, without its retries (`fallback.py` has them).

Answers are read as plain JSON and checked: servers leave out fields, ignore `tool_choice`, invent tools and stop mid-word.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from nextbest.assistant.base import ToolCall
from nextbest.assistant.providers import answers
from nextbest.assistant.providers.presets import GrammarField, SchemaMode, ToolMode
from nextbest.assistant.providers.protocol import (
    ChatRequest,
    Completion,
    Feature,
    Finish,
    Piece,
    ProviderError,
    Timings,
    Usage,
    check_end,
    check_features,
)
from nextbest.assistant.providers.tokens import OAuthToken, tls_context
from nextbest.assistant.providers.wire import failure, outside_errors, read_body
from nextbest.errors import InputError

_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
    "blacklist": "filtered",  # GigaChat's word
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is asked and how."""

    name: str
    """As figures call it: "ollama:t-lite"."""
    base_url: str
    model: str
    key: str | Callable[[], str] | None = field(default=None, repr=False)
    """The key, or what gives one (`tokens.OAuthToken`); None: the server asks for none."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    project: str | None = None
    """OpenAI's project, or the folder of a Yandex cloud."""
    ca_file: Path | None = None
    schema_mode: SchemaMode = "json_schema"
    tool_mode: ToolMode = "native"
    grammar_field: GrammarField | None = None
    has_seed: bool = True
    limit_field: str = "max_tokens"


class OpenAICompatible:
    """A provider over HTTP. Opened at the first question."""

    def __init__(self, endpoint: Endpoint, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not endpoint.base_url.startswith(("http://", "https://")):
            raise InputError("base_url", "must begin with http:// or https://", value=endpoint.base_url)
        self._endpoint, self._clock = endpoint, clock
        self._tls = tls_context(endpoint.ca_file)
        self._lock = Lock()
        self._client: Any = None
        self._calls_by_schema = endpoint.tool_mode == "schema"

    def __repr__(self) -> str:
        return f"OpenAICompatible({self._endpoint!r})"

    @property
    def name(self) -> str:
        """As the endpoint says."""
        return self._endpoint.name

    @property
    def features(self) -> frozenset[Feature]:
        """Grammars only where the server has a field for them."""
        can: set[Feature] = {"stream", "schema", "tools"}
        return frozenset(can | ({"grammar"} if self._endpoint.grammar_field else set()))

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer; a server that ignores `tool_choice` is asked once more, for JSON with an enum of the tools' names.

        Raises
        ------
        InputError, ProviderError
            As the protocol says.
        """
        check_features(self, request)
        start = self._clock()
        by_schema = bool(request.tools) and self._calls_by_schema
        try:
            return self._completed(request, start, by_schema=by_schema)
        except ProviderError as error:
            if error.kind != "no_tool_call" or by_schema:
                raise
            # it ignores tools, and will again: remember
            self._calls_by_schema = True
            return self._completed(request, start, by_schema=True)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The answer by server-sent events; closing the iterator closes the connection, which stops the server.

        Raises
        ------
        InputError, ProviderError
            As the protocol says; "cut" where the stream ends without saying why.
        """
        check_features(self, request, streams=True)
        return self._streamed(request)

    def close(self) -> None:
        """Close connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _completed(self, request: ChatRequest, start: float, *, by_schema: bool) -> Completion:
        left_s = request.timeout_s - (self._clock() - start)
        if left_s <= 0:
            raise ProviderError(self.name, f"no answer in {request.timeout_s:g} s", kind="timeout")
        body = self._body(request, by_schema=by_schema)
        document = read_body(
            self._opened(), body, system=self.name, timeout_s=left_s, clock=self._clock, renew=self._renew
        )
        choice, message = _parts(document, self.name)
        text, finish = str(message.get("content") or ""), _finish(choice)
        is_cut = finish == "filtered" or (finish == "length" and bool(request.needs))
        calls = () if is_cut else self._calls(request, message, text, by_schema=by_schema)
        if not is_cut and request.tools and request.tool_choice == "required" and not calls:
            raise ProviderError(self.name, "called no tool", kind="no_tool_call", partial=text)
        if not calls:
            check_end(self.name, request, text, finish)
        if request.schema is not None:
            answers.parsed(text, request.schema, system=self.name)
        return Completion(
            text="" if by_schema and calls else text,
            usage=_usage(document.get("usage")),
            finish="tool_calls" if calls else finish,
            tool_calls=calls,
            timings=Timings(None, (self._clock() - start) * 1000),
            provider=self.name,
        )

    def _calls(
        self, request: ChatRequest, message: Mapping[str, Any], text: str, *, by_schema: bool
    ) -> tuple[ToolCall, ...]:
        if not request.tools:
            return ()
        if by_schema:
            if request.tool_choice == "auto" and not text.lstrip().startswith(("{", "```")):
                return ()
            return (answers.call_from_text(text, request.tools, system=self.name),)
        raw = message.get("tool_calls") or []
        functions = [one.get("function") or {} for one in raw if isinstance(one, dict)]
        return tuple(
            answers.checked_call(f.get("name"), f.get("arguments") or "{}", request.tools, system=self.name)
            for f in functions
        )

    def _streamed(self, request: ChatRequest) -> Iterator[Piece]:
        start = self._clock()
        body = {
            **self._body(request, by_schema=False),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        written: list[str] = []
        finish: Finish | None = None
        usage: Usage | None = None
        events = None
        try:
            events = self._events(body, request.timeout_s)
            for event in events:
                if self._clock() - start > request.timeout_s:
                    raise ProviderError(self.name, f"no end in {request.timeout_s:g} s", kind="timeout")
                chunk = event.model_dump() if hasattr(event, "model_dump") else event
                if chunk.get("usage"):
                    usage = _usage(chunk["usage"])
                for choice in chunk.get("choices") or []:
                    text = str((choice.get("delta") or {}).get("content") or "")
                    if choice.get("finish_reason"):
                        finish = _finish(choice)
                    if text:
                        written.append(text)
                        yield Piece(text, provider=self.name)
        except ProviderError as error:
            error.partial = "".join(written)
            raise
        except outside_errors() as error:
            told = failure(error, self.name, cut=bool(written))
            told.partial = "".join(written)
            raise told from error
        finally:
            if events is not None:
                events.close()
        whole = "".join(written)
        check_end(self.name, request, whole, finish)
        if request.schema is not None:
            answers.parsed(whole, request.schema, system=self.name)
        yield Piece("", finish=finish, usage=usage, provider=self.name)

    def _events(self, body: Mapping[str, Any], timeout_s: float) -> Any:
        """The stream; a token that the server forgot early is got anew once."""
        create = self._opened().chat.completions.create
        try:
            return create(**body, timeout=timeout_s)
        except outside_errors() as error:
            told = failure(error, self.name, cut=False)
            if told.kind != "denied" or not self._renew():
                raise
        return create(**body, timeout=timeout_s)

    def _body(self, request: ChatRequest, *, by_schema: bool) -> dict[str, Any]:
        endpoint = self._endpoint
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        body: dict[str, Any] = {
            "model": endpoint.model,
            "messages": messages,
            "temperature": request.temperature,
            endpoint.limit_field: request.max_tokens,
        }
        if endpoint.has_seed:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        schema = request.schema and answers.bounded(request.schema)
        if request.tools and by_schema:
            schema = (
                answers.call_schema(request.tools, tied=False) if request.tool_choice == "required" else None
            )
            messages[-1]["content"] += "\n\n" + _told_tools(request)
        elif request.tools:
            body |= {"tools": list(request.tools), "tool_choice": request.tool_choice}
        if schema:
            self._ask_for(schema, body, messages)
        if request.grammar is not None and endpoint.grammar_field == "grammar":
            body["extra_body"] = {"grammar": request.grammar}
        elif request.grammar is not None:
            body["extra_body"] = {"structured_outputs": {"grammar": request.grammar}}
        return body

    def _ask_for(
        self, schema: Mapping[str, Any], body: dict[str, Any], messages: list[dict[str, str]]
    ) -> None:
        if self._endpoint.schema_mode == "json_schema":
            form = {"name": "answer", "schema": schema, "strict": False}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
            return
        if self._endpoint.schema_mode == "json_object":
            body["response_format"] = {"type": "json_object"}
        written = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        messages[-1]["content"] += (
            f"\n\nAnswer with one JSON document and nothing else. Its schema: {written}"
        )

    def _opened(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self._endpoint, self._tls)
            return self._client

    def _renew(self) -> bool:
        """Whether a refused token may be got anew."""
        if isinstance(self._endpoint.key, OAuthToken):
            self._endpoint.key.forget(self._endpoint.key())
            return True
        return False


def _client(endpoint: Endpoint, tls: Any) -> Any:
    try:
        import openai
    except ImportError as error:
        raise InputError(
            "provider", "package openai isn't installed", remedy='pip install "nextbest[assistant]"'
        ) from error
    return openai.OpenAI(
        base_url=endpoint.base_url,
        api_key=endpoint.key or "none",
        # "" rather than None: the library would take what another program's variables say
        organization="",
        project=endpoint.project or "",
        default_headers=dict(endpoint.headers),
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=tls, trust_env=True),
    )


def _parts(document: Mapping[str, Any], system: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ProviderError(system, "answered without choices", kind="empty")
    message = choices[0].get("message")
    return choices[0], message if isinstance(message, dict) else {}


def _finish(choice: Mapping[str, Any]) -> Finish:
    return _FINISH.get(str(choice.get("finish_reason")), "stop")


def _usage(found: Any) -> Usage:
    if not isinstance(found, Mapping):
        return Usage()
    details = found.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    return Usage(
        int(found.get("prompt_tokens") or 0), int(found.get("completion_tokens") or 0), int(cached or 0)
    )


def _told_tools(request: ChatRequest) -> str:
    """The tools in words, for a model that is asked for a call as JSON."""
    lines = [
        json.dumps(
            {key: tool["function"].get(key) for key in ("name", "description", "parameters")},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for tool in request.tools
    ]
    must = "Answer" if request.tool_choice == "required" else "To call a tool, answer"
    return (
        f'{must} with one JSON document {{"tool": NAME, "arguments": {{...}}}} and nothing else. Tools:\n'
        + "\n".join(lines)
    )
