"""The part of the service that answers from a product model: model and panel, and the thread that asks them."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.model_holder import MANIFEST, LiveModel, ModelHolder
from nextbest.pipeline.products.answered import decisions_of
from nextbest.pipeline.products.query import ProductAnswer, ProductQuery
from nextbest.service.coalesce import Coalescer
from nextbest.service.config import ServiceConfig
from nextbest.service.metrics import ServiceMetrics, gauge
from nextbest.service.parts import model_age_s, model_metrics, probe
from nextbest.service.products.engine import ProductReply, ProductsAsker, ProductsEngine, version_of, warm_up

if TYPE_CHECKING:
    from prometheus_client.core import Metric


log = logging.getLogger(__name__)

NO_PANEL = (
    "no panel is loaded, so that everybody is answered by profile alone: write one with `nextbest ingest FILE "
    "--source santander`, name its workspace with --store, or serve with --profiles-only if that is meant"
)
"""What `/health` says of a service of bank products without a panel."""


class ProductsPart:
    """A product model behind its routes; a `parts.Part`.

    Parameters
    ----------
    folder
        A model folder, a link to one, or a folder of them.
    panel
        Folder of the panel that holds the clients' histories; a new one is taken while serving.
    config, metrics
        Limits and intervals; the numbers of the service.
    load
        Reads model and panel, given the model's folder.
    now
        Tells the time, UTC.
    """

    def __init__(
        self,
        folder: Path,
        *,
        panel: Path,
        config: ServiceConfig,
        metrics: ServiceMetrics,
        load: Callable[[Path], ProductsEngine],
        now: Callable[[], datetime],
    ) -> None:
        self._config, self._metrics, self._now = config, metrics, now
        self.holder: ModelHolder[ProductsEngine] = ModelHolder(
            folder,
            load=load,
            prepare=_prepare,
            now=now,
            broken_retry_s=config.broken_retry_s,
            companions=[panel / MANIFEST],
            remedy="write one with `nextbest products train --out`",
        )
        self._asker: Coalescer[ProductQuery, ProductReply] | None = None
        self._keeper: Coalescer[list[Decisions], None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the thread."""
        config = self._config
        self._asker = Coalescer(
            ProductsAsker(self.holder).answer,
            name="nextbest-products",
            max_batch=config.max_batch,
            max_pending=config.max_pending,
            queue_timeout_s=config.queue_timeout_s,
            retry_after_s=config.retry_after_s,
            observe=self._observe_batch,
        )
        if config.decision_log is not None:
            self._keeper = Coalescer(
                _Keeper(DecisionLog(config.decision_log)).keep,
                name="nextbest-decisions",
                max_batch=config.max_batch,
                max_pending=config.max_pending,
                queue_timeout_s=math.inf,  # a record that comes late is better than none
            )

    async def start(self) -> None:
        """Start the thread, and that of the decision log."""
        self.asker.start()
        if self._keeper is not None:
            self._keeper.start()

    async def stop(self) -> None:
        """Answer what waits."""
        for worker in (self._asker, self._keeper):
            if worker is not None:
                await worker.stop()

    async def keep(self, answers: Sequence[ProductAnswer]) -> None:
        """Keep the offers of one request in the decision log, where there is one; requests share a flush to the disk.

        Returns when they are on the disk, or after `queue_timeout_s`: then they are written as soon as the disk lets.
        A log that can't take them is logged and counted, and the answers stand: what was decided is right, whatever
        became of its record.
        """
        if self._keeper is None:
            return
        task = asyncio.ensure_future(self._keep(self._keeper, answers))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        await asyncio.wait({task}, timeout=self._config.queue_timeout_s)

    async def _keep(self, keeper: Coalescer[list[Decisions], None], answers: Sequence[ProductAnswer]) -> None:
        try:
            if made := decisions_of(answers, decided_at=self._now()):
                await keeper.ask(made)
        except Exception as error:
            self._metrics.decision_log_error()
            log.error("decisions not kept", extra={"error": type(error).__name__, "n_clients": len(answers)})

    def _observe_batch(self, size: int, wait_s: float) -> None:
        self._metrics.batch(size, wait_s)
        self._metrics.products_pending.set(self.asker.n_pending)

    @property
    def asker(self) -> Coalescer[ProductQuery, ProductReply]:
        """Asks the model."""
        assert self._asker is not None, "the application isn't started"
        return self._asker

    @property
    def engine(self) -> ProductsEngine:
        """The live model with its panel.

        Raises
        ------
        ArtifactError
            None could be loaded yet.
        """
        return self.holder.live.pipeline

    @property
    def version(self) -> str | None:
        """Of the live model; None while there is none."""
        return version_of(self.holder.live) if self.holder.is_loaded else None

    async def check(self) -> tuple[dict[str, str], float]:
        """A real prediction, and the panel."""
        question = ProductQuery(purpose="predict", explain=False)
        answered, probe_ms = await probe(
            self.asker.ask(question, urgent=True), timeout_s=self._config.health_timeout_s
        )
        checks = {"products": answered}
        if self._config.needs_panel:
            if not self.holder.is_loaded:
                checks["panel"] = "is read with a model, and none is loaded"
            else:
                checks["panel"] = NO_PANEL if self.engine.newest_month is None else "ok"
        return checks, probe_ms

    def describe(self) -> dict[str, Any] | None:
        """The live model for `/health`; None while there is none."""
        if not self.holder.is_loaded:
            return None
        live = self.holder.live
        engine, manifest = live.pipeline, live.manifest
        age_s = model_age_s(manifest, self._now())
        month = engine.newest_month
        return {
            "version": version_of(live),
            "name": manifest.get("name"),
            "created": manifest.get("created"),
            "age_s": None if age_s is None else round(age_s, 1),
            "loaded_at": live.loaded_at.isoformat(),
            "as_of": None if month is None else f"{month:%Y-%m}",
            "n_clients": engine.n_clients,
            "n_products": len(engine.schema.products),
        }

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for instead of counting."""
        yield from model_metrics(self, prefix="nextbest_products_model", now=self._now())
        if self.holder.is_loaded and (month := self.engine.newest_month) is not None:
            at = datetime(month.year, month.month, month.day, tzinfo=self._now().tzinfo)
            yield gauge(
                "nextbest_products_panel_month_timestamp_seconds",
                "Newest month of the panel.",
                at.timestamp(),
            )


class _Keeper:
    """Writes what several requests decided, with one flush."""

    def __init__(self, decisions: DecisionLog) -> None:
        self._log = decisions

    def keep(self, requests: list[list[Decisions]]) -> list[None]:
        """Keep them all, or raise for all."""
        self._log.append_answers([made for request in requests for made in request])
        return [None] * len(requests)


def _prepare(model: LiveModel[ProductsEngine]) -> None:
    warm_up(model.pipeline)
