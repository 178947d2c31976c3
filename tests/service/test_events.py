"""Posted events: on disk before the answer, in the next recommendation, never half stored."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nextbest.data.event_log import EventLog
from nextbest.errors import ExternalError
from nextbest.service.app import create_app, default_event_log
from nextbest.service.config import ServiceConfig
from service.conftest import QUICK
from service.running import AppClient
from service.shops import COFFEE, TEA


def first_item(client, user_id: str) -> str:
    return client.get(f"/users/{user_id}/recommendations?k=1").json()["items"][0]["item_id"]


def test_an_event_changes_the_next_answer(client) -> None:
    assert first_item(client, "ann") in TEA
    response = client.post("/events", json={"user_id": "ann", "item_id": "coffee"})
    assert (response.status_code, response.json()) == (202, {"accepted": 1})
    assert first_item(client, "ann") in COFFEE


def test_an_event_of_a_new_user_makes_them_known(client) -> None:
    client.post("/events", json={"user_id": "zoe", "item_id": "milk"})
    body = client.get("/users/zoe/recommendations?k=1").json()
    assert body["known"] is True
    assert body["items"][0]["item_id"] in COFFEE


def test_several_events_are_stored_together_in_their_order(client, model_folder) -> None:
    posted = [{"user_id": "zoe", "item_id": item, "time": "2026-05-01T00:00:00Z"} for item in COFFEE]
    assert client.post("/events", json=posted).json() == {"accepted": 3}
    with EventLog(default_event_log(model_folder)) as log:
        assert [row.event.item_id for row in log.read_after(0)] == list(COFFEE)


def test_a_repeated_event_id_is_stored_once(client, model_folder) -> None:
    event = {"user_id": "zoe", "item_id": "milk", "event_id": "e-1"}
    for _ in range(2):
        assert client.post("/events", json=event).json() == {"accepted": 1}
    with EventLog(default_event_log(model_folder)) as log:
        assert len(log) == 1
    assert 'nextbest_events_total{result="repeated"} 1.0' in client.get("/metrics").text


def test_events_outlive_the_process_and_a_newer_model(model_folder, tmp_path) -> None:
    for expected in (202, 200):
        with AppClient(create_app(model_folder, event_log=tmp_path / "log.sqlite", config=QUICK)) as client:
            if expected == 202:
                assert client.post("/events", json={"user_id": "zoe", "item_id": "milk"}).status_code == 202
            assert first_item(client, "zoe") in COFFEE


def test_an_event_without_time_happens_now_and_one_from_the_future_is_refused(model_folder) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    app = create_app(model_folder, config=QUICK, now=lambda: now)
    with AppClient(app) as client:
        late = (now + timedelta(seconds=301)).isoformat()
        response = client.post("/events", json={"user_id": "zoe", "item_id": "milk", "time": late})
        assert response.status_code == 422
        assert response.json()["detail"].startswith(
            "time: must not lie in the future; got '2026-06-01T00:05:01"
        )
        assert client.post("/events", json={"user_id": "zoe", "item_id": "tea"}).status_code == 202
    with EventLog(default_event_log(model_folder)) as log:
        assert [row.event.time for row in log.read_after(0)] == [now]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "events: must hold 1 event or more"),
        ({"user_id": "zoe"}, "/item_id: Field required"),
        ([{"user_id": "zoe", "item_id": "tea"}, {"user_id": "zoe"}], "/1/item_id: Field required"),
        ({"user_id": "zoe", "item_id": "tea", "weight": 0}, "/weight: "),
        ({"user_id": "zoe", "item_id": "tea", "time": "2026-05-01"}, "/time: "),
        ({"user_id": "zoe", "item_id": "tea", "amount": 3}, "/amount: Extra inputs"),
        ([{"user_id": "zoe", "item_id": "tea"}] * 1001, "events: must have at most 1000 entries; got 1001"),
        ("tea", "body: "),
    ],
)
def test_a_wrong_event_stores_nothing_of_its_post(client, model_folder, body, words) -> None:
    response = client.post("/events", json=body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(words)
    with EventLog(default_event_log(model_folder)) as log:
        assert len(log) == 0


def test_a_locked_event_log_is_502_with_nothing_stored_and_works_again_afterwards(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.sqlite"
    EventLog(path).close()
    monkeypatch.setattr(EventLog.__init__, "__kwdefaults__", {"fsync": "commit", "timeout_s": 0.05})
    event = {"user_id": "zoe", "item_id": "milk"}
    with AppClient(create_app(model_folder, event_log=path, config=QUICK)) as client:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        response = client.post("/events", json=event)
        assert (response.status_code, response.headers["retry-after"]) == (502, "1")
        assert response.json()["type"] == "urn:nextbest:problem:external"
        assert response.json()["retryable"] is True
        assert first_item(client, "zoe") != "sugar"  # recommendations go on
        health = client.get("/health")
        assert health.status_code == 503
        assert "event log" in health.json()["checks"]["event_log"]
        blocker.execute("ROLLBACK")
        blocker.close()
        assert client.post("/events", json=event).status_code == 202
        assert client.get("/health").status_code == 200
        metrics = client.get("/metrics").text
    assert 'nextbest_events_total{result="failed"} 1.0' in metrics
    assert 'nextbest_events_total{result="accepted"} 1.0' in metrics
    with EventLog(path) as log:
        assert len(log) == 1


def test_a_full_disk_is_502_and_no_event_of_the_post_is_stored(model_folder, tmp_path) -> None:
    path = tmp_path / "log.sqlite"
    app = create_app(model_folder, event_log=path, config=QUICK)
    with AppClient(app) as client:
        log = app.state.service.shop._events
        log._writer.execute("PRAGMA max_page_count = 1")  # what SQLite reports as a full disk
        many = [{"user_id": f"zoe {n}", "item_id": "milk" * 100} for n in range(200)]
        response = client.post("/events", json=many)
        assert response.status_code == 502
        assert "full" in response.json()["detail"]
        log._writer.execute("PRAGMA max_page_count = 1000000")
        assert client.post("/events", json=many[:1]).status_code == 202
        assert len(log) == 1


def test_a_log_that_can_not_be_read_stops_no_answer_and_is_caught_up_with_later(model_folder) -> None:
    app = create_app(model_folder, config=QUICK)
    with AppClient(app) as client:
        log = app.state.service.shop._events
        read, broken = log.read_after, True

        def read_after(rowid: int, **options):
            if broken:
                raise ExternalError("event log", "unreadable", retryable=True)
            return read(rowid, **options)

        log.read_after = read_after
        client.post("/events", json={"user_id": "ann", "item_id": "coffee"})
        assert first_item(client, "ann") in TEA
        broken = False
        assert first_item(client, "ann") in COFFEE
        assert 'nextbest_event_log_errors_total{operation="read"} 1.0' in client.get("/metrics").text


def test_the_number_of_events_a_post_may_hold_is_a_setting(model_folder) -> None:
    config = ServiceConfig(max_events=1, watch_interval_s=3600)
    with AppClient(create_app(model_folder, config=config)) as client:
        event = {"user_id": "zoe", "item_id": "milk"}
        assert client.post("/events", json=[event]).status_code == 202
        assert client.post("/events", json=[event, event]).status_code == 422


def test_a_service_whose_event_log_can_not_be_opened_does_not_start(model_folder, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    client = AppClient(create_app(model_folder, event_log=tmp_path / "file" / "log.sqlite", config=QUICK))
    with pytest.raises(ExternalError, match="event log"):
        client.__enter__()
    client.stop_loop()
