"""Items like an item."""

import orjson
from fastapi import APIRouter, Request, Response

from nextbest.errors import InputError
from nextbest.service.engine import Similar
from nextbest.service.openapi import parameters_of, problems
from nextbest.service.reading import check_k, check_path_id, read_parameters
from nextbest.service.schemas import SimilarAnswer, SimilarParams
from nextbest.service.state import Service


def router(service: Service) -> APIRouter:
    """Routes under `/items`."""
    routes = APIRouter(tags=["items"])

    @routes.get(
        "/items/{item_id:path}/similar",
        summary="Items like one item",
        response_model=None,
        responses={200: {"model": SimilarAnswer}, **problems(422, 500, 503)},
        openapi_extra=parameters_of(SimilarParams, path="item_id"),
    )
    async def similar(request: Request) -> Response:
        """Items like one item; an item that the model doesn't know is an error."""
        item_id = check_path_id("item_id", request.path_params["item_id"])
        params, others = read_parameters(request, SimilarParams)
        if others:
            raise InputError(
                "query", f"parameters are {list(SimilarParams.model_fields)}", value=sorted(others)[:5]
            )
        k = check_k(params.k, config=service.config)
        question = Similar(item_id, k, params.lang, service.now())
        items, version = await service.engine.ask(question)
        assert isinstance(items, list)
        service.metrics.items(items)
        document = {"item_id": item_id, "items": items, "model": version}
        return Response(
            orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
        )

    return routes
