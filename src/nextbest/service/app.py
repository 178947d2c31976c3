"""The application: routes, error border, edge, and the life of one worker around them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from nextbest.service.config import ServiceConfig
from nextbest.service.edge import Edge
from nextbest.service.errors import install_error_border
from nextbest.service.openapi import install_openapi
from nextbest.service.routes import events, items, recommendations, system
from nextbest.service.state import Service, utc_now
from nextbest.version import __version__

if TYPE_CHECKING:
    from nextbest.pipeline.pipeline import Pipeline

DESCRIPTION = (
    "What each client needs next, from the logs you already keep. Errors are RFC 9457 problem documents."
)


def create_app(
    model_folder: str | Path,
    *,
    event_log: str | Path | None = None,
    config: ServiceConfig | None = None,
    load: "Callable[[Path], Pipeline] | None" = None,
    now: Callable[[], datetime] = utc_now,
    on_start: Callable[[Service], None] | None = None,
    on_swap: Callable[[], None] | None = None,
) -> FastAPI:
    """The HTTP application over a model folder. Nothing is opened or loaded before it starts (lifespan).

    Parameters
    ----------
    model_folder
        A model folder, a link to one, or a folder of them, the newest of which answers.
    event_log
        File that keeps posted events, shared by all workers; None: beside the model folder, its name
        with `.events.sqlite` added.
    config
        Limits and intervals; None: the defaults.
    load
        Reads a pipeline from a folder; None: `Pipeline.load`.
    now
        Tells the time, UTC.
    on_start
        Called on the event loop when the worker is ready for requests.
    on_swap
        Called on the event loop after a model went live.

    Returns
    -------
    FastAPI
        `app.state.service` is the `Service` behind it.
    """
    folder = Path(model_folder)
    service = Service(
        folder,
        event_log=Path(event_log) if event_log is not None else default_event_log(folder),
        config=config or ServiceConfig(),
        load=load or _load_pipeline,
        now=now,
        on_swap=on_swap,
    )

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
    for topic in (recommendations, events, items, system):
        app.include_router(topic.router(service))
    app.router.routes.insert(0, recommendations.user_route(service))
    install_error_border(app)
    install_openapi(app)
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
