"""`nextbest portfolio ...` as scripts call it."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.holdings.book import Book
from nextbest.portfolio.metrics.catalogue import measure
from nextbest.portfolio.plan.journal import FOLDER, Journal
from nextbest.portfolio.worth import worth_of
from nextbest.version import __version__
from portfolio.investor_books import BENCHMARK, CLIENT, answers, workspace, write_house_list

TODAY = ["--as-of", "2021-10-29"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return workspace(tmp_path_factory.mktemp("store"))


def run(capsys, *args):
    code = main(["portfolio", *map(str, args), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_metrics_has_the_keys_that_scripts_rely_on(capsys, store):
    code, found = run(capsys, "metrics", CLIENT, "--store", store, "--benchmark", BENCHMARK)
    assert code == 0
    assert found["client_id"] == CLIENT
    assert {"value", "method", "n", "unit"} <= set(found["metrics"]["twr_ann"])
    assert found["metrics"]["twr_ann"] == found["figures"]["cagr"]
    with Book.open(store / "portfolio") as book:
        expected = measure(worth_of(book, CLIENT)[0], benchmark=book.benchmark(BENCHMARK))
    assert found["metrics"]["beta"]["value"] == pytest.approx(expected["beta"].value, rel=1e-12)
    assert found["metrics"]["twr_ann"]["value"] == pytest.approx(expected["cagr"].value, rel=1e-12)


@pytest.mark.parametrize("command", ["peers", "plan", "track"])
def test_each_document_is_printed(capsys, store, command):
    code, found = run(capsys, command, CLIENT, "--store", store, *TODAY)
    assert (code, found["client_id"]) == (0, CLIENT)
    assert found["kind"] == {"track": "tracking"}.get(command, command)


def test_a_report_is_printed_and_written_with_the_same_figures(capsys, store, tmp_path):
    page = tmp_path / "report.html"
    code, found = run(capsys, "report", CLIENT, "--store", store, *TODAY, "--html", page, "--language", "ru")
    assert code == 0
    text = page.read_text(encoding="utf-8")
    start = text.index('id="document">') + len('id="document">')
    assert json.loads(text[start : text.index("</script>", start)]) == found


def test_a_kept_plan_is_what_tracking_holds_the_client_against(capsys, tmp_path):
    store = workspace(tmp_path)  # not the others': days they have tracked are not told anew for a later plan
    assert run(capsys, "plan", "c000005", "--store", store, "--as-of", "2021-09-30", "--keep")[0] == 0
    _, found = run(capsys, "track", "c000005", "--store", store, *TODAY)
    assert found["tables"]["plan"]
    told = [row for row in found["tables"]["history"] if row["probability"] is not None]
    assert told
    assert all(0 <= row["probability"] <= 1 for row in told)
    assert "allocation" in found["charts"]


def test_people_get_words_and_figures(capsys, store):
    assert main(["portfolio", "metrics", CLIENT, "--store", str(store)]) == 0
    said = capsys.readouterr().out
    assert "Annual growth (CAGR): " in said
    assert "not an individual investment recommendation" in said


def test_an_unknown_client_is_a_wrong_call_that_names_nobody_else(capsys, store):
    code, found = run(capsys, "report", "nobody", "--store", store, *TODAY)
    assert code == 2
    assert found["detail"] == "client: must be an investor of the book; got 'nobody'"


def test_without_a_book_the_remedy_is_told(capsys, tmp_path):
    code, found = run(capsys, "metrics", CLIENT, "--store", tmp_path)
    assert code == 2
    assert "holds no book" in found["detail"]


def test_tables_are_read_in_their_order_and_bad_rows_are_counted(capsys, tmp_path):
    files = {
        "trades": "trade_id,client_id,asset_id,day,quantity,price\nt1,ann,A,2024-01-02,5,10\nt2,ann,A,2024-01-03,-9,10\n",
        "prices": "asset_id,day,close\nA,2024-01-02,10\nA,2024-01-03,11\nA,2024-01-04,0\n",
        "assets": "asset_id,title,asset_class,currency\nA,Share A,equity,RUB\n",
        "investors": "client_id,currency,birth_year,risk_tolerance,risk_capacity,knowledge,profiled_at\nann,RUB,1980,3,3,3,2024-01-01\n",
    }
    sources = []
    for kind, text in files.items():
        (tmp_path / f"{kind}.csv").write_text(text)
        sources.append(f"{kind}={tmp_path / f'{kind}.csv'}")
    code, found = run(capsys, "ingest", *sources, "--store", tmp_path / "store")
    assert code == 0
    assert [table["kind"] for table in found["tables"]] == ["assets", "asset_prices", "investors", "trades"]
    assert (found["read"], found["stored"], found["quarantined"]) == (7, 5, 2)
    _, again = run(capsys, "ingest", *sources, "--store", tmp_path / "store")
    assert again["added"] == 0
    _, metrics = run(capsys, "metrics", "ann", "--store", tmp_path / "store")
    assert metrics["metrics"]["twr"]["value"] == pytest.approx(0.1)


def test_simulate_writes_a_book(capsys, tmp_path):
    code, found = run(capsys, "simulate", "--out", tmp_path, "--scale", 5)
    assert code == 0
    assert {
        table["kind"]: table["stored"] if "stored" in table else table["kept"] for table in found["tables"]
    }["investors"] == 5


@pytest.mark.parametrize(("expected", "code", "passed"), [(-0.0955, 0, 1), (0.5, 1, 0)])
def test_examples_are_checked_and_a_failed_one_is_exit_code_1(capsys, tmp_path, expected, code, passed):
    example = {
        "id": "npf-irr", "topic": "IRR", "inputs": {"cash_flows": [-100, 0, 0, 74]},
        "expected": expected, "tol": 5e-5, "source": "numpy-financial", "verified": True,
    }  # fmt: skip
    file = tmp_path / "examples.json"
    file.write_text(json.dumps([example]))
    if code:
        with pytest.raises(SystemExit) as stopped:
            main(["portfolio", "examples", str(file), "--json"])
        assert stopped.value.code == 1
    else:
        assert main(["portfolio", "examples", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"], len(found["rows"])) == (passed, 1 - passed, 1)


@pytest.mark.parametrize(
    "wrong", [["ingest", "nothing"], ["ingest", "bonds=x.csv"], ["plan", "c", "--as-of", "soon"]]
)
def test_a_wrong_call_is_exit_code_2(capsys, wrong):
    with pytest.raises(SystemExit) as stopped:
        main(["portfolio", *wrong])
    assert stopped.value.code == 2
    assert "must be" in capsys.readouterr().err


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A workspace whose client has a goal that isn't over by the clock, answers and a house's list."""
    folder = workspace(tmp_path_factory.mktemp("house"))
    with Book.open(folder / "portfolio", read_only=False) as book:
        goal = book.goals(CLIENT).head(1)
        book.add("goals", goal.with_columns(goal_id=pl.lit("far"), horizon_years=pl.lit(40.0)))
    (folder / "answers.json").write_text(json.dumps(answers()))
    write_house_list(folder / "portfolio", folder / "house.toml")
    return folder


