"""The OpenAPI parts of handlers that read their request themselves, made from the request models."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nextbest.service.errors import PROBLEM_MEDIA_TYPE
from nextbest.service.schemas import (
    HistoryEvent,
    PostedEvent,
    ProblemDocument,
    RecommendationParams,
    RecommendationRequest,
    SimilarParams,
)

REF = "#/components/schemas/{model}"
_REQUEST_MODELS: tuple[type[BaseModel], ...] = (
    RecommendationRequest,
    PostedEvent,
    HistoryEvent,
    ProblemDocument,
    RecommendationParams,
    SimilarParams,
)


def ref(model: type[BaseModel]) -> dict[str, str]:
    """A reference to the schema of a model."""
    return {"$ref": REF.format(model=model.__name__)}


def body_of(schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a handler with a JSON body."""
    content = {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def parameters_of(
    model: type[BaseModel], *, path: str | None = None, filters: bool = False
) -> dict[str, Any]:
    """`openapi_extra` of a handler with the query parameters of a model, and one path parameter at most."""
    schema = model.model_json_schema(ref_template=REF)
    parameters: list[dict[str, Any]] = []
    if path is not None:
        text = {"type": "string", "minLength": 1}
        parameters.append({"name": path, "in": "path", "required": True, "schema": text})
    for name, part in schema["properties"].items():
        inner = {key: value for key, value in part.items() if key not in ("title", "description")}
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": inner,
                "description": part.get("description", ""),
            }
        )
    if filters:
        parameters.append(
            {
                "name": "filters",
                "in": "query",
                "required": False,
                "style": "form",
                "explode": True,
                "schema": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "description": "Any other name is a catalogue column: `category=games&category=books` keeps both.",
            }
        )
    return {"parameters": parameters}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a handler for the statuses it may refuse with."""
    words = {
        404: "Nothing at this path.",
        408: "The body came too slowly.",
        413: "The body is too large.",
        415: "The body isn't JSON by its content type.",
        422: "The request breaks a rule; the document says which.",
        500: "An error of the service or its data.",
        502: "The event log can't be used now; nothing was stored.",
        503: "No model, or too much work; Retry-After says when to come again.",
        403: "Only from the machine itself.",
    }
    return {
        status: {
            "description": words[status],
            "content": {PROBLEM_MEDIA_TYPE: {"schema": ref(ProblemDocument)}},
        }
        for status in statuses
    }


def install_openapi(app: FastAPI, *more: type[BaseModel]) -> None:
    """Let `app.openapi()` also hold the schemas that only `openapi_extra` refers to; `more` of them if given."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            _, definitions = models_json_schema(
                [(model, "validation") for model in (*_REQUEST_MODELS, *more)], ref_template=REF
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in definitions["$defs"].items():
                schemas.setdefault(name, schema)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
