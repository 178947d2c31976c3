"""Forecasts over HTTP, through the real application over a workspace of simulated candles."""

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbest.data.prices.reading import check_candles
from nextbest.data.prices.store import PriceStore
from nextbest.market.base import make_forecaster
from nextbest.market.forecast_table import forecast_table
from nextbest.market.standing import keep_leaderboard, leaderboard_file
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.market.schemas import (
    FORECAST_EXAMPLES,
    ForecastAnswer,
    ForecastDocument,
    ForecastRequest,
)
from nextbest.simulate.market import random_walks
from service.conftest import QUICK
from service.running import AppClient

DAY = timedelta(days=1)
MARKET = random_walks(n_assets=3, n_bars=120, rng=5)
START = datetime(2024, 1, 1, tzinfo=UTC)


def add(folder, table, step=DAY):
    PriceStore.open(folder).add(check_candles(table, step=step, name="test"))


def filled(folder):
    """Three assets: one with a slash in its name, and one that ended ten bars before the others."""
    table = MARKET.panel.table().with_columns(
        pl.col("asset_id").replace({"SIM000": "BTC/USDT", "SIM001": "ETH", "SIM002": "GONE"})
    )
    late = table["time"].max() - 10 * DAY
    add(folder, table.filter((pl.col("asset_id") != "GONE") | (pl.col("time") <= late)))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def client(folder):
    with AppClient(create_app(market_folder=folder, config=QUICK)) as client:
        yield client


def own(n=40, **changes):
    """A body with a series of the caller's own."""
    close = 10 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, n)))
    candles = [{"time": (START + d * DAY).isoformat(), "close": float(c)} for d, c in enumerate(close)]
    return {
        "asset_id": "mine",
        "step": "1d",
        "model": "rw_gauss",
        "horizons": [1],
        "candles": candles,
    } | changes


def problem(response, status=422):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()


def test_a_forecast_holds_the_quantiles_of_the_library_and_the_words_of_the_law(client, folder):
    response = client.get("/assets/ETH/forecast?model=rw_ewma&horizons=1,5&levels=0.05")
    found = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    expected = forecast_table(
        PriceStore.open(folder).panel(DAY), make_forecaster("rw_ewma"), horizons=(1, 5), levels=(0.05,)
    ).table.filter(asset_id="ETH")
    for at, row in zip(found["forecasts"], expected.to_dicts(), strict=True):
        assert (at["horizon"], at["time"]) == (row["horizon"], row["time"].isoformat())
        assert [at["quantiles"]["0.05"], at["q10"], at["q50"], at["q90"]] == [row[c] for c in ("q5", "q10", "q50", "q90")]  # fmt: skip
        assert at["mean"] is None
    assert found["disclaimer"]["ru"].startswith("Не является индивидуальной")
    assert found["standing"]["headline"] == {"en": "never tested here", "ru": "здесь не проверялась"}
    ForecastDocument.model_validate_json(response.content)


def test_an_asset_s_name_may_have_a_slash_plain_or_escaped(client):
    answers = [client.get(f"/assets/{name}/forecast") for name in ("BTC/USDT", "BTC%2FUSDT")]
    assert [a.json()["asset_id"] for a in answers] == ["BTC/USDT"] * 2
    assert answers[0].json()["model"] == "rw_hist_sim"
    assert [f["horizon"] for f in answers[0].json()["forecasts"]] == [1, 6, 24]


def test_each_asset_is_answered_from_its_own_last_bar_in_the_order_asked(client):
    found = client.post("/forecasts", json={"asset_ids": ["GONE", "ETH"], "model": "rw_gauss"}).json()[
        "forecasts"
    ]
    assert [f["asset_id"] for f in found] == ["GONE", "ETH"]
    gone, eth = (datetime.fromisoformat(f["cutoff"]) for f in found)
    assert eth - gone == 10 * DAY


