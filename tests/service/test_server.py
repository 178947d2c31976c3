"""Real server processes on loopback: workers that share events, swaps under load, crowds, a clean stop."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from nextbest.cli import main
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.service.server import serve
from service.running import ServerProcess, open_files_limit
from service.shops import COFFEE, START, TEA, pipeline, save_shop

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory):
    """One worker that looks for newer models only when told."""
    folder = tmp_path_factory.mktemp("alone")
    config = {"watch_interval_s": 3600, "health_cache_s": 0, "max_pending": 2000}
    with ServerProcess(save_shop(folder / "model"), store=folder / "store", **config) as server:
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory):
    """Two workers."""
    folder = tmp_path_factory.mktemp("pair")
    with ServerProcess(save_shop(folder / "model"), store=folder / "store", workers=2) as server:
        yield server
    assert server.process.returncode == 0
    assert "client-" not in server.log_path.read_text()


def workers_of(server: ServerProcess) -> list[str]:
    """Process ids of the workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def first_item(url: str, user_id: str) -> str:
    """Over a new connection, so that any worker may answer."""
    return httpx.get(f"{url}/users/{user_id}/recommendations?k=1", timeout=30).json()["items"][0]["item_id"]


def n_answered(url: str) -> float:
    """Recommendations that all workers together have counted."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    asked = 'nextbest_http_requests_total{method="GET",route="/users/{user_id}/recommendations",status="200"}'
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(asked))


def test_with_two_workers_an_event_changes_the_next_answer_of_both_and_metrics_add_up(pair) -> None:
    n_users = 20
    before = n_answered(pair.url)
    for n in range(n_users):
        event = {"user_id": f"client-{n}", "item_id": "coffee"}
        assert httpx.post(f"{pair.url}/events", json=event, timeout=30).status_code == 202
        for _ in range(4):  # whichever worker is asked
            assert first_item(pair.url, f"client-{n}") in COFFEE
    assert n_answered(pair.url) - before == 4 * n_users
    used = Counter(busiest_in_one_request(pair) for _ in range(40))
    assert len(used) == 2, f"one worker answered everything: {used}"


def busiest_in_one_request(server: ServerProcess) -> str:
    """The worker that woke up most often while one request was answered."""

    def wakes(pid: str) -> int:
        status = Path(f"/proc/{pid}/task/{pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("voluntary"))
        return int(line.split()[1])

    before = {pid: wakes(pid) for pid in workers_of(server)}
    httpx.get(f"{server.url}/openapi.json", timeout=30)
    return max(before, key=lambda pid: wakes(pid) - before[pid])


def test_a_swap_of_models_under_load_loses_no_request_and_both_models_are_seen(tmp_path) -> None:
    folder = save_shop(tmp_path / "model")
    newer = pipeline(name="newer")
    statuses: Counter[int] = Counter()
    versions: Counter[str] = Counter()

    async def ask(client: httpx.AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            response = await client.get("/users/ann/recommendations?k=2")
            statuses[response.status_code] += 1
            versions[response.json()["model"]] += 1

    async def load(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            asking = [asyncio.ensure_future(ask(client, time.monotonic() + 4)) for _ in range(8)]
            for day in (1, 2, 3):
                await asyncio.sleep(0.8)
                await asyncio.to_thread(newer.save, folder, created=START + timedelta(days=day))
            await asyncio.gather(*asking)

    with ServerProcess(folder, store=tmp_path / "store", watch_interval_s=0.1) as server:
        asyncio.run(load(server.url))
    assert set(statuses) == {200}
    assert len(versions) == 4


def test_sighup_takes_the_newer_model_at_once(alone) -> None:
    folder = alone.model_folder
    save_shop(folder, name="newer", created=START + timedelta(days=1))
    alone.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if httpx.get(f"{alone.url}/health", timeout=30).json()["model"]["name"] == "newer":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the newer model never answered")


def test_a_crowd_of_ten_thousand_is_answered_or_refused_in_words_and_nobody_hangs(alone) -> None:
    """10,000 open connections, one request each, all at the same time."""
    n_clients = min(10_000, open_files_limit() - 500)
    outcomes: Counter[str] = Counter()
    arrived = 0

    async def one(port: int, gate: asyncio.Event, entry: asyncio.Semaphore) -> None:
        nonlocal arrived
        async with entry:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        arrived += 1
        try:
            await gate.wait()
            writer.write(b"GET /users/ann/recommendations?k=3 HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(
                next(x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")).split()[1]
            )
            body = json.loads(await reader.readexactly(length))
            status = int(head[9:12])
            if status == 503:
                assert b"retry-after" in head.lower()
                assert body["type"] == "urn:nextbest:problem:overloaded"
            outcomes[str(status)] += 1
        finally:
            writer.close()

    async def crowd(port: int) -> None:
        gate, entry = asyncio.Event(), asyncio.Semaphore(500)
        asking = [asyncio.ensure_future(one(port, gate, entry)) for _ in range(n_clients)]
        while arrived < n_clients:
            await asyncio.sleep(0.05)
        gate.set()
        async with asyncio.timeout(120):
            await asyncio.gather(*asking)

    before = alone.peak_rss_mb
    asyncio.run(crowd(alone.port))
    assert alone.peak_rss_mb - before < 600
    assert first_item(alone.url, "ann") in TEA
    assert sum(outcomes.values()) == n_clients
    assert set(outcomes) <= {"200", "503"}
    assert outcomes["200"] >= 2000


def test_a_stop_finishes_what_was_begun_and_the_log_is_json_without_ids(tmp_path) -> None:
    config = {"body_timeout_s": 20}
    with ServerProcess(save_shop(tmp_path / "model"), store=tmp_path / "store", **config) as server:
        body = json.dumps({"user_id": "client-4711", "item_id": "coffee"}).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            head = f"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            half.sendall(head.encode() + body[:5])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            half.sendall(body[5:])
            answer = half.recv(65536)
        assert answer.startswith(b"HTTP/1.1 202")
        assert server.process.wait(30) == 0
    lines = server.log_lines()
    assert {"serving", "model live"} <= {line["message"] for line in lines}
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert "4711" not in server.log_path.read_text()
    with ServerProcess(tmp_path / "model", store=tmp_path / "store") as again:
        assert first_item(again.url, "client-4711") in COFFEE


def test_a_killed_worker_is_replaced_and_loses_no_stored_event(pair) -> None:
    event = {"user_id": "client-zoe", "item_id": "coffee"}
    assert httpx.post(f"{pair.url}/events", json=event, timeout=30).status_code == 202
    victim, _ = workers_of(pair)
    os.kill(int(victim), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while len(alive := workers_of(pair)) < 2 or victim in alive:
        assert time.monotonic() < deadline, "the killed worker was not replaced"
        time.sleep(0.1)
    for _ in range(4):
        assert first_item(pair.url, "client-zoe") in COFFEE
    assert n_answered(pair.url) >= 4


def test_a_huge_body_is_refused_on_a_real_connection(alone) -> None:
    with socket.create_connection(("127.0.0.1", alone.port)) as connection:
        connection.sendall(
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000000\r\n\r\n{"
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert first_item(alone.url, "ann") in TEA


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"workers": 0}, InputError, "workers: must be 1 or more; got 0"),
        ({"host": "256.1.1.1"}, ExternalError, "can't listen on 256.1.1.1"),
    ],
)
def test_a_wrong_call_of_serve_is_told_before_anything_starts(tmp_path, options, error, words) -> None:
    with pytest.raises(error, match=words):
        serve(save_shop(tmp_path / "model"), store=tmp_path, port=0, **options)


def test_a_taken_port_is_told(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ExternalError, match="Address already in use; try another port"):
            serve(save_shop(tmp_path / "model"), store=tmp_path, port=taken.getsockname()[1])


def test_serve_puts_events_into_the_store_and_shares_metrics_between_workers(tmp_path, monkeypatch) -> None:
    seen = []

    def run(settings, listener) -> None:
        seen.append(
            (
                settings.app,
                settings.workers,
                os.environ.get("PROMETHEUS_MULTIPROC_DIR"),
                listener.getsockname(),
            )
        )

    monkeypatch.setattr("nextbest.service.server._run", run)
    monkeypatch.setattr("nextbest.service.logs.set_up_logging", lambda _level: None)
    folder = save_shop(tmp_path / "model")
    serve(folder, port=0, store=tmp_path / "store", workers=2)
    serve(folder, port=0)
    (app, workers, shared, address), (other, _, none, _) = seen
    assert (app.event_log, workers) == (str(tmp_path / "store" / "events.sqlite"), 2)
    assert other.event_log == str(tmp_path / "model.events.sqlite")
    assert address[0] == "127.0.0.1"
    assert shared is not None
    assert not Path(shared).exists()
    assert none is None
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_a_folder_without_a_model_is_told(tmp_path) -> None:
    with pytest.raises(ArtifactError, match="nothing: isn't there; make one: `nextbest train --out DIR`"):
        serve(tmp_path / "nothing", store=tmp_path, port=0)


def test_the_command_says_that_it_serves_only_once_it_does(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("nextbest.service.server._run", lambda *_: None)
    monkeypatch.setattr("nextbest.service.logs.set_up_logging", lambda _level: None)
    (tmp_path / "panel").mkdir()
    (tmp_path / "panel" / "manifest.json").write_text('{"kind":"panel"}')
    for folder in ("panel", "nomodel"):
        words = ["serve", "--model", str(tmp_path / folder), "--store", str(tmp_path / "s"), "--port", "0"]
        assert main(words) == 4
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"nextbest: {tmp_path / folder}: is")
    assert not (tmp_path / "s").exists()
    shop = str(save_shop(tmp_path / "shop"))
    assert main(["serve", "--model", shop, "--store", str(tmp_path / "s"), "--port", "0"]) == 0
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"serving .*shop at http://127\.0\.0\.1:[1-9]\d* \(docs at /docs\), Ctrl\+C stops\n", said
    )


def test_a_second_interrupt_ends_at_once_and_without_a_traceback(tmp_path) -> None:
    config = {"body_timeout_s": 600}
    with (
        ServerProcess(save_shop(tmp_path / "model"), store=tmp_path / "store", **config) as server,
        socket.create_connection(("127.0.0.1", server.port)) as half,
    ):
        head = (
            "POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        half.sendall(head.encode())
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None  # it waits for that request
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    text = server.log_path.read_text()
    assert "Traceback" not in text
    assert "request cut off by the stop" in [line["message"] for line in server.log_lines()]
