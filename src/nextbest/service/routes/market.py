"""Forecasts of prices: quantiles by horizon and how the model stood against a random walk."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from nextbest.errors import InputError
from nextbest.market.forecast_desk import Asked
from nextbest.service.market.part import MarketPart
from nextbest.service.market.schemas import (
    FORECAST_EXAMPLES,
    ForecastAnswer,
    ForecastDocument,
    ForecastParams,
    ForecastRequest,
)
from nextbest.service.openapi import body_of, parameters_of, problems, ref
from nextbest.service.reading import check_length, check_path_id, read_body, read_parameters
from nextbest.service.state import Service


def router(service: Service, part: MarketPart) -> APIRouter:
    """`POST /forecasts` and `GET /assets/{asset_id}/forecast`."""
    routes = APIRouter(tags=["market"])

    @routes.get(
        "/assets/{asset_id:path}/forecast",
        summary="Quantiles of an asset's closes to come, and how the model stood",
        response_model=None,
        responses={200: {"model": ForecastDocument}, **problems(422, 500, 503)},
        openapi_extra=parameters_of(ForecastParams, path="asset_id"),
    )
    async def forecast(request: Request) -> Response:
        """From the newest candles of the workspace; fitted once for each new bar."""
        asset = check_path_id("asset_id", request.path_params["asset_id"])
        params, others = read_parameters(request, ForecastParams)
        if others:
            known = sorted(ForecastParams.model_fields)
            raise InputError("query", f"must have parameters of {known} only", value=sorted(others)[:5])
        asked = Asked(
            params.model,
            params.step,
            _horizons(params.horizons.split(",")) if params.horizons else None,
            _levels(params.levels.split(",")) if params.levels else (),
        )
        return _json((await part.forecasts([asset], asked))[0])

    @routes.post(
        "/forecasts",
        summary="Forecasts of several assets, or of a series that the request brings along",
        response_model=None,
        responses={200: {"model": ForecastAnswer}, **problems(408, 413, 415, 422, 500, 503)},
        openapi_extra=body_of(ref(ForecastRequest), FORECAST_EXAMPLES),
    )
    async def forecasts(request: Request) -> Response:
        """Candles of the caller's own are checked, answered and forgotten."""
        body = ForecastRequest.model_validate_json(await read_body(request, config=service.config))
        check_length("candles", body.candles, limit=service.config.max_candles)
        horizons = None if body.horizons is None else tuple(sorted(set(body.horizons)))
        asked = Asked(body.model, body.step, horizons, tuple(sorted(set(body.levels or ()))))
        if body.candles is not None and body.asset_id is not None:
            found = await part.forecast_candles(body.asset_id, body.candles, asked)
        else:
            found = await part.forecasts(body.asset_ids or [str(body.asset_id)], asked)
        return _json({"forecasts": found})

    return routes


def _horizons(texts: list[str]) -> tuple[int, ...]:
    found = tuple(sorted({int(text) for text in texts}))
    if found[0] < 1:
        raise InputError("horizons", "must be whole numbers of 1 or more", value=found[0])
    return found


def _levels(texts: list[str]) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(text) for text in texts}))
    except ValueError:
        raise InputError("levels", "must be numbers between 0 and 1, by commas", value=texts[:5]) from None


def _json(document: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(document), media_type="application/json", headers={"cache-control": "no-store"}
    )
