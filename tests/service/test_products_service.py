"""A service of bank products as operators see it: health, metrics, swaps, one process for two kinds of model."""

import asyncio
import threading
from datetime import date

import pytest

from nextbest.errors import ArtifactError, InputError
from nextbest.pipeline.decisions.policy import load_policy
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.schemas import Health
from nextbest.service.server import by_kind, serve
from service.banks import CREATED, FakeBank, client_with, save_bank
from service.conftest import QUICK
from service.running import AppClient
from service.shops import save_shop
from service.test_system import metric


def bank_app(folder, *, config=QUICK, load=FakeBank, **more):
    return create_app(products_folder=folder, load_products=load, config=config, **more)


# --- health ------------------------------------------------------------------------------------------
def test_health_says_ok_as_the_first_service_did_and_describes_model_and_panel(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "m"))) as client:
        response = client.get("/health")
    report = Health.model_validate_json(response.content)
    assert response.status_code == 200
    assert response.json()["status"] == "ok"
    assert report.checks == {"products": "ok", "panel": "ok"}
    assert report.products is not None
    assert (report.products.name, report.products.as_of, report.products.n_products) == (
        "bank",
        "2016-05",
        24,
    )
    assert report.products.n_clients == 1
    assert "model" not in response.json()  # a shop's; what describes the bank's stands there once


def test_without_a_panel_profiles_are_answered_but_the_service_is_not_ready(tmp_path) -> None:
    def load(folder):
        return FakeBank(folder, newest_month=None)

    with AppClient(bank_app(save_bank(tmp_path / "m"), load=load)) as client:
        assert client.post("/predict", json=client_with()).status_code == 200
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json()["status"] == "not ready"
        panel = health.json()["checks"]["panel"]
        assert panel.startswith("no panel is loaded, so that everybody is answered by profile alone")
        assert all(remedy in panel for remedy in ("nextbest ingest", "--store", "--profiles-only"))
        assert health.json()["products"]["as_of"] is None
        assert "nextbest_products_panel_month" not in client.get("/metrics").text


def test_a_service_of_profiles_alone_is_ready_without_a_panel(tmp_path) -> None:
    def load(folder):
        return FakeBank(folder, newest_month=None)

    config = ServiceConfig(needs_panel=False, watch_interval_s=3600)
    with AppClient(bank_app(save_bank(tmp_path / "m"), load=load, config=config)) as client:
        health = client.get("/health")
    assert (health.status_code, health.json()["checks"]) == (200, {"products": "ok"})


def test_a_model_that_breaks_for_everybody_breaks_each_request_alone(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "m"))) as client:

        def broken(_queries):
            raise RuntimeError("inside")

        client.app.state.service.products.engine.answer = broken
        waiting = [client.later("POST", "/predict", json=client_with(ncodpers=i)) for i in range(20)]
        assert {answer.result(30).status_code for answer in waiting} == {500}


def test_a_stop_before_the_start_is_none(tmp_path) -> None:
    service = bank_app(save_bank(tmp_path / "m")).state.service
    asyncio.run(service.stop())
    assert not service.products.holder.is_loaded


def test_a_model_that_stops_answering_makes_the_service_not_ready(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "m"))) as client:

        def broken(_queries):
            raise RuntimeError("inside")

        client.app.state.service.products.engine.answer = broken
        health = client.get("/health")
    assert health.status_code == 503
    assert health.json()["checks"]["products"] == "a probe failed: RuntimeError"


