"""`nextbest market finetune`: a language model becomes a folder that forecasts, through the real command line."""

import json

import pytest
import torch

from language_checkpoints import language_folder
from nextbest.cli import main
from nextbest.market.llm.forecaster import MarketLLM


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return language_folder(tmp_path_factory.mktemp("base") / "tiny", family="mistral")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    file = tmp_path_factory.mktemp("prices") / "walks.csv"
    words = ["market", "simulate", "--out", str(file), "--bars", "300", "--n-assets", "2", "--quiet"]
    assert main(words) == 0
    return ["--prices", str(file)]


def words(prices, base, store, out, *more):
    quick = ["--bars", "6", "--patch", "3", "--bins", "2", "--classes", "2", "--steps", "2", "--horizons", "1", "3"]  # fmt: skip
    where = ["--checkpoint", str(base), "--store", str(store), "--out", str(out)]
    return ["market", "finetune", *prices, *where, *quick, *more]


def document(capsys, asked):
    assert main([*asked, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_folder_forecasts_stands_in_a_bench_and_learns_nothing_more(
    prices, base, tmp_path, capsys, monkeypatch
):
    told = document(capsys, words(prices, base, tmp_path, tmp_path / "llm", "--window", "patches"))
    assert (told["kind"], told["horizons"], told["n_bars"]) == ("llm_patches", [1, 3], 300)
    assert told["base"]["seen_until"] == "9999-12-31"
    assert told["trained"]["cpu_s"] > 0
    assert told["comparison"] is None
    monkeypatch.setattr(MarketLLM, "fit", None)  # whoever fits now fails
    ask = [*prices, "--store", str(tmp_path)]
    said = document(capsys, ["market", "forecast", *ask, "--model", str(tmp_path / "llm"), "--horizons", "1", "3"])  # fmt: skip
    assert all(row["q10"] < row["q50"] < row["q90"] for f in said["forecasts"] for row in f["forecasts"])
    board = document(capsys, ["market", "bench", *ask, "--models", "rw_gauss", str(tmp_path / "llm"), "--every", "9", "--horizons", "1", "3"])  # fmt: skip
    mine = [row for row in board["rows"] if row["model"] == "llm_patches"]
    assert len(mine) == 2
    assert all(row["maybe_seen"] and row["crps"] > 0 for row in mine)
    assert not board["failures"]


def test_a_comparison_leaves_the_newest_fifth_to_the_test_and_says_whether_it_helped(
    prices, base, tmp_path, capsys
):
    more = ["--compare", "--seen-until", "2019-01-01", "--every", "4", "--window", "patches"]
    told = document(capsys, words(prices, base, tmp_path, tmp_path / "llm", *more))
    found = told["comparison"]
    assert told["n_bars"] == 240
    assert found["first"] > told["last_bar"]
    names = [row["name"] for row in found["rows"]]
    assert names[:5] == ["class prior", "last class", "volatility regression", "zero-shot, tokens", "LoRA, patches"]  # fmt: skip
    assert {"shuffled weights + LoRA, patches", "from scratch, all weights, patches"} <= set(names)
    assert {row["period"] for row in found["rows"]} == {"after the cut-off"}
    assert set(found["texts"]) == {"en", "ru"}
    assert "did not help" in found["texts"]["en"]  # a walk: there is nothing to be known


def test_without_a_known_cut_off_every_origin_is_flagged(prices, base, tmp_path, capsys):
    asked = words(prices, base, tmp_path, tmp_path / "llm", "--compare", "--steps", "1", "--window", "patches")  # fmt: skip
    assert main(asked) == 0
    out, err = capsys.readouterr()
    assert "nobody says until when this model read" in err
    assert "may have been seen: " in out
    assert "nothing can be said of whether it helps" in out


def test_a_killed_training_goes_on_to_the_same_weights(prices, base, tmp_path, capsys):
    more = ["--window", "patches", "--steps", "2"]
    whole = document(capsys, words(prices, base, tmp_path, tmp_path / "whole", *more))
    keep = ["--checkpoints", str(tmp_path / "ck")]
    for _ in range(2):
        again = document(capsys, words(prices, base, tmp_path, tmp_path / "again", *more, *keep))
    assert again["calibration"] == whole["calibration"]


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        (["--until", "1990-01-01"], 3, "none before"),
        (["--checkpoint", "nowhere"], 2, "neither a folder"),
        (["--classes", "4", "--target", "direction"], 2, "n_classes"),
        (["--window", "patches", "--patch", "4"], 2, "multiple of patch"),
        (["--window", "text", "--bars", "64"], 2, "longer than"),
        (["--ahead", "0"], 2, "horizon"),
    ],
)
def test_wrong_calls_are_told_and_nothing_is_written(prices, base, tmp_path, capsys, more, code, told):
    out = tmp_path / "llm"
    assert main([*words(prices, base, tmp_path, out), "--quiet", *more]) == code
    assert told in capsys.readouterr().err
    assert not out.exists()
