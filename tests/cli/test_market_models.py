"""A language model of the assistant's providers among the market's forecasters."""

import json
from datetime import date

import pytest
from tests.cli.test_market import candles

from nextbest.assistant.providers.scripted import ScriptedProvider
from nextbest.cli import main
from nextbest.cli.market_models import _Continuations, model_of
from nextbest.errors import InputError

LINES = "99,98,97\n100,100,100\n101,102,103\n100.5,101,101\n99.5,99,99"


def test_the_same_question_is_asked_with_other_seeds_and_the_same_ones_in_the_next_run() -> None:
    provider = ScriptedProvider(["1"])
    ask, again = _Continuations(provider), _Continuations(provider)
    for complete in (ask, again):
        complete("a")
        complete("a")
        complete("b")
    seeds = [request.seed for request in provider.requests]
    assert seeds == [1, 2, 1, 1, 2, 1]
    assert all(request.temperature > 0 for request in provider.requests)


def test_its_quantiles_stand_in_the_leaderboard_flagged_unless_somebody_says_what_it_read(
    tmp_path, capsys
) -> None:
    candles(1, n=120).write_csv(tmp_path / "AAA.csv")
    words = [
        *("market", "bench", "--store", str(tmp_path), "--prices", str(tmp_path / "AAA.csv"), "--json", "--quiet"),
        *("--models", "rw_gauss", f"llm:scripted:{LINES}", "--horizons", "1", "3", "--every", "5"),
    ]  # fmt: skip
    assert main(words) == 0
    rows = {(r["model"], r["horizon"]): r for r in json.loads(capsys.readouterr().out)["rows"]}
    name = next(model for model, _ in rows if model != "rw_gauss")
    assert name.startswith("text_llm:")
    assert rows[name, 1]["crps"] > 0
    assert rows[name, 1]["n"] == rows["rw_gauss", 1]["n"]


def test_what_it_may_have_read_is_what_one_says() -> None:
    assert model_of(f"llm:scripted:{LINES}").seen_until == date.max
    told = model_of(f"llm:scripted:{LINES}", seen_until=date(2024, 8, 31))
    assert told.seen_until == date(2024, 8, 31)


@pytest.mark.parametrize("name", ["llm:", "llm:none"])
def test_no_provider_is_told(name: str) -> None:
    with pytest.raises(InputError, match="names no provider"):
        model_of(name)


def test_an_unknown_provider_names_those_there_are() -> None:
    with pytest.raises(InputError, match="gguf"):
        model_of("llm:oracle:x")