def test_before_any_model_is_there_questions_are_503_and_answered_when_one_comes(tmp_path) -> None:
    config = ServiceConfig(watch_interval_s=0.05, health_cache_s=0)
    with AppClient(bank_app(tmp_path / "m", config=config)) as client:
        health = client.get("/health")
        assert (health.status_code, health.json()["products"]) == (503, None)
        assert health.json()["checks"]["products"].count("nextbest products train") == 1
        assert "none is loaded" in health.json()["checks"]["panel"]
        for response in (
            client.post("/predict", json=client_with()),
            client.post("/products/recommendations", json={"customer_ids": [1]}),
            client.get("/products"),
        ):
            assert response.status_code == 503
            assert response.json()["type"] == "urn:nextbest:problem:artifact"
        text = client.get("/metrics").text
        assert metric(text, 'prediction_requests_total{model_version="none",status="failure"}') == 1
        assert metric(text, "nextbest_products_model_loaded") == 0
        save_bank(tmp_path / "m")
        for _ in range(200):
            if client.get("/health").status_code == 200:
                break
            threading.Event().wait(0.05)
        assert client.post("/predict", json=client_with()).status_code == 200


# --- metrics -----------------------------------------------------------------------------------------
def test_the_first_services_metrics_keep_their_names_and_labels_beside_the_houses_own(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "m"))) as client:
        version = client.get("/health").json()["products"]["version"]
        for _ in range(3):
            client.post("/predict", json=client_with())
        client.post("/predict", json=client_with(age="x"))
        client.post("/predict", content=b"{}", headers={"content-type": "text/plain"})
        client.post("/predict", json=client_with(ncodpers=666))
        client.get("/clients/4711")
        text = client.get("/metrics").text
    asked = 'endpoint="/predict",method="POST"'
    for status, n in ((200, 3), (422, 1), (415, 1), (500, 1)):
        assert metric(text, f'http_requests_total{{{asked},status_code="{status}"}}') == n
        assert metric(text, f'http_request_duration_seconds_count{{{asked},status_code="{status}"}}') == n
        house = f'method="POST",route="/predict",status="{status}"'
        assert metric(text, f"nextbest_http_requests_total{{{house}}}") == n
    assert metric(text, f'prediction_requests_total{{model_version="{version}",status="success"}}') == 3
    assert metric(text, f'prediction_requests_total{{model_version="{version}",status="failure"}}') == 3
    assert metric(text, 'http_requests_total{endpoint="(no route)",method="GET",status_code="404"}') == 1
    assert 'http_request_duration_seconds_bucket{endpoint="/predict",le="0.05",method="POST"' in text
    labels = [line.rsplit(" ", 1)[0] for line in text.splitlines()]  # a value may hold any digits
    assert not [line for line in labels if "4711" in line or "123456" in line]


def test_gauges_tell_of_model_and_panel(tmp_path) -> None:
    app = bank_app(save_bank(tmp_path / "m"), now=lambda: CREATED.replace(day=2))
    with AppClient(app) as client:
        text = client.get("/metrics").text
    assert metric(text, "nextbest_products_model_age_seconds") == 86400
    assert metric(text, "nextbest_products_model_newest") == 1
    assert metric(text, "nextbest_products_panel_month_timestamp_seconds") == 1464393600  # 2016-05-28
    assert "nextbest_model_loaded" not in text


# --- swaps -------------------------------------------------------------------------------------------
def test_a_newer_model_is_taken_and_a_broken_one_is_not(tmp_path) -> None:
    folder = save_bank(tmp_path / "m")
    with AppClient(bank_app(folder)) as client:
        old = client.get("/health").json()["products"]["version"]
        save_bank(folder, name="newer", day=2)
        reloaded = client.post("/admin/reload").json()
        assert (reloaded["result"], reloaded["error"]) == ("swapped", None)
        assert reloaded["model"] not in (None, old)
        save_bank(folder, name="newest", day=3, broken=True)
        response = client.post("/admin/reload")
        assert (response.status_code, response.json()["result"]) == (503, "failed")
        health = client.get("/health")
        assert (health.status_code, health.json()["products"]["name"]) == (200, "newer")
        assert "is broken" in health.json()["newer_model_error"]


