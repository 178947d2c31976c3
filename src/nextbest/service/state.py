"""Everything the routes of one application share, and its life: start, watch, stop."""

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.data.event_log import Event, EventLog
from nextbest.errors import ExternalError, NextbestError
from nextbest.pipeline.query import Query
from nextbest.service.coalesce import Coalescer
from nextbest.service.config import ServiceConfig
from nextbest.service.engine import Engine, EventWriter, Question, Reply, replay, warm_up
from nextbest.service.metrics import ServiceMetrics, gauge, worker_ended
from nextbest.service.model_holder import LiveModel, ModelHolder, Refreshed

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from nextbest.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)

MIN_FREE_BYTES = 16 << 20
"""With less space on the event log's disk the service is not ready."""


def utc_now() -> datetime:
    """The clock of the service; inside, everything is told the time."""
    return datetime.now(UTC)


class Service:
    """One worker: the model, the two threads, the event log and the numbers.

    Parameters
    ----------
    model_folder
        A model folder, a link to one, or a folder of them.
    event_log
        File of the event log, shared by all workers.
    config
        Limits and intervals.
    load
        Reads a pipeline from a folder.
    now
        Tells the time, UTC.
    """

    def __init__(
        self,
        model_folder: Path,
        *,
        event_log: Path,
        config: ServiceConfig,
        load: Callable[[Path], "Pipeline"],
        now: Callable[[], datetime] = utc_now,
        on_swap: Callable[[], None] | None = None,
    ) -> None:
        self.config, self.now, self.event_log_path = config, now, event_log
        self.metrics = ServiceMetrics()
        self.holder = ModelHolder(
            model_folder, load=load, prepare=self._prepare, now=now, broken_retry_s=config.broken_retry_s
        )
        self._on_swap = on_swap
        self._events: EventLog | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._health: tuple[float, dict[str, Any]] | None = None
        self._probe_lock: asyncio.Lock | None = None
        self._engine: Coalescer[Question, Reply] | None = None
        self._writer: Coalescer[list[Event], int] | None = None

    # --- life -----------------------------------------------------------------------------------
    async def start(self) -> None:
        """Open the event log, load the model, start the threads and the watch.

        A missing or broken model is no reason not to start: `/health` tells, and the watch goes on.

        Raises
        ------
        ExternalError
            The event log can't be opened.
        """
        config = self.config
        self._events = await asyncio.to_thread(EventLog, self.event_log_path)
        engine = Engine(self.holder, self._events, self.metrics)
        writer = EventWriter(self._events, self.metrics)
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
        self._probe_lock = asyncio.Lock()
        await self.refresh(force=True)
        self._engine.start()
        self._writer.start()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Answer what waits, store what was posted, close the log."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        for worker in (self._engine, self._writer):
            if worker is not None:
                await worker.stop()
        if self._events is not None:
            self._events.close()
        worker_ended()

    async def refresh(self, *, force: bool = False) -> Refreshed:
        """Look for a newer model and take it; requests go on meanwhile."""
        result = await asyncio.to_thread(self.holder.refresh, force=force)
        if result != "unchanged":
            self.metrics.reload(result)
            self._health = None
        if result == "swapped" and self._on_swap is not None:
            self._on_swap()
        return result

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.config.watch_interval_s)
            try:
                await self.refresh()
            except Exception:
                log.exception("watch failed; it goes on")

    def _prepare(self, model: LiveModel) -> None:
        assert self._events is not None
        replay(model, self._events)
        warm_up(model.pipeline)

    def _observe_batch(self, size: int, wait_s: float) -> None:
        self.metrics.batch(size, wait_s)
        self.metrics.pending.set(self.engine.n_pending)

    # --- what routes use --------------------------------------------------------------------------
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

    async def health(self) -> dict[str, Any]:
        """What `GET /health` says; at most `health_cache_s` old."""
        assert self._probe_lock is not None, "the application isn't started"
        async with self._probe_lock:
            now = time.monotonic()
            if self._health is None or now - self._health[0] > self.config.health_cache_s:
                self._health = (now, await self._check())
            return self._health[1]

    async def _check(self) -> dict[str, Any]:
        checks = {}
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.config.health_timeout_s):
                await self.engine.ask(Query(history=[], k=1, explain=False), urgent=True)
            checks["answer"] = "ok"
        except TimeoutError:
            checks["answer"] = f"a probe got no answer in {self.config.health_timeout_s:g} s"
        except NextbestError as error:
            checks["answer"] = str(error)
        except Exception as error:
            checks["answer"] = f"a probe failed: {type(error).__name__}"
        probe_ms = (time.perf_counter() - start) * 1000
        try:
            await asyncio.to_thread(check_writable, self.event_log_path)
            checks["event_log"] = "ok"
        except ExternalError as error:
            checks["event_log"] = str(error)
        ready = all(word == "ok" for word in checks.values())
        broken = self.holder.error
        return {
            "status": "ready" if ready else "not ready",
            "model": self.describe_model(),
            "newer_model_error": str(broken) if broken is not None and self.holder.is_loaded else None,
            "checks": checks,
            "probe_ms": round(probe_ms, 3),
        }

    def describe_model(self) -> dict[str, Any] | None:
        """The live model for `/health`; None while there is none."""
        if not self.holder.is_loaded:
            return None
        live = self.holder.live
        manifest = live.manifest
        age_s = self._age_s(live)
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
        loaded = self.holder.is_loaded
        yield gauge("nextbest_model_loaded", "1 while a model answers.", float(loaded))
        yield gauge(
            "nextbest_model_newest",
            "0 while a newer folder failed to load.",
            float(self.holder.error is None),
        )
        if not loaded:
            return
        live = self.holder.live
        name = str(live.manifest.get("name"))
        yield gauge("nextbest_model_info", "The live model.", 1.0, version=live.version, model=name)
        yield gauge(
            "nextbest_model_loaded_timestamp_seconds", "When it went live.", live.loaded_at.timestamp()
        )
        if (age_s := self._age_s(live)) is not None:
            yield gauge("nextbest_model_age_seconds", "Time since it was trained.", age_s)
        if (cutoff := _moment(live.manifest.get("cutoff"))) is not None:
            yield gauge(
                "nextbest_model_cutoff_timestamp_seconds", "Last moment it has seen.", cutoff.timestamp()
            )

    def _age_s(self, live: LiveModel) -> float | None:
        created = _moment(live.manifest.get("created"))
        return None if created is None else (self.now() - created).total_seconds()


def _moment(text: object) -> datetime | None:
    """A moment of a manifest; None when it has none that can be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def check_writable(path: Path) -> None:
    """Nothing, if the event log at `path` takes a write now (none is made).

    Raises
    ------
    ExternalError
        It is locked, read-only, damaged or gone, or its disk has less than 16 MiB left.
    """
    try:
        free = shutil.disk_usage(path.parent).free
        if not path.is_file():
            raise ExternalError(
                "event log", f"{path.name} is gone", retryable=False, remedy="restart the service"
            )
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT max(rowid) FROM events").fetchone()
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except OSError as error:
        raise ExternalError("event log", f"{path.name}: {error.strerror}", retryable=True) from error
    except sqlite3.Error as error:
        raise ExternalError("event log", f"{path.name}: {error}", retryable=True) from error
    if free < MIN_FREE_BYTES:
        raise ExternalError(
            "event log", f"{free >> 20} MiB left on its disk", retryable=True, remedy="free disk space"
        )
