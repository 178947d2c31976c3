"""Every document keeps the same contract: JSON, figures with method or reason, two languages, the disclaimer."""

import json
import re
from datetime import date

import numpy as np
import polars as pl
import pytest

from charts_page.test_page import Page, at
from nextbest.charts_page.disclaimer import DISCLAIMER
from nextbest.charts_page.page import to_html
from nextbest.data.holdings.book import Book
from nextbest.errors import InputError
from nextbest.portfolio import documents
from nextbest.portfolio.metrics.catalogue import CATALOGUE, measure
from nextbest.portfolio.metrics_document import metrics_document
from nextbest.portfolio.peer_desk import PeerDesk
from nextbest.portfolio.peers.answers import Refusal
from nextbest.portfolio.plan.plan_document import SPECS
from nextbest.portfolio.plan.planner import plan
from nextbest.portfolio.plan.proposal import PlanConfig
from nextbest.portfolio.russian import in_russian
from nextbest.portfolio.tracking.tracker import track
from nextbest.portfolio.valuation import value
from portfolio.investor_books import BENCHMARK, CLIENT, NOW, workspace


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = workspace(tmp_path_factory.mktemp("store")) / "portfolio"
    with Book.open(folder, read_only=False) as book:
        track(book, NOW.date())
        desk = PeerDesk.of_book(book, folder, as_of=NOW.date())
        made = documents.report_document(book, CLIENT, desk, now=NOW, benchmark=BENCHMARK)
        desk.close()
        worth = value(book.account(CLIENT), book.market())
        others = set(book.investors()["client_id"]) - {CLIENT}
        yield made, measure(worth, benchmark=book.benchmark(BENCHMARK)), others, book


def test_a_report_holds_the_four_documents(report):
    made = report[0]
    assert [part["kind"] for part in made["documents"]] == ["metrics", "peers", "plan", "tracking"]
    assert made["as_of"] == "2021-10-29"


def test_every_document_keeps_the_contract(report):
    made = report[0]
    json.dumps(made, allow_nan=False)
    keys = {
        "kind",
        "client_id",
        "as_of",
        "currency",
        "period",
        "figures",
        "tables",
        "texts",
        "charts",
        "notes",
        "version",
    }
    for part in [made, *made["documents"]]:
        assert keys | {"disclaimer", "layout"} <= set(part)
        assert all(part["disclaimer"][language].startswith(DISCLAIMER[language]) for language in ("en", "ru"))
        assert len(part["texts"]["en"]) == len(part["texts"]["ru"])
        for name, figure in part["figures"].items():
            assert {"value", "unit", "method", "n", "alpha", "horizon", "title"} <= set(figure), name
            assert (figure["value"] is None) == ("reason" in figure), name
        for option in part["charts"].values():
            assert set(option["about"]["title"]) == {"en", "ru"}


def test_figures_are_the_catalogues_own(report):
    made, measured, _, _ = report
    figures = made["documents"][0]["figures"]
    assert list(figures) == list(CATALOGUE)
    for name, figure in figures.items():
        expected = measured[name].value
        assert figure["value"] == (None if expected is None else pytest.approx(expected, rel=1e-9)), name


def test_months_link_to_the_whole_and_shares_add_up(report):
    metrics = report[0]["documents"][0]
    growth = 1.0
    for _, _, percent in metrics["charts"]["monthly"]["series"][0]["data"]:
        growth *= 1 + percent / 100
    assert growth - 1 == pytest.approx(metrics["figures"]["twr"]["value"], abs=1e-4)
    assert sum(row["weight"] for row in metrics["tables"]["classes"]) == pytest.approx(1)
    gain = sum(row["gain"] for row in metrics["tables"]["classes"])
    assert gain == pytest.approx(metrics["figures"]["gain"]["value"], rel=1e-6)