def test_a_new_month_of_the_panel_is_taken_under_the_same_model(tmp_path) -> None:
    folder, panel = save_bank(tmp_path / "m"), tmp_path / "panel"
    months = [date(2016, 5, 28)]

    def load(found):
        return FakeBank(found, newest_month=months[-1])

    with AppClient(bank_app(folder, load=load, panel_folder=panel)) as client:
        assert client.post("/admin/reload").json()["result"] == "unchanged"
        months.append(date(2016, 6, 28))
        panel.mkdir()
        (panel / "manifest.json").write_text("{}")
        before = client.get("/health").json()["products"]
        assert client.post("/admin/reload").json()["result"] == "swapped"
        after = client.get("/health").json()["products"]
    assert (before["as_of"], after["as_of"]) == ("2016-05", "2016-06")
    assert before["version"] == after["version"]


def test_a_swap_while_requests_wait_loses_none(tmp_path) -> None:
    folder = save_bank(tmp_path / "m")
    with AppClient(bank_app(folder)) as client:
        first = client.get("/health").json()["products"]["version"]
        body = {"customer_ids": [5], "k": 1}
        waiting = [client.later("POST", "/products/recommendations", json=body) for _ in range(100)]
        save_bank(folder, name="b", day=2)
        reload = client.later("POST", "/admin/reload")
        waiting += [client.later("POST", "/products/recommendations", json=body) for _ in range(100)]
        answers = [response.result(60) for response in waiting]
        second = reload.result(60).json()["model"]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["answers"][0]["model"] for answer in answers} <= {first, second}
    assert first != second


def test_too_many_questions_are_refused_with_retry_after(tmp_path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow(FakeBank):
        def answer(self, queries):
            if queries[0].customer_id == 99:
                entered.set()
                assert go_on.wait(30)
            return super().answer(queries)

    config = ServiceConfig(max_pending=1, max_batch=1, retry_after_s=3, watch_interval_s=3600)
    with AppClient(bank_app(save_bank(tmp_path / "m"), load=Slow, config=config)) as client:
        slow = client.later("POST", "/predict", json=client_with(ncodpers=99))
        assert entered.wait(30)
        refused = client.post("/predict", json=client_with())
        go_on.set()
        assert slow.result(30).status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")


# --- two kinds in one process --------------------------------------------------------------------------
def test_a_shop_and_a_bank_are_served_by_one_process(tmp_path) -> None:
    app = create_app(
        save_shop(tmp_path / "shop"),
        products_folder=save_bank(tmp_path / "bank"),
        load_products=FakeBank,
        config=QUICK,
    )
    with AppClient(app) as client:
        assert client.get("/users/ann/recommendations?k=2").status_code == 200
        assert client.post("/predict", json=client_with()).status_code == 200
        health = client.get("/health").json()
        assert health["status"] == "ok"
        assert (health["model"]["name"], health["products"]["name"]) == ("shop", "bank")
        assert set(health["checks"]) == {"answer", "event_log", "products", "panel"}
        text = client.get("/metrics").text
        assert metric(text, "nextbest_model_loaded") == metric(text, "nextbest_products_model_loaded") == 1
        save_bank(tmp_path / "bank", name="newer", day=2)
        assert client.post("/admin/reload").json()["result"] == "swapped"
        save_bank(tmp_path / "bank", broken=True, day=3)
        failed = client.post("/admin/reload").json()
        assert (failed["result"], failed["model"]) == ("failed", health["model"]["version"])
        assert "is broken" in failed["error"]


def test_what_is_not_served_is_404_and_a_shop_alone_has_no_predict(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "bank"))) as client:
        assert client.get("/users/ann/recommendations").status_code == 404
    with AppClient(create_app(save_shop(tmp_path / "shop"), config=QUICK)) as client:
        assert client.post("/predict", json=client_with()).status_code == 404
        assert client.get("/health").json()["status"] == "ready"


def test_a_bank_alone_keeps_no_event_log(tmp_path) -> None:
    with AppClient(bank_app(save_bank(tmp_path / "bank"))):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]


def test_an_application_of_nothing_is_a_wrong_call() -> None:
    with pytest.raises(InputError, match="model_folder: or products_folder must be given"):
        create_app()