def test_the_standing_is_that_of_the_last_bench(tmp_path):
    filled(tmp_path)
    rows = [
        {"model": "rw_gauss", "horizon": 1, "crps_x100": 2.0, "spa_crps_p": 0.4, "n_dates": 24},
        {"model": "drift", "horizon": 1, "crps_x100": 1.9, "crps_relative": 0.95, "dm_crps_t": -1.1, "dm_crps_p": 0.28, "n_dates": 24},
    ]  # fmt: skip
    origins = {"n": 24, "first": "2024-03-01", "last": "2024-04-01"}
    with AppClient(create_app(market_folder=tmp_path, config=QUICK)) as client:
        ask = "/assets/ETH/forecast?model=drift&horizons=1"
        assert client.get(ask).json()["standing"]["verdict"] == "never_tested"
        keep_leaderboard(tmp_path, DAY, {"rows": rows, "assets": ["ETH"], "origins": origins})
        found = client.get(ask).json()
        assert found["standing"]["headline"]["en"] == "not better than a random walk"
        (row,) = found["standing"]["horizons"]
        assert (row["dm_p"], row["spa_p"], row["n_origins"]) == (0.28, 0.4, 24)
        assert found["standing"]["asset_tested"]
        assert "не лучше случайного блуждания" in found["texts"]["ru"][2]
        mine = client.post("/forecasts", json=own(asset_id="ETH", model="drift")).json()["forecasts"][0]
        assert mine["standing"]["asset_tested"] is False  # somebody's series of that name isn't ours
        leaderboard_file(tmp_path, DAY).write_text("half a docu")
        assert "nextbest market bench" in problem(client.get(ask), 500)["remedy"]


def test_a_model_is_fitted_once_until_a_new_bar_comes(tmp_path):
    filled(tmp_path)
    app = create_app(market_folder=tmp_path, config=QUICK)
    part = app.state.service.market
    with AppClient(app) as client:
        before = [client.get("/assets/ETH/forecast?model=rw_gauss").json() for _ in range(3)]
        client.get("/assets/BTC/USDT/forecast?model=rw_gauss")  # the same fit answers every asset
        assert part.n_fits == 1
        assert "nextbest_market_fits 1.0" in client.get("/metrics").text
        last = MARKET.panel.time_T[-1].item().replace(tzinfo=UTC)
        add(tmp_path, pl.DataFrame({"asset_id": ["ETH"], "time": [last + DAY], "open": [55.0], "high": [55.0], "low": [55.0], "close": [55.0], "volume": [1.0]}, schema_overrides={"time": pl.Datetime("us", "UTC")}))  # fmt: skip
        after = client.get("/assets/ETH/forecast?model=rw_gauss").json()
        assert part.n_fits == 2
    assert before[0] == before[2]
    assert (before[0]["close"] != 55.0, after["close"]) == (True, 55.0)


def test_a_stranger_s_series_is_answered_and_not_kept(client, folder):
    before = sorted(path.name for path in folder.rglob("*"))
    body = own()
    response = client.post("/forecasts", json=body)
    (found,) = response.json()["forecasts"]
    assert response.status_code == 200
    assert found["close"] == body["candles"][-1]["close"]
    assert found["forecasts"][0]["time"] == (START + 40 * DAY).isoformat()
    assert found["forecasts"][0]["q10"] < found["close"] < found["forecasts"][0]["q90"]
    assert sorted(path.name for path in folder.rglob("*")) == before
    ForecastAnswer.model_validate_json(response.content)
    naive = own(candles=[{**c, "time": c["time"][:19]} for c in body["candles"]])
    assert client.post("/forecasts", json=naive).json() == response.json()


