"""`nextbest market train`: a folder that forecasts without learning again, through the real command line."""

import json

import pytest
import torch

from nextbest.cli import main
from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.model import Candles


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """One thread, and a small network for two epochs: how well it learns is tested with the model."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    small = CandlesConfig().model_copy(
        update={
            "patch": 2,
            "n_patches": 4,
            "volatility_scales": (1, 5, 10),
            "training": CandlesConfig().training.model_copy(update={"n_epochs": 2}),
        }
    )
    monkeypatch.setattr("nextbest.market.candles.model.make_candles", lambda **_: Candles(small))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    file = tmp_path_factory.mktemp("prices") / "walks.csv"
    assert main(["market", "simulate", "--out", str(file), "--bars", "400", "--quiet"]) == 0
    return ["--prices", str(file)]


def document(capsys, words):
    assert main([*words, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_trained_folder_forecasts_the_same_each_time_and_learns_nothing_more(
    prices, tmp_path, capsys, monkeypatch
):
    words = ["market", "train", *prices, "--store", str(tmp_path), "--out", str(tmp_path / "model")]
    told = document(capsys, [*words, "--horizons", "1", "3"])
    assert (told["kind"], told["horizons"], told["n_bars"]) == ("candles_days", [1, 3], 400)
    monkeypatch.setattr(Candles, "fit", None)  # whoever fits now fails
    ask = ["market", "forecast", *prices, "--store", str(tmp_path), "--model", str(tmp_path / "model")]
    first = document(capsys, [*ask, "--horizons", "1", "3"])
    assert document(capsys, [*ask, "--horizons", "1", "3"]) == first
    assert all(row["q10"] < row["q50"] < row["q90"] for f in first["forecasts"] for row in f["forecasts"])


def test_what_lies_after_until_changes_nothing(prices, tmp_path, capsys):
    words = ["market", "train", *prices, "--store", str(tmp_path), "--horizons", "1"]
    until = ["--until", document(capsys, [*words, "--out", str(tmp_path / "all")])["last_bar"][:10]]
    told = document(capsys, [*words, *until, "--out", str(tmp_path / "some")])
    assert told["n_bars"] == 399


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--until", "1990-01-01"], 3, "none before"),
        (["--horizons", "0"], 2, "horizons"),
        (["--step", "soon"], 2, "soon"),
    ],
)
def test_wrong_calls_are_told_and_nothing_is_written(prices, tmp_path, capsys, words, code, told):
    out = tmp_path / "model"
    assert (
        main(["market", "train", *prices, "--store", str(tmp_path), "--out", str(out), "--quiet", *words])
        == code
    )
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_another_folder_is_left_alone(prices, tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("milk")
    words = [
        "market",
        "train",
        *prices,
        "--store",
        str(tmp_path),
        "--out",
        str(tmp_path / "notes"),
        "--quiet",
    ]
    assert main(words) == 2
    assert (tmp_path / "notes/todo.txt").read_text() == "milk"
    assert (
        main(["market", "forecast", *prices, "--store", str(tmp_path), "--model", str(tmp_path / "notes")])
        == 4
    )
    assert "notes" in capsys.readouterr().err
