"""Portfolios: figures, peers, plan, tracking and the whole report of one client, each as one JSON document."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from nextbest.service.openapi import body_of, parameters_of, problems, ref
from nextbest.service.portfolio.part import PortfolioPart
from nextbest.service.portfolio.schemas import (
    PLAN_EXAMPLES,
    ComparedParams,
    NoParams,
    PlanRequestBody,
    PortfolioDocument,
)
from nextbest.service.reading import check_path_id, read_body, read_parameters
from nextbest.service.state import Service

_CLIENT_PATH = "/portfolios/{client}"


def router(service: Service, part: PortfolioPart) -> APIRouter:
    """The routes under `/portfolios`, and `/plans`. Every answer is about the client in the request and nobody else."""
    routes = APIRouter(tags=["portfolios"])
    said: dict[int | str, dict[str, Any]] = {
        200: {"model": PortfolioDocument},
        **problems(422, 500, 502, 503),
    }
    compared = parameters_of(ComparedParams, path="client")
    alone = parameters_of(NoParams, path="client")

    @routes.get(
        f"{_CLIENT_PATH}/metrics",
        summary="Figures of a client's portfolio, each with its convention",
        response_model=None,
        responses=said,
        openapi_extra=compared,
    )
    async def metrics(request: Request) -> Response:
        """The catalogue of figures: value or null with the reason, method, observations, unit; and the charts."""
        client, params = _asked(request)
        return _json(await part.metrics(client, benchmark=params.benchmark, currency=params.currency))

    @routes.get(
        f"{_CLIENT_PATH}/peers",
        summary="What similar clients hold and how they did",
        response_model=None,
        responses=said,
        openapi_extra=alone,
    )
    async def peers(request: Request) -> Response:
        """Rounded medians and quartiles of 20 clients or more, or a refusal with its reason; never a client of them."""
        return _json(await part.peers(_client(request)))

    @routes.get(
        f"{_CLIENT_PATH}/tracking",
        summary="Plan against actual",
        response_model=None,
        responses=said,
        openapi_extra=alone,
    )
    async def tracking(request: Request) -> Response:
        """History, drift and alerts as the last run of tracking left them."""
        return _json(await part.tracking(_client(request)))

    @routes.get(
        f"{_CLIENT_PATH}/report",
        summary="Metrics, peers, plan and tracking in one document",
        response_model=None,
        responses=said,
        openapi_extra=compared,
    )
    async def report(request: Request) -> Response:
        """All documents of a client under `documents`."""
        client, params = _asked(request)
        return _json(await part.report(client, benchmark=params.benchmark, currency=params.currency))

    @routes.post(
        "/plans",
        summary="Suitable allocations and the odds of a client's goal",
        response_model=None,
        responses=said | problems(408, 413, 415),
        openapi_extra=body_of(ref(PlanRequestBody), PLAN_EXAMPLES),
    )
    async def plans(request: Request) -> Response:
        """Information mode: classes, no instrument. What doesn't suit the profile isn't shown. Advice mode names instruments."""
        body = PlanRequestBody.model_validate_json(await read_body(request, config=service.config))
        choices = {"goal_id": body.goal_id, "answers": body.answers, "answered_on": body.answered_on}
        return _json(await part.plan(body.client_id, mode=body.mode, **choices))

    return routes


def _client(request: Request) -> str:
    return check_path_id("client", request.path_params["client"])


def _asked(request: Request) -> tuple[str, ComparedParams]:
    params, _ = read_parameters(request, ComparedParams)
    return _client(request), params


def _json(document: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