def changed(at, **values):
    candles = own()["candles"]
    candles[at] = candles[at] | values
    return own(candles=candles)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (changed(3, close=0.0), "/candles/3/close"),
        (changed(3, close=-1.0), "/candles/3/close"),
        (changed(3, close=None), "/candles/3/close"),
        (changed(3, close=float("nan")), "/candles/3/close"),
        (changed(3, close=float("inf")), "/candles/3/close"),
        (changed(3, volume=-1.0), "/candles/3/volume"),
        (changed(3, time="soon"), "/candles/3/time"),
        (changed(3, time="0001-01-01T00:00:00+14:00"), "years 1 to 9999"),
        (changed(3, time=own()["candles"][4]["time"]), "duplicate_conflict"),
        (changed(3, time="2024-01-04T07:13:00Z"), "off_step"),
        (changed(3, high=0.1, low=0.2), "ohlc_inconsistent"),
        (own(candles=own()["candles"][:1]), "3 bars or more; got 1"),
        (own(model="har"), "bars or more; got 40"),
        (own(candles=[]), "/candles"),
        (own(horizons=[11]), "at most 10, a quarter of the 40 bars"),
        (own(horizons=[100_000]), "at most 500"),
        (own(horizons=[0]), "/horizons/0"),
        (own(horizons=[]), "/horizons"),
        (own(levels=[1.0]), "/levels/0"),
        (own(model="oracle"), "model: must be one of"),
        (own(model="chronos_2"), "model: must be one of"),  # a request fetches no weights
        (own(step="soon"), "/step"),
        (own(step=None), "need their step"),
        (own(asset_id=None, asset_ids=["a"]), "candles are of one asset_id"),
        ({"asset_ids": ["DOGE"]}, "unknown among the candles of 1d"),
        ({"asset_ids": ["ETH"], "step": "1h"}, "must be one of ['1d']"),
        ({"asset_ids": []}, "/asset_ids"),
        ({}, "either asset_ids or asset_id"),
    ],
)
def test_bad_bodies_are_told_in_the_words_of_the_library_and_without_a_path(client, folder, body, told):
    response = client.post("/forecasts", content=json.dumps(body).encode(), headers={"content-type": "application/json"})  # fmt: skip
    found = problem(response)
    assert told in found["detail"] + json.dumps(found.get("errors", []))
    assert str(folder) not in response.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/assets/DOGE/forecast", "asset_id"),
        ("/assets/ETH/forecast?model=oracle", "model: must be one of"),
        ("/assets/ETH/forecast?horizons=0", "horizons"),
        ("/assets/ETH/forecast?horizons=31", "at most 30"),
        ("/assets/ETH/forecast?horizons=soon", "horizons"),
        ("/assets/ETH/forecast?levels=2", "levels"),
        ("/assets/ETH/forecast?levels=1.2.3", "levels"),
        ("/assets/ETH/forecast?model=lgbm_quantile&levels=0.01", "levels"),
        ("/assets/ETH/forecast?step=4h", "step"),
        ("/assets/ETH/forecast?step=", "step"),
        ("/assets/ETH/forecast?horizon=3", "query"),
        ("/assets/ETH/forecast?model=drift&model=har", "given once"),
    ],
)
def test_bad_queries_are_told(client, folder, path, told):
    response = client.get(path)
    assert told in problem(response)["detail"]
    assert str(folder) not in response.text


def test_a_flat_line_and_a_wild_one_are_answered_or_refused_but_never_an_error_of_the_service(client):
    for closes in ([5.0] * 200, [1e-300, 1e300] * 100, [5.0] * 199 + [1e308]):
        candles = [{"time": (START + d * DAY).isoformat(), "close": c} for d, c in enumerate(closes)]
        for model in ("rw_hist_sim", "rw_gauss", "rw_ewma", "drift", "seasonal_naive", "har"):
            response = client.post("/forecasts", json=own(model=model, candles=candles))
            assert response.status_code in (200, 422), (model, closes[-1], response.text)


def test_no_candles_a_broken_file_and_two_steps(tmp_path):
    with AppClient(create_app(market_folder=tmp_path, config=QUICK)) as client:
        assert "nextbest market ingest" in problem(client.get("/assets/ETH/forecast"), 503)["detail"]
        assert client.get("/health").json()["checks"] == {"market": "ok"}  # own series are answered
        assert client.post("/forecasts", json=own()).status_code == 200
        filled(tmp_path)
        add(tmp_path, random_walks(n_bars=50, step=timedelta(hours=1)).panel.table(), timedelta(hours=1))
        assert "['1h', '1d']" in problem(client.get("/assets/ETH/forecast"))["detail"]
        assert client.get("/assets/ETH/forecast?step=1d").status_code == 200
        PriceStore.open(tmp_path).folder.joinpath("1d/ETH.parquet").write_bytes(b"no parquet")
        broken = client.get("/assets/ETH/forecast?step=1d")
        assert "ETH.parquet" in problem(broken, 500)["detail"]
        health = client.get("/health")
        assert (health.status_code, "ETH.parquet" in health.json()["checks"]["market"]) == (503, True)
        assert str(tmp_path) not in broken.text + health.text


