"""Portfolios over HTTP, through the real application over a simulated book."""

import json

import pytest

from nextbest.data.holdings.book import Book
from nextbest.portfolio.peer_desk import QUERIES_FOLDER
from nextbest.portfolio.peers.query_log import KEY_FILE
from nextbest.portfolio.plan.advice import load_advice
from nextbest.portfolio.plan.journal import FILE, FOLDER, Journal
from nextbest.portfolio.tracking.tracker import track
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from portfolio.investor_books import BENCHMARK, CLIENT, NOW, answers, workspace, write_house_list
from service.conftest import QUICK
from service.running import AppClient


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = workspace(tmp_path_factory.mktemp("store")) / "portfolio"
    with Book.open(made, read_only=False) as book:
        track(book, NOW.date())
    return made


@pytest.fixture(scope="module")
def client(folder):
    with AppClient(create_app(portfolio_folder=folder, config=QUICK, now=lambda: NOW)) as client:
        yield client


def test_metrics_of_a_client(client):
    response = client.get(f"/portfolios/{CLIENT}/metrics?benchmark={BENCHMARK}&currency=RUB")
    found = response.json()
    assert response.status_code == 200
    assert found["metrics"]["twr_ann"]["unit"] == "fraction a year"
    assert found["figures"]["beta"]["value"] is not None
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["peers", "tracking", "report"])
def test_documents_of_a_client_hold_the_disclaimer_and_nobody_else(client, folder, kind):
    response = client.get(f"/portfolios/{CLIENT}/{kind}")
    assert (response.status_code, response.json()["kind"]) == (200, kind)
    assert response.json()["disclaimer"]["ru"].startswith("Не является индивидуальной")
    with Book.open(folder) as book:
        others = set(book.investors()["client_id"]) - {CLIENT}
    assert not [other for other in others if other in response.text]


def test_a_plan_is_posted_and_names_no_instrument(client):
    response = client.post("/plans", json={"client_id": CLIENT, "goal_id": "g1"})
    found = response.json()
    assert (response.status_code, found["kind"], found["mode"]) == (200, "plan", "information")
    assert "instruments" not in found["tables"]


def test_wrong_requests_are_told_and_leak_nothing(client):
    for kind in ("metrics", "peers", "tracking", "report"):
        response = client.get(f"/portfolios/nobody/{kind}")
        assert response.status_code == 422
        assert "c0000" not in response.text
    assert client.get(f"/portfolios/{CLIENT}/metrics?currency=rubles").status_code == 422
    assert client.get(f"/portfolios/{CLIENT}/metrics?benchmark=NONE").status_code == 422
    assert client.post("/plans", json={"client_id": CLIENT, "mode": "both"}).status_code == 422
    assert client.post("/plans", json={"goal_id": "g1"}).status_code == 422
    assert client.post("/plans", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert client.get(f"/portfolios/{CLIENT}/trades").status_code == 404


def test_health_metrics_and_reload_of_a_service_of_portfolios_alone(client):
    health = client.get("/health").json()
    assert health["checks"] == {"portfolio": "ok"}
    assert health["status"] == "ready"
    assert client.post("/admin/reload").json()["result"] == "unchanged"
    assert CLIENT not in client.get("/metrics").text


def test_the_openapi_document_describes_the_routes_with_examples(client):
    document = client.get("/openapi.json").json()
    for path in ("metrics", "peers", "tracking", "report"):
        assert f"/portfolios/{{client}}/{path}" in document["paths"]
    content = document["paths"]["/plans"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]["first goal"]["value"] == {"client_id": "c000001"}
    assert document["components"]["schemas"]["PlanRequestBody"]["required"] == ["client_id"]
    assert json.dumps(document).count("PortfolioDocument") >= 5


def test_without_a_book_questions_are_503_and_health_says_so(tmp_path):
    with AppClient(create_app(portfolio_folder=tmp_path, config=QUICK, now=lambda: NOW)) as client:
        response = client.get(f"/portfolios/{CLIENT}/metrics")
        assert (response.status_code, response.json()["type"]) == (503, "urn:nextbest:problem:artifact")
        assert "nextbest portfolio ingest" in response.json()["detail"]
        health = client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "not ready")


