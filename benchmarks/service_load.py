"""The service under load, beside a bare handler on the same stack, in one run and in turns.

    python benchmarks/service_load.py [--model als|svd|item_knn] [--seconds 5] [--rounds 3] [--out figures.json]

Measures, over loopback and on the cores this machine has (the load generator takes part of them):

1. saturation: requests a second that 32 connections get, ours and the bare handler's in turns
   (bare: FastAPI, uvicorn, one dot product, argpartition, JSON; no filters, reasons, metrics or events);
2. latency at a fixed rate (open loop: a request is due when its time comes, and its latency counts
   from then, whatever the ones before it do);
3. requests that fail while the model is swapped under that load.

The catalogue has 20,000 items x 64; users have 30 events; filters are on (seen items, items not for
sale, a rule, and a category filter in every fourth request). Everything is made by `rng`.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

N_ITEMS, DIM, N_USERS, N_EVENTS = 20_000, 64, 20_000, 30
K = 10


# --- the shop ---------------------------------------------------------------------------------------
def build_model(folder: Path, *, kind: str, rng: int) -> None:
    """Fit a model on a journal drawn by `rng` (tastes of 64 groups) and save its pipeline."""
    import polars as pl

    from nextbest.data.interactions import Interactions
    from nextbest.models import make_model
    from nextbest.pipeline.config import PipelineConfig, Rule, Unavailable
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.tables import TIME_DTYPE

    random = np.random.default_rng(rng)
    group = random.integers(0, DIM, N_USERS)
    inside = random.random((N_USERS, N_EVENTS)) < 0.7
    popular = (N_ITEMS * random.power(0.5, (N_USERS, N_EVENTS))).astype(int)
    own = group[:, None] + DIM * random.integers(0, N_ITEMS // DIM, (N_USERS, N_EVENTS))
    items = np.where(inside, own, popular).ravel()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = np.tile(np.arange(N_EVENTS), N_USERS)
    journal = pl.DataFrame(
        {
            "user_id": [f"user-{u}" for u in np.repeat(np.arange(N_USERS), N_EVENTS)],
            "item_id": [f"item-{i}" for i in items],
            "time": pl.Series(minutes * 60_000_000 + int(start.timestamp() * 1e6)).cast(TIME_DTYPE),
        }
    )
    catalog = pl.DataFrame(
        {
            "item_id": [f"item-{i}" for i in range(N_ITEMS)],
            "title": [f"Item number {i}" for i in range(N_ITEMS)],
            "category": [f"category-{i % 20}" for i in range(N_ITEMS)],
            "price": np.round(random.gamma(2, 10, N_ITEMS), 2),
            "available": random.random(N_ITEMS) > 0.05,
        }
    )
    clients = pl.DataFrame(
        {
            "user_id": [f"user-{u}" for u in range(N_USERS)],
            "age_band": [["0-17", "18-34", "35+"][u % 3] for u in range(N_USERS)],
        }
    )
    config: dict[str, Any] = {}
    if kind == "als":
        config = {"embedding_dim": DIM, "n_iterations": 3, "n_threads": 2}
    elif kind == "svd":
        config = {"embedding_dim": DIM}
    limits = [Unavailable(item_id="item-7", available_until=start + timedelta(days=3650))]
    pipeline = Pipeline.fit(
        make_model(kind, config),
        [make_model("popularity")],
        Interactions.from_journal(journal),
        catalog=catalog,
        clients=clients,
        config=PipelineConfig(
            rules=(Rule(rule="adults", item={"category": ["category-3"]}, user={"age_band": ["0-17"]}),),
            unavailable=tuple(limits),
        ),
        rng=rng,
    )
    pipeline.save(folder)


# --- the servers ------------------------------------------------------------------------------------
def run_bare(port: int) -> None:
    """The bare handler: what the least code on this stack takes."""
    import orjson
    import uvicorn
    from fastapi import FastAPI, Response
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")
    random = np.random.default_rng(0)
    users = random.standard_normal((N_USERS, DIM), dtype=np.float32)
    vectors = random.standard_normal((N_ITEMS, DIM), dtype=np.float32)
    names = [f"item-{i}" for i in range(N_ITEMS)]
    app = FastAPI()

    @app.get("/users/{user_id}/recommendations")
    async def recommend(user_id: str, k: int = K) -> Response:
        scores = vectors @ users[int(user_id[5:])]
        top = np.argpartition(scores, -k)[-k:]
        top = top[np.argsort(-scores[top])]
        items = [
            {"item_id": names[i], "rank": rank, "score": score}
            for rank, (i, score) in enumerate(zip(top.tolist(), scores[top].tolist(), strict=True), start=1)
        ]
        return Response(orjson.dumps({"user_id": user_id, "items": items}), media_type="application/json")

    uvicorn.run(app, port=port, access_log=False, log_level="warning", server_header=False, date_header=False)


def run_ours(port: int, folder: str, workers: int) -> None:
    """The service."""
    from nextbest.service.config import ServiceConfig
    from nextbest.service.server import serve

    config = ServiceConfig(watch_interval_s=0.5)
    serve(folder, port=port, workers=workers, store=Path(folder).parent, log_level="warning", config=config)


class Server:
    """A server process, and the CPU time it took."""

    def __init__(self, *arguments: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, __file__, *arguments, "--port", str(self.port)]
        self.process = subprocess.Popen(command)

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(600):
            try:
                self.get("/users/user-1/recommendations")
                return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("a server ended before it answered") from None
                time.sleep(0.1)
        raise SystemExit("a server did not answer in a minute")

    def get(self, path: str) -> bytes:
        """One request."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read()

    def cpu_s(self) -> float:
        """User and system seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


# --- the load generator -----------------------------------------------------------------------------
class Connection(asyncio.Protocol):
    """One keep-alive connection: a request at a time, as bytes; the status of each answer."""

    def __init__(self, done: Callable[["Connection", int], None]) -> None:
        self._done, self._buffer = done, b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._buffer.find(b"ontent-length: ", 0, end) + 15
        length = int(self._buffer[at : self._buffer.find(b"\r", at)])
        if len(self._buffer) >= end + 4 + length:
            status = int(self._buffer[9:12])
            self._buffer = b""
            self._done(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._done(self, 0)


def requests(n: int, *, filters: bool, explain: bool, rng: int) -> list[bytes]:
    """Requests for random users, ready to send."""
    random = np.random.default_rng(rng)
    made = []
    for n_th, user in enumerate(random.integers(0, N_USERS, n)):
        query = f"?k={K}" + (f"&category=category-{user % 20}" if filters and n_th % 4 == 0 else "")
        query += "" if explain else "&explain=false"
        path = f"/users/user-{user}/recommendations{query}"
        made.append(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return made


async def saturate(port: int, messages: list[bytes], *, connections: int, seconds: float) -> dict[str, Any]:
    """Closed loop: every connection sends its next request when it has its answer."""
    loop = asyncio.get_running_loop()
    state = {"sent": 0, "ok": 0, "failed": 0}
    end = time.perf_counter() + seconds
    idle: asyncio.Future[None] = loop.create_future()
    open_now = connections

    def done(connection: Connection, status: int) -> None:
        nonlocal open_now
        state["ok" if status == 200 else "failed"] += 1
        if time.perf_counter() < end and status:
            send(connection)
        else:
            open_now -= 1
            if not open_now and not idle.done():
                idle.set_result(None)

    def send(connection: Connection) -> None:
        connection.transport.write(messages[state["sent"] % len(messages)])
        state["sent"] += 1

    started = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Connection(done), "127.0.0.1", port) for _ in range(connections)
    ]
    for _, connection in made:
        send(connection)
    await idle
    elapsed = time.perf_counter() - started
    ok, failed = state["ok"], state["failed"]
    for transport, connection in made:
        connection._done = lambda *_: None
        transport.close()
    return {"requests": ok, "failed": failed, "rps": ok / elapsed}


async def paced(port: int, messages: list[bytes], *, rate: float, seconds: float) -> dict[str, Any]:
    """Open loop: request n is due at n / rate; latency counts from when it was due."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failed = 0
    due_of: dict[int, float] = {}
    free: deque[Connection] = deque()  # in turns, so that none idles until the server closes it
    idle = asyncio.Event()
    in_flight = 0

    def done(connection: Connection, status: int) -> None:
        nonlocal failed, in_flight
        due = due_of.pop(id(connection), None)
        if due is None:  # closed while idle
            if connection in free:
                free.remove(connection)
            return
        in_flight -= 1
        if status == 200:
            latencies.append(time.perf_counter() - due)
        else:
            failed += 1
        if status:
            free.append(connection)
        if not in_flight:
            idle.set()

    n_requests = int(rate * seconds)
    started = time.perf_counter() + 0.1
    for n in range(n_requests):
        due = started + n / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        if not free:
            _, connection = await loop.create_connection(lambda: Connection(done), "127.0.0.1", port)
        else:
            connection = free.popleft()
        due_of[id(connection)] = due
        in_flight += 1
        idle.clear()
        connection.transport.write(messages[n % len(messages)])
    if in_flight:
        await asyncio.wait_for(idle.wait(), 30)
    for connection in free:
        connection.transport.close()
    ms = np.array(latencies) * 1000
    p50, p90, p99 = np.percentile(ms, [50, 90, 99]) if len(ms) else (np.nan,) * 3
    return {
        "requests": n_requests,
        "failed": failed,
        "p50_ms": float(p50),
        "p90_ms": float(p90),
        "p99_ms": float(p99),
        "max_ms": float(ms.max(initial=0)),
    }


