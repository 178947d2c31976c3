"""Reading a request: its JSON body, its query parameters, and the limits that both have."""

import asyncio
from typing import TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from nextbest.errors import InputError
from nextbest.service.config import ServiceConfig

M = TypeVar("M", bound=BaseModel)

MAX_PARAMETERS = 100


async def read_body(request: Request, *, config: ServiceConfig) -> bytes:
    """The body of a request that says it is JSON.

    Raises
    ------
    InputError
        It is empty.
    HTTPException
        415 for a content type that isn't JSON, 408 for a body that comes too slowly.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise HTTPException(415, "content-type: must be application/json; send that header with the body")
    try:
        async with asyncio.timeout(config.body_timeout_s):
            body = await request.body()
    except TimeoutError:
        raise HTTPException(408, f"body: must arrive within {config.body_timeout_s:g} s") from None
    if not body.strip():
        raise InputError("body", "must be JSON, is empty")
    return body


def read_parameters(request: Request, model: type[M]) -> tuple[M, dict[str, list[str]]]:
    """Query parameters that `model` has, checked, and the values of all others by name.

    Raises
    ------
    InputError
        One that `model` has is there twice, or there are over 100 parameters.
    ValidationError
        One breaks its rule.
    """
    raw = request.scope["query_string"]
    if not raw:
        return model(), {}
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise InputError("query", f"must have at most {MAX_PARAMETERS} parameters") from None
    known: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in model.model_fields:
            others.setdefault(name, []).append(value)
        elif name in known:
            raise InputError(name, "must be given once", value=value)
        else:
            known[name] = value
    return model.model_validate_strings(known), others


def check_k(k: int | None, *, config: ServiceConfig) -> int:
    """The number of items to answer with.

    Raises
    ------
    InputError
        It is below 1 or above the service's limit.
    """
    if k is None:
        return config.default_k
    if not 1 <= k <= config.max_k:
        raise InputError("k", f"must be an integer from 1 to {config.max_k}", value=k)
    return k


def check_length(name: str, values: object, *, limit: int) -> None:
    """Nothing, if a list has at most `limit` entries (None has none).

    Raises
    ------
    InputError
        It has more.
    """
    if isinstance(values, list) and len(values) > limit:
        raise InputError(name, f"must have at most {limit} entries", value=len(values))


def check_path_id(name: str, value: str) -> str:
    """An id taken from a path.

    Raises
    ------
    InputError
        It is longer than 512 characters, or empty.
    """
    if not 0 < len(value) <= 512:
        raise InputError(name, "must have 1 to 512 characters", value=len(value))
    return value