def test_more_questions_than_may_wait_are_refused(folder):
    config = ServiceConfig(max_pending=1, watch_interval_s=3600, retry_after_s=4)
    with AppClient(create_app(portfolio_folder=folder, config=config, now=lambda: NOW)) as client:
        waiting = [client.later("GET", f"/portfolios/{CLIENT}/metrics") for _ in range(6)]
        answers = [answer.result(60) for answer in waiting]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"4"}


def test_neither_a_book_being_written_nor_one_never_tracked_tells_where_it_lies(tmp_path):
    folder = workspace(tmp_path) / "portfolio"
    with AppClient(create_app(portfolio_folder=folder, config=QUICK, now=lambda: NOW)) as client:
        untracked = client.get(f"/portfolios/{CLIENT}/tracking")
        assert untracked.status_code == 422
        assert "nextbest portfolio track" in untracked.json()["detail"]
        assert str(tmp_path) not in untracked.text
        with Book.open(folder, read_only=False):  # the service holds it no longer than it answers
            busy = client.get(f"/portfolios/{CLIENT}/metrics")
        assert (busy.status_code, busy.json()["retryable"]) == (502, True)
        assert str(tmp_path) not in busy.text
        assert client.get(f"/portfolios/{CLIENT}/metrics").status_code == 200


def test_advice_is_refused_unless_configured_and_without_a_fresh_questionnaire(client, folder, tmp_path):
    asked = {"client_id": CLIENT, "mode": "advice", "answers": answers(), "answered_on": "2021-09-01"}
    found = client.post("/plans", json=asked).json()
    assert (found["refusal"]["refused"], found["mode"]) == ("advice_off", "information")
    assert not (folder / FOLDER).exists()
    house = load_advice(write_house_list(folder, tmp_path / "house.toml"))
    config = QUICK.model_copy(update={"advice": house})
    with AppClient(create_app(portfolio_folder=folder, config=config, now=lambda: NOW)) as advising:
        fresh = advising.post("/plans", json=asked).json()
        old = advising.post("/plans", json=asked | {"answered_on": "2020-10-28"}).json()
        none = advising.post("/plans", json={"client_id": CLIENT, "mode": "advice"}).json()
        plain = advising.post("/plans", json=asked | {"mode": "information"}).json()
    assert (fresh["mode"], fresh["disclaimer"]["en"][:10]) == ("advice", "Individual")
    assert [old["refusal"]["refused"], none["refusal"]["refused"]] == ["profile_expired", "no_questionnaire"]
    told = {row["asset_id"]: row["weight"] for row in fresh["tables"]["instruments"]}
    rows = Journal(folder / FOLDER).rows()  # information is no recommendation: it is not in there
    assert [row["result"].get("instruments") for row in rows] == [told, None, None]
    assert "instruments" not in plain["tables"]


def test_a_broken_book_log_or_journal_is_told_without_where_it_lies(tmp_path):
    folder = workspace(tmp_path) / "portfolio"
    house = load_advice(write_house_list(folder, tmp_path / "house.toml"))
    config = QUICK.model_copy(update={"advice": house})
    asked = {"client_id": CLIENT, "mode": "advice", "answers": answers(), "answered_on": "2021-09-01"}
    told = []
    with AppClient(create_app(portfolio_folder=folder, config=config, now=lambda: NOW)) as client:
        (folder / FOLDER).mkdir()
        (folder / FOLDER / FILE).mkdir()  # nothing can be read there
        told.append(client.post("/plans", json=asked))
        key = folder / QUERIES_FOLDER / KEY_FILE
        key.write_bytes(b"short")
        (folder / "book.duckdb").touch()  # another state: index and log are opened anew
        told.append(client.get(f"/portfolios/{CLIENT}/peers"))
        (folder / "book.duckdb").write_bytes(b"no database" * 1000)
        told.append(client.get(f"/portfolios/{CLIENT}/metrics"))
    assert [answer.status_code for answer in told] == [502, 502, 500]
    assert [
        word in answer.text for word, answer in zip(("journal", KEY_FILE, "book.duckdb"), told, strict=True)
    ] == [True] * 3
    for answer in told:
        assert str(tmp_path) not in answer.text
        assert tmp_path.name not in answer.text