def test_the_deepest_point_of_the_picture_is_the_figures(report):
    metrics = report[0]["documents"][0]
    deepest = min(
        value for _, value in metrics["charts"]["underwater"]["series"][0]["data"] if value is not None
    )
    assert deepest / 100 == pytest.approx(metrics["figures"]["max_drawdown"]["value"], abs=1e-5)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_figure_of_the_page_is_the_json_documents(report, language):
    made = report[0]
    page = Page(to_html(made, language=language))
    assert page.document == json.loads(json.dumps(made))
    assert len(page.data) > 200
    for pointer, shown, _ in page.data:
        found = at(page.document, pointer)
        assert shown == ("" if found is None else str(found)), pointer


def test_no_other_client_and_in_peers_and_plan_no_instrument(report):
    made, _, others, book = report
    text = json.dumps(made)
    assert not [client for client in others if client in text]
    for part in made["documents"][1:3]:
        assert part["mode"] == "information"
        said = json.dumps({key: part[key] for key in ("texts", "tables", "figures", "charts")})
        shares = book.assets().filter(book.assets()["asset_class"] == "equity")["asset_id"]
        assert not [asset for asset in shares if f'"{asset}"' in said]


def test_charts_of_all_documents_are_there(report):
    names = {part["kind"]: set(part["charts"]) for part in report[0]["documents"]}
    assert {"growth", "underwater", "monthly", "rolling", "distribution", "allocation"} <= names["metrics"]
    assert names["peers"] == {"allocation"}
    assert {"allocation", "goal"} <= names["plan"]
    assert {"growth", "underwater"} <= names["tracking"]


def test_a_client_who_never_traded_gets_a_document_without_figures(tmp_path):
    from portfolio.tracking.toy_books import plain_book

    with plain_book(tmp_path, {"AAA": [1.0, 2.0]}, "idle") as book:
        made = metrics_document(book, "idle")
        assert made["figures"] == {}
        assert "Nothing was ever held" in made["texts"]["en"][0]
        whole = documents.report_document(book, "idle", now=NOW)
    missing = {part["kind"]: part["texts"]["en"][0] for part in whole["documents"][1:]}
    assert missing["plan"].startswith("Not available: the client has no such goal")
    assert missing["tracking"].startswith("Not available: ")
    to_html(whole)


def test_nothing_after_the_day_asked_for_is_looked_at(report):
    early = metrics_document(report[3], CLIENT, until=date(2020, 6, 30))
    assert early["as_of"] == "2020-06-30"
    assert early["charts"]["growth"]["series"][0]["data"][-1][0] == "2020-06-30"


def test_unknown_clients_and_benchmarks_are_told(report):
    book = report[3]
    with pytest.raises(InputError, match="client: must be an investor of the book; got 'nobody'"):
        metrics_document(book, "nobody")
    with pytest.raises(InputError, match="benchmark: must be one of"):
        metrics_document(book, CLIENT, benchmark="NONE")


def test_a_report_of_an_earlier_day_ends_on_it_and_needs_no_plan(report):
    book, early = report[3], NOW.replace(year=2019, month=6, day=28)
    made = documents.report_document(book, CLIENT, now=early)
    metrics, plan, tracking = made["documents"]
    assert (metrics["as_of"], tracking["as_of"]) == ("2019-06-28", "2019-06-28")
    assert "hold 17 month(s)" in plan["texts"]["en"][0]


def test_a_benchmark_is_told_in_the_portfolios_currency(report):
    book = report[3]
    market = book.market(currency="USD")
    made = metrics_document(book, CLIENT, benchmark=BENCHMARK, currency="USD")
    days, closes = book.benchmark(BENCHMARK)
    rate = dict(zip(market.days_T, market.rates["RUB"], strict=True))
    both = [(d, c * rate[d]) for d, c in zip(days, closes, strict=True) if d in rate and rate[d] > 0]
    told = (np.array([d for d, _ in both]), np.array([c for _, c in both]))
    worth = value(book.account(CLIENT), market, currency="USD")
    for name in ("beta", "tracking_error", "information_ratio"):
        if name in made["figures"]:
            expected = measure(worth, benchmark=told)[name].value
            assert made["figures"][name]["value"] == pytest.approx(expected, rel=1e-9), name


