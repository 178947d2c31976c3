"""What models in this process have in common: a whole answer is their stream to its end, and a call is always wanted."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nextbest.assistant.providers import answers
from nextbest.assistant.providers.protocol import (
    ChatProvider,
    ChatRequest,
    Completion,
    Finish,
    Piece,
    Timings,
    Usage,
    as_read,
    check_features,
)
from nextbest.errors import InputError

Writes = Callable[[ChatRequest], Iterator[Piece]]
"""Asks the model; the last piece says how it ended."""


def whole(provider: ChatProvider, request: ChatRequest, write: Writes) -> Completion:
    """The whole answer of a local model; with tools, exactly one call.

    Raises
    ------
    InputError
        The model can't do what is asked, or tools come without `tool_choice` "required".
    ProviderError
        As `write`, or the answer is no call of the tools.
    """
    check_features(provider, request)
    if request.tools and request.tool_choice != "required":
        raise InputError("tool_choice", 'must be "required" where a local model is asked')
    start = time.monotonic()
    text, first_ms = "", None
    finish: Finish = "stop"
    usage = Usage()
    for piece in write(as_read(provider, request)):
        if piece.text and first_ms is None:
            first_ms = (time.monotonic() - start) * 1000
        text += piece.text
        finish, usage = piece.finish or finish, piece.usage or usage
    calls = (answers.call_from_text(text, request.tools, system=provider.name),) if request.tools else ()
    return Completion(
        text="" if calls else text,
        usage=usage,
        finish="tool_calls" if calls else finish,
        tool_calls=calls,
        timings=Timings(first_ms, (time.monotonic() - start) * 1000),
        provider=provider.name,
    )


def streamed(provider: ChatProvider, request: ChatRequest, write: Writes) -> Iterator[Piece]:
    """The answer as it is written; errors as the protocol says."""
    check_features(provider, request, streams=True)
    return write(as_read(provider, request))


def with_adapter(adapter: Path | None) -> str:
    """What a model's name has behind it where it has an adapter, without where that is."""
    return "" if adapter is None else f"+{adapter.stem}"
