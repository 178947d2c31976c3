"""Rooms over folders: what is there is opened at the first question, and again when it changed."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nextbest.assistant.neighbours.likeness import Neighbours, WatchedNeighbours
from nextbest.assistant.tools.documents import DocumentIndex, Documents
from nextbest.assistant.tools.market import Market
from nextbest.assistant.tools.portfolio import Portfolio
from nextbest.assistant.tools.products import Products
from nextbest.assistant.tools.shop import Shop
from nextbest.assistant.tools.tool import LOOK_S
from nextbest.data.event_log import EVENTS_FILE, EventLog
from nextbest.data.holdings.database import FILE as BOOK
from nextbest.data.prices.store import FOLDER as PRICES
from nextbest.market.forecast_desk import ForecastDesk
from nextbest.pipeline.model_holder import LiveModel, Loaded, ModelHolder

if TYPE_CHECKING:
    from nextbest.assistant.intent.slots import Links
    from nextbest.assistant.tools.toolbox import Titles, Toolbox
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.products.advisor import ProductAdvisor
    from nextbest.portfolio.plan.advice import AdviceConfig

MODEL, PRODUCTS, PORTFOLIO = "model", "products", "portfolio"
"""Folders of a workspace."""
_BROKEN_RETRY_S = 30.0

P = TypeVar("P", bound=Loaded)


class Watched(Generic[P]):
    """A model folder: loaded when it is asked for, and again when it changed.

    Parameters
    ----------
    folder, load, prepare, companions, remedy
        As `ModelHolder`.
    now
        Tells the time, UTC.
    """

    def __init__(
        self,
        folder: Path,
        *,
        load: Callable[[Path], P],
        now: Callable[[], datetime],
        prepare: Callable[[LiveModel[P]], None] = lambda _: None,
        companions: tuple[Path, ...] = (),
    ) -> None:
        self._holder = ModelHolder(
            folder,
            load=load,
            prepare=prepare,
            now=now,
            broken_retry_s=_BROKEN_RETRY_S,
            companions=companions,
        )
        self._lock = Lock()
        self._looked = -LOOK_S

    def __call__(self) -> P:
        """What the folder holds; `ArtifactError` while nothing could be loaded."""
        with self._lock:
            if not self._holder.is_loaded or time.monotonic() - self._looked >= LOOK_S:
                self._holder.refresh()
                self._looked = time.monotonic()
        return self._holder.live.pipeline


class WatchedShop:
    """A shop's pipeline that knows the events posted to the workspace."""

    def __init__(self, folder: Path, *, events: Path | None, now: Callable[[], datetime]) -> None:
        self._events_file, self._events = events, None if events is None else _opened(events)
        self._watched: Watched[Pipeline] = Watched(folder, load=_load_shop, now=now, prepare=self._attach)

    def __call__(self) -> "Pipeline":
        """The pipeline, with every event that was stored before."""
        pipeline = self._watched()
        if self._events is None and self._events_file is not None:
            self._events = _opened(self._events_file)
            if self._events is not None:
                pipeline.attach(self._events)
        pipeline.sync()
        return pipeline

    def close(self) -> None:
        """Close the log."""
        if self._events is not None:
            self._events.close()

    def _attach(self, model: "LiveModel[Pipeline]") -> None:
        if self._events is not None:
            model.pipeline.attach(self._events)


def open_rooms(
    make: "type[Toolbox]",
    *,
    live_shop: "Callable[[], Pipeline] | None",
    live_products: "Callable[[], ProductAdvisor] | None",
    model: str | Path | None,
    workspace: str | Path | None,
    products: str | Path | None,
    panel: str | Path | None,
    portfolio: str | Path | None,
    market: str | Path | None,
    documents: DocumentIndex | None,
    market_model: str,
    make_linker: "Callable[[Titles], Links] | None",
    advice: "AdviceConfig | None",
    now: Callable[[], datetime],
) -> "Toolbox":
    """The toolbox over these folders; see `Toolbox.open`."""
    store = None if workspace is None else Path(workspace)

    def place(named: str | Path | None, name: str, *, has: str) -> Path | None:
        if named is not None:
            return Path(named)
        if store is None or not (store / name / has).exists():
            return None
        return store / name

    rooms: dict[str, Any] = {}
    closing: list[Callable[[], None]] = []
    neighbours: Callable[[], Neighbours | None] = (
        (lambda: None) if store is None else WatchedNeighbours(store)
    )
    if live_shop is not None:
        rooms["shop"] = Shop(live_shop, neighbours=neighbours)
    elif (folder := place(model, MODEL, has="")) is not None:
        shop = WatchedShop(folder, events=None if store is None else store / EVENTS_FILE, now=now)
        rooms["shop"] = Shop(shop, neighbours=neighbours)
        closing.append(shop.close)
    if live_products is not None:
        rooms["products"] = Products(live_products)
    elif (folder := place(products, PRODUCTS, has="")) is not None:
        clients = store if panel is None else Path(panel)
        rooms["products"] = Products(_watched_products(folder, clients, now=now))
    if (folder := place(portfolio, PORTFOLIO, has=BOOK)) is not None:
        rooms["portfolio"] = Portfolio(folder, now=now, advice=advice)
    candles = market if market is not None else store if store and (store / PRICES).is_dir() else None
    if candles is not None:
        rooms["market"] = Market(ForecastDesk(candles, forecasters=(market_model,)))
    if documents is not None:
        rooms["documents"] = Documents(documents)

    def close() -> None:
        for each in closing:
            each()

    return make(**rooms, make_linker=make_linker, on_close=close)


def _watched_products(
    folder: Path, panel: Path | None, *, now: Callable[[], datetime]
) -> "Watched[ProductAdvisor]":
    from nextbest.data.panel.manifest import find_panel

    found = None if panel is None else find_panel(panel)

    def load(place: Path) -> "ProductAdvisor":
        from nextbest.pipeline.products.advisor import ProductAdvisor

        return ProductAdvisor.load(place, panel=panel)

    companions = () if found is None else (found / "manifest.json",)
    return Watched(folder, load=load, now=now, companions=companions)


def _load_shop(folder: Path) -> "Pipeline":
    from nextbest.pipeline.pipeline import Pipeline

    return Pipeline.load(folder)


def _opened(path: Path) -> EventLog | None:
    return EventLog(path) if path.is_file() else None
