"""What users did: on disk before the answer, in the next recommendation of every worker."""

from datetime import datetime, timedelta

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from nextbest.data.event_log import Event
from nextbest.errors import InputError
from nextbest.service.openapi import body_of, problems, ref
from nextbest.service.reading import check_length, read_body
from nextbest.service.schemas import EventsAnswer, PostedEvent
from nextbest.service.state import Service

_POSTED: TypeAdapter[PostedEvent] = TypeAdapter(PostedEvent)
_POSTED_LIST: TypeAdapter[list[PostedEvent]] = TypeAdapter(list[PostedEvent])
_EXAMPLES = {
    "one": {"user_id": "u1", "item_id": "i3"},
    "many": [
        {"user_id": "u1", "item_id": "i3", "time": "2026-11-22T10:00:00Z", "event_id": "a-17"},
        {"user_id": "u2", "item_id": "i7", "weight": 2.0},
    ],
}


def router(service: Service) -> APIRouter:
    """Routes under `/events`."""
    routes = APIRouter(tags=["events"])
    config = service.config
    schema = {"anyOf": [ref(PostedEvent), {"type": "array", "minItems": 1, "items": ref(PostedEvent)}]}

    @routes.post(
        "/events",
        summary="Post one event or several",
        status_code=202,
        response_model=None,
        responses={202: {"model": EventsAnswer}, **problems(408, 413, 415, 422, 502, 503)},
        openapi_extra=body_of(schema, _EXAMPLES),
    )
    async def post_events(request: Request) -> Response:
        """Store events, all of them or none; the next answer of any worker knows them."""
        body = await read_body(request, config=config)
        is_list = body.lstrip()[:1] == b"["
        posted = _POSTED_LIST.validate_json(body) if is_list else [_POSTED.validate_json(body)]
        if not posted:
            raise InputError("events", "must hold 1 event or more")
        check_length("events", posted, limit=config.max_events)
        now = service.now()
        latest = now + timedelta(seconds=config.max_clock_skew_s)
        n_stored = await service.writer.ask([_event(event, now=now, latest=latest) for event in posted])
        return Response(orjson.dumps({"accepted": n_stored}), status_code=202, media_type="application/json")

    return routes


def _event(posted: PostedEvent, *, now: datetime, latest: datetime) -> Event:
    if posted.time is not None and posted.time > latest:
        raise InputError(
            "time",
            "must not lie in the future",
            value=posted.time.isoformat(),
            remedy="check the sender's clock",
        )
    return Event(posted.user_id, posted.item_id, posted.time or now, posted.weight, posted.event_id)
