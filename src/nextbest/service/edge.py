"""The outermost layer of the application: time, counts, body limits and the last resort for errors.

Plain ASGI, because a middleware object per request costs more than a recommendation. Knows
routes only by their template.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError, Problem, problem_of
from nextbest.service.metrics import ServiceMetrics

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

UNMATCHED = "(no route)"


class BodyRefusedError(Exception):
    """A body was refused while it was read; carries its problem document."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.detail)


class Edge:
    """ASGI middleware that every request passes first and last."""

    def __init__(self, app: App, *, config: ServiceConfig, metrics: ServiceMetrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; count it whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status = 0

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        body = _Body(self, receive) if _has_body(scope) else None
        try:
            if body is not None:
                body.check_declared(scope)
            await self._app(scope, receive if body is None else body.receive, send_and_look)
        except BodyRefusedError as refused:
            if not status:
                await _send(refused.problem, scope, receive, send_and_look)
        except Exception as error:
            if status:  # half an answer is out: the server must cut the connection
                raise
            await _send(problem_of(error), scope, receive, send_and_look)
        finally:
            if body is not None:
                self._held_bytes -= body.n_bytes
            route = scope.get("route")
            template = getattr(route, "path_format", None) or UNMATCHED
            self._metrics.request(scope["method"], template, status or 499, perf_counter() - start)

    def hold(self, n_bytes: int) -> None:
        """Count bytes of a body in memory.

        Raises
        ------
        BodyRefusedError
            All bodies together would take more than the budget.
        """
        if self._held_bytes + n_bytes > self._config.body_budget_bytes:
            busy = OverloadedError("holds too many request bodies", retry_after_s=self._config.retry_after_s)
            raise BodyRefusedError(_closing(problem_of(busy)))
        self._held_bytes += n_bytes

    @property
    def max_body_bytes(self) -> int:
        """Largest body, bytes."""
        return self._config.max_body_bytes


class _Body:
    """`receive` of one request, counted."""

    def __init__(self, edge: Edge, receive: Receive) -> None:
        self._edge, self._receive = edge, receive
        self.n_bytes = 0

    def check_declared(self, scope: Scope) -> None:
        """Refuse at once what says that it is too large."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._edge.max_body_bytes:
                raise BodyRefusedError(self._too_large())

    async def receive(self) -> Message:
        """The next message; refused when the body passes its limit."""
        message = await self._receive()
        n_bytes = len(message.get("body", b""))
        if self.n_bytes + n_bytes > self._edge.max_body_bytes:
            raise BodyRefusedError(self._too_large())
        self._edge.hold(n_bytes)
        self.n_bytes += n_bytes
        return message

    def _too_large(self) -> Problem:
        limit = self._edge.max_body_bytes
        return _closing(
            Problem(
                413,
                "http",
                f"body: must have at most {limit} bytes",
                {"max_bytes": limit, "remedy": "send parts"},
            )
        )


def _closing(problem: Problem) -> Problem:
    """The same, on a connection that ends: the rest of the body isn't read."""
    return Problem(
        problem.status,
        problem.kind,
        problem.detail,
        problem.members,
        {**problem.headers, "connection": "close"},
    )


def _has_body(scope: Scope) -> bool:
    return scope["method"] not in ("GET", "HEAD", "OPTIONS") or any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    )


async def _send(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    await problem.to_response()(scope, receive, send)
