"""The part of the service that answers from a shop's pipeline: model, event log, and the threads between."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.data.event_log import Event, EventLog
from nextbest.errors import ExternalError
from nextbest.pipeline.model_holder import ModelHolder
from nextbest.pipeline.query import Query
from nextbest.service.coalesce import Coalescer
from nextbest.service.config import ServiceConfig
from nextbest.service.engine import Engine, EventWriter, Question, Reply, ShopModel, replay, warm_up
from nextbest.service.metrics import ServiceMetrics
from nextbest.service.parts import model_age_s, model_metrics, probe

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from nextbest.pipeline.pipeline import Pipeline


class ShopPart:
    """A shop's pipeline behind its routes; a `parts.Part`.

    Parameters
    ----------
    folder
        A model folder, a link to one, or a folder of them.
    event_log
        File of the event log, shared by all workers.
    config, metrics
        Limits and intervals; the numbers of the service.
    load
        Reads a pipeline from a folder.
    now
        Tells the time, UTC.
    check_log
        Raises ExternalError unless the file takes a write now.
    """

    def __init__(
        self,
        folder: Path,
        *,
        event_log: Path,
        config: ServiceConfig,
        metrics: ServiceMetrics,
        load: "Callable[[Path], Pipeline]",
        now: Callable[[], datetime],
        check_log: Callable[[Path], None],
    ) -> None:
        self.event_log_path = event_log
        self._config, self._metrics, self._now, self._check_log = config, metrics, now, check_log
        self.holder: ModelHolder[Pipeline] = ModelHolder(
            folder, load=load, prepare=self._prepare, now=now, broken_retry_s=config.broken_retry_s
        )
        self._events: EventLog | None = None
        self._engine: Coalescer[Question, Reply] | None = None
        self._writer: Coalescer[list[Event], int] | None = None

    async def open(self) -> None:
        """Open the event log and make the threads.

        Raises
        ------
        ExternalError
            The event log can't be opened.
        """
        config = self._config
        self._events = await asyncio.to_thread(EventLog, self.event_log_path)
        engine = Engine(self.holder, self._events, self._metrics)
        writer = EventWriter(self._events, self._metrics)
        limits = {"queue_timeout_s": config.queue_timeout_s, "retry_after_s": config.retry_after_s}
        self._engine = Coalescer(
            engine.answer,
            name="nextbest-engine",
            max_batch=config.max_batch,
            max_pending=config.max_pending,
            observe=self._observe_batch,
            **limits,  # type: ignore[arg-type]  # two numbers, see above
        )
        self._writer = Coalescer(
            writer.append,
            name="nextbest-events",
            max_batch=config.max_batch,
            max_pending=config.max_pending,
            **limits,  # type: ignore[arg-type]  # two numbers, see above
        )

    async def start(self) -> None:
        """Start the threads."""
        self.engine.start()
        self.writer.start()

    async def stop(self) -> None:
        """Answer what waits, store what was posted, close the log."""
        for worker in (self._engine, self._writer):
            if worker is not None:
                await worker.stop()
        if self._events is not None:
            self._events.close()

    def _prepare(self, model: ShopModel) -> None:
        assert self._events is not None
        replay(model, self._events)
        warm_up(model.pipeline)

    def _observe_batch(self, size: int, wait_s: float) -> None:
        self._metrics.batch(size, wait_s)
        self._metrics.pending.set(self.engine.n_pending)

    @property
    def engine(self) -> Coalescer[Question, Reply]:
        """Asks the pipeline."""
        assert self._engine is not None, "the application isn't started"
        return self._engine

    @property
    def writer(self) -> Coalescer[list[Event], int]:
        """Stores events."""
        assert self._writer is not None, "the application isn't started"
        return self._writer

    @property
    def version(self) -> str | None:
        """Of the live model; None while there is none."""
        return self.holder.live.version if self.holder.is_loaded else None

    async def check(self) -> tuple[dict[str, str], float]:
        """A real recommendation, and the event log."""
        question = Query(history=[], k=1, explain=False)
        answered, probe_ms = await probe(
            self.engine.ask(question, urgent=True), timeout_s=self._config.health_timeout_s
        )
        checks = {"answer": answered, "event_log": "ok"}
        try:
            await asyncio.to_thread(self._check_log, self.event_log_path)
        except ExternalError as error:
            checks["event_log"] = str(error)
        return checks, probe_ms

    def describe(self) -> dict[str, Any] | None:
        """The live model for `/health`; None while there is none."""
        if not self.holder.is_loaded:
            return None
        live = self.holder.live
        manifest = live.manifest
        age_s = model_age_s(manifest, self._now())
        return {
            "version": live.version,
            "name": manifest.get("name"),
            "cutoff": manifest.get("cutoff"),
            "created": manifest.get("created"),
            "age_s": None if age_s is None else round(age_s, 1),
            "loaded_at": live.loaded_at.isoformat(),
            "n_users": manifest.get("n_users"),
            "n_items": manifest.get("n_items"),
        }

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for instead of counting."""
        return model_metrics(self, prefix="nextbest_model", now=self._now())
