"""A real service under concurrent chats: latency, CPU an answer, memory.

    python benchmarks/assistant_service.py --store WORK/demo [--chats 20] [--seconds 20] [--workers 1] [--everything]

WORK is the workspace of `nextbest demo`. Without --everything a shop alone is served and asked; with it the bank, the book and the candles too.
Each chat asks as another person, one question after the other, Russian and English mixed. CPU and memory are the server's, of all its processes.
"""

import argparse
import http.client
import json
import os
import random
import re
import subprocess
import sys
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
    people = pl.read_parquet(args.store / "identities.parquet").to_dicts()
    command = [sys.executable, "-m", "nextbest", "serve", "--model", str(args.store / "model")]
    if args.everything:
        command += ["--model", str(args.store / "products"), "--store", str(args.store)]
    else:
        bare = args.store / "chat-only-shop"
        bare.mkdir(exist_ok=True)
        command += ["--store", str(bare)]
    command += ["--port", str(args.port), "--workers", str(args.workers), "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    questions = (*SHOP, *MORE) if args.everything else SHOP
    try:
        for _ in range(600):
            try:
                warm: list[float] = []
                chat(args.port, people[0], time.perf_counter() + 2, questions, warm, 0)
                break
            except (ConnectionError, OSError):
                time.sleep(0.2)
        before, took = cpu_s(server.pid), []
        until = time.perf_counter() + args.seconds
        threads = [
            threading.Thread(
                target=chat, args=(args.port, people[n % len(people)], until, questions, took, n)
            )
            for n in range(args.chats)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = cpu_s(server.pid) - before
        ms = 1000 * np.array(took)
        load = os.getloadavg()[0]
        print(
            f"{'everything' if args.everything else 'shop'}, {args.workers} worker(s), {args.chats} chats at once: {len(ms)} answers, "
            f"p50 {np.quantile(ms, 0.5):.0f} ms, p95 {np.quantile(ms, 0.95):.0f} ms, p99 {np.quantile(ms, 0.99):.0f} ms; "
            f"{1000 * spent / len(ms):.1f} CPU-ms an answer; {rss_mb(server.pid):.0f} MB; load {load:.1f}"
        )
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
