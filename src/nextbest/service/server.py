"""Runs the service: uvicorn, one or several workers over one socket and one event log.

What a process of its own may set and a library may not is set here: log, signals, BLAS threads,
the garbage collector, the limit of open files, the folder for metrics of several workers.
"""

import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nextbest.data.event_log import EVENTS_FILE, EventLog
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.service.config import ServiceConfig

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from nextbest.service.state import Service

log = logging.getLogger(__name__)

ModelKind = Literal["shop", "products"]
PANEL_FOLDER = "panel"
"""Of a workspace: where `nextbest ingest --source santander` puts a bank's panel."""
PORTFOLIO_BOOK = Path("portfolio", "book.duckdb")
"""Of a workspace: where `nextbest portfolio ingest` puts a book of portfolios."""
MAKE_ONE = "make one: `nextbest train --out DIR` of a shop, `nextbest products train --out DIR` of a bank"
"""What to do about a folder that is no model."""
CANDLES_FOLDER = "prices"
"""Of a workspace: where `nextbest market ingest` puts candles."""
WORKER_PING_S = 20
"""A worker that tells no sign of life for so long, seconds, is replaced; a slow machine needs some of it to
import and to load, and a worker killed in the middle of a ping is noticed only after it."""
_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
SWITCH_INTERVAL_S = 0.001
"""How long one thread may keep the others waiting, seconds; Python's own 5 ms would be the p99."""


@dataclass(frozen=True)
class WorkerApp:
    """Makes the application in each worker; holds only values, so that it can be sent to a new process."""

    model_folder: str | None
    event_log: str | None
    config: ServiceConfig
    log_level: str
    blas_threads: int
    products_folder: str | None = None
    panel_folder: str | None = None
    policy: str | None = None
    portfolio_folder: str | None = None
    market_folder: str | None = None
    chat_folder: str | None = None

    def __call__(self) -> "FastAPI":
        """The application, and the settings of its process."""
        from threadpoolctl import threadpool_limits

        from nextbest.models.lightgbm_library import process_is_ours
        from nextbest.service.app import create_app
        from nextbest.service.logs import set_up_logging

        set_up_logging(self.log_level)
        _limit_arenas()
        process_is_ours()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        threadpool_limits(limits=self.blas_threads, user_api="blas")
        _raise_open_file_limit()
        return create_app(
            self.model_folder,
            event_log=self.event_log,
            products_folder=self.products_folder,
            panel_folder=self.panel_folder,
            policy=self.policy,
            portfolio_folder=self.portfolio_folder,
            market_folder=self.market_folder,
            chat_folder=self.chat_folder,
            config=self.config,
            on_start=_reload_on_hangup,
            on_loaded=_settle,
        )


def serve(
    model_folder: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    store: str | Path | None = None,
    policy: str | Path | None = None,
    chat: bool = True,
    config: ServiceConfig | None = None,
    log_level: str = "info",
    blas_threads: int = 1,
    backlog: int = 4096,
    grace_s: int = 30,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a model folder until SIGTERM or SIGINT; then finish what was begun and return.

    Parameters
    ----------
    model_folder
        A model folder, a link to one, or a folder of them; a newer one is taken while serving. Of a shop
        (`nextbest train`) or of bank products (`nextbest products train`); or one of each.
    host, port
        Where to listen; port 0 takes a free one.
    workers
        Processes over one socket; they share the event log, each holds the model.
    store
        Workspace whose `events.sqlite` keeps posted events and whose `panel` holds a bank's clients; None: a
        file and a folder beside the model folder. A book of portfolios and candles in it are served too, if need be alone
        (`model_folder` is empty then).
    policy
        TOML or JSON with the bank's rules for offers, or the name of shipped ones; None: those of the panel's name.
    chat
        Whether POST /chat is served too; it needs a workspace.
    config
        Limits and intervals.
    log_level
        "debug", "info", "warning" or "error"; the log goes to standard error as JSON lines.
    blas_threads
        Threads of one matrix product; 1 suits many workers or a busy machine.
    backlog
        Connections the system keeps while the workers are busy.
    grace_s
        Longest time a stop waits for requests in progress, seconds.
    announce
        Called with the URL once all that can be checked before the start is right and the address is held.

    Raises
    ------
    InputError
        `workers` is below 1, two folders hold models of one kind, or the policy can't be read.
    ArtifactError
        A folder is no model's; the message says what it is.
    ExternalError
        The address is taken or can't be used.
    """
    import uvicorn

    from nextbest.service.app import default_event_log
    from nextbest.service.logs import set_up_logging

    if workers < 1:
        raise InputError("workers", "must be 1 or more", value=workers)
    book = Path(store).absolute() / PORTFOLIO_BOOK if store is not None else None
    portfolio = book.parent if book is not None and book.is_file() else None
    asked = [model_folder] if isinstance(model_folder, str | Path) else list(model_folder)
    market = Path(store).absolute() if store is not None and (Path(store) / CANDLES_FOLDER).is_dir() else None
    folders = by_kind(asked) if asked or (portfolio is None and market is None) else {}
    shop, products = folders.get("shop"), folders.get("products")
    event_log: Path | None = None
    if shop is not None:
        event_log = Path(store).absolute() / EVENTS_FILE if store is not None else default_event_log(shop)
        EventLog(event_log).close()  # what is wrong with it is better told here than by each worker
    panel = Path(store).absolute() / PANEL_FOLDER if store is not None else None
    app = WorkerApp(
        _text(shop),
        _text(event_log),
        config or ServiceConfig(),
        log_level,
        blas_threads,
        products_folder=_text(products),
        panel_folder=_text(panel),
        policy=_checked_policy(policy),
        portfolio_folder=_text(portfolio),
        market_folder=_text(market),
        chat_folder=_text(Path(store).absolute() if store is not None and chat else None),
    )
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(host, port))
        set_up_logging(log_level)
        if workers > 1:
            metrics_folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nextbest-metrics-"))
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
            stack.callback(os.environ.pop, "PROMETHEUS_MULTIPROC_DIR", None)
        settings = uvicorn.Config(
            app,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            backlog=backlog,
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=grace_s,
            timeout_worker_healthcheck=WORKER_PING_S,
        )
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        log.info("serving", extra={"url": url, "workers": workers})
        if announce is not None:
            announce(url)
        _run(settings, listener)


def _run(settings: "uvicorn.Config", listener: socket.socket) -> None:
    """Serve until a signal; a failed start becomes an error of ours."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    failed = ExternalError("service", "a worker did not start", retryable=False, remedy="its log says why")
    if settings.workers > 1:
        supervisor = Multiprocess(settings, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in supervisor.processes):
            raise failed
        return
    with _signals_end_quietly():
        try:
            uvicorn.Server(settings).run(sockets=[listener])
        except SystemExit:
            raise failed from None


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more at its end; here the stop was the answer to it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sig: signal.signal(sig, lambda *_: None) for sig in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken address is an error here and not in a worker."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ExternalError(
            "network",
            f"can't listen on {host}:{port}: {error.strerror}",
            retryable=True,
            remedy="try another port",
        ) from error
    listener.set_inheritable(True)
    return listener


