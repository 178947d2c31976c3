"""What next: for a stored user, for several, or for a history that the request brings along."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.routing import Route

from nextbest.data.ids import OutsideId
from nextbest.pipeline.query import Answer, Query
from nextbest.service.filters import filters_from_text
from nextbest.service.openapi import body_of, parameters_of, problems, ref
from nextbest.service.reading import check_k, check_length, check_path_id, read_body, read_parameters
from nextbest.service.routes.plain import TellingRoute
from nextbest.service.schemas import (
    Range,
    RecommendationAnswer,
    RecommendationParams,
    RecommendationRequest,
    RecommendationsAnswer,
)
from nextbest.service.state import Service

USER_PATH = "/users/{user_id:path}/recommendations"
_EXAMPLES = {
    "users": {"user_ids": ["u1", "u2"], "k": 5},
    "history": {"history": ["i3", {"item_id": "i7", "time": "2026-11-22T10:00:00Z"}], "deny": ["i9"]},
    "filters": {"user_ids": [17], "where": {"category": ["games", "books"], "price": {"max": 20}}},
}


def router(service: Service) -> APIRouter:
    """Routes under `/users` and `/recommendations`."""
    routes = APIRouter(tags=["recommendations"])
    config, metrics = service.config, service.metrics

    routes.get(
        USER_PATH,
        summary="Recommendations for one user",
        response_model=None,
        responses={200: {"model": RecommendationAnswer}, **problems(422, 500, 502, 503)},
        openapi_extra=parameters_of(RecommendationParams, path="user_id", filters=True),
    )(user_handler(service))

    @routes.post(
        "/recommendations",
        summary="Recommendations for several users, or for a history that isn't stored",
        response_model=None,
        responses={200: {"model": RecommendationsAnswer}, **problems(408, 413, 415, 422, 500, 502, 503)},
        openapi_extra=body_of(ref(RecommendationRequest), _EXAMPLES),
    )
    async def recommend_to_many(request: Request) -> Response:
        """What next for `user_ids`, or for the `history` in the body (which is not kept)."""
        body = RecommendationRequest.model_validate_json(await read_body(request, config=config))
        check_length("user_ids", body.user_ids, limit=config.max_users)
        check_length("history", body.history, limit=config.max_history)
        check_length("allow", body.allow, limit=config.max_ids)
        check_length("deny", body.deny, limit=config.max_ids)
        k = check_k(body.k, config=config)
        where = None if body.where is None else {name: _plain(value) for name, value in body.where.items()}
        at = service.now()

        def query(user_id: OutsideId | None) -> Query:
            return Query(
                user_id=user_id,
                history=None if body.history is None else [(e.item_id, e.time) for e in body.history],
                k=k,
                exclude_seen=body.exclude_seen,
                allow=body.allow,
                deny=body.deny,
                where=where,
                lang=body.lang,
                at=at,
                explain=body.explain,
            )

        users: Sequence[OutsideId | None] = body.user_ids or [None]
        replies = await service.engine.ask_many([query(user_id) for user_id in users])
        answers = []
        for answer, version in replies:
            assert isinstance(answer, Answer)
            metrics.answer(answer.items, known=answer.known)
            answers.append(document(answer, version))
        return Response(_bytes({"answers": answers}), media_type="application/json")

    return routes


def user_route(service: Service) -> Route:
    """The same path as a plain Starlette route, to stand before all others.

    FastAPI's route then only describes: solving dependencies that the handler doesn't have, and trying
    the routes before it, would take half of the framework's time for a request.
    """
    return TellingRoute(USER_PATH, user_handler(service), methods=["GET"], include_in_schema=False)


def user_handler(service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The handler of GET /users/{user_id}/recommendations."""
    config, metrics = service.config, service.metrics

    async def recommend_to_user(request: Request) -> Response:
        """What next for one user; an unknown user gets an answer from fallbacks and `known: false`."""
        user_id = check_path_id("user_id", request.path_params["user_id"])
        params, filters = read_parameters(request, RecommendationParams)
        query = Query(
            user_id=user_id,
            k=check_k(params.k, config=config),
            exclude_seen=params.exclude_seen,
            where=filters_from_text(filters, service.holder.live.catalog_columns) if filters else None,
            lang=params.lang,
            at=service.now(),
            explain=params.explain,
        )
        answer, version = await service.engine.ask(query)
        assert isinstance(answer, Answer)
        metrics.answer(answer.items, known=answer.known)
        return Response(_bytes(document(answer, version)), media_type="application/json")

    return recommend_to_user


def document(answer: Answer, version: str) -> dict[str, Any]:
    """An answer as JSON tells it."""
    return {"user_id": answer.user_id, "known": answer.known, "items": answer.items, "model": version}


def _bytes(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_none=True) if isinstance(value, Range) else value
