"""Health, metrics, reload, the OpenAPI document, and what the edge of the application refuses."""

import asyncio
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nextbest.pipeline.pipeline import Pipeline
from nextbest.service.app import create_app, default_event_log
from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError
from nextbest.service.schemas import Health, PostedEvent, RecommendationAnswer, RecommendationRequest
from service.conftest import QUICK
from service.running import AppClient
from service.shops import START, save_shop


def metric(text: str, name: str) -> float:
    """One sample of a scrape, by its full name with labels."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


# --- health ------------------------------------------------------------------------------------------
def test_health_is_ready_and_describes_the_model_that_answers(client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    report = Health.model_validate_json(response.content)
    assert report.status == "ready"
    assert report.checks == {"answer": "ok", "event_log": "ok"}
    assert report.model is not None
    assert (report.model.name, report.model.n_users, report.model.n_items) == ("shop", 5, 7)
    assert report.model.cutoff == START + timedelta(days=1)
    assert report.probe_ms is not None


def test_the_age_of_the_model_counts_from_its_training(model_folder) -> None:
    app = create_app(model_folder, config=QUICK, now=lambda: START + timedelta(hours=2))
    with AppClient(app) as client:
        assert client.get("/health").json()["model"]["age_s"] == 7200
        assert metric(client.get("/metrics").text, "nextbest_model_age_seconds") == 7200


def test_without_a_model_the_service_starts_is_not_ready_and_answers_when_one_comes(tmp_path) -> None:
    config = ServiceConfig(watch_interval_s=0.05, health_cache_s=0)
    with AppClient(create_app(tmp_path / "model", config=config)) as client:
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json()["model"] is None
        assert "no model is loaded" in health.json()["checks"]["answer"]
        for response in (client.get("/users/ann/recommendations"), client.get("/items/tea/similar")):
            assert response.status_code == 503
            assert response.json()["type"] == "urn:nextbest:problem:artifact"
            assert "retry-after" in response.headers
        assert client.get("/users/ann/recommendations?category=sweet").status_code == 503
        assert metric(client.get("/metrics").text, "nextbest_model_loaded") == 0
        save_shop(tmp_path / "model")
        for _ in range(200):
            if client.get("/health").status_code == 200:
                break
            threading.Event().wait(0.05)
        assert client.get("/users/ann/recommendations").status_code == 200


@pytest.mark.parametrize(
    "error", [RuntimeError("broken inside"), OverloadedError("is full", retry_after_s=1)]
)
def test_a_model_that_stops_answering_makes_the_service_not_ready(model_folder, error) -> None:
    with AppClient(create_app(model_folder, config=QUICK)) as client:
        service = client.app.state.service

        async def ask(*_args, **_options):
            raise error

        service.engine.ask = ask
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json()["checks"]["answer"] in ("a probe failed: RuntimeError", str(error))


def test_a_probe_without_an_answer_makes_the_service_not_ready(model_folder) -> None:
    config = ServiceConfig(watch_interval_s=3600, health_timeout_s=0.05)
    with AppClient(create_app(model_folder, config=config)) as client:
        service = client.app.state.service

        async def ask(*_args, **_options):
            await asyncio.sleep(10)

        service.engine.ask = ask
        assert "got no answer in 0.05 s" in client.get("/health").json()["checks"]["answer"]


def test_health_is_computed_at_most_once_in_its_interval(model_folder) -> None:
    config = ServiceConfig(watch_interval_s=3600, health_cache_s=3600)
    with AppClient(create_app(model_folder, config=config)) as client:
        assert client.get("/health").content == client.get("/health").content


@pytest.mark.parametrize(("ruin", "words"), [("unlink", "is gone"), ("no space", "MiB left")])
def test_an_event_log_that_takes_no_writes_makes_the_service_not_ready(
    model_folder, monkeypatch, ruin, words
) -> None:
    with AppClient(create_app(model_folder, config=QUICK)) as client:
        if ruin == "unlink":
            default_event_log(model_folder).unlink()
        else:
            monkeypatch.setattr("nextbest.service.state.MIN_FREE_BYTES", 1 << 60)
        health = client.get("/health")
        assert health.status_code == 503
        assert words in health.json()["checks"]["event_log"]


def test_an_event_log_whose_folder_is_gone_makes_the_service_not_ready(model_folder, tmp_path) -> None:
    folder = tmp_path / "logs"
    with AppClient(create_app(model_folder, event_log=folder / "log.sqlite", config=QUICK)) as client:
        folder.rename(tmp_path / "elsewhere")
        assert "No such file" in client.get("/health").json()["checks"]["event_log"]


# --- swapping ----------------------------------------------------------------------------------------
def test_a_newer_model_is_taken_on_request_and_keeps_posted_events(client, model_folder) -> None:
    client.post("/events", json={"user_id": "ann", "item_id": "coffee"})
    assert client.post("/admin/reload").json()["result"] == "unchanged"
    save_shop(model_folder, name="newer", created=START + timedelta(days=9))
    reloaded = client.post("/admin/reload").json()
    assert (reloaded["result"], reloaded["error"]) == ("swapped", None)
    answer = client.get("/users/ann/recommendations?k=2").json()
    assert {item["item_id"] for item in answer["items"]} == {"milk", "sugar"}
    assert answer["model"] == reloaded["model"]
    assert client.get("/health").json()["model"]["name"] == "newer"


def test_a_broken_newer_model_keeps_the_old_one_and_is_told_everywhere(client, model_folder) -> None:
    old = client.get("/health").json()["model"]["version"]
    save_shop(model_folder, name="newer", created=START + timedelta(days=9))
    (model_folder / "item_ids.parquet").write_bytes(b"PAR1 truncated")
    response = client.post("/admin/reload")
    assert response.status_code == 503
    assert response.json()["result"] == "failed"
    assert "differ from their digest" in response.json()["error"]
    assert client.get("/users/ann/recommendations").json()["model"] == old
    health = client.get("/health")
    assert health.status_code == 200
    assert "differ from their digest" in health.json()["newer_model_error"]
    text = client.get("/metrics").text
    assert metric(text, 'nextbest_model_reloads_total{result="failed"}') == 1
    assert metric(text, "nextbest_model_newest") == 0


def test_a_swap_while_requests_wait_loses_none_and_mixes_no_answer(tmp_path) -> None:
    """Two models that recommend different things: each answer is all of one, under that one's version."""
    folder = save_shop(tmp_path / "model", name="a")
    with AppClient(create_app(folder, config=QUICK)) as client:
        first = client.get("/health").json()["model"]["version"]
        waiting = [client.later("GET", "/users/ann/recommendations?k=3") for _ in range(200)]
        save_shop(folder, name="b", created=START + timedelta(days=9))
        reload = client.later("POST", "/admin/reload")
        waiting += [client.later("GET", "/users/ann/recommendations?k=3") for _ in range(200)]
        answers = [response.result(60) for response in waiting]
        second = reload.result(60).json()["model"]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["model"] for answer in answers} <= {first, second}