def by_kind(folders: Sequence[str | Path]) -> dict[ModelKind, Path]:
    """Kind of model -> its folder, absolute; the kind is that of the newest manifest in it.

    Raises
    ------
    InputError
        Two folders hold models of one kind, or none is given.
    ArtifactError
        A folder holds no whole model. Whether it loads, the worker finds.
    """
    found: dict[ModelKind, Path] = {}
    for given in folders:
        folder = Path(given).absolute()
        kind = _kind_of(folder)
        if kind in found:
            raise InputError(
                "model",
                f"may be given once a kind; two hold a model of kind {kind!r}",
                value=[str(found[kind]), str(folder)],
            )
        found[kind] = folder
    if not found:
        raise InputError("model", "must name a model folder")
    return found


def _kind_of(folder: Path) -> ModelKind:
    """What kind of model a folder holds: that of the newest whole one, which is what the worker will look for."""
    from nextbest.pipeline.model_holder import MANIFEST

    if (folder / MANIFEST).is_file():
        manifests = [folder / MANIFEST]
    else:
        manifests = sorted(folder.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True)
    looked_at = [_look_at(path) for path in manifests]
    if kinds := [kind for kind, _ in looked_at if kind is not None]:
        return kinds[0]
    if looked_at:
        fault = looked_at[0][1]
    elif not folder.is_dir():
        fault = "is no folder" if folder.exists() else "isn't there"
    else:
        fault = f"holds no {MANIFEST}, so it is no model folder"
    raise ArtifactError(folder, fault, remedy=MAKE_ONE)


def _look_at(manifest: Path) -> tuple[ModelKind | None, str]:
    """The kind of model that a manifest vouches for; or None, and what the folder is instead."""
    from nextbest.pipeline.artifact import KIND

    try:
        said = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return None, f"has a {manifest.name} that can't be read"
    if not isinstance(said, dict):
        return None, f"has a {manifest.name} that isn't a model's"
    kind = said.get("kind")
    found: ModelKind | None = None
    if kind == KIND:
        found = "shop"
    elif isinstance(kind, str) and kind.rpartition(" ")[2] == "products":
        found = "products"
    if found is not None:
        files = said.get("digests" if found == "shop" else "files")
        names = files if isinstance(files, dict) else {}
        if lost := [name for name in names if not (manifest.parent / name).is_file()]:
            return None, f"is a model that lost {len(lost)} of its files: {lost[:5]}"
        return found, ""
    if kind == "panel":
        return None, "is a bank's panel (what `nextbest ingest` writes), not a model"
    if "n_buckets" in said:
        return None, "is a workspace (what `nextbest ingest` writes), not a model"
    return None, f"holds {kind!r}, not a model that can be served" if kind else "is no model folder"


def _checked_policy(policy: str | Path | None) -> str | None:
    """The policy by name or absolute path; one that can't be read is better told here than by each worker."""
    from nextbest.pipeline.decisions.policy import load_policy

    if policy is None:
        return None
    load_policy(policy)
    path = Path(policy)
    return str(path.absolute() if path.is_file() else policy)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _reload_on_hangup(service: "Service") -> None:
    """SIGHUP means: look for a newer model now."""
    if not hasattr(signal, "SIGHUP"):
        return
    tasks: set[asyncio.Task[object]] = set()

    def look() -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(service.refresh(force=True))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, look)


def _settle() -> None:
    """What a loaded model holds is long-lived: the garbage collector needn't walk through it again; what loading threw away goes back."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _limit_arenas() -> None:
    """glibc gives each thread a heap of its own, which keeps what it freed: 50 MB of a worker with everything."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, 2)


def _raise_open_file_limit() -> None:
    """As many connections as the system lets us have."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
