"""What operators ask: is it ready, what does it count, take the newer model."""

import ipaddress

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from nextbest.service.openapi import problems
from nextbest.service.schemas import Health, ReloadAnswer
from nextbest.service.state import Service


def router(service: Service) -> APIRouter:
    """`/health`, `/metrics` and `/admin/reload`."""
    routes = APIRouter(tags=["system"])

    @routes.get(
        "/health",
        summary="Ready only when what is really used answers",
        response_model=None,
        responses={200: {"model": Health}, 503: {"model": Health, "description": "Not ready."}},
    )
    async def health() -> Response:
        """200 when a real probe was answered and the event log takes writes; 503 with what is wrong otherwise."""
        report = await service.health()
        return Response(
            orjson.dumps(report),
            status_code=503 if report["status"] == "not ready" else 200,
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    @routes.get(
        "/metrics",
        summary="Prometheus metrics",
        response_model=None,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """Prometheus text, summed over all workers."""
        return Response(
            service.metrics.scrape(service.live_metrics),
            headers={"content-type": service.metrics.content_type},
        )

    @routes.post(
        "/admin/reload",
        summary="Look for a newer model now",
        response_model=None,
        responses={200: {"model": ReloadAnswer}, 503: {"model": ReloadAnswer}, **problems(403)},
    )
    async def reload(request: Request) -> Response:
        """Only from the machine itself. The worker that is asked looks now, the others at their next watch."""
        if not is_loopback(request.client.host if request.client else None):
            raise HTTPException(
                403, "client: only the machine itself may ask for a reload; send SIGHUP or wait"
            )
        result = await service.refresh(force=True)
        holders = [part.holder for part in service.parts]
        errors = [str(holder.error) for holder in holders if holder.error is not None]
        document = {
            "result": result,
            "model": service.parts[0].version if service.parts else None,
            "error": errors[0] if errors else None,
        }
        return Response(
            orjson.dumps(document),
            status_code=503 if result == "failed" else 200,
            media_type="application/json",
        )

    return routes


def is_loopback(host: str | None) -> bool:
    """Whether an address belongs to the machine itself.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "10.0.0.1", "localhost", None)]
    [True, True, False, False, False]
    """
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
