"""The part of the service that answers from a product model: model and panel, and the thread that asks them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.pipeline.products.query import ProductQuery
from nextbest.service.coalesce import Coalescer
from nextbest.service.config import ServiceConfig
from nextbest.service.metrics import ServiceMetrics, gauge
from nextbest.service.model_holder import MANIFEST, LiveModel, ModelHolder
from nextbest.service.parts import model_age_s, model_metrics, probe
from nextbest.service.products.engine import ProductReply, ProductsAsker, ProductsEngine, version_of, warm_up

if TYPE_CHECKING:
    from prometheus_client.core import Metric


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

    async def start(self) -> None:
        """Start the thread."""
        self.asker.start()

    async def stop(self) -> None:
        """Answer what waits."""
        if self._asker is not None:
            await self._asker.stop()

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
            has_panel = self.holder.is_loaded and self.engine.newest_month is not None
            checks["panel"] = "ok" if has_panel else "no panel is loaded: known clients can't be answered"
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


def _prepare(model: LiveModel[ProductsEngine]) -> None:
    warm_up(model.pipeline)