def drive(name: str, server: Server, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run the generator in a process of its own; what it measured, and the server's CPU a request."""
    cpu = server.cpu_s()
    generator = subprocess.run(
        [sys.executable, __file__, "generate", name, str(server.port), json.dumps(arguments)],
        check=True,
        capture_output=True,
        text=True,
    )
    measured: dict[str, Any] = json.loads(generator.stdout)
    measured["cpu_ms_per_request"] = 1000 * (server.cpu_s() - cpu) / max(1, measured["requests"])
    return measured


def generate(name: str, port: int, arguments: dict[str, Any]) -> None:
    """The generator's process."""
    filters, explain = arguments.pop("filters"), arguments.pop("explain")
    messages = requests(20_000, filters=filters, explain=explain, rng=arguments.pop("rng"))
    loop_of = asyncio.run
    try:
        import uvloop

        loop_of = uvloop.run
    except ImportError:
        pass
    run = saturate if name == "saturate" else paced
    print(json.dumps(loop_of(run(port, messages, **arguments))))


# --- the run ----------------------------------------------------------------------------------------
def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, in turns."""
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
    }
    figures["load_before"] = os.getloadavg()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        build_model(folder, kind=options.model, rng=1)
        bare, ours = Server("bare"), Server("ours", "--folder", str(folder))
        try:
            bare.wait()
            ours.wait()
            sides = {"bare": bare, "ours": ours, "ours, reasons": ours}
            turns: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
            for turn in range(options.rounds + 1):
                for name, server in sides.items():
                    seconds = options.seconds if turn else 1.0  # turn 0 warms up
                    asked = {"filters": name != "bare", "explain": name != "ours", "rng": turn}
                    arguments = {"connections": options.connections, "seconds": seconds, **asked}
                    result = drive("saturate", server, arguments)
                    if turn:
                        turns[name].append(result)
                        print("saturate", name, result, file=sys.stderr)
            figures["saturation"] = turns
            rps = {n: float(np.median([t["rps"] for t in ts])) for n, ts in turns.items()}
            cpu = {n: float(np.median([t["cpu_ms_per_request"] for t in ts])) for n, ts in turns.items()}
            figures["saturation_rps"], figures["saturation_cpu_ms"] = rps, cpu
            figures["share_of_bare"] = {n: rps[n] / rps["bare"] for n in rps}
            figures["share_of_bare_cpu"] = {n: cpu["bare"] / cpu[n] for n in cpu}
            paced: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
            for turn in range(options.rounds):
                for name, server in sides.items():
                    asked = {"filters": name != "bare", "explain": name != "ours", "rng": 100 + turn}
                    result = drive(
                        "paced", server, {"rate": options.rate, "seconds": 2 * options.seconds, **asked}
                    )
                    paced[name].append(result)
                    print("paced", name, result, file=sys.stderr)
            figures["paced"] = paced
            for figure in ("p50_ms", "p99_ms", "cpu_ms_per_request"):
                figures[f"paced_{figure}"] = {
                    n: {
                        "median": float(np.median([t[figure] for t in ts])),
                        "least": min(t[figure] for t in ts),
                    }
                    for n, ts in paced.items()
                }
            figures["swap"] = swap_under_load(ours, folder, options)
            figures["rss_mb"] = ours.rss_mb()
        finally:
            bare.stop()
            ours.stop()
    figures["load_after"] = os.getloadavg()
    return figures


def swap_under_load(server: Server, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Put a newer model into place, several times, while requests come at the fixed rate."""
    from nextbest.pipeline.pipeline import Pipeline

    pipeline = Pipeline.load(folder)
    seconds = 4 * options.seconds
    arguments = json.dumps(
        {"rate": options.rate, "seconds": seconds, "filters": True, "explain": True, "rng": 7}
    )
    generator = subprocess.Popen(
        [sys.executable, __file__, "generate", "paced", str(server.port), arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(1)
    versions = {json.loads(server.get("/health"))["model"]["version"]}
    while generator.poll() is None:
        pipeline.save(folder, created=datetime.now(UTC))
        time.sleep(max(2.0, seconds / 6))
        versions.add(json.loads(server.get("/health"))["model"]["version"])
    assert generator.stdout is not None
    measured: dict[str, Any] = json.loads(generator.stdout.read())
    generator.wait()
    return measured | {"models_seen": len(versions)}


def main() -> None:
    """Read the call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", nargs="?", default="measure", choices=["measure", "bare", "ours", "generate"])
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--model", default="als", choices=["als", "svd", "item_knn", "ease"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "bare":
        run_bare(options.port)
    elif options.role == "ours":
        run_ours(options.port, options.folder, options.workers)
    elif options.role == "generate":
        generate(options.rest[0], int(options.rest[1]), json.loads(options.rest[2]))
    else:
        figures = measure(options) | {"model": options.model}
        text = json.dumps(figures, indent=1)
        print(text)
        if options.out is not None:
            options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