def test_an_answer_of_a_later_day_is_repeated_with_a_note_and_is_no_part_of_a_plan(tmp_path):
    folder = workspace(tmp_path) / "portfolio"
    early = NOW.replace(year=2020, month=6, day=30)
    with Book.open(folder) as book:
        desk = PeerDesk.of_book(book, folder, as_of=NOW.date())
        late = documents.peers_document(book, CLIENT, desk, now=NOW)
        made = documents.make_plan(book, CLIENT, desk, now=early)
        again = documents.peers_document(book, CLIENT, desk, now=early)
        desk.close()
    assert late["notes"] == []
    assert made.peers is None
    assert (again["as_of"], again["notes"][0]["code"]) == ("2021-10-29", "repeated")


def test_peers_are_asked_with_the_wealth_in_the_clients_own_currency(tmp_path):
    asked = []

    class Gate:
        def ask(self, peers, profile, **_):
            asked.append(profile)
            return Refusal("too_few_peers")

    folder = workspace(tmp_path) / "portfolio"
    with Book.open(folder, read_only=False) as book:
        row = book.goals(CLIENT).head(1)
        dollars = row.with_columns(goal_id=pl.lit("usd"), currency=pl.lit("USD"), horizon_years=pl.lit(9.0))
        book.add("goals", dollars)
        for goal in (row["goal_id"][0], "usd"):
            plan(CLIENT, book, object(), gate=Gate(), now=NOW, goal_id=goal, config=PlanConfig(n_paths=100))
    assert asked[0]["currency"] == asked[1]["currency"] == "RUB"
    assert asked[1]["wealth"] == pytest.approx(asked[0]["wealth"])


def sentences(document):
    """What a client reads of a document beside its texts: methods, horizons, notes."""
    for figure in document["figures"].values():
        yield figure["method_text"]
        if figure["horizon"] is not None:
            yield figure["horizon_text"]
    yield from document["notes"]


def test_methods_notes_and_reasons_are_russian_for_who_reads_russian(report):
    whole = report[0]
    seen = 0
    for document in whole["documents"]:
        for words in sentences(document):
            assert words["ru"] != words["en"], words
            left = re.sub(
                r"TWR|XIRR|CAGR|ACT/365F|ddof|null|details|ln|rf|[gbrG]\d?|[A-Z]{2,}\d*", "", words["ru"]
            )
            assert not re.search(
                r"[A-Za-z]{3,}|\d{4}-\d{2}|\d\.\d", re.sub(r"(\d\d\.)?\d\d\.\d{4}", "", left)
            ), words["ru"]
            seen += 1
    assert seen > 60


def test_every_convention_and_every_reason_has_a_russian_pair():
    for spec in [*CATALOGUE.values(), *SPECS.values()]:
        assert in_russian(spec.convention) is not None, spec.name


def test_a_part_that_cannot_be_made_says_why_in_both_languages(report):
    book = report[3]
    late = documents.report_document(book, CLIENT, now=NOW.replace(year=2090))
    told = {part["kind"]: part["texts"] for part in late["documents"]}["plan"]
    assert told["en"] == [
        "Not available: the time of the goal is over; renew the profile and its goals in the book."
    ]
    assert told["ru"] == ["Недоступно: срок цели прошёл; обновите профиль и цели."]


def test_days_in_russian_words_are_russian(report):
    for document in report[0]["documents"]:
        for text in document["texts"]["ru"]:
            assert not re.search(r"\d{4}-\d{2}-\d{2}", text), text
        for option in document["charts"].values():
            assert not re.search(r"\d{4}-\d{2}-\d{2}", option["about"].get("caption", {}).get("ru", ""))
