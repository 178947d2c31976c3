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

from nextbest.data.event_log import Event
from nextbest.errors import ExternalError
from nextbest.pipeline.model_holder import ModelHolder, Refreshed
from nextbest.service.chat.part import ChatPart
from nextbest.service.coalesce import Coalescer
from nextbest.service.config import ServiceConfig
from nextbest.service.engine import Question, Reply
from nextbest.service.market.part import MarketPart
from nextbest.service.metrics import ServiceMetrics, worker_ended
from nextbest.service.parts import Part
from nextbest.service.portfolio.part import PortfolioPart
from nextbest.service.products.engine import ProductsEngine
from nextbest.service.products.part import ProductsPart
from nextbest.service.shop import ShopPart

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.service.chat.opening import OpenAssistant

log = logging.getLogger(__name__)

MIN_FREE_BYTES = 16 << 20
"""With less space on the event log's disk the service is not ready."""


def utc_now() -> datetime:
    """The clock of the service; inside, everything is told the time."""
    return datetime.now(UTC)


class Service:
    """One worker: its parts, the watch over their folders, and the numbers.

    Parameters
    ----------
    config
        Limits and intervals.
    now
        Tells the time, UTC.
    on_loaded
        Called after a model went live or the assistant was opened, on whatever thread.
    """

    def __init__(
        self,
        *,
        config: ServiceConfig,
        now: Callable[[], datetime] = utc_now,
        on_loaded: Callable[[], None] | None = None,
    ) -> None:
        self.config, self.now = config, now
        self.metrics = ServiceMetrics()
        self.shop: ShopPart | None = None
        self.products: ProductsPart | None = None
        self.portfolio: PortfolioPart | None = None
        self.market: MarketPart | None = None
        self.chat: ChatPart | None = None
        self._on_loaded = on_loaded
        self._watcher: asyncio.Task[None] | None = None
        self._health: tuple[float, dict[str, Any]] | None = None
        self._probe_lock: asyncio.Lock | None = None

    def serve_shop(self, folder: Path, *, event_log: Path, load: "Callable[[Path], Pipeline]") -> None:
        """Add a shop's pipeline; before the start."""
        self.shop = ShopPart(
            folder,
            event_log=event_log,
            config=self.config,
            metrics=self.metrics,
            load=load,
            now=self.now,
            check_log=check_writable,
        )

    def serve_products(self, folder: Path, *, panel: Path, load: Callable[[Path], ProductsEngine]) -> None:
        """Add a bank's product model with the panel in a folder; before the start."""
        self.products = ProductsPart(
            folder, panel=panel, config=self.config, metrics=self.metrics, load=load, now=self.now
        )

    def serve_portfolio(self, folder: Path) -> None:
        """Add the book of portfolios in a folder; before the start."""
        self.portfolio = PortfolioPart(folder, config=self.config, now=self.now)

    def serve_market(self, folder: Path) -> None:
        """Add the candles of a workspace; before the start."""
        self.market = MarketPart(folder, config=self.config)

    def serve_chat(self, store: Path, *, open_one: "OpenAssistant | None" = None) -> None:
        """Add the assistant over a workspace and the other parts; after them, before the start."""
        from nextbest.service.chat.opening import chat_part

        self.chat = chat_part(self, store, open_one=open_one, on_open=self._on_loaded)

    @property
    def parts(self) -> list[Part]:
        """The models that are served, the shop first."""
        return [part for part in (self.shop, self.products) if part is not None]

    # --- life -----------------------------------------------------------------------------------
    async def start(self) -> None:
        """Open what the parts need, load the models, start the threads and the watch.

        A missing or broken model is no reason not to start: `/health` tells, and the watch goes on.

        Raises
        ------
        ExternalError
            The event log can't be opened.
        """
        for part in self.parts:
            await part.open()
        self._probe_lock = asyncio.Lock()
        await self.refresh(force=True)
        for part in self.parts:
            await part.start()
        if self.chat is not None:
            await self.chat.start()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Answer what waits, store what was posted, close what was opened."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self.chat is not None:  # first: it asks the others
            await self.chat.stop()
        for part in self.parts:
            await part.stop()
        if self.portfolio is not None:
            await self.portfolio.stop()
        if self.market is not None:
            await self.market.stop()
        worker_ended()

    async def refresh(self, *, force: bool = False) -> Refreshed:
        """Look for newer models and take them; requests go on meanwhile.

        Returns
        -------
        "failed" if one part's newest model isn't live, else "swapped" if one was taken, else "unchanged".
        """
        results: list[Refreshed] = []
        for part in self.parts:
            result = await asyncio.to_thread(part.holder.refresh, force=force)
            results.append(result)
            if result != "unchanged":
                self.metrics.reload(result)
                self._health = None
            if result == "swapped" and self._on_loaded is not None:
                self._on_loaded()
        return max(results, key=("unchanged", "swapped", "failed").index, default="unchanged")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.config.watch_interval_s)
            try:
                await self.refresh()
            except Exception:
                log.exception("watch failed; it goes on")

    # --- what routes use --------------------------------------------------------------------------
    @property
    def holder(self) -> ModelHolder[Any]:
        """The shop's model, or that of the only part."""
        return self.parts[0].holder

    @property
    def engine(self) -> Coalescer[Question, Reply]:
        """Asks the shop's pipeline."""
        assert self.shop is not None
        return self.shop.engine

    @property
    def writer(self) -> Coalescer[list[Event], int]:
        """Stores events of the shop."""
        assert self.shop is not None
        return self.shop.writer

    async def health(self) -> dict[str, Any]:
        """What `GET /health` says; at most `health_cache_s` old."""
        assert self._probe_lock is not None, "the application isn't started"
        async with self._probe_lock:
            now = time.monotonic()
            if self._health is None or now - self._health[0] > self.config.health_cache_s:
                self._health = (now, await self._check())
            return self._health[1]

    async def _check(self) -> dict[str, Any]:
        checks: dict[str, str] = {}
        probe_ms = 0.0
        broken = None
        for part in self.parts:
            found, took_ms = await part.check()
            checks |= found
            probe_ms = max(probe_ms, took_ms)
            if part.holder.is_loaded and broken is None:
                broken = part.holder.error
        for beside in (self.portfolio, self.market, self.chat):
            if beside is not None:
                found, took_ms = await beside.check()
                checks |= found
                probe_ms = max(probe_ms, took_ms)
        ready = all(word == "ok" for word in checks.values())
        # The first service of bank products said "ok", and its probes still look for that word.
        word = "ok" if self.products is not None else "ready"
        report: dict[str, Any] = {"status": word if ready else "not ready"}
        if self.shop is not None:
            report["model"] = self.shop.describe()
        if self.products is not None:
            report["products"] = self.products.describe()
        return report | {
            "newer_model_error": None if broken is None else str(broken),
            "checks": checks,
            "probe_ms": round(probe_ms, 3),
        }

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for instead of counting."""
        for part in self.parts:
            yield from part.live_metrics()
        if self.market is not None:
            yield from self.market.live_metrics()
        if self.chat is not None:
            yield from self.chat.live_metrics()


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
