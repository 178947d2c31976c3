"""Models of `transformers` folders, with or without a LoRA adapter, through `models.language`: any causal checkpoint.

Slower than GGUF on a CPU; for a GPU, and to try what was just fine-tuned. Opened at the first question.
"""

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from nextbest.assistant.providers import answers
from nextbest.assistant.providers.adapters import is_taught
from nextbest.assistant.providers.local import streamed, whole, with_adapter
from nextbest.assistant.providers.plain import STOPS, prompt_text
from nextbest.assistant.providers.protocol import (
    ChatRequest,
    Completion,
    Feature,
    Finish,
    Kind,
    Piece,
    ProviderError,
    Usage,
)
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.models.language.checkpoint import Checkpoint

MAX_CHOICES = 64


class FolderProvider:
    """A model in this process. May be asked from several threads; answers are written one after the other.

    Answers of a small closed schema (an intent, a tool's name) are chosen by their probability and so always fit; of a
    larger schema they are written freely and checked. Grammars need the GGUF provider.

    Parameters
    ----------
    source
        What `models.language.checkpoint.open_checkpoint` opens: a folder, a .gguf file, package:NAME, hub:OWNER/NAME.
    adapter
        Folder of a LoRA adapter.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        adapter: Path | None = None,
        name: str | None = None,
        checkpoint: "Checkpoint | None" = None,
    ) -> None:
        text = str(source)
        if checkpoint is None and ":" not in text and not Path(text).exists():
            raise InputError("provider", "no such folder", value=text)
        if adapter is not None and not adapter.is_dir():
            raise InputError("adapter", "no such folder", value=str(adapter))
        self._source, self._adapter, self._checkpoint = text, adapter, checkpoint
        self._name = name or f"folder:{Path(text).name}{with_adapter(adapter)}"
        self.is_taught = is_taught(adapter)
        """Whether its adapter was taught the short forms of `prompts/taught.py`."""
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The folder's name without where it is, unless told otherwise."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """No grammars."""
        return frozenset({"stream", "schema", "tools"})

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer; errors as the protocol says. Tools need `tool_choice` "required"."""
        return whole(self, request, self._written)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The answer as it is written; errors as the protocol says."""
        return streamed(self, request, self._written)

    def _written(self, request: ChatRequest) -> Iterator[Piece]:
        end = time.monotonic() + request.timeout_s
        if not self._lock.acquire(timeout=request.timeout_s):
            raise ProviderError(self.name, f"busy for {request.timeout_s:g} s", kind="timeout")
        try:
            checkpoint = self._opened()
            prompt = prompt_text(request.messages, checkpoint.tokenizer)
            schema = answers.call_schema(request.tools, tied=True) if request.tools else request.schema
            choices = None if schema is None else closed_choices(schema)
            if choices is not None:
                yield from self._chosen(checkpoint, prompt, choices)
            else:
                yield from self._free(checkpoint, prompt, request, schema, end)
        finally:
            self._lock.release()

    def _chosen(self, checkpoint: "Checkpoint", prompt: str, choices: Sequence[str]) -> Iterator[Piece]:
        from nextbest.models.language.scoring import choice_log_probs

        room = " " if prompt.endswith(":") else ""
        found = choice_log_probs(checkpoint, [prompt], [room + choice for choice in choices])
        yield Piece(choices[int(found[0].argmax())], provider=self.name)
        yield Piece("", finish="stop", provider=self.name)

    def _free(
        self,
        checkpoint: "Checkpoint",
        prompt: str,
        request: ChatRequest,
        schema: Mapping[str, Any] | None,
        end: float,
    ) -> Iterator[Piece]:
        from nextbest.models.language.scoring import generate_stream

        n_written = [0]

        def count(ids: Sequence[int]) -> None:
            n_written[0] = len(ids)

        text = ""
        stops = (*request.stop, *STOPS) if prompt.endswith("Assistant:") else request.stop
        written = generate_stream(
            checkpoint,
            prompt,
            max_new_tokens=request.max_tokens,
            temperature=request.temperature,
            rng=request.seed,
            stop=stops,
            allowed=count,
        )
        try:
            # an error that somebody keeps doesn't keep what was computed of the prompt
            with closing(written):
                for piece in written:
                    said = piece if text else piece.lstrip()
                    text += said
                    if said:
                        yield Piece(said, provider=self.name)
                    if time.monotonic() > end:
                        raise ProviderError(
                            self.name, f"no end in {request.timeout_s:g} s", kind="timeout", partial=text
                        )
        except InputError as error:
            raise self._error(f"can't read the prompt: {error}", "too_long") from error
        # `count` last saw what was written before the last token
        finish: Finish = "length" if n_written[0] >= request.max_tokens - 1 else "stop"
        if not text.strip():
            raise self._error("answered nothing", "empty")
        if schema is not None and finish == "length":
            raise self._error(f"needs more than {request.max_tokens} tokens for its answer", "length", text)
        if request.schema is not None:
            answers.parsed(text, request.schema, system=self.name)
        yield Piece("", finish=finish, usage=Usage(0, n_written[0] + 1), provider=self.name)

    def _error(self, problem: str, kind: Kind, partial: str = "") -> ProviderError:
        return ProviderError(self.name, problem, kind=kind, partial=partial)

    def _opened(self) -> "Checkpoint":
        if self._checkpoint is None:
            from nextbest.models.language.checkpoint import open_checkpoint

            self._checkpoint = open_checkpoint(self._source, adapter=self._adapter)
        return self._checkpoint


def closed_choices(schema: Mapping[str, Any]) -> list[str] | None:
    """All JSON documents of a schema whose properties are enums, constants and booleans; None: it isn't so, or too many.

    >>> closed_choices({"type": "object", "properties": {"tool": {"enum": ["a", "b"]}}, "required": ["tool"]})
    ['{"tool":"a"}', '{"tool":"b"}']
    """
    properties = schema.get("properties")
    if not properties or set(schema.get("required", ())) != set(properties):
        return None
    values: list[Sequence[Any]] = []
    for inner in properties.values():
        if "const" in inner:
            values.append([inner["const"]])
        elif "enum" in inner:
            values.append(inner["enum"])
        elif inner.get("type") == "boolean":
            values.append([True, False])
        else:
            return None
    rows = list(itertools.islice(itertools.product(*values), MAX_CHOICES + 1))
    if len(rows) > MAX_CHOICES:
        return None
    return [
        json.dumps(dict(zip(properties, row, strict=True)), ensure_ascii=False, separators=(",", ":"))
        for row in rows
    ]
