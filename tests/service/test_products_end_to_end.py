"""A real model, panel and policy behind the API: the first contract's line, swaps under load, the command line."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from nextbest.data.panel.panel import Panel
from nextbest.models.products.product_model import ProductModel
from nextbest.pipeline.products.advisor import ProductAdvisor
from nextbest.pipeline.products.query import ProductQuery
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.products.schemas import SEED_CLIENT, OffersAnswer
from nextbest.service.server import serve
from pipeline.products.tiny_bank import tiny_model, tiny_panel
from service.conftest import QUICK
from service.running import AppClient, ServerProcess

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
CURL_BODY = json.dumps(SEED_CLIENT)


class Bank(NamedTuple):
    store: Path
    folder: Path
    panel: Panel
    model: ProductModel

    @property
    def ids(self) -> list[int]:
        return self.panel.ids.decode(self.panel.rows(self.panel.months[-1])).to_list()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    store = tmp_path_factory.mktemp("bank")
    panel = tiny_panel(store)
    model = tiny_model(panel)
    model.save(store / "model", created=CREATED)
    return Bank(store, store / "model", panel, model)


@pytest.fixture(scope="module")
def client(bank):
    app = create_app(products_folder=bank.folder, panel_folder=bank.store / "panel", config=QUICK)
    with AppClient(app) as client:
        yield client


def post_body(client: AppClient, body: str) -> httpx.Response:
    return client.post("/predict", content=body, headers={"content-type": "application/json"})


def test_the_first_contracts_line_gets_names_of_the_first_contract(bank, client) -> None:
    response = post_body(client, CURL_BODY)
    assert response.status_code == 200
    names = [product.seed_name_ru for product in bank.panel.schema.products]
    predicted = response.json()["predicted_products"]
    assert list(response.json()) == ["predicted_products"]
    assert predicted
    assert set(predicted) <= set(names)


def test_a_known_client_is_answered_from_history_and_never_told_of_what_they_hold(bank, client) -> None:
    schema = bank.panel.schema
    newest = bank.panel.months[-1]
    for row in bank.panel.rows(newest)[:30]:
        held = int(bank.panel.held(newest)[row])
        body = {"ncodpers": int(bank.panel.ids.ids[int(row)]), "fecha_dato": str(newest)}
        response = client.post("/predict?names=code", json=body)
        told = response.json()["predicted_products"]
        assert not any(held >> schema.bit(column) & 1 for column in told)


def test_offers_over_http_are_the_advisors(bank, client) -> None:
    advisor = ProductAdvisor.load(bank.folder, panel=bank.store)
    ids = bank.ids[:40]
    response = client.post("/products/recommendations", json={"customer_ids": ids, "lang": "ru"})
    answers = OffersAnswer.model_validate_json(response.content).answers
    expected = advisor.answer([ProductQuery(i, lang="ru") for i in ids])
    for answer, own in zip(answers, expected, strict=True):
        assert [p.product_id for p in answer.products] == [p.product_id for p in own.products]
        assert [p.probability for p in answer.products] == pytest.approx(
            [p.probability for p in own.products]
        )
        assert [[r.text for r in p.reasons] for p in answer.products] == [
            [r.text for r in p.reasons] for p in own.products
        ]
        assert [f.filter for f in answer.fired] == [f.filter for f in own.fired]
        assert (answer.control, answer.known, answer.model) == (own.control, True, bank.model.version)
    assert any(answer.products for answer in answers)


def test_a_channel_that_the_policy_lacks_is_422(client, bank) -> None:
    body = {"customer_ids": bank.ids[:1], "channel": "pigeon"}
    response = client.post("/products/recommendations", json=body)
    assert (response.status_code, response.json()["name"]) == (422, "channel")


def test_health_names_model_month_and_clients(bank, client) -> None:
    report = client.get("/health").json()
    assert (report["status"], report["checks"]) == ("ok", {"products": "ok", "panel": "ok"})
    assert report["products"]["version"] == bank.model.version
    assert (report["products"]["as_of"], report["products"]["n_clients"]) == (
        "2015-08",
        bank.panel.n_customers,
    )


def test_the_catalogue_knows_what_the_policy_closed(client) -> None:
    closed = {p["product_id"] for p in client.get("/products").json()["products"] if not p["open"]}
    assert closed == {"ind_ahor_fin_ult1", "ind_aval_fin_ult1", "ind_deco_fin_ult1", "ind_deme_fin_ult1"}


def test_a_new_month_in_the_store_is_known_without_a_restart(tmp_path) -> None:
    panel = tiny_panel(tmp_path, months=6)
    tiny_model(panel).save(tmp_path / "model", created=CREATED)
    app = create_app(products_folder=tmp_path / "model", panel_folder=tmp_path / "panel", config=QUICK)
    with AppClient(app) as client:
        assert client.get("/health").json()["products"]["as_of"] == "2015-06"
        tiny_panel(tmp_path, months=7)
        assert client.post("/admin/reload").json()["result"] == "swapped"
        assert client.get("/health").json()["products"]["as_of"] == "2015-07"


def test_a_shop_folder_is_refused_as_a_product_model(tmp_path) -> None:
    from service.shops import save_shop

    app = create_app(products_folder=save_shop(tmp_path / "shop"), config=QUICK)
    with AppClient(app) as client:
        health = client.get("/health")
        assert health.status_code == 503
        assert post_body(client, CURL_BODY).status_code == 503


@pytest.mark.server
def test_swaps_of_model_under_load_lose_no_request(bank, tmp_path) -> None:
    folder = tmp_path / "model"
    bank.model.save(folder, created=CREATED)
    newer = tiny_model(bank.panel, rng=1)
    statuses: Counter[int] = Counter()
    versions: Counter[str] = Counter()

    async def ask(client: httpx.AsyncClient, until: float) -> None:
        while time.monotonic() < until:
            headers = {"content-type": "application/json"}
            response = await client.post("/predict", content=CURL_BODY, headers=headers)
            statuses[response.status_code] += 1
            body = {"customer_ids": bank.ids[:3], "k": 1}
            response = await client.post("/products/recommendations", json=body)
            statuses[response.status_code] += 1
            versions.update(answer["model"] for answer in response.json()["answers"])

    async def load(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            asking = [asyncio.ensure_future(ask(client, time.monotonic() + 4)) for _ in range(4)]
            for day, model in ((1, newer), (2, bank.model)):
                await asyncio.sleep(1)
                await asyncio.to_thread(model.save, folder, created=CREATED + timedelta(days=day))
            await asyncio.gather(*asking)

    with ServerProcess(folder, store=bank.store, watch_interval_s=0.1) as server:
        asyncio.run(load(server.url))
    assert set(statuses) == {200}
    assert len(versions) == 2
    assert sum(statuses.values()) > 20


@pytest.mark.server
def test_the_command_line_serves_a_bank_with_its_flags(bank) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--model", str(bank.folder), "--store", str(bank.store), "--names", "code"]
    words += ["--port", str(port), "--quiet"]
    server = subprocess.Popen([sys.executable, "-m", "nextbest", *words], stderr=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                assert server.poll() is None, server.stderr.read()
                time.sleep(0.1)
        headers = {"content-type": "application/json"}
        response = httpx.post(f"{url}/predict", content=CURL_BODY, headers=headers, timeout=30)
        assert response.status_code == 200
        assert set(response.json()["predicted_products"]) <= set(bank.panel.schema.product_columns)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert server.returncode in (0, -signal.SIGTERM, os.EX_OK)


def test_the_flags_of_the_command_line_reach_the_service(bank, tmp_path, monkeypatch) -> None:
    from nextbest.cli import main

    seen = []
    monkeypatch.setattr(
        "nextbest.service.server.serve", lambda models, **options: seen.append((models, options))
    )
    words = [
        "serve",
        "--model",
        str(bank.folder),
        "--model",
        "shop",
        "--policy",
        "mine.toml",
        "--profiles-only",
        "--decision-log",
        str(tmp_path / "decisions"),
    ]
    assert main([*words, "--store", str(tmp_path), "--quiet"]) == 0
    ((models, options),) = seen
    assert models == [bank.folder, Path("shop")]
    assert (options["policy"], options["store"]) == ("mine.toml", tmp_path)
    assert options["config"] == ServiceConfig(
        product_names="seed", needs_panel=False, decision_log=tmp_path / "decisions"
    )


def test_a_wrong_policy_is_told_before_anything_starts(bank, tmp_path) -> None:
    from nextbest.errors import InputError

    with pytest.raises(InputError, match="policy"):
        serve(bank.folder, store=bank.store, port=0, policy=tmp_path / "none.toml")
