"""What every kind of model needs to be served: a part of the service with a life, checks and a description.

A service is made of one part or two: a shop's pipeline, a bank's product model. Each keeps its own
model holder and its own threads.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from nextbest.errors import NextbestError
from nextbest.pipeline.model_holder import LiveModel, ModelHolder
from nextbest.service.metrics import gauge

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Part(Protocol):
    """One kind of model behind its routes."""

    @property
    def holder(self) -> ModelHolder[Any]:
        """The model that answers, and the watch over its folder."""

    @property
    def version(self) -> str | None:
        """Of the live model; None while there is none."""

    async def open(self) -> None:
        """Open what a model needs to be prepared; called before the first look at the folder."""

    async def start(self) -> None:
        """Start the threads; called after that look."""

    async def stop(self) -> None:
        """Answer what waits, then end the threads."""

    async def check(self) -> tuple[dict[str, str], float]:
        """Each thing that is really used -> "ok" or what is wrong; and the time of a real answer, milliseconds."""

    def describe(self) -> dict[str, Any] | None:
        """The live model for `/health`; None while there is none."""

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for instead of counting."""


async def probe(answer: Awaitable[object], *, timeout_s: float) -> tuple[str, float]:
    """What became of a real question: "ok" or what is wrong, and the milliseconds it took."""
    start = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            await answer
        word = "ok"
    except TimeoutError:
        word = f"a probe got no answer in {timeout_s:g} s"
    except NextbestError as error:
        word = str(error)
    except Exception as error:
        word = f"a probe failed: {type(error).__name__}"
    return word, (time.perf_counter() - start) * 1000


def moment(text: object) -> datetime | None:
    """A moment of a manifest; None when it has none that can be read."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def model_age_s(manifest: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds since a model was trained; None when its manifest doesn't say."""
    created = moment(manifest.get("created"))
    return None if created is None else (now - created).total_seconds()


def model_metrics(part: Part, *, prefix: str, now: datetime) -> Iterator["Metric"]:
    """Gauges of a live model, their names beginning with `prefix`."""
    holder = part.holder
    loaded = holder.is_loaded
    yield gauge(f"{prefix}_loaded", "1 while a model answers.", float(loaded))
    yield gauge(f"{prefix}_newest", "0 while a newer folder failed to load.", float(holder.error is None))
    if not loaded:
        return
    live: LiveModel[Any] = holder.live
    name = str(live.manifest.get("name") or live.manifest.get("kind"))
    yield gauge(f"{prefix}_info", "The live model.", 1.0, version=str(part.version), model=name)
    yield gauge(f"{prefix}_loaded_timestamp_seconds", "When it went live.", live.loaded_at.timestamp())
    if (age_s := model_age_s(live.manifest, now)) is not None:
        yield gauge(f"{prefix}_age_seconds", "Time since it was trained.", age_s)
    if (cutoff := moment(live.manifest.get("cutoff"))) is not None:
        yield gauge(f"{prefix}_cutoff_timestamp_seconds", "Last moment it has seen.", cutoff.timestamp())
