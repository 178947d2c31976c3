"""`nextbest market simulate`, `forecast`, `audit` through the real command line, and the leaderboard that a bench keeps."""

import json

import numpy as np
import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.prices.panel import PricePanel
from nextbest.market.audited import audit_model
from nextbest.market.base import make_forecaster
from nextbest.market.classical.walks import GaussianWalk
from nextbest.market.forecast_table import bar_times_ahead, forecast_table
from nextbest.market.standing import leaderboard_file, standing_of
from nextbest.simulate.market import random_walks
from nextbest.tables import FORECASTS

BARS = 200


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    file = tmp_path_factory.mktemp("candles") / "walks.csv"
    assert main(["market", "simulate", "--out", str(file), "--bars", str(BARS), "--quiet"]) == 0
    return str(file)


def document(capsys, words):
    capsys.readouterr()
    assert main([*words, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_simulated_candles_are_those_of_the_library(prices):
    table = pl.read_csv(prices, try_parse_dates=True)
    truth = random_walks(n_assets=3, n_bars=BARS, rng=0).panel.table()
    assert table["close"].to_numpy() == pytest.approx(truth["close"].to_numpy())
    assert table["asset_id"].unique().sort().to_list() == ["SIM000", "SIM001", "SIM002"]


def test_a_forecast_is_the_close_times_the_model_s_own_quantiles(prices, tmp_path, capsys):
    out = tmp_path / "forecasts.parquet"
    words = ["market", "forecast", "--store", str(tmp_path), "--prices", prices, "--model", "rw_gauss"]
    told = document(capsys, [*words, "--horizons", "1", "5", "--levels", "0.025", "--out", str(out)])
    panel = random_walks(n_assets=3, n_bars=BARS, rng=0).panel
    model = make_forecaster("rw_gauss")
    model.fit(panel, horizons=(1, 5), rng=np.random.default_rng(0))
    expected = panel.close_AT[:, -1, None, None] * np.exp(
        model.forecast((panel,), horizons=(1, 5), levels=(0.025, 0.1, 0.5, 0.9))[0]
    )
    for row, found in enumerate(told["forecasts"]):
        assert [f["horizon"] for f in found["forecasts"]] == [1, 5]
        for h, at in enumerate(found["forecasts"]):
            said = [at["quantiles"]["0.025"], at["q10"], at["q50"], at["q90"]]
            assert said == pytest.approx(list(expected[row, h]), rel=1e-6)
        assert found["cutoff"].startswith(str(panel.time_T[-1])[:10])
        assert "investment recommendation" in found["disclaimer"]["en"]
    table = FORECASTS.check(pl.read_parquet(out))
    assert len(table) == 6
    assert {"q2.5", "horizon", "close"} <= set(table.columns)


def test_a_model_without_a_bench_was_never_tested_and_one_with_it_has_its_numbers(prices, tmp_path, capsys):
    ask = ["market", "forecast", "--store", str(tmp_path), "--prices", prices, "--model", "rw_ewma", "--horizons", "1", "2"]  # fmt: skip
    before = document(capsys, ask)["forecasts"][0]["standing"]
    assert before["verdict"] == "never_tested"
    assert before["headline"]["en"] == "never tested here"
    bench = ["market", "bench", "--store", str(tmp_path), "--prices", prices, "--models", "rw_ewma", "--horizons", "1"]  # fmt: skip
    board = document(capsys, bench)
    panel = random_walks(n_assets=3, n_bars=BARS, rng=0).panel
    assert json.loads(leaderboard_file(tmp_path, panel.step).read_text()) == board
    after = document(capsys, ask)["forecasts"][0]["standing"]
    row = next(r for r in board["rows"] if r["model"] == "rw_ewma")
    assert after["horizons"][0]["dm_p"] == row["dm_p"]
    assert after["horizons"][0]["n_origins"] == board["origins"]["n"]
    assert after["horizons"][1]["verdict"] == "never_tested"  # nobody asked two bars ahead
    assert after["asset_tested"]


@pytest.mark.parametrize(
    ("t", "p", "spa_p", "verdict"),
    [
        (-3.0, 0.01, 0.02, "better"),
        (-3.0, 0.01, 0.40, "not_better"),  # one of many: by chance
        (-3.0, 0.01, None, "not_better"),
        (-1.0, 0.30, 0.02, "not_better"),
        (3.0, 0.01, 0.90, "worse"),
        (None, None, None, "not_better"),
    ],
)
def test_better_takes_both_tests(t, p, spa_p, verdict):
    rows = [
        {"model": "rw_gauss", "horizon": 1, "crps_x100": 2.0, "spa_crps_p": spa_p},
        {"model": "har", "horizon": 1, "crps_x100": 1.9, "dm_crps_t": t, "dm_crps_p": p, "n_dates": 50},
    ]
    found = standing_of({"rows": rows, "assets": ["BTC"]}, "har", (1,), asset_id="ETH")
    assert found["verdict"] == verdict
    assert found["asset_tested"] is False
    assert "на других рядах" in found["texts"]["ru"][-1]


def test_one_doubtful_horizon_is_no_praise():
    rows = [
        {"model": name, "horizon": h, "crps_x100": 2.0, "spa_crps_p": 0.01, "dm_crps_t": t, "dm_crps_p": 0.01}
        for name in ("rw_gauss", "har")
        for h, t in ((1, -3.0), (6, 3.0))
    ]
    assert standing_of({"rows": rows}, "har", (1, 6), asset_id="A")["verdict"] == "not_better"
    assert standing_of({"rows": rows}, "rw_gauss", (1, 6), asset_id="A")["verdict"] == "benchmark"


def test_a_market_that_closes_goes_on_on_monday():
    time_T = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-03-16")).astype("datetime64[us]")
    weekdays = time_T[np.is_busday(time_T.astype("datetime64[D]"))]  # the last one is a Friday
    walk = random_walks(n_bars=len(weekdays), rng=1).panel
    arrays = {f"{name}_AT": getattr(walk, f"{name}_AT") for name in ("open", "high", "low", "close", "volume")}  # fmt: skip
    panel = PricePanel(asset_ids=("SHARE",), time_T=weekdays, step=walk.step, **arrays)
    times, guessed = bar_times_ahead(panel, (1, 2, 5, 6))
    assert guessed
    assert [str(t.date()) for t in times] == ["2024-03-18", "2024-03-19", "2024-03-22", "2024-03-25"]


def test_an_asset_that_ended_before_is_told_and_the_rest_is_answered():
    panel = random_walks(n_assets=2, n_bars=80, rng=1).panel
    close = panel.close_AT.copy()
    close[1, 60:] = np.nan
    gone = PricePanel(panel.asset_ids, panel.time_T, panel.step, panel.open_AT, panel.high_AT, panel.low_AT, close, panel.volume_AT)  # fmt: skip
    found = forecast_table(gone, make_forecaster("rw_gauss"), horizons=(1,))
    assert found.table["asset_id"].to_list() == ["SIM000"]
    assert "2020-02-29" in found.missing["SIM001"]


class Peeking(GaussianWalk):
    """Keeps all data it was made of and answers the future."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def forecast(self, histories, *, horizons, levels=(0.1, 0.5, 0.9)):
        said = super().forecast(histories, horizons=horizons, levels=levels)
        for o, history in enumerate(histories):
            at = min(int(np.searchsorted(self.data.time_T, history.time_T[-1])) + 1, self.data.n_bars - 1)
            said[o] += self.data.log_return_AT[:, at, None, None]
        return said


class Neighbourly(GaussianWalk):
    """Answers each origin with what the last one of the call knows."""

    def forecast(self, histories, *, horizons, levels=(0.1, 0.5, 0.9)):
        said = super().forecast(histories[-1:], horizons=horizons, levels=levels)
        return np.repeat(said, len(histories), axis=0)


def test_the_audit_finds_nothing_in_a_walk_and_says_what_it_checked(prices, tmp_path, capsys):
    words = ["market", "audit", "--store", str(tmp_path), "--prices", prices, "--model", "rw_ewma"]
    told = document(capsys, words)
    assert (told["passed"], told["findings"], len(told["checks"])) == (True, [], 2)
    assert main([*words, "--quiet"]) == 0
    assert "nothing found" in capsys.readouterr().out


def test_the_audit_catches_a_model_that_kept_the_future_and_one_that_reads_its_neighbours():
    panel = random_walks(n_bars=120, rng=3).panel
    kept = audit_model(Peeking, panel)
    assert not kept.passed
    assert "cutoff" in kept.findings[0].text
    beside = audit_model(lambda _: Neighbourly(), panel)
    assert [f.leak for f in beside.findings] == ["future_changed"] * len(beside.findings)
    assert beside.findings


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["forecast", "--prices", "FILE", "--model", "oracle"], 2, "oracle"),
        (["forecast", "--prices", "FILE", "--model", "rw_gauss", "--assets", "DOGE"], 2, "DOGE"),
        (["forecast", "--prices", "FILE", "--model", "rw_gauss", "--horizons", "100"], 2, "at most 50"),
        (["forecast", "--prices", "FILE", "--model", "rw_gauss", "--horizons", "0"], 2, "horizons"),
        (["forecast", "--prices", "FILE", "--model", "rw_gauss", "--levels", "1.5"], 2, "levels"),
        (["forecast", "--prices", "FILE", "--model", "rw_gauss", "--out", "f.xls"], 2, "--out"),
        (["forecast", "--model", "rw_gauss"], 2, "no candles"),
        (["audit", "--prices", "FILE", "--model", "oracle"], 2, "oracle"),
        (["simulate", "--out", "f.xls"], 2, "--out"),
        (["simulate", "--out", "f.csv", "--bars", "1"], 2, "n_bars"),
    ],
)
def test_wrong_calls_are_told(prices, tmp_path, capsys, monkeypatch, words, code, told):
    monkeypatch.chdir(tmp_path)
    words = [prices if word == "FILE" else word for word in words]
    assert main(["market", *words, "--store", str(tmp_path), "--quiet"]) == code
    assert told in capsys.readouterr().err


def test_ten_candles_are_too_few_for_some_models_and_that_is_said(tmp_path, capsys):
    file = tmp_path / "few.csv"
    main(["market", "simulate", "--out", str(file), "--bars", "10", "--quiet"])
    words = ["market", "forecast", "--store", str(tmp_path), "--prices", str(file), "--horizons", "1", "--quiet"]  # fmt: skip
    assert main([*words, "--model", "rw_hist_sim"]) == 2
    assert "bars or more; got 10" in capsys.readouterr().err
    assert main([*words, "--model", "rw_gauss"]) == 0
