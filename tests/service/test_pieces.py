"""Small pieces: the border map, log lines, process settings, loopback, dead workers' gauges."""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.exceptions import HTTPException

from nextbest.errors import ArtifactError, DataError, ExternalError, InputError, NotFittedError
from nextbest.service import metrics as metrics_module
from nextbest.service import server
from nextbest.service.config import ServiceConfig
from nextbest.service.edge import Edge
from nextbest.service.errors import OverloadedError, problem_of
from nextbest.service.logs import JsonFormatter, set_up_logging
from nextbest.service.metrics import ServiceMetrics, worker_ended


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InputError("k", "must be 1 or more", value=0), 422, "input"),
        (DataError("journal", "time must not be null", n_bad=12, examples=[3, 9]), 500, "data"),
        (NotFittedError("als"), 503, "not-fitted"),
        (ArtifactError("model", "is broken"), 503, "artifact"),
        (ExternalError("event log", "locked", retryable=True), 502, "external"),
        (ExternalError("event log", "damaged", retryable=False), 502, "external"),
        (OverloadedError("is full", retry_after_s=2), 503, "overloaded"),
        (HTTPException(418, "teapot"), 418, "http"),
        (ZeroDivisionError("inside"), 500, "internal"),
    ],
)
def test_each_error_has_one_status_and_keeps_its_words(error, status, kind) -> None:
    problem = problem_of(error)
    document = json.loads(problem.to_bytes())
    assert (problem.status, document["status"]) == (status, status)
    assert document["type"] == f"urn:nextbest:problem:{kind}"
    if kind not in ("internal", "http"):
        assert document["detail"] == str(error)


def test_only_what_may_be_retried_says_when() -> None:
    assert problem_of(ExternalError("disk", "full", retryable=True)).headers == {"retry-after": "1"}
    assert problem_of(ExternalError("disk", "gone", retryable=False)).headers == {}


def test_a_problem_sends_at_most_the_start_of_a_large_value_back() -> None:
    document = json.loads(problem_of(InputError("where", "is odd", value={"a": "x" * 10_000})).to_bytes())
    assert len(document["value"]) == 200


def test_a_problem_tells_the_size_of_a_number_that_json_cannot_hold() -> None:
    document = json.loads(problem_of(InputError("k", "is too large", value=2**70)).to_bytes())
    assert document["value"] == "an integer of 71 bits"


def test_a_log_line_is_json_with_its_fields_and_its_stack() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        record = logging.LogRecord("a.b", logging.WARNING, "f.py", 3, "it %s", ("broke",), sys.exc_info())
    record.seconds, record.where = 1.5, Path("x")
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "a.b", "it broke")
    assert (line["seconds"], line["where"]) == (1.5, repr(Path("x")))
    assert "ValueError: odd" in line["stack"]


@pytest.fixture
def logging_as_it_was():
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (root.handlers[:], root.level, access.propagate)
    yield
    root.handlers[:], root.level, access.propagate = before


@pytest.mark.usefixtures("logging_as_it_was")
def test_the_log_goes_to_standard_error_as_json_and_no_access_line_does(capsys) -> None:
    set_up_logging("info")
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.access").info("GET /users/client-4711")
    logging.getLogger("nextbest").debug("too fine")
    err = capsys.readouterr().err
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["started"]
    assert not logging.getLogger("uvicorn.access").hasHandlers()


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_worker_sets_its_process_up_and_makes_the_application(tmp_path) -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    interval = sys.getswitchinterval()
    with threadpool_limits():
        try:
            app = server.WorkerApp(str(tmp_path / "m"), str(tmp_path / "e"), ServiceConfig(), "warning", 1)()
            assert sys.getswitchinterval() == server.SWITCH_INTERVAL_S
            assert {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"} == {1}
        finally:
            sys.setswitchinterval(interval)
    assert app.state.service.holder.folder == tmp_path / "m"


class _Uvicorn:
    """uvicorn's server and supervisor, scripted."""

    def __init__(self, *, exit_code: int | None = None, exitcodes: tuple[int, ...] = ()) -> None:
        self.exit_code, self.processes = exit_code, [SimpleNamespace(exitcode=code) for code in exitcodes]

    def run(self, sockets: object = None) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGTERM)  # as uvicorn does after it stopped for one
        if self.exit_code is not None:
            raise SystemExit(self.exit_code)


