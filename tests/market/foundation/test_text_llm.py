"""A scripted language model: its numbers become quantiles, its nonsense is counted, and nothing is asked twice."""

import re
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.foundation.checkpoints import NINE, candles
from market.foundation.contract import ForecasterContract
from nextbest.errors import ExternalError, InputError
from nextbest.market.foundation.text_llm import TextLLM, prompt_of


class Scripted:
    """Draws paths of a random walk; remembers what it was asked."""

    def __init__(self):
        self.prompts = []
        self.rng = np.random.default_rng(0)

    def __call__(self, prompt):
        self.prompts.append(prompt)
        n_paths, n_steps = (
            int(re.search(rule, prompt)[1]) for rule in (r"Write (\d+) different", r"exactly (\d+)")
        )
        path_SH = 100 * np.exp(np.cumsum(self.rng.normal(0, 0.01, (n_paths, n_steps)), axis=1))
        return "\n".join(", ".join(f"{value:.4f}" for value in path) for path in path_SH)


def answers(*texts):
    """Says these in turn, then the last for ever."""
    said = list(texts)
    return lambda prompt: said.pop(0) if len(said) > 1 else said[0]


class TestTextLLM(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        return TextLLM(Scripted(), model="scripted")


def ask(complete, *, horizons=(1,), levels=NINE, n_bars=40, **settings):
    model = TextLLM(complete, **{"model": "scripted", "n_paths": 9, "paths_per_call": 9, **settings})
    return model, model.forecast([candles(1, n_bars)], horizons=horizons, levels=levels)[0, 0]


def test_quantiles_are_those_of_the_lines():
    model, answer_HQ = ask(
        answers("\n".join(f"{100 * np.exp(k / 100):.6f}, 100" for k in range(9, 0, -1))), horizons=(1, 2)
    )
    np.testing.assert_allclose(answer_HQ[0], np.arange(1, 10) / 100, atol=1e-7)
    np.testing.assert_allclose(answer_HQ[1], 0, atol=1e-12)
    assert model.tally.n_calls == 1


def test_each_kind_of_nonsense_is_counted_by_its_name():
    good = "\n".join(["101"] * 9)
    nonsense = "Here are the lines:\n\n1. 101\n101, 102\n-5\n0\n1e9\nnan\n$101\n101,\n"
    model, answer_HQ = ask(answers(nonsense + good))
    assert np.isfinite(answer_HQ).all()
    tally = model.tally
    assert (tally.n_not_numbers, tally.n_wrong_length, tally.n_implausible) == (4, 1, 3)
    assert tally.n_paths == 18  # the empty line isn't one; "101," is a valid one


def test_without_enough_valid_lines_there_is_no_answer():
    model, answer_HQ = ask(answers("101\n" * 8 + "I can't predict prices."), max_calls=1)
    assert np.isnan(answer_HQ).all()
    assert model.tally.n_refused == 1


def test_it_is_asked_until_there_are_enough_and_no_longer():
    model, answer_HQ = ask(answers("no", "101\n" * 5, "101\n" * 5, "101\n" * 5))
    assert np.isfinite(answer_HQ).all()
    assert model.tally.n_calls == 3


def test_the_same_question_is_asked_once():
    complete = Scripted()
    model = TextLLM(complete, model="scripted", n_paths=9, paths_per_call=9)
    panel = candles(1, 40)
    first, again = (model.forecast([panel], horizons=[1, 2]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(complete.prompts) == 1


def test_a_provider_that_may_be_asked_again_is_and_another_error_stops():
    def failing(*, retryable):
        calls = []

        def complete(prompt):
            calls.append(prompt)
            if len(calls) == 1:
                raise ExternalError("provider", "busy", retryable=retryable)
            return "101\n" * 9

        return complete

    model, answer_HQ = ask(failing(retryable=True))
    assert np.isfinite(answer_HQ).all()
    assert (model.tally.n_calls, model.tally.n_failed_calls) == (2, 1)
    with pytest.raises(ExternalError, match="busy"):
        ask(failing(retryable=False))


def test_the_prompt_names_no_asset_no_date_and_no_price():
    complete = Scripted()
    TextLLM(complete, model="scripted").forecast([candles(1, 40, step=timedelta(hours=4))], horizons=[3])
    prompt = complete.prompts[0]
    assert "A0" not in prompt
    assert "2024" not in prompt
    assert "one value each 4 hours" in prompt
    assert "exactly 3 numbers" in prompt
    assert prompt.splitlines()[2].split(", ")[-1] == "100.0"


@pytest.mark.parametrize(
    ("change", "shown"), [(1.0, "100.0"), (0.01, "100.000"), (30.0, "100"), (0.0, "100.00")]
)
def test_values_are_written_so_finely_that_their_changes_show(change, shown):
    prompt = prompt_of(np.array([100 + change, 100.0]), n_steps=1, n_paths=1, step="day")
    assert prompt.splitlines()[2].split(", ")[-1] == shown


@given(st.text(max_size=200))
def test_no_answer_breaks_it(text):
    model, answer_HQ = ask(lambda prompt: text, max_calls=1)
    assert answer_HQ.shape == (1, 9)
    assert model.tally.n_calls == 1


def test_what_it_may_know_is_everything_until_somebody_says():
    assert TextLLM(Scripted(), model="x").seen_until == date.max
    assert TextLLM(Scripted(), model="x", seen_until=date(2024, 8, 31)).seen_until == date(2024, 8, 31)


def test_too_few_paths_for_the_levels_and_unknown_settings_are_refused():
    with pytest.raises(InputError, match="levels"):
        ask(Scripted(), n_paths=8)
    with pytest.raises(InputError, match="fields of TextLLMConfig"):
        TextLLM(Scripted(), model="x", temperature=1)
