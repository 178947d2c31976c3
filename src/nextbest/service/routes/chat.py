"""Questions in one's own words: the whole answer as JSON, or the same over server-sent events, piece by piece."""

import hmac
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from nextbest.assistant.agent.events import Event, reply_document
from nextbest.assistant.base import Caller
from nextbest.errors import InputError
from nextbest.service.chat.part import ChatPart
from nextbest.service.chat.schemas import (
    CHAT_EXAMPLES,
    AskRequest,
    ChatAnswer,
    ChatRequest,
    ForgetRequest,
    Forgotten,
)
from nextbest.service.openapi import body_of, problems, ref
from nextbest.service.reading import read_body
from nextbest.service.state import Service

EVENT_STREAM = "text/event-stream"
_NOT_KEPT = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def router(service: Service, part: ChatPart) -> APIRouter:
    """`POST /chat`, `POST /chat/forget`, `POST /{catalogue}/ask`."""
    routes = APIRouter(tags=["chat"])

    @routes.post(
        "/chat",
        summary="A question in one's own words; `Accept: text/event-stream` for the answer piece by piece",
        response_model=None,
        responses={200: {"model": ChatAnswer}, **problems(408, 413, 415, 422, 500, 502, 503)},
        openapi_extra=body_of(ref(ChatRequest), CHAT_EXAMPLES),
    )
    async def chat(request: Request) -> Response:
        """The answer says only what tools computed for this client; every item and figure stands beside it."""
        body = ChatRequest.model_validate_json(await read_body(request, config=service.config))
        caller = _caller(request, service, body.user_id, body.customer_id, body.client_id)
        if EVENT_STREAM in request.headers.get("accept", ""):
            events = part.stream(caller, body.text, session=body.session, language=body.language)
            first = await anext(events)  # an error before the first piece is a problem document
            return StreamingResponse(_as_sent(first, events), media_type=EVENT_STREAM, headers=_NOT_KEPT)
        reply = await part.ask(caller, body.text, session=body.session, language=body.language)
        return _json(reply_document(reply))

    @routes.post(
        "/chat/forget",
        summary="Erase all conversations of a client",
        response_model=None,
        responses={200: {"model": Forgotten}, **problems(408, 413, 415, 422, 500, 502, 503)},
        openapi_extra=body_of(ref(ForgetRequest), {"a client": {"user_id": "u0000042"}}),
    )
    async def forget(request: Request) -> Response:
        """Nothing of what was said stays."""
        body = ForgetRequest.model_validate_json(await read_body(request, config=service.config))
        if body.user_id is None and body.customer_id is None and body.client_id is None:
            raise InputError("body", "must name user_id, customer_id or client_id")
        caller = _caller(request, service, body.user_id, body.customer_id, body.client_id)
        return _json({"forgotten": await part.forget(caller)})

    @routes.post(
        "/{catalogue}/ask",
        summary="The first game service's contract, for any catalogue: user id and text in, words out as they are made",
        response_model=None,
        responses={200: {"content": {"text/plain": {}}}, **problems(408, 413, 415, 422, 500, 502, 503)},
        openapi_extra=body_of(
            ref(AskRequest), {"games": {"user_id": "u0000042", "text": "Во что поиграть?"}}
        ),
    )
    async def ask(request: Request) -> Response:
        """Plain text in pieces; an answer that had to be taken back is written anew after a line of dashes."""
        body = AskRequest.model_validate_json(await read_body(request, config=service.config))
        caller = _caller(request, service, body.user_id, None, None)
        events = part.stream(
            caller, body.text, session=str(request.path_params["catalogue"])[:100], language=None
        )
        first = await anext(events)
        return StreamingResponse(
            _as_text(first, events), media_type="text/plain; charset=utf-8", headers=_NOT_KEPT
        )

    return routes


def _caller(
    request: Request, service: Service, user_id: Any, customer_id: int | None, client_id: str | None
) -> Caller:
    """Who asks: the body's ids, which the gateway before this service vouches for; a clerk proves it by the token.

    Raises
    ------
    InputError
        A token is sent and it isn't the clerks'.
    """
    token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not token:
        return Caller(user_id, customer_id, client_id)
    right = service.config.clerk_token
    if right is None or not hmac.compare_digest(token.encode(), right.get_secret_value().encode()):
        raise InputError("authorization", "must be the clerks' token, or be left out")
    return Caller(user_id, customer_id, client_id, role="clerk", may_see=frozenset({"*"}))


async def _as_sent(first: Event, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        yield _sent(first)
        async for event in events:
            yield _sent(event)


def _sent(event: Event) -> bytes:
    document = reply_document(event.reply) if event.reply is not None else {"text": event.text}
    return b"event: " + event.kind.encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


async def _as_text(first: Event, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        yield _words(first)
        async for event in events:
            if words := _words(event):
                yield words


def _words(event: Event) -> bytes:
    if event.kind == "text":
        return event.text.encode()
    return b"\n---\n" + event.text.encode() if event.kind == "replace" else b""


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
