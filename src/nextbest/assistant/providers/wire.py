"""One HTTP answer of an endpoint, read under a deadline; what goes wrong on the way, in our words. No secret is told."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from nextbest.assistant.providers.protocol import Kind, ProviderError

MAX_BYTES = 4_000_000
_BY_STATUS: Mapping[int, Kind] = {
    400: "refused",
    401: "denied",
    402: "denied",
    403: "denied",
    404: "not_found",
    408: "timeout",
    413: "too_long",
    422: "refused",
    429: "rate_limited",
    503: "not_ready",
    504: "timeout",
}
_REMEDY: Mapping[Kind, str] = {
    "denied": "check the key, and that it may use this model",
    "not_found": "check base_url and the model's name",
}


def read_body(
    client: Any,
    body: Mapping[str, Any],
    *,
    system: str,
    timeout_s: float,
    clock: Callable[[], float],
    renew: Callable[[], bool],
) -> Mapping[str, Any]:
    """The answer's JSON document, all of it before the deadline, however slowly bytes come.

    Raises
    ------
    ProviderError
        As the status, the connection or the deadline says; "broken_json" if it is none.
    """
    end = clock() + timeout_s
    for attempt in (1, 2):
        parts: list[bytes] = []
        size = 0
        try:
            with client.chat.completions.with_streaming_response.create(**body, timeout=timeout_s) as answer:
                for part in answer.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if clock() > end:
                        raise ProviderError(system, f"no whole answer in {timeout_s:g} s", kind="timeout")
                    if size > MAX_BYTES:
                        raise ProviderError(system, f"answered more than {MAX_BYTES:,} bytes", kind="refused")
            break
        except outside_errors() as error:
            told = failure(error, system, cut=bool(parts))
            # a token that the server forgot early: one new one
            if told.kind == "denied" and attempt == 1 and renew():
                continue
            raise told from error
    try:
        document = json.loads(b"".join(parts))
    except (ValueError, RecursionError) as error:
        raise ProviderError(
            system, f"answered no JSON ({type(error).__name__})", kind="broken_json"
        ) from None
    if not isinstance(document, dict):
        raise ProviderError(system, "answered JSON that is no object", kind="broken_json")
    if document.get("error"):
        raise ProviderError(system, _told(document["error"]), kind="server")
    return document


def outside_errors() -> tuple[type[Exception], ...]:
    """What the libraries raise where the outside is at fault; mistakes of the program aren't among them and are seen.

    A function, so that `except outside_errors()` imports the libraries only once something was raised.
    """
    import httpx2
    import openai

    return (openai.APIError, httpx2.HTTPError, json.JSONDecodeError, UnicodeDecodeError)


def failure(error: Exception, system: str, *, cut: bool) -> ProviderError:
    """What one of `outside_errors` means.

    Parameters
    ----------
    cut
        Something had come before.
    """
    import httpx2
    import openai

    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return ProviderError(system, "didn't answer in time", kind="timeout")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, system)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        kind: Kind = "cut" if cut else "connection"
        problem = "broke off in the middle of its answer" if cut else "can't be reached"
        return ProviderError(
            system, problem, kind=kind, remedy=None if cut else "is it running, and is base_url right?"
        )
    if isinstance(error, openai.APIError):
        return ProviderError(system, _told(error.message), kind="server")
    return ProviderError(system, "sent an event that is no JSON", kind="broken_json")


def _of_status(error: Any, system: str) -> ProviderError:
    status = int(error.status_code)
    body = error.body if isinstance(error.body, Mapping) else {}
    words = _told(body.get("message") or body or "")
    kind: Kind = _BY_STATUS.get(status, "server" if status >= 500 else "refused")
    if kind == "refused" and ("context" in words.lower() or body.get("code") == "context_length_exceeded"):
        kind = "too_long"
    return ProviderError(
        system,
        f"refused with {status}" + (f" ({words})" if words and kind != "denied" else ""),
        kind=kind,
        retry_after_s=_seconds(error.response.headers.get("retry-after")),
        remedy=_REMEDY.get(kind),
    )


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; a day's name is left to our own backoff."""
    try:
        seconds = float(header) if header is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 86_400 else None


def _told(words: object) -> str:
    """A server's own words, on one line, not long."""
    text = words.get("message", words) if isinstance(words, Mapping) else words
    return " ".join(str(text).split())[:200]
