"""Running services for tests: an application in this process, or real server processes on loopback."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import httpx
from fastapi import FastAPI


class AppClient:
    """A started application on an event loop of its own; any thread may ask it, without a socket."""

    def __init__(self, app: FastAPI, *, address: tuple[str, int] = ("127.0.0.1", 50000)) -> None:
        self.app = app
        self._address = address

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._life = self.app.router.lifespan_context(self.app)
        self.run(self._life.__aenter__())
        transport = httpx.ASGITransport(self.app, client=self._address, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30)
        return self

    def __exit__(self, *error: object) -> None:
        self.run(self._http.aclose())
        self.run(self._life.__aexit__(None, None, None))
        self.stop_loop()

    def stop_loop(self) -> None:
        """End the event loop and its thread."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Any) -> Any:
        """The result of a coroutine on the application's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    def later(self, method: str, path: str, **request: Any) -> "Future[httpx.Response]":
        """A request that isn't waited for."""
        return asyncio.run_coroutine_threadsafe(self._http.request(method, path, **request), self._loop)

    def get(self, path: str, **request: Any) -> httpx.Response:
        """GET and wait."""
        return self.later("GET", path, **request).result(60)

    def post(self, path: str, **request: Any) -> httpx.Response:
        """POST and wait."""
        return self.later("POST", path, **request).result(60)


SERVE = """
import json, sys
from nextbest.service.config import ServiceConfig
from nextbest.service.server import serve
options = json.loads(sys.argv[1])
config = ServiceConfig(**options.pop("config", {}))
serve(options.pop("model_folder"), config=config, **options)
"""


class ServerProcess:
    """`serve` in a process of its own, on a free port."""

    def __init__(self, model_folder: Path, *, store: Path, workers: int = 1, **config: Any) -> None:
        self.model_folder = model_folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        options = {
            "model_folder": str(model_folder),
            "store": str(store),
            "port": self.port,
            "workers": workers,
        }
        self.log_path = store / f"server-{self.port}.log"
        store.mkdir(exist_ok=True)
        self._log = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, json.dumps({**options, "config": config})], stderr=self._log
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server is not ready: {self.log_path.read_text()}")

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End it as an operator would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._log.close()
        return code

    @property
    def peak_rss_mb(self) -> float:
        """Most memory the first process ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged, as JSON."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]


def open_files_limit() -> int:
    """Files this process may have open, raised as far as the system lets it."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else os.sysconf("SC_OPEN_MAX")
