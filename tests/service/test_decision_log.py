"""Offers that the service answered, kept: whole under concurrency, and never at the price of an answer."""

import fcntl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.products.profile import ProfileForm
from nextbest.pipeline.products.query import Decided, ProductAnswer, ProductQuery
from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from nextbest.service.products.engine import an_adult, warm_up
from pipeline.decisions.worlds import decided, policy
from service.banks import KNOWN, FakeBank, client_with, save_bank
from service.conftest import QUICK
from service.running import AppClient
from service.test_system import metric

PATH = "/products/recommendations"
P = (0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


class DecidingBank(FakeBank):
    """Offers carry the decisions that led to them, as the advisor's do."""

    def answer(self, queries: Sequence[ProductQuery]) -> Sequence[ProductAnswer]:
        """The script's answers, each with its place in one batch of decisions."""
        ids = [0 if query.customer_id is None else query.customer_id for query in queries]
        made = decided([P] * len(ids), policy(), ids=ids, clients_repeat=True, model_version="m-1")
        return [
            replace(answer, decided=Decided(made, n)) if query.purpose == "offer" else answer
            for n, (query, answer) in enumerate(zip(queries, super().answer(queries), strict=True))
        ]


def bank(tmp_path: Path, log: Path | None, **limits: float) -> AppClient:
    config = QUICK.model_copy(update={"decision_log": log, **limits})
    return AppClient(
        create_app(products_folder=save_bank(tmp_path / "m"), load_products=DecidingBank, config=config)
    )


def test_offers_of_concurrent_requests_are_one_whole_chain(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "log")
    with bank(tmp_path, log.folder, queue_timeout_s=60.0) as client:  # however slow the machine
        asked = [
            client.later("POST", PATH, json={"customer_ids": [100 * n + m for m in range(3)], "k": 1})
            for n in range(30)
        ]
        assert {one.result(60).status_code for one in asked} == {200}
        log.verify()  # while the service holds it
        assert len(log.read()) == 90  # on disk before the answer
        assert client.post(PATH, json={"customer_ids": [1, 2, 1]}).status_code == 200
        text = client.get("/metrics").text
    head, table = log.verify(), log.read()
    assert head.n_records >= 2
    assert set(table["customer_id"]) == {100 * n + m for n in range(30) for m in range(3)} | {1, 2}
    many = table.filter(pl.col("customer_id") >= 100)
    assert many["rank"].to_list() == [1] * 87  # k=1: one place was shown
    assert (table["model_version"].unique().to_list(), table["decided_at"].null_count()) == (["m-1"], 0)
    assert metric(text, "nextbest_decision_log_errors_total") == 0


def test_forecasts_probes_and_first_questions_are_not_kept(tmp_path: Path) -> None:
    with bank(tmp_path, tmp_path / "log") as client:
        assert client.post("/predict", json=client_with()).status_code == 200
        assert client.get("/health").status_code == 200
        assert client.post(PATH, json={"customer_ids": []}).status_code == 422
        text = client.get("/metrics").text
        assert not (tmp_path / "log").exists()
        assert "nextbest_product_answers_total{" in text
        assert metric(text, 'nextbest_product_answers_total{known="false"}') == 1  # the forecast alone


@pytest.mark.parametrize("ruin", ["a file", "a broken chain"])
def test_a_log_that_refuses_costs_no_answer_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ruin: str
) -> None:
    folder = tmp_path / "log"
    if ruin == "a file":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder / "chain.jsonl").write_text("no record\n")
    with bank(tmp_path, folder) as client:
        response = client.post(PATH, json={"customer_ids": [KNOWN, 5]})
        assert (response.status_code, len(response.json()["answers"])) == (200, 2)
        text = client.get("/metrics").text
    assert metric(text, "nextbest_decision_log_errors_total") == 1
    assert "decisions not kept" in caplog.text


def test_a_slow_disk_holds_an_answer_up_for_so_long_only_and_still_gets_the_record(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "log")
    log.append_answers([decided([P], policy())])
    with log.chain.path.open("ab") as held, bank(tmp_path, log.folder, queue_timeout_s=2.0) as client:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            assert client.post(PATH, json={"customer_ids": [5]}).status_code == 200
            assert log.chain.head().n_records == 1
        finally:
            fcntl.flock(held, fcntl.LOCK_UN)
    assert log.verify().n_records == 2  # the stop waited for it
    assert 5 in log.read()["customer_id"]


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    assert ServiceConfig().decision_log is None
    with bank(tmp_path, None) as client:
        assert client.post(PATH, json={"customer_ids": [KNOWN]}).status_code == 200
    assert {path.name for path in tmp_path.iterdir()} == {"m"}


# --- first questions -----------------------------------------------------------------------------------
def test_first_questions_are_about_an_adult_whom_a_bank_may_address(tmp_path: Path) -> None:
    engine = FakeBank(save_bank(tmp_path))
    warm_up(engine)
    forecast, offer = engine.queries
    assert (forecast.purpose, offer.purpose, offer.explain) == ("predict", "offer", True)
    assert forecast.profile == offer.profile == an_adult(engine)
    assert offer.customer_id is None
    values = an_adult(engine).values
    assert (values["age"], values["ind_empleado"], values["indfall"], values["indresi"]) == (
        35,
        "N",
        "N",
        "S",
    )
    assert an_adult(engine).ignored == ()
    assert an_adult(engine).month == engine.newest_month
    engine.newest_month = None
    assert an_adult(engine).month.isoformat() == "2016-05-28"


def test_first_questions_of_another_schema_name_what_it_reads_alike_and_an_age(tmp_path: Path) -> None:
    engine = FakeBank(save_bank(tmp_path))
    engine.schema = PanelSchema(
        "toy",
        "id",
        "month",
        (Product("card", "Card", "Карта"),),
        (Attribute("years", "integer", low=0, high=120), Attribute("renta", "date")),
        roles={"age": "years"},
        id_kind="text",
    )
    engine.form = ProfileForm(engine.schema)
    assert an_adult(engine).values == {"years": 35}
