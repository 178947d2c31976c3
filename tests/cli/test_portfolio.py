"""`nextbest portfolio ...` as scripts call it."""

import json

import pytest

from nextbest.cli import main
from nextbest.data.holdings.book import Book
from nextbest.portfolio.metrics.catalogue import measure
from nextbest.portfolio.worth import worth_of
from portfolio.investor_books import BENCHMARK, CLIENT, workspace

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