def test_a_stop_by_signal_ends_quietly_and_a_failed_start_is_an_error(monkeypatch) -> None:
    import uvicorn

    before = signal.getsignal(signal.SIGTERM)
    settings = uvicorn.Config("x", workers=1)
    monkeypatch.setattr("uvicorn.Server", lambda _settings: _Uvicorn())
    server._run(settings, None)
    monkeypatch.setattr("uvicorn.Server", lambda _settings: _Uvicorn(exit_code=3))
    with pytest.raises(ExternalError, match="a worker did not start; its log says why"):
        server._run(settings, None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_of_the_main_thread_no_signal_is_touched(monkeypatch) -> None:
    import uvicorn

    monkeypatch.setattr("uvicorn.Server", lambda _settings: _Uvicorn())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(server._run, uvicorn.Config("x", workers=1), None).result(30)


def test_a_hangup_looks_for_a_newer_model_by_force() -> None:
    async def main() -> list[bool]:
        looked: list[bool] = []
        done = asyncio.Event()

        class Service:
            async def refresh(self, *, force: bool) -> None:
                looked.append(force)
                done.set()

        before = signal.getsignal(signal.SIGHUP)
        server._reload_on_hangup(Service())
        signal.raise_signal(signal.SIGHUP)
        await asyncio.wait_for(done.wait(), 30)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)
        return looked

    assert asyncio.run(main()) == [True]


def edge(app) -> tuple[Edge, ServiceMetrics]:
    counted = ServiceMetrics()
    return Edge(app, config=ServiceConfig(max_body_bytes=10), metrics=counted), counted


def test_what_is_no_http_passes_the_edge_untouched() -> None:
    seen = []

    async def app(scope, receive, send) -> None:
        seen.append((scope["type"], receive, send))

    asyncio.run(edge(app)[0]({"type": "websocket"}, "receive", "send"))
    assert seen == [("websocket", "receive", "send")]


@pytest.mark.parametrize("refused", [False, True])
def test_after_half_an_answer_no_second_one_is_sent(refused) -> None:
    sent = []

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if refused:
            await receive()
        raise RuntimeError("in the middle")

    async def receive() -> dict:
        return {"type": "http.request", "body": b"x" * 11}

    async def send(message) -> None:
        sent.append(message["type"])

    made, counted = edge(app)
    scope = {"type": "http", "method": "POST", "headers": [], "path": "/"}
    if refused:
        asyncio.run(made(scope, receive, send))
    else:
        with pytest.raises(RuntimeError):
            asyncio.run(made(scope, receive, send))
    assert sent == ["http.response.start"]
    assert 'status="200"} 1.0' in counted.scrape(list).decode()


def test_a_client_that_leaves_before_any_answer_is_counted_as_such() -> None:
    async def app(scope, receive, send) -> None:
        """Answers nothing."""

    made, counted = edge(app)
    asyncio.run(made({"type": "http", "method": "GET", "headers": []}, None, None))
    assert 'status="499"} 1.0' in counted.scrape(list).decode()


@pytest.mark.parametrize(("codes", "fails"), [((0, 0), False), ((0, 3), True)])
def test_several_workers_end_quietly_unless_one_could_not_start(monkeypatch, codes, fails) -> None:
    import uvicorn

    class Supervisor(_Uvicorn):
        def run(self, sockets: object = None) -> None:
            """Ends at once."""

    monkeypatch.setattr("uvicorn.supervisors.Multiprocess", lambda _s, sockets: Supervisor(exitcodes=codes))
    settings = uvicorn.Config("x", workers=2)
    if fails:
        with pytest.raises(ExternalError, match="did not start"):
            server._run(settings, None)
    else:
        server._run(settings, None)


def test_a_model_that_went_live_is_left_alone_by_the_garbage_collector() -> None:
    import gc

    server._settle()
    try:
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_gauges_of_ended_and_killed_workers_leave_the_sum(tmp_path, monkeypatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(metrics_module, "mark_process_dead", lambda pid, folder: ended.append(pid))
    worker_ended()
    assert ended == []
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    worker_ended()
    assert ended == [os.getpid()]
    for pid in (os.getpid(), 1, 2**22 + 1):  # alive, alive (perhaps not ours), more than Linux ever gives
        (tmp_path / f"gauge_livesum_{pid}.db").touch()
    metrics_module._forget_dead_workers(tmp_path)
    assert ended == [os.getpid(), 2**22 + 1]


def test_another_users_worker_counts_as_alive(tmp_path, monkeypatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    (tmp_path / "gauge_livesum_77.db").touch()
    metrics_module._forget_dead_workers(tmp_path)


def test_with_several_workers_a_scrape_sums_the_files_of_all(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    text = ServiceMetrics().scrape(lambda: [metrics_module.gauge("now", "Now.", 1.0, a="b")]).decode()
    assert 'now{a="b"} 1.0' in text


def test_an_empty_batch_is_no_batch() -> None:
    counted = ServiceMetrics()
    counted.batch(0, 0.0)
    counted.events("accepted", 0)
    text = counted.scrape(list).decode()
    assert "nextbest_batch_queries_count 0.0" in text
    assert "accepted" not in text


def test_on_systems_without_the_signals_and_limits_of_unix_the_service_runs_too(monkeypatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    server._reload_on_hangup(None)
    monkeypatch.setitem(sys.modules, "resource", None)
    server._raise_open_file_limit()