def test_only_the_machine_itself_may_ask_for_a_reload(model_folder) -> None:
    with AppClient(create_app(model_folder, config=QUICK), address=("10.0.0.9", 1)) as client:
        response = client.post("/admin/reload")
    assert (response.status_code, response.headers["content-type"]) == (403, "application/problem+json")


def test_the_watch_goes_on_after_an_error_that_nobody_foresaw(model_folder, caplog) -> None:
    config = ServiceConfig(watch_interval_s=0.01)
    seen = threading.Event()
    calls = []
    with AppClient(create_app(model_folder, config=config)) as client:

        async def refresh(**_options) -> str:
            calls.append(1)
            if len(calls) > 2:
                seen.set()
            raise RuntimeError("a surprise")

        client.app.state.service.refresh = refresh
        assert seen.wait(30)
    assert "watch failed; it goes on" in caplog.messages


def test_hooks_are_called_at_the_start_and_after_each_swap(model_folder) -> None:
    calls: list[str] = []
    app = create_app(
        model_folder,
        config=QUICK,
        on_start=lambda service: calls.append(f"start {service.holder.is_loaded}"),
        on_loaded=lambda: calls.append("swap"),
    )
    with AppClient(app):
        pass
    assert calls == ["swap", "start True"]


# --- metrics -----------------------------------------------------------------------------------------
def test_metrics_count_requests_by_template_so_that_no_id_becomes_a_label(client) -> None:
    client.get("/users/ann/recommendations?k=2")
    client.get("/users/bob/recommendations?k=0")
    client.get("/nowhere/ann")
    client.post("/recommendations", json={"user_ids": ["ann", "nobody"], "k": 3})
    client.post("/events", json=[{"user_id": "zoe", "item_id": "milk"}] * 2)
    text = client.get("/metrics").text
    route = 'method="GET",route="/users/{user_id}/recommendations"'
    assert metric(text, f'nextbest_http_requests_total{{{route},status="200"}}') == 1
    assert metric(text, f'nextbest_http_requests_total{{{route},status="422"}}') == 1
    assert metric(text, f"nextbest_http_request_duration_seconds_count{{{route}}}") == 2
    assert metric(text, 'nextbest_http_requests_total{method="GET",route="(no route)",status="404"}') == 1
    assert metric(text, 'nextbest_recommendations_total{source="item_knn"}') == 4  # 2 for ann, then 2 of 3
    assert metric(text, 'nextbest_recommendations_total{source="popularity"}') == 4
    assert metric(text, 'nextbest_answers_total{known="true"}') == 2
    assert metric(text, 'nextbest_answers_total{known="false"}') == 1
    assert metric(text, 'nextbest_events_total{result="accepted"}') == 2
    assert metric(text, "nextbest_batch_queries_sum") >= 3
    assert 'nextbest_model_info{model="shop",version="' in text
    assert "ann" not in text


