"""`nextbest market ...` through the real command line: candles in, a leaderboard, a verdict."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.prices.panel import PricePanel
from nextbest.market.base import make_forecaster
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of

N_DAYS = 260
QUICK = ["--models", "rw_gauss", "rw_ewma", "drift", "--horizons", "1", "3"]


def candles(seed, *, n=N_DAYS, pull=0.0):
    """A walk as a table of daily candles; `pull`: how much of a day's return the next one repeats."""
    gen = np.random.default_rng(seed)
    step = gen.normal(0, 0.02, n)
    for t in range(1, n):
        step[t] += pull * step[t - 1]
    close = 100 * np.exp(np.cumsum(step))
    opens = np.concatenate([[100.0], close[:-1]])
    return pl.DataFrame(
        {
            "date": [(datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=d)).date() for d in range(n)],
            "open": opens,
            "high": np.maximum(opens, close) * 1.001,
            "low": np.minimum(opens, close) * 0.999,
            "close": close,
            "volume": np.full(n, 1000.0),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("candles")
    names = ["AAA", "BBB", "CCC"]
    for seed, name in enumerate(names):
        candles(seed).write_csv(folder / f"{name}.csv")
    return [str(folder / f"{name}.csv") for name in names]


def document(capsys, words):
    assert main([*words, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_bench_prints_the_rows_of_the_library_and_goes_on_from_its_ledger(files, tmp_path, capsys):
    words = ["market", "bench", "--store", str(tmp_path), "--prices", *files, *QUICK]
    first = document(capsys, words)
    assert (tmp_path / "market/ledger.duckdb").is_file()
    assert document(capsys, words)["rows"] == first["rows"]  # CPU-seconds too: read, not measured again
    tables = [pl.read_csv(f, try_parse_dates=True).with_columns(asset_id=pl.lit(f[-7:-4])) for f in files]
    table = pl.concat(tables).with_columns(time=pl.col("date").cast(pl.Datetime("us", "UTC"))).drop("date")
    panel = PricePanel.of(table)
    board = bench(
        panel,
        [make_forecaster(n) for n in ("rw_gauss", "rw_ewma", "drift")],
        origins_of(panel, horizons=(1, 3)),
    )
    for row in first["rows"]:
        expected = board.row(row["model"], row["horizon"])
        assert row["mase"] == pytest.approx(expected["mase"])
        assert row["crps"] == pytest.approx(expected["crps_x100"] / 100)
        assert row["interval_coverage"] == expected["coverage80"]
        assert row["dm_p"] == expected["dm_crps_p"]
    assert {(r["model"], r["horizon"]) for r in first["rows"]} == {
        (m, h) for m in ("rw_gauss", "rw_ewma", "drift") for h in (1, 3)
    }


def test_the_table_for_people_names_models_and_what_the_signs_mean(files, tmp_path, capsys):
    words = ["market", "bench", "--store", str(tmp_path), "--prices", *files, *QUICK, "--quiet"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert all(text in told for text in ("rw_ewma", "3 bars ahead", "worse than the random walk", "SPA p"))


def test_verdict_finds_nothing_in_random_walks_and_counts_every_trial_once(files, tmp_path, capsys):
    words = ["market", "verdict", "--store", str(tmp_path), "--prices", *files, *QUICK]
    page = tmp_path / "verdict.html"
    told = document(capsys, [*words, "--funding", "0", "--html", str(page)])
    assert told["evidence_of_profit"] is False
    assert "No evidence of profit" in told["text"]
    tried = [s for s in told["strategies"] if not s.get("is_baseline")]
    assert told["trials"] == len(tried) == 12  # drift and three lookbacks by three rules
    assert document(capsys, words)["trials"] == 12  # the same again is the same trial
    more = document(capsys, [*words[:-2], "5"])
    assert more["trials"] > 12  # another test of the same days is not
    assert "No evidence of profit" in page.read_text()


def test_without_a_word_on_funding_the_gate_says_so(files, tmp_path, capsys):
    words = ["market", "verdict", "--store", str(tmp_path), "--prices", *files, *QUICK]
    silent, said = document(capsys, words), document(capsys, [*words, "--funding", "0.0001"])
    lines = [{line["name"]: line["passed"] for line in d["gate"]}["funding"] for d in (silent, said)]
    assert lines == [False, True]


def test_candles_are_kept_in_the_workspace_and_benched_from_there(files, tmp_path, capsys):
    kept = document(capsys, ["market", "ingest", *files, "--store", str(tmp_path)])
    assert [a["added"] for a in kept["assets"]] == [N_DAYS] * 3
    again = document(capsys, ["market", "ingest", *files, "--store", str(tmp_path)])
    assert [(a["added"], a["same"]) for a in again["assets"]] == [(0, N_DAYS)] * 3
    told = document(capsys, ["market", "bench", "--store", str(tmp_path), *QUICK, "--assets", "AAA", "CCC"])
    assert told["assets"] == ["AAA", "CCC"]
    assert main(["market", "bench", "--store", str(tmp_path), *QUICK, "--step", "4h", "--quiet"]) == 2


def test_rows_that_are_no_candles_are_told_and_the_rest_is_benched(files, tmp_path, capsys):
    bad = candles(9).with_columns(
        close=pl.when(pl.int_range(pl.len()) == 40).then(0.0).otherwise(pl.col("close"))
    )
    bad.write_csv(tmp_path / "BAD.csv")
    report = document(capsys, ["market", "ingest", str(tmp_path / "BAD.csv"), "--store", str(tmp_path)])[
        "report"
    ]
    assert (report["stored"], report["quarantined"]) == (N_DAYS - 1, 1)
    assert document(capsys, ["market", "bench", "--store", str(tmp_path), *QUICK])["rows"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["bench"], 2, "no candles"),
        (["bench", "--prices", "nowhere.csv"], 3, "nowhere.csv"),
        (["bench", "--prices", "FILES", "--models", "oracle"], 2, "oracle"),
        (["bench", "--prices", "FILES", "--step", "soon"], 2, "soon"),
        (["bench", "--prices", "FILES", "--horizons", "400"], 2, "don't fit"),
        (["verdict", "--prices", "FILES", "--funding", "much"], 2, "--funding"),
        (["verdict", "--prices", "FILES", "--capital", "-1"], 2, "capital"),
    ],
)
def test_wrong_calls_are_told(files, tmp_path, capsys, words, code, told):
    words = [w for word in words for w in (files if word == "FILES" else [word])]
    assert main(["market", *words, "--store", str(tmp_path), "--quiet"]) == code
    assert told in capsys.readouterr().err


def test_ten_candles_in_all_are_too_few_and_that_is_said(tmp_path, capsys):
    candles(1, n=10).write_csv(tmp_path / "FEW.csv")
    words = ["market", "bench", "--store", str(tmp_path), "--prices", str(tmp_path / "FEW.csv"), "--quiet"]
    assert main(words) == 2
    assert "bars" in capsys.readouterr().err