def advise(capsys, house, *args):
    return run(capsys, "plan", CLIENT, "--store", house, "--goal", "far", "--advice", *args)


def ago(days):
    return str(datetime.now(UTC).date() - timedelta(days=days))


def test_advice_is_refused_where_it_is_not_switched_on(capsys, house, monkeypatch):
    monkeypatch.delenv("NEXTBEST_ADVICE", raising=False)
    code, found = advise(capsys, house, "--answers", house / "answers.json")
    assert (code, found["refusal"]["refused"], found["mode"]) == (0, "advice_off", "information")
    assert found["texts"] == {
        "en": ["Individual recommendations are not switched on here.", *found["texts"]["en"][1:]],
        "ru": ["Индивидуальные рекомендации здесь не включены.", *found["texts"]["ru"][1:]],
    }
    assert "instruments" not in found["tables"]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ((), "no_questionnaire"),
        (("--answered-on", 366), "profile_expired"),
        (("--answered-on", -3), "profile_from_the_future"),
    ],
)
def test_advice_without_a_fresh_questionnaire_is_refused_and_the_refusal_is_in_the_journal(
    capsys, house, monkeypatch, given, refused
):
    monkeypatch.setenv("NEXTBEST_ADVICE", str(house / "house.toml"))
    more = ("--answers", house / "answers.json", given[0], ago(given[1])) if given else ()
    code, found = advise(capsys, house, *more)
    assert (code, found["refusal"]["refused"]) == (0, refused)
    assert "instruments" not in found["tables"]
    assert "-0" not in json.dumps(found["texts"])
    assert run(capsys, "journal", "--store", house)[1]["entries"][-1]["result"] == {"refused": refused}


def test_advice_names_instruments_and_is_kept_with_inputs_version_and_reason(capsys, house, monkeypatch):
    monkeypatch.setenv("NEXTBEST_ADVICE", str(house / "house.toml"))
    code, found = advise(capsys, house, "--answers", house / "answers.json", "--answered-on", ago(200))
    assert (code, found["mode"]) == (0, "advice")
    told = {row["asset_id"]: row["weight"] for row in found["tables"]["instruments"]}
    assert told
    assert sum(told.values()) <= 1 + 1e-9
    assert found["disclaimer"]["en"].startswith("Individual investment recommendation")
    entry = run(capsys, "journal", "--store", house, "--client", CLIENT)[1]["entries"][-1]
    assert entry["result"]["instruments"] == told
    assert (entry["client_id"], entry["version"]) == (CLIENT, __version__)
    assert entry["inputs"]["profile"]["profiled_on"] == ago(200)
    assert date.fromisoformat(entry["at"][:10]) >= date.fromisoformat(found["as_of"])
    assert entry["reason"]["en"] in found["texts"]["en"]
    assert main(["portfolio", "journal", "--store", str(house)]) == 0
    assert f"{CLIENT}  {next(iter(told))} " in capsys.readouterr().out
    assert run(capsys, "journal", "--store", house, "--client", "nobody")[1] == {"entries": []}
    journal = Journal(house / "portfolio" / FOLDER).path
    kept = journal.read_text(encoding="utf-8")
    journal.write_text(kept.replace(CLIENT, "c000004"), encoding="utf-8")
    assert run(capsys, "journal", "--store", house)[0] == 3
    journal.write_text(kept, encoding="utf-8")


def test_advice_of_another_day_or_from_a_broken_list_or_broken_answers_is_a_wrong_call(
    capsys, house, monkeypatch, tmp_path
):
    code, found = advise(capsys, house, *TODAY)
    assert (code, found["detail"][:7]) == (2, "--as-of")
    (tmp_path / "list.toml").write_text("[[instruments]]\nasset_id = 1\n")
    for file, exit_code, said in (("list.toml", 3, "house list"), ("none.toml", 2, "can't be read")):
        monkeypatch.setenv("NEXTBEST_ADVICE", str(tmp_path / file))
        code, found = advise(capsys, house, "--answers", house / "answers.json")
        assert (code, said in found["detail"]) == (exit_code, True)
    (tmp_path / "answers.json").write_text("[1]")
    code, found = advise(capsys, house, "--answers", tmp_path / "answers.json")
    assert (code, "one JSON object" in found["detail"]) == (2, True)
