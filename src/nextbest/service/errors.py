"""The border where the library's errors become HTTP: RFC 9457 problem documents, the same words.

One map for every error of the tree, one form for what the web framework refuses by itself
(404, 405, 413, ...). Nothing here logs a message that may hold a client's id.
"""

import logging
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from nextbest.errors import (
    ArtifactError,
    CombinedInputError,
    DataError,
    ExternalError,
    InputError,
    NextbestError,
    NotFittedError,
)

log = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""Wrong fields that one document lists; it counts them all."""
_FRAMEWORK_WORDS = {
    "Not Found": "path: nothing is served here; /docs lists what is",
    "Method Not Allowed": "method: not served at this path; the Allow header lists what is",
}


class OverloadedError(NextbestError):
    """The service has more work waiting than it accepts. Send the request again later."""

    def __init__(self, rule: str, *, retry_after_s: int, remedy: str = "try again later") -> None:
        self.rule, self.retry_after_s, self.remedy = rule, retry_after_s, remedy
        super().__init__(f"service: {rule}; {remedy}")


@dataclass(frozen=True)
class Problem:
    """One RFC 9457 problem document, before it becomes bytes."""

    status: int
    kind: str
    """Last part of `type`, stable: `input`, `data`, `not-fitted`, `artifact`, `external`, ..."""
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    """Extension members, such as `name`, `rule`, `remedy`."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The document as JSON."""
        document = {
            "type": f"urn:nextbest:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return orjson.dumps(document, default=repr, option=orjson.OPT_NON_STR_KEYS)

    def to_response(self) -> Response:
        """The document as an HTTP response."""
        return Response(
            self.to_bytes(),
            status_code=self.status,
            media_type=PROBLEM_MEDIA_TYPE,
            headers={"cache-control": "no-store", **self.headers},
        )


def problem_of(error: Exception) -> Problem:
    """The problem document of any error; one that nobody foresaw says nothing of its inside.

    Notes
    -----
    InputError 422, DataError 500, NotFittedError and ArtifactError 503, ExternalError 502,
    OverloadedError 503; what the framework raises keeps its own status.
    """
    match error:
        case CombinedInputError():
            members = _wrong(error) | {
                "n_bad": len(error.errors),
                "errors": [_wrong(each) for each in error.errors[:MOST_ERRORS]],
            }
            return Problem(422, "input", str(error), members)
        case InputError():
            return Problem(422, "input", str(error), _wrong(error))
        case DataError():
            members = _given(
                name=error.name,
                rule=error.rule,
                n_bad=error.n_bad,
                examples=error.examples or None,
                remedy=error.remedy,
            )
            return Problem(500, "data", str(error), members)
        case NotFittedError():
            return Problem(503, "not-fitted", str(error), {"name": error.name}, _retry(5))
        case ArtifactError():
            return Problem(
                503, "artifact", str(error), _given(rule=error.rule, remedy=error.remedy), _retry(5)
            )
        case ExternalError():
            members = _given(system=error.system, retryable=error.retryable, remedy=error.remedy)
            return Problem(502, "external", str(error), members, _retry(1) if error.retryable else {})
        case OverloadedError():
            return Problem(
                503,
                "overloaded",
                str(error),
                {"rule": error.rule, "remedy": error.remedy},
                _retry(error.retry_after_s),
            )
        case ValidationError() | RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            detail = _FRAMEWORK_WORDS.get(str(error.detail), str(error.detail))
            return Problem(error.status_code, "http", detail, {}, dict(error.headers or {}))
        case _:
            return _unforeseen(error)


def install_error_border(app: FastAPI) -> None:
    """Every error that a handler of `app` raises becomes its problem document."""

    async def answer(_request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem.status >= 500 and not isinstance(error, OverloadedError):
            log.error("request failed", extra={"error": type(error).__name__, "status": problem.status})
        return problem.to_response()

    for kind in (NextbestError, RequestValidationError, ValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _invalid(errors: Sequence[Any]) -> Problem:
    """422 with the first five places that break the schema, each as a JSON pointer and its rule."""
    places = [{"pointer": _pointer(e["loc"]), "rule": e["msg"], "code": e["type"]} for e in errors[:5]]
    first = places[0] if places else {"pointer": "", "rule": "is not valid", "code": ""}
    detail = f"{first['pointer'] or 'body'}: {first['rule']}"
    if len(errors) > 1:
        detail += f"; {len(errors)} place(s) break the schema"
    return Problem(422, "input", detail, {"n_bad": len(errors), "errors": places})


def _wrong(error: InputError) -> dict[str, object]:
    """What is wrong with one field."""
    return _given(name=error.name, rule=error.rule, value=_short(error.value), remedy=error.remedy)


def _pointer(loc: Sequence[int | str]) -> str:
    """RFC 6901 pointer into the body; parts that pydantic adds for unions stay, they say which form was meant."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:100] for part in loc)


def _unforeseen(error: Exception) -> Problem:
    """500 that tells the client an id to quote and the log where it happened, without the message."""
    error_id = uuid.uuid4().hex
    log.error(
        "unforeseen error",
        extra={
            "error": type(error).__name__,
            "error_id": error_id,
            "stack": "".join(traceback.format_tb(error.__traceback__)),
        },
    )
    detail = "an error that nobody foresaw; the service's log holds it under error_id"
    return Problem(500, "internal", detail, {"error_id": error_id})


def _given(**members: object) -> dict[str, object]:
    """Members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def _short(value: object) -> object:
    """`value`, or the start of its text when it is long: an error never sends a large request back."""
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, int) and value.bit_length() > 63:  # no number that JSON's readers agree on
        return f"an integer of {value.bit_length()} bits"
    return value if isinstance(value, int | float | None) else repr(value)[:200]


def _retry(seconds: int) -> dict[str, str]:
    return {"retry-after": str(seconds)}
