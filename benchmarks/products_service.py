"""POST /predict under load: latency at a fixed rate, and CPU a request, of a real server process on loopback.

    python benchmarks/products_service.py --model models/products --store .nextbest [--rate 100] [--seconds 20]
    python benchmarks/products_service.py --scale 0.05        # simulates a panel and trains a model first

Open loop: request n is due at n / rate, and its latency counts from then, whatever the ones before it do.
The body is that of the first contract's README; the id of every second request is one the panel holds
(answered from stored history), the others are unknown (answered from the profile alone). Then the same
for POST /products/recommendations of one stored client, with reasons. The load generator is a process
of its own on the same cores: run it on a quiet machine.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from service_load import paced

BODY: dict[str, Any] = {
    "fecha_dato": "2016-05-28", "ncodpers": 123456, "ind_empleado": "A", "pais_residencia": "ES", "sexo": "H",
    "age": "35", "fecha_alta": "2012-08-10", "ind_nuevo": 0, "antiguedad": "45", "indrel": 1.0,
    "ult_fec_cli_1t": None, "indrel_1mes": "1.0", "tiprel_1mes": "A", "indresi": "S", "indext": "N",
    "conyuemp": None, "canal_entrada": "KHE", "indfall": "N", "tipodom": 1.0, "cod_prov": 28.0,
    "nomprov": "MADRID", "ind_actividad_cliente": 1.0, "renta": 87218.1, "segmento": "02 - PARTICULARES",
}  # fmt: skip
UNKNOWN_ID = 10**12
PATHS = {"predict": "/predict", "offer": "/products/recommendations"}


def prepare(folder: Path, *, scale: float, rng: int) -> tuple[Path, Path]:
    """A simulated panel in a workspace, and a model trained on it."""
    from nextbest.models.products.product_model import ProductModel
    from nextbest.simulate.panel import simulate_panel

    store, model = folder / "store", folder / "model"
    panel = simulate_panel(scale=scale, rng=rng).to_panel(store / "panel")
    target = panel.schema.month_before(panel.months[-1], n=-1)
    ProductModel().fit(panel, target=target, rng=rng).save(model)
    return store, model


def messages(kind: str, ids: list[int], *, share_known: float, rng: int) -> list[bytes]:
    """Requests as bytes, known and unknown clients mixed."""
    random = np.random.default_rng(rng)
    made = []
    for n in range(2000):
        known = random.random() < share_known
        customer_id = int(random.choice(ids)) if known else UNKNOWN_ID + n
        document: Any = BODY | {"ncodpers": customer_id}
        if kind == "offer":
            document = {"customer_ids": [customer_id]} if known else {"clients": [document]}
        body = json.dumps(document).encode()
        head = (
            f"POST {PATHS[kind]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Server:
    """`nextbest serve` in a process of its own."""

    def __init__(self, model: Path, store: Path, *, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = ["serve", "--model", str(model), "--store", str(store), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nextbest", *words, "--workers", str(workers), "--log-level", "warning"],
        )

    def wait(self) -> dict[str, Any]:
        """Until it is ready; its health."""
        for _ in range(1200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as answer:
                    health: dict[str, Any] = json.load(answer)
                    return health
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("the server ended before it answered") from None
                time.sleep(0.1)
        raise SystemExit("the server was not ready in two minutes")

    def _processes(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_s(self) -> float:
        """User and system seconds of the process and its workers so far."""
        ticks = 0
        for pid in self._processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory of all processes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._processes())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)


def drive(
    server: Server, kind: str, ids: list[int], options: argparse.Namespace, *, rng: int
) -> dict[str, Any]:
    """One run of the generator, and the server's CPU a request meanwhile."""
    told = {"kind": kind, "ids": ids, "rate": options.rate, "seconds": options.seconds, "rng": rng}
    told["share_known"] = options.known
    cpu = server.cpu_s()
    generator = subprocess.run(
        [sys.executable, __file__, "--generate", str(server.port)],
        input=json.dumps(told),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured: dict[str, Any] = json.loads(generator.stdout)
    measured["cpu_ms_per_request"] = 1000 * (server.cpu_s() - cpu) / max(1, measured["requests"])
    return measured


def generate(port: int) -> None:
    """The generator's process: what to send comes on standard input."""
    told = json.load(sys.stdin)
    made = messages(told["kind"], told["ids"], share_known=told["share_known"], rng=told["rng"])
    run = asyncio.run
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        pass
    print(json.dumps(run(paced(port, made, rate=told["rate"], seconds=told["seconds"]))))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Start the server, load it, say what it took."""
    from nextbest.data.panel.panel import Panel

    figures: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg(),
        "rate": options.rate,
        "workers": options.workers,
    }
    with tempfile.TemporaryDirectory() as scratch:
        if options.model is None:
            store, model = prepare(Path(scratch), scale=options.scale, rng=options.rng)
        else:
            store, model = options.store, options.model
        panel = Panel.open(store)
        newest = panel.rows(panel.months[-1])
        chosen = np.random.default_rng(options.rng).choice(newest, min(1000, len(newest)), replace=False)
        ids = panel.ids.decode(chosen).to_list()
        started = time.perf_counter()
        server = Server(model, store, workers=options.workers)
        try:
            health = server.wait()
            figures["cold_start_s"] = time.perf_counter() - started
            figures["products"] = health["products"]
            for kind in PATHS:
                drive(
                    server, kind, ids, argparse.Namespace(**{**vars(options), "seconds": 2.0}), rng=0
                )  # warms up
                runs = [drive(server, kind, ids, options, rng=1 + n) for n in range(options.rounds)]
                for run in runs:
                    print(kind, run, file=sys.stderr)
                figures[kind] = {
                    name: {
                        "median": float(np.median([run[name] for run in runs])),
                        "runs": [run[name] for run in runs],
                    }
                    for name in ("p50_ms", "p99_ms", "max_ms", "cpu_ms_per_request", "failed")
                }
            figures["rss_mb"] = server.rss_mb()
        finally:
            server.stop()
    figures["load_after"] = os.getloadavg()
    return figures


def main() -> None:
    """Read the call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="folder written by `nextbest products train`")
    parser.add_argument("--store", type=Path, default=Path(".nextbest"), help="workspace with the panel")
    parser.add_argument("--scale", type=float, default=0.05, help="of the simulated panel, without --model")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--known", type=float, default=0.5, help="share of requests about stored clients")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rng", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--generate", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.generate is not None:
        generate(options.generate)
        return
    text = json.dumps(measure(options), indent=1)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
