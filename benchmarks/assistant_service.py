"""A real service under concurrent chats: latency, CPU an answer, memory.

    python benchmarks/assistant_service.py --store WORK/demo [--chats 20] [--seconds 20] [--workers 1] [--everything]

WORK is the workspace of `nextbest demo`; a copy of it is served. Without --everything a shop alone is served and asked; with it the bank, the
book and the candles too. Each chat asks as another person, one question after the other, Russian and English mixed. The first window asks people
of whom nothing was computed that day, the second the same people again. CPU and memory are the server's, of all its processes; memory is resident,
and proportional (PSS): a page that several processes share is counted once.
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl

SHOP = (
    "Что мне взять?", "что-нибудь ещё", "а подешевле?", "почему первая?", "Привет!", "what should I get next?", "why the second one?",
    "cheaper ones please", "Какая погода завтра?", "Что я куплю дальше?", "what will I buy next", "thanks", "посоветуй шоколад", "recommend three items",
)  # fmt: skip
MORE = (
    "Как мой портфель за год?", "а за три года?", "How do people like me invest?", "Прогноз ALPHA на неделю", "and BETA?", "Какие продукты банка мне подойдут?",
    "Which bank product would suit me?", "Накопить 3 млн на дом за 5 лет", "am I on track with my goal?",
)  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")


def processes(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += processes(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Of a process and its children, so far."""
    total = 0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_mb(pid: int) -> float:
    """Resident memory of a process and its children."""
    status = (Path(f"/proc/{one}/status").read_text() for one in processes(pid))
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in status) / 1024


def pss_mb(pid: int) -> float:
    """Proportional memory of a process and its children."""
    rollups = (Path(f"/proc/{one}/smaps_rollup").read_text() for one in processes(pid))
    return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) for text in rollups) / 1024


def chat(
    port: int, person: dict, until: float, questions: tuple[str, ...], took: list[float], seed: int
) -> None:
    """One client until the time is over."""
    draw = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.perf_counter() < until:
        body = json.dumps(
            {"user_id": person["user_id"], "text": draw.choice(questions), "session": f"s{seed}"}
        )
        start = time.perf_counter()
        connection.request("POST", "/chat", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200, reply.status
        took.append(time.perf_counter() - start)


def main() -> None:
    """Start, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--chats", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--port", type=int, default=8471)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        store = Path(place, "store")
        shutil.copytree(args.store, store)
        run(args, store)


def command(args: argparse.Namespace, store: Path) -> list[str]:
    """What is served."""
    words = [sys.executable, "-m", "nextbest", "serve", "--model", str(store / "model")]
    if args.everything:
        words += ["--model", str(store / "products"), "--store", str(store)]
    else:
        bare = store / "chat-only-shop"
        bare.mkdir(exist_ok=True)
        words += ["--store", str(bare)]
    return [*words, "--port", str(args.port), "--workers", str(args.workers), "--quiet"]


def run(args: argparse.Namespace, store: Path) -> None:
    """Start, ask twice, print."""
    people = pl.read_parquet(store / "identities.parquet").to_dicts()
    questions = (*SHOP, *MORE) if args.everything else SHOP
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command(args, store), **quiet)
    try:
        for _ in range(600):
            try:
                chat(args.port, people[0], time.perf_counter() + 3, questions, [], 0)
                break
            except (ConnectionError, OSError):
                time.sleep(0.2)
        what = f"{'everything' if args.everything else 'shop'}, {args.workers} worker(s), {args.chats} chats at once"
        print(
            f"{what}: {rss_mb(server.pid):.0f} MB resident, {pss_mb(server.pid):.0f} MB proportional before"
        )
        for window in ("first", "known"):
            print(f"{window}: {asked(args, people[1:], questions, server.pid)}", flush=True)
        print(f"{rss_mb(server.pid):.0f} MB resident, {pss_mb(server.pid):.0f} MB proportional after")
    finally:
        server.terminate()
        server.wait(30)


def asked(args: argparse.Namespace, people: list[dict], questions: tuple[str, ...], pid: int) -> str:
    """One window: all chats at once, for some seconds."""
    before, took = cpu_s(pid), []
    until = time.perf_counter() + args.seconds
    threads = [
        threading.Thread(target=chat, args=(args.port, people[n], until, questions, took, n))
        for n in range(args.chats)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent, ms = cpu_s(pid) - before, 1000 * np.array(took)
    p50, p95, p99 = (f"{np.quantile(ms, q):.0f}" for q in (0.5, 0.95, 0.99))
    return (
        f"{len(ms)} answers, p50 {p50} ms, p95 {p95} ms, p99 {p99} ms; {1000 * spent / len(ms):.1f} CPU-ms an answer; "
        f"load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
