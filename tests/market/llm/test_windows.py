"""Prompts: what they say, what they never say, and that no later bar is in them."""

import re
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from market.llm.llm_cases import changed, noise, scaled, tiny, waves, with_gap
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.market.llm.config import WORDS, LLMConfig
from nextbest.market.llm.windows import LEVEL_EVERY, Prompt, Reader

KINDS = ("text", "tokens", "patches")
PANEL = waves(200)


def reader_of(window: str, panel=PANEL, **settings_: object) -> Reader:
    return Reader.fit(panel, tiny(window=window, **settings_))


def same(one: Prompt | None, other: Prompt | None) -> bool:
    if one is None or other is None:
        return one is other
    is_words = (one.before, one.after) == (other.before, other.after)
    if one.patch_PF is None or other.patch_PF is None:
        return is_words and one.patch_PF is other.patch_PF
    return is_words and np.allclose(one.patch_PF, other.patch_PF, atol=1e-9)


@pytest.mark.parametrize("window", KINDS)
@given(stop=st.integers(20, 190), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_bars_after_the_cutoff_change_nothing(window, stop, seed):
    rng = np.random.default_rng(seed)
    wild = {name: getattr(PANEL, name).copy() for name in ("open_AT", "high_AT", "low_AT", "close_AT")}
    for values in wild.values():
        values[:, stop:] *= rng.uniform(0.1, 10, values[:, stop:].shape)
    reader = reader_of(window)
    pairs = zip(
        reader.prompts(PANEL.until(stop)), reader.prompts(changed(PANEL, **wild).until(stop)), strict=True
    )
    assert all(same(*pair) for pair in pairs)


@pytest.mark.parametrize("window", KINDS)
def test_the_newest_bar_does_change_the_prompt(window):
    close = PANEL.close_AT.copy()
    close[:, -1] *= 1.3
    reader = reader_of(window)
    other = reader.prompts(changed(PANEL, close_AT=close, high_AT=np.maximum(PANEL.high_AT, close)))
    assert not any(same(*pair) for pair in zip(reader.prompts(PANEL), other, strict=True))


@pytest.mark.parametrize("window", KINDS)
def test_prices_times_ten_have_the_same_prompt(window):
    reader = reader_of(window)
    pairs = zip(reader.prompts(PANEL), reader.prompts(scaled(PANEL, 10)), strict=True)
    assert all(same(*pair) for pair in pairs)


@pytest.mark.parametrize("window", KINDS)
def test_bars_before_the_window_change_nothing(window):
    reader = reader_of(window)
    pairs = zip(reader.prompts(PANEL), reader.prompts(PANEL.until(200, length=9)), strict=True)
    assert all(same(*pair) for pair in pairs)


@pytest.mark.parametrize("window", KINDS)
def test_no_asset_and_no_date_is_said(window):
    for prompt in reader_of(window).prompts(PANEL):
        assert "NAMED" not in prompt.before + prompt.after
        assert "2025" not in prompt.before + prompt.after


def test_text_says_returns_in_basis_points_and_prices_whose_last_is_100():
    close = np.array([[100, 101, 101, 99.995, 110, 110, 110, 110, 220.0]])
    panel = flat(close)
    prompt = reader_of("text").prompts(panel)[0].before
    assert "Return of each bar in basis points: 100 0 -100 954 0 0 0 6931\n" in prompt
    assert f"Price every {LEVEL_EVERY} bars: 50.0 100.0\n" in prompt
    assert prompt.endswith("Volatility of the next 2 bars of a day (low, high):")


def test_a_symbol_a_bar_and_bins_of_equal_shares():
    reader = reader_of("tokens", n_bins=3, n_bars=100)
    symbols = re.search(r"first:((?: .)+)\n", reader.prompts(PANEL)[0].before).group(1).split()
    assert len(symbols) == 100
    places = np.array([reader.symbols.index(symbol) for symbol in symbols])
    assert places.max() < 9
    shares = np.bincount(
        np.searchsorted(reader.return_edges, PANEL.log_return_AT[:, 1:].ravel(), side="right")
    )
    np.testing.assert_allclose(shares / shares.sum(), 1 / 3, atol=0.01)


def test_patches_are_finite_scaled_by_the_window_and_keep_its_level():
    loud, quiet = (
        reader_of("patches", PANEL).prompts(panel)[0].patch_PF
        for panel in (flat(100 * np.exp(0.1 * _zigzag())), flat(100 * np.exp(0.01 * _zigzag())))
    )
    assert loud.shape == (4, 7)
    np.testing.assert_allclose(loud[:, :-1], quiet[:, :-1], atol=1e-9)
    assert (loud[:, -1] > quiet[:, -1]).all()


@pytest.mark.parametrize("window", KINDS)
def test_a_gap_is_said_and_never_filled(window):
    holed = reader_of(window).prompts(with_gap(PANEL, 0, slice(-4, -2)))
    whole = reader_of(window).prompts(PANEL)
    assert same(holed[1], whole[1])
    if window == "text":
        assert holed[0].before.count("gap") == 3  # two bars, and the return into the one after them
    elif window == "tokens":
        assert holed[0].before.count(f" {reader_of(window).symbols[-1]}") == 3
    else:
        flags = holed[0].patch_PF[:, :-1].reshape(8, 3)[:, 2]
        assert flags.tolist() == [1, 1, 1, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("window", KINDS)
@pytest.mark.parametrize("bars", [slice(-1, None), slice(-7, -1)])
def test_no_prompt_without_the_last_bar_or_half_of_them(window, bars):
    prompts = reader_of(window).prompts(with_gap(PANEL, 1, bars))
    assert [prompt is None for prompt in prompts] == [False, True, False]


def test_closes_alone_will_do():
    nothing = np.full(PANEL.close_AT.shape, np.nan)
    bare = changed(PANEL, open_AT=nothing, high_AT=nothing, low_AT=nothing)
    for window in KINDS:
        assert None not in reader_of(window, bare).prompts(bare)


@pytest.mark.parametrize("window", KINDS)
def test_what_was_kept_reads_the_same(window):
    reader = reader_of(window)
    again = Reader.of(reader.described())
    assert all(same(*pair) for pair in zip(reader.prompts(PANEL), again.prompts(PANEL), strict=True))
    with pytest.raises(ArtifactError, match="windows"):
        Reader.of({"window": window})


def test_bad_input_is_told():
    reader = reader_of("text")
    with pytest.raises(InputError, match="bars of 1d"):
        reader.prompts(PANEL.resample(timedelta(days=2)))
    with pytest.raises(DataError, match="returns, 20 needed"):
        reader_of("tokens", waves(5, n_assets=1))
    with pytest.raises(DataError, match="equal moves"):
        reader_of("tokens", flat(np.full((1, 100), 5.0)))
    with pytest.raises(DataError, match="moves"):
        reader_of("patches", flat(np.full((1, 100), 5.0)))
    with pytest.raises(InputError, match="symbols"):
        Reader.fit(PANEL, tiny(), symbols=("A", "A", "B", "C", "D"))


@pytest.mark.parametrize(
    "wrong", [{"n_classes": 4, "target": "direction"}, {"window": "patches", "n_bars": 9, "patch": 2}, {"horizon": 0}]
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValidationError):
        LLMConfig.model_validate(wrong)


def test_class_words_differ_from_the_first_letter_on():
    for sets in WORDS.values():
        for n, words in sets.items():
            assert len({word[0] for word in words}) == len(words) == n


def test_an_empty_history_asks_nothing():
    assert reader_of("text").prompts(noise(50).until(0)) == [None, None, None]


def flat(close_AT: np.ndarray):
    """A panel of closes without ranges' help: highs and lows are the closes."""
    panel = noise(close_AT.shape[1], n_assets=len(close_AT))
    return changed(panel, open_AT=close_AT, high_AT=close_AT, low_AT=close_AT, close_AT=close_AT)


def _zigzag() -> np.ndarray:
    return np.array([[0, 1, 0, 1, 0, 1, 0, 1, 0.0]])