# --- the kinds of folders ------------------------------------------------------------------------------
def test_folders_are_told_apart_by_their_manifests(tmp_path) -> None:
    shop, bank = save_shop(tmp_path / "shop"), save_bank(tmp_path / "bank")
    assert by_kind([bank, shop]) == {"shop": shop, "products": bank}
    versions = tmp_path / "versions"
    save_bank(versions / "a")
    assert by_kind([str(versions)]) == {"products": versions}
    save_bank(versions / "b", kind="something else", day=2)
    assert by_kind([versions]) == {"products": versions}  # an older one answers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "has a manifest.json that can't be read"),
        ("[1]", "has a manifest.json that isn't a model's"),
        ("{}", "is no model folder"),
        ('{"kind": "als"}', "holds 'als', not a model that can be served"),
        ('{"kind": "panel"}', "is a bank's panel (what `nextbest ingest` writes), not a model"),
        ('{"format": 1, "n_buckets": 1}', "is a workspace (what `nextbest ingest` writes), not a model"),
        (
            '{"kind": "products", "files": {"arrays.npz": "", "a.txt": ""}}',
            "is a model that lost 2 of its files: ['arrays.npz', 'a.txt']",
        ),
    ],
)
def test_a_folder_that_is_no_model_is_told_by_what_it_is(tmp_path, text, words) -> None:
    remedy = "make one: `nextbest train --out DIR` of a shop, `nextbest products train --out DIR` of a bank"
    for folder in (tmp_path / "x", tmp_path / "store" / "x"):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(text)
    for given in (tmp_path / "x", tmp_path / "store"):
        with pytest.raises(ArtifactError) as caught:
            by_kind([given])
        assert str(caught.value) == f"{given}: {words}; {remedy}"


def test_two_folders_of_one_kind_none_and_an_empty_one_are_wrong_calls(tmp_path) -> None:
    with pytest.raises(InputError, match="may be given once a kind"):
        by_kind([save_bank(tmp_path / "a"), save_bank(tmp_path / "b")])
    with pytest.raises(InputError, match="must name a model folder"):
        by_kind([])
    with pytest.raises(ArtifactError, match="nothing: isn't there; make one: "):
        by_kind([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"holds no manifest\.json, so it is no model folder"):
        by_kind([tmp_path / "empty"])
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="file: is no folder"):
        by_kind([tmp_path / "file"])


def test_serve_hands_the_workers_the_panel_of_the_store_and_the_policy(tmp_path, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("nextbest.service.server._run", lambda settings, _listener: seen.append(settings.app))
    monkeypatch.setattr("nextbest.service.logs.set_up_logging", lambda _level: None)
    bank, shop = save_bank(tmp_path / "bank"), save_shop(tmp_path / "shop")
    policy = tmp_path / "policy.toml"
    policy.write_text(load_policy("santander").to_toml())
    serve(bank, port=0, store=tmp_path / "store", policy=policy)
    serve([shop, bank], port=0, policy="santander")
    alone, both = seen
    assert (alone.model_folder, alone.event_log) == (None, None)
    assert alone.products_folder == str(bank)
    assert alone.panel_folder == str(tmp_path / "store" / "panel")
    assert alone.policy == str(policy)
    assert both.policy == "santander"
    assert (both.model_folder, both.products_folder, both.panel_folder) == (str(shop), str(bank), None)


def test_a_failing_look_of_one_part_stops_no_other(tmp_path) -> None:
    """A broken shop beside a sound bank: the bank answers."""
    shop = save_shop(tmp_path / "shop")
    (shop / "manifest.json").write_text("{")
    app = create_app(shop, products_folder=save_bank(tmp_path / "bank"), load_products=FakeBank, config=QUICK)
    with AppClient(app) as client:
        assert client.post("/predict", json=client_with()).status_code == 200
        health = client.get("/health")
        assert (health.status_code, health.json()["checks"]["products"]) == (503, "ok")
