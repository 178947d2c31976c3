"""A real HTTP server on loopback that speaks OpenAI's chat protocol and misbehaves as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nextbest.assistant.providers.protocol import Piece, ProviderError

TOOLS = (
    {
        "type": "function",
        "function": {
            "name": "recommend_items",
            "description": "What the client may like.",
            "parameters": {
                "type": "object",
                "properties": {
                    "k": {"type": "integer", "minimum": 1, "maximum": 50},
                    "client": {"anyOf": [{"type": "string", "maxLength": 100}, {"type": "null"}]},
                },
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "portfolio_metrics",
            "description": "How the own book did.",
            "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        },
    },
)


def said(
    text: str | None, *, finish: str | None = "stop", calls: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A whole answer of the protocol."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"c{n}", "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
            for n, c in enumerate(calls)
        ]
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def event(text: str | None, *, finish: str | None = None) -> str:
    """One server-sent event of a stream."""
    delta = {} if text is None else {"content": text}
    document = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(document)}\n\n"


DONE = (
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    '"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\ndata: [DONE]\n\n'
)


def until_it_breaks(stream: Iterator[Piece]) -> tuple[list[str], ProviderError]:
    """What a stream delivered, and the error that ended it."""
    got: list[str] = []
    try:
        for piece in stream:
            got.append(piece.text)  # noqa: PERF401 - what came before the error counts
    except ProviderError as error:
        return got, error
    raise AssertionError("the stream ended well")


@dataclass
class Answer:
    """One answer: a document, raw bytes, or parts with pauses."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    parts: Sequence[str] = ()
    pause_s: float = 0.0
    """Before the answer, and between parts."""
    breaks_off: bool = False
    """The connection is closed in the middle of a chunked answer."""
    trickles: int = 0
    """Blanks sent before the document, one a pause."""


class ChatServer:
    """Answers in order, the last one again and again; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer | Callable[[dict[str, Any]], Answer]] = []
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.n_parts_sent = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                server._serve(self, body)

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that leaves early is what some tests want."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler, body: str) -> None:
        with self._lock:
            asked = json.loads(body) if body.startswith("{") else {"form": body}
            self.asked.append(asked)
            self.headers.append({k.lower(): v for k, v in handler.headers.items()})
            self.paths.append(handler.path)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(asked)
        time.sleep(answer.pause_s)
        try:
            self._write(handler, answer)
        except OSError:
            handler.close_connection = True  # the client has left, as some tests want

    def _write(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        for key, value in answer.headers.items():
            handler.send_header(key, value)
        if answer.parts or answer.trickles:
            handler.send_header("Content-Type", "text/event-stream" if answer.parts else "application/json")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            parts = [*answer.parts] or [" "] * answer.trickles + [json.dumps(answer.document)]
            for part in parts:
                raw = part.encode()
                handler.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
                handler.wfile.flush()
                self.n_parts_sent += 1
                time.sleep(answer.pause_s)
            if not answer.breaks_off:
                handler.wfile.write(b"0\r\n\r\n")
            handler.close_connection = answer.breaks_off
            return
        raw = answer.raw if answer.raw is not None else json.dumps(answer.document).encode()
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw) + (5 if answer.breaks_off else 0)))
        handler.end_headers()
        handler.wfile.write(raw)
        handler.close_connection = answer.breaks_off
