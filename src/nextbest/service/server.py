"""Runs the service: uvicorn, one or several workers over one socket and one event log.

What a process of its own may set and a library may not is set here: log, signals, BLAS threads,
the garbage collector, the limit of open files, the folder for metrics of several workers.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nextbest.data.event_log import EVENTS_FILE, EventLog
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.service.config import ServiceConfig

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from nextbest.service.state import Service

log = logging.getLogger(__name__)

WORKER_PING_S = 20
"""A worker that tells no sign of life for so long, seconds, is replaced; a slow machine needs some of it to
import and to load, and a worker killed in the middle of a ping is noticed only after it."""
SWITCH_INTERVAL_S = 0.001
"""How long one thread may keep the others waiting, seconds; Python's own 5 ms would be the p99."""


@dataclass(frozen=True)
class WorkerApp:
    """Makes the application in each worker; holds only values, so that it can be sent to a new process."""

    model_folder: str
    event_log: str
    config: ServiceConfig
    log_level: str
    blas_threads: int

    def __call__(self) -> "FastAPI":
        """The application, and the settings of its process."""
        from threadpoolctl import threadpool_limits

        from nextbest.service.app import create_app
        from nextbest.service.logs import set_up_logging

        set_up_logging(self.log_level)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        threadpool_limits(limits=self.blas_threads, user_api="blas")
        _raise_open_file_limit()
        return create_app(
            self.model_folder,
            event_log=self.event_log,
            config=self.config,
            on_start=_reload_on_hangup,
            on_swap=_settle,
        )


def serve(
    model_folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    store: str | Path | None = None,
    config: ServiceConfig | None = None,
    log_level: str = "info",
    blas_threads: int = 1,
    backlog: int = 4096,
    grace_s: int = 30,
) -> None:
    """Serve a model folder until SIGTERM or SIGINT; then finish what was begun and return.

    Parameters
    ----------
    model_folder
        A model folder, a link to one, or a folder of them; a newer one is taken while serving.
    host, port
        Where to listen; port 0 takes a free one.
    workers
        Processes over one socket; they share the event log, each holds the model.
    store
        Workspace whose `events.sqlite` keeps posted events; None: a file beside the model folder.
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

    Raises
    ------
    InputError
        `workers` is below 1.
    ArtifactError
        There is no model folder to begin with.
    ExternalError
        The address is taken or can't be used.
    """
    import uvicorn

    from nextbest.service.app import default_event_log
    from nextbest.service.logs import set_up_logging

    if workers < 1:
        raise InputError("workers", "must be 1 or more", value=workers)
    folder = Path(model_folder).absolute()
    _check_model_folder(folder)
    event_log = Path(store).absolute() / EVENTS_FILE if store is not None else default_event_log(folder)
    app = WorkerApp(str(folder), str(event_log), config or ServiceConfig(), log_level, blas_threads)
    EventLog(event_log).close()  # what is wrong with it is better told here than by each worker
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


def _check_model_folder(folder: Path) -> None:
    """Something to serve is there; whether it loads, the worker finds."""
    from nextbest.service.model_holder import MANIFEST

    if not (folder / MANIFEST).is_file() and not any(folder.glob(f"*/{MANIFEST}")):
        raise ArtifactError(folder, f"holds no {MANIFEST}", remedy="write one with `nextbest train --out`")


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
    """What a loaded model holds is long-lived: the garbage collector needn't walk through it again."""
    gc.collect()
    gc.freeze()


def _raise_open_file_limit() -> None:
    """As many connections as the system lets us have."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
