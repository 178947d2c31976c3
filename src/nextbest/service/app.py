"""The application: routes, error border, edge, and the life of one worker around them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from pydantic import BaseModel

from nextbest.errors import InputError
from nextbest.service.chat.schemas import AskRequest, ChatRequest, ForgetRequest
from nextbest.service.config import ServiceConfig
from nextbest.service.edge import Edge
from nextbest.service.errors import install_error_border
from nextbest.service.market.schemas import ForecastRequest
from nextbest.service.openapi import install_openapi
from nextbest.service.portfolio.schemas import PlanRequestBody
from nextbest.service.products.engine import ProductsEngine
from nextbest.service.products.schemas import OfferRequest
from nextbest.service.routes import chat, events, items, market, portfolio, products, recommendations, system
from nextbest.service.state import Service, utc_now
from nextbest.version import __version__

if TYPE_CHECKING:
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.service.chat.opening import OpenAssistant

DESCRIPTION = (
    "What each client needs next, from the logs you already keep. Errors are RFC 9457 problem documents."
)


def create_app(
    model_folder: str | Path | None = None,
    *,
    event_log: str | Path | None = None,
    products_folder: str | Path | None = None,
    panel_folder: str | Path | None = None,
    policy: str | Path | None = None,
    portfolio_folder: str | Path | None = None,
    market_folder: str | Path | None = None,
    chat_folder: str | Path | None = None,
    config: ServiceConfig | None = None,
    load: "Callable[[Path], Pipeline] | None" = None,
    load_products: Callable[[Path], ProductsEngine] | None = None,
    open_chat: "OpenAssistant | None" = None,
    now: Callable[[], datetime] = utc_now,
    on_start: Callable[[Service], None] | None = None,
    on_loaded: Callable[[], None] | None = None,
) -> FastAPI:
    """The HTTP application over a model folder. Nothing is opened or loaded before it starts (lifespan).

    Parameters
    ----------
    model_folder
        A shop's model folder, a link to one, or a folder of them, the newest of which answers; None: the
        routes of a shop aren't served.
    event_log
        File that keeps posted events, shared by all workers; None: beside the model folder, its name
        with `.events.sqlite` added.
    products_folder
        The same for bank products (`nextbest products train`); None: their routes aren't served.
    panel_folder
        Panel with the histories of a bank's clients; None: `panel` beside the product model.
    policy
        TOML or JSON with the bank's rules, or the name of shipped ones; None: those of the panel's name.
    portfolio_folder
        Folder of a book of portfolios (`nextbest portfolio ingest`); None: their routes aren't served.
    market_folder
        Workspace with candles (`nextbest market ingest`) and the leaderboard of `nextbest market bench`; None: forecasts
        aren't served.
    chat_folder
        Workspace that the assistant talks about, beside the models served here; None: it isn't served.
    config
        Limits and intervals; None: the defaults.
    load
        Reads a pipeline from a folder; None: `Pipeline.load`.
    load_products
        Reads a product model with its panel and rules, given the model's folder; None: `ProductAdvisor.load`.
    open_chat
        Makes the assistant, given the event loop; None: over `chat_folder` and what is served.
    now
        Tells the time, UTC.
    on_start
        Called on the event loop when the worker is ready for requests.
    on_loaded
        Called after a model went live or the assistant was opened, on whatever thread.

    Returns
    -------
    FastAPI
        `app.state.service` is the `Service` behind it.

    Raises
    ------
    InputError
        No folder is given.
    """
    if all(folder is None for folder in (model_folder, products_folder, portfolio_folder, market_folder)):
        raise InputError(
            "model_folder", "or products_folder must be given, or portfolio_folder, or market_folder"
        )
    service = Service(config=config or ServiceConfig(), now=now, on_loaded=on_loaded)
    if model_folder is not None:
        folder = Path(model_folder)
        log = Path(event_log) if event_log is not None else default_event_log(folder)
        service.serve_shop(folder, event_log=log, load=load or _load_pipeline)
    if products_folder is not None:
        folder = Path(products_folder)
        panel = Path(panel_folder) if panel_folder is not None else folder.parent / "panel"
        service.serve_products(
            folder,
            panel=panel,
            load=load_products or (lambda found: _load_products(found, panel=panel, policy=policy)),
        )

    if portfolio_folder is not None:
        service.serve_portfolio(Path(portfolio_folder))
    if market_folder is not None:
        service.serve_market(Path(market_folder))
    if chat_folder is not None:
        service.serve_chat(Path(chat_folder), open_one=open_chat)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.start()
            if on_start is not None:
                on_start(service)
            yield
        finally:
            await service.stop()

    app = FastAPI(title="nextbest", version=__version__, description=DESCRIPTION, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(Edge, config=service.config, metrics=service.metrics)
    if service.products is not None:
        app.include_router(products.router(service, service.products))
    if service.shop is not None:
        for topic in (recommendations, events, items):
            app.include_router(topic.router(service))
    if service.portfolio is not None:
        app.include_router(portfolio.router(service, service.portfolio))
    if service.market is not None:
        app.include_router(market.router(service, service.market))
    if service.chat is not None:
        app.include_router(chat.router(service, service.chat))
    app.include_router(system.router(service))
    if service.products is not None:
        app.router.routes.insert(0, products.predict_route(service, service.products))
    if service.shop is not None:
        app.router.routes.insert(0, recommendations.user_route(service))
    install_error_border(app)
    posted: list[type[BaseModel]] = []
    posted += [OfferRequest] if service.products is not None else []
    posted += [PlanRequestBody] if service.portfolio is not None else []
    posted += [ForecastRequest] if service.market is not None else []
    posted += [ChatRequest, AskRequest, ForgetRequest] if service.chat is not None else []
    install_openapi(app, *posted)
    return app


def default_event_log(model_folder: Path) -> Path:
    """Where posted events are kept when nobody says: beside the model folder, so that a new model finds them.

    >>> default_event_log(Path("models/shop")).as_posix()
    'models/shop.events.sqlite'
    """
    return model_folder.with_name(model_folder.name + ".events.sqlite")


def _load_pipeline(folder: Path) -> "Pipeline":
    from nextbest.pipeline.pipeline import Pipeline

    return Pipeline.load(folder)


def _load_products(folder: Path, *, panel: Path, policy: str | Path | None) -> ProductsEngine:
    from nextbest.pipeline.products.advisor import ProductAdvisor

    return ProductAdvisor.load(folder, panel=panel, policy=policy)