def test_a_model_that_raises_is_told_with_its_words_and_the_others_go_on(client, monkeypatch):
    def explode(*_, **__):
        raise ZeroDivisionError("no variance")

    monkeypatch.setattr("nextbest.market.classical.walks.Drift.forecast", explode)
    found = problem(client.get("/assets/ETH/forecast?model=drift&horizons=2"), 500)
    assert "drift: failed: ZeroDivisionError: no variance" in found["detail"]
    assert client.get("/assets/ETH/forecast?model=rw_gauss&horizons=2").status_code == 200


def test_more_questions_than_may_wait_are_refused_and_health_answers_meanwhile(folder, monkeypatch):
    slow = make_forecaster("rw_gauss").fit
    monkeypatch.setattr("nextbest.market.classical.walks.GaussianWalk.fit", lambda *a, **k: (time.sleep(0.5), slow)[0])  # fmt: skip
    config = ServiceConfig(
        max_forecasts_pending=1, watch_interval_s=3600, retry_after_s=4, health_timeout_s=0.4
    )
    with AppClient(create_app(market_folder=folder, config=config)) as client:
        waiting = [client.later("GET", "/assets/ETH/forecast?model=rw_gauss") for _ in range(4)]
        assert client.get("/health").json()["checks"] == {"market": "ok"}
        answers = [answer.result(60) for answer in waiting]
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503, 503]
    assert {a.headers.get("retry-after") for a in answers if a.status_code == 503} == {"4"}


def test_the_openapi_document_describes_both_routes_and_its_examples_are_answered(client):
    document = client.get("/openapi.json").json()
    get = document["paths"]["/assets/{asset_id}/forecast"]["get"]
    assert {p["name"] for p in get["parameters"]} == {"asset_id", "model", "step", "horizons", "levels"}
    assert document["paths"]["/forecasts"]["post"]["requestBody"]["required"]
    pending = [document]
    while pending:  # every reference resolves
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                target = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    for value in FORECAST_EXAMPLES.values():
        ForecastRequest.model_validate(value)
    ForecastDocument.model_validate(document["components"]["schemas"]["ForecastDocument"]["examples"][0])
    answer = client.post("/forecasts", json=FORECAST_EXAMPLES["a series of one's own"])
    assert answer.status_code == 200


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["ETH", "1d", "rw_gauss", "2024-01-01"]))  # fmt: skip
bars = st.fixed_dictionaries({"time": st.sampled_from([c["time"] for c in own()["candles"]]) | leaves, "close": st.floats(1e-3, 1e3) | leaves})  # fmt: skip
bodies = st.fixed_dictionaries(
    {},
    optional={
        "asset_id": leaves,
        "asset_ids": st.lists(leaves, max_size=3),
        "candles": st.lists(bars, max_size=9),
        "step": st.sampled_from(["1d", "1h", "999999w"]) | leaves,
        "model": st.sampled_from(["rw_gauss", "drift"]) | leaves,
        "horizons": st.lists(leaves, max_size=3),
        "levels": st.lists(leaves, max_size=3),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies | leaves)
def test_any_json_is_answered_or_refused(client, body):
    response = client.post("/forecasts", content=json.dumps(body).encode(), headers={"content-type": "application/json"})  # fmt: skip
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=st.dictionaries(st.sampled_from(["model", "step", "horizons", "levels", "x"]), st.text(max_size=12), max_size=3))  # fmt: skip
def test_any_query_is_answered_or_refused(client, query):
    response = client.get("/assets/ETH/forecast", params=query)
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
