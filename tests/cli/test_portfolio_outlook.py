"""`nextbest portfolio outlook` and `report --forecasts` as scripts call them."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.holdings.book import Book
from nextbest.market.standing import keep_leaderboard
from nextbest.portfolio.worth import worth_of
from nextbest.tables import TIME_DTYPE
from portfolio.investor_books import CLIENT, workspace

TODAY = ["--as-of", "2021-10-29"]
CUTOFF = datetime(2021, 10, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return workspace(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def forecasts(store, tmp_path_factory):
    """Of the client's first asset, as the market's command writes it."""
    with Book.open(store / "portfolio") as book:
        worth, market = worth_of(book, CLIENT)
    close = float(market.close_TA[-1, market.asset_index[worth.asset_ids[0]]])
    table = pl.DataFrame(
        [(worth.asset_ids[0], CUTOFF, CUTOFF + timedelta(days=3), 1, close, close * 0.9, close, close * 1.1, None)],
        schema={"asset_id": pl.String, "cutoff": TIME_DTYPE, "time": TIME_DTYPE, "horizon": pl.Int64}
        | dict.fromkeys(("close", "q10", "q50", "q90", "mean"), pl.Float64),
        orient="row",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("forecasts")
    table.write_csv(folder / "f.csv")
    table.write_parquet(folder / "f.parquet")
    return folder


def run(capsys, *args):
    code = main(["portfolio", *map(str, args), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_both_kinds_of_file_give_one_document(capsys, store, forecasts):
    found = []
    for name in ("f.csv", "f.parquet"):
        code, document = run(
            capsys, "outlook", CLIENT, "--forecasts", forecasts / name, "--store", store, *TODAY
        )
        assert (code, document["kind"], document["as_of"]) == (0, "outlook", "2021-10-29")
        found.append(document)
    assert found[0] == found[1]
    (row,) = found[0]["tables"]["ranges"]
    assert row["q10"] / row["now"] == pytest.approx(0.9)


def test_people_get_the_ranges_and_why_an_asset_has_none(capsys, store, forecasts):
    call = [
        "portfolio",
        "outlook",
        CLIENT,
        "--forecasts",
        str(forecasts / "f.csv"),
        "--store",
        str(store),
        *TODAY,
    ]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "2021-11-01" in said
    assert "the forecasts don't name it" in said
    assert "not an individual investment recommendation" in said


def test_a_report_holds_the_outlook(capsys, store, forecasts, tmp_path):
    page = tmp_path / "report.html"
    call = ["report", CLIENT, "--forecasts", forecasts / "f.csv", "--store", store, *TODAY, "--html", page]
    code, found = run(capsys, *call)
    assert code == 0
    assert [part["kind"] for part in found["documents"]][:2] == ["metrics", "outlook"]
    assert "What the assets may be worth" in page.read_text(encoding="utf-8")


def test_the_standing_is_the_workspaces_leaderboards(capsys, store, forecasts):
    rows = [
        {"model": "har", "horizon": 1, "crps_x100": 2.0, "dm_crps_t": 0.1, "dm_crps_p": 0.5},
        {"model": "rw_gauss", "horizon": 1, "crps_x100": 1.9, "spa_crps_p": 0.9},
    ]
    keep_leaderboard(store, timedelta(days=1), {"rows": rows, "assets": []})
    call = ["outlook", CLIENT, "--forecasts", forecasts / "f.csv", "--store", store, *TODAY, "--step", "1d"]
    _, found = run(capsys, *call, "--model", "har")
    assert found["texts"]["en"][0] == "The forecasts are those of har: not better than a random walk."
    _, found = run(capsys, *call, "--model", "mine")
    assert found["texts"]["en"][0] == "The forecasts are those of mine: never tested here."


def test_wrong_calls_and_bad_tables_have_their_exit_codes(capsys, store, forecasts, tmp_path):
    call = ["outlook", CLIENT, "--store", store, *TODAY, "--forecasts"]
    code, found = run(capsys, *call, forecasts / "f.csv", "--step", "1d")
    assert (code, found["detail"]) == (2, "--step: goes with --model: a standing is a model's")
    code, found = run(capsys, *call, tmp_path / "none.csv")
    assert code == 3
    assert "no such file" in found["detail"]
    pl.read_parquet(forecasts / "f.parquet").drop("horizon", "q90").write_csv(tmp_path / "bad.csv")
    code, found = run(capsys, *call, tmp_path / "bad.csv")
    assert code == 3
    assert "column(s) ['q90'] missing" in found["detail"]
    code, found = run(capsys, "report", CLIENT, "--store", store, *TODAY, "--model", "har")
    assert (code, found["detail"]) == (2, "--model: goes with --forecasts; got 'har'")


def test_without_a_file_there_is_no_outlook(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["portfolio", "outlook", CLIENT])
    assert stopped.value.code == 2
    assert "--forecasts" in capsys.readouterr().err