def test_an_odd_method_is_one_label_whatever_it_is_called(client) -> None:
    assert client.later("BREW", "/health").result(10).status_code == 405
    text = client.get("/metrics").text
    assert 'method="OTHER"' in text
    assert "BREW" not in text


def test_each_application_has_numbers_of_its_own(model_folder, tmp_path) -> None:
    with (
        AppClient(create_app(model_folder, config=QUICK)) as one,
        AppClient(create_app(model_folder, config=QUICK)) as other,
    ):
        one.get("/users/ann/recommendations")
        assert "known" in one.get("/metrics").text
        assert metric(other.get("/metrics").text, 'nextbest_answers_total{known="true"}') == 0


def test_metrics_need_no_dates_in_the_manifest(tmp_path) -> None:
    class Dateless(Pipeline):
        @property
        def manifest(self):
            return {**super().manifest, "created": None, "cutoff": "2026-01-01"}

    app = create_app(save_shop(tmp_path / "model"), config=QUICK, load=Dateless.load)
    with AppClient(app) as client:
        text = client.get("/metrics").text
        assert client.get("/health").json()["model"]["age_s"] is None
    assert "nextbest_model_age_seconds" not in text
    assert "nextbest_model_cutoff_timestamp_seconds" not in text


# --- the edge ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "words"),
    [
        ("GET", "/nowhere", {}, 404, "path: nothing is served here"),
        ("POST", "/health", {}, 405, "method: not served at this path"),
        ("DELETE", "/users/ann/recommendations", {}, 405, "method: not served at this path"),
        ("POST", "/events", {"content": b"{}"}, 415, "content-type: must be application/json"),
        ("POST", "/events", {"data": {"user_id": "ann"}}, 415, "content-type: must be application/json"),
        ("POST", "/events", {"content": b"{", "headers": {"content-type": "application/json"}}, 422, "body: Invalid JSON"),
        ("POST", "/events", {"content": b"", "headers": {"content-type": "application/json"}}, 422, "body: must be JSON, is empty"),
        ("POST", "/events", {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}, 422, "body: Invalid JSON"),
        ("POST", "/recommendations", {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 422, "body: Invalid JSON"),
        ("POST", "/recommendations", {"content": b"x" * 2_000_000}, 413, "body: must have at most 1048576 bytes"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_with_a_problem_document(
    client, method, path, request_, status, words
) -> None:
    response = client.later(method, path, **request_).result(30)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["detail"].startswith(words)
    assert set(problem) >= {"type", "title", "status", "detail"}
    if status == 405:
        assert "allow" in response.headers


async def _slowly(*parts: bytes):
    for part in parts:
        await asyncio.sleep(0.05)
        yield part


def test_a_body_that_grows_past_the_limit_is_refused_while_it_is_read(model_folder) -> None:
    config = ServiceConfig(max_body_bytes=100, watch_interval_s=3600)
    with AppClient(create_app(model_folder, config=config)) as client:
        headers = {"content-type": "application/json"}
        response = client.post("/events", content=_slowly(*[b"x" * 40] * 5), headers=headers)
        assert (response.status_code, response.headers["connection"]) == (413, "close")
        assert client.post("/events", json={"user_id": "zoe", "item_id": "tea"}).status_code == 202


def test_a_body_that_comes_too_slowly_is_refused(model_folder) -> None:
    config = ServiceConfig(body_timeout_s=0.02, watch_interval_s=3600)
    with AppClient(create_app(model_folder, config=config)) as client:
        headers = {"content-type": "application/json"}
        response = client.post("/events", content=_slowly(b"{", b"}"), headers=headers)
        assert response.status_code == 408
        assert response.json()["detail"] == "body: must arrive within 0.02 s"


def test_all_bodies_together_have_a_budget_that_is_given_back(model_folder) -> None:
    config = ServiceConfig(body_budget_bytes=300, watch_interval_s=3600)
    with AppClient(create_app(model_folder, config=config)) as client:
        event = {"user_id": "zoe", "item_id": "tea" * 60}
        responses = [client.post("/events", json=event) for _ in range(4)]
        assert [r.status_code for r in responses] == [202] * 4
        response = client.post("/events", json={"user_id": "zoe", "item_id": "tea" * 100})
        assert response.status_code == 503
        assert response.json()["detail"].startswith("service: holds too many request bodies")
        assert response.headers["retry-after"] == "1"


def test_an_error_that_nobody_foresaw_is_500_and_tells_no_inside(model_folder, caplog) -> None:
    name = "client 4711"
    with AppClient(create_app(model_folder, config=QUICK)) as client:

        async def health() -> None:
            raise KeyError(name)

        client.app.state.service.health = health
        response = client.get("/health")
        assert client.get("/metrics").status_code == 200
    assert response.status_code == 500
    problem = response.json()
    assert problem["type"] == "urn:nextbest:problem:internal"
    assert "4711" not in response.text
    (record,) = (r for r in caplog.records if r.message == "unforeseen error")
    assert record.error_id == problem["error_id"]
    assert record.error == "KeyError"
    assert "4711" not in str(vars(record))


def test_overload_is_refused_with_retry_after(model_folder) -> None:
    config = ServiceConfig(max_pending=1, max_batch=1, retry_after_s=3, watch_interval_s=3600)
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Pipeline):
        def recommend(self, queries):
            if queries[0].user_id == "slow":
                entered.set()
                assert go_on.wait(30)
            return super().recommend(queries)

    with AppClient(create_app(model_folder, config=config, load=Slow.load)) as client:
        slow = client.later("GET", "/users/slow/recommendations")
        assert entered.wait(30)
        refused = client.get("/users/ann/recommendations")
        go_on.set()
        assert slow.result(30).status_code == 200
        assert client.get("/users/ann/recommendations").status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert refused.json()["type"] == "urn:nextbest:problem:overloaded"


# --- OpenAPI -----------------------------------------------------------------------------------------
def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


@pytest.fixture
def document(client) -> dict:
    return client.get("/openapi.json").json()


def test_every_path_is_described_with_its_errors_and_every_reference_resolves(document) -> None:
    assert set(document["paths"]) == {
        "/users/{user_id}/recommendations",
        "/recommendations",
        "/events",
        "/items/{item_id}/similar",
        "/health",
        "/metrics",
        "/admin/reload",
    }
    for found in references(document):
        node = document
        for part in found.removeprefix("#/").split("/"):
            node = node[part]
        assert node, found
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            names = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")) and path not in ("/health", "/admin/reload"):
                    assert list(response["content"]) == ["application/problem+json"]


def test_the_examples_of_the_document_are_valid_and_answered(document, client) -> None:
    bodies = {"/recommendations": RecommendationRequest, "/events": PostedEvent}
    for path, model in bodies.items():
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for example in content["examples"].values():
            value = example["value"]
            for one in value if isinstance(value, list) else [value]:
                model.model_validate(one)
            assert client.post(path, json=value).status_code in (200, 202)
    for name, schema in document["components"]["schemas"].items():
        if name in ("RecommendationRequest", "PostedEvent"):
            for example in schema["examples"]:
                bodies["/recommendations" if name.startswith("R") else "/events"].model_validate(example)


def test_answers_are_as_the_document_says(client) -> None:
    answer = client.get("/users/ann/recommendations?k=3").content
    parsed = RecommendationAnswer.model_validate_json(answer)
    assert json.loads(answer) == parsed.model_dump(mode="json")


def test_the_document_is_made_once(client) -> None:
    assert client.app.openapi() is client.app.openapi()


def test_the_event_log_is_beside_the_model_unless_named(tmp_path) -> None:
    assert default_event_log(tmp_path / "m") == Path(tmp_path / "m.events.sqlite")


def test_times_of_the_service_carry_their_zone() -> None:
    from nextbest.service.state import utc_now

    assert abs(utc_now() - datetime.now(UTC)) < timedelta(minutes=1)
