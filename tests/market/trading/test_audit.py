"""Planted leaks are caught, each by its own detector; honest rules pass all of them."""

import numpy as np
import pytest

from market.trading.toy_prices import panel_of, walk
from nextbest.errors import InputError
from nextbest.market.trading.altered import shuffled_in_time, signs_by_chance, with_other_future
from nextbest.market.trading.audit import (
    audit_answers,
    audit_earnings,
    audit_fills,
    audit_forecaster,
    audit_split,
    overlapping,
)
from nextbest.market.trading.backtest import Costs, backtest
from nextbest.market.trading.signals import long_flat, long_short, top_minus_bottom

NAN = np.nan


@pytest.fixture(scope="module")
def prices():
    return walk(300, 3, rng=4, volatility=0.04, drift=0.001)


def momentum(panel, length=5):
    close = panel.close_AT
    past = np.full(close.shape, NAN)
    past[:, length:] = np.log(close[:, length:] / close[:, :-length])
    return past.T


def next_return(panel):
    return np.concatenate([panel.log_return_AT[:, 1:], np.full((panel.n_assets, 1), NAN)], axis=1).T


def z_score(panel, length, ahead):
    """Of the last close within `length` bars that end `ahead` bars later."""
    close, found = panel.close_AT, np.full(panel.close_AT.shape, NAN)
    for t in range(length - ahead - 1, panel.n_bars - ahead):
        window = close[:, t + 1 + ahead - length : t + 1 + ahead]
        found[:, t] = (close[:, t] - window.mean(axis=1)) / window.std(axis=1)
    return found.T


def next_bar(position, panel):
    return backtest(position, panel, Costs()).net_ST[0]


def same_bar(position, panel):
    """The research's own mistake: the day's return, earned by a decision made at that day's close."""
    moves = np.nan_to_num(panel.close_AT[:, 1:] / panel.close_AT[:, :-1] - 1).T
    return np.concatenate([[0.0], (np.nan_to_num(position[1:]) * moves).sum(axis=1)])


def sharpe_ann(net):
    return net.mean() / net.std() * np.sqrt(365)


HONEST = {
    "momentum": lambda p: long_short(momentum(p)),
    "reversal, long or flat": lambda p: long_flat(-momentum(p, 1)),
    "cross-section": lambda p: top_minus_bottom(momentum(p, 20), k=1),
    "against all of the past": lambda p: long_short(-np.log(p.close_AT / p.close_AT[:, :1]).T),
    "always long": lambda p: np.full((p.n_bars, p.n_assets), 1 / p.n_assets),
}
FUTURE = {
    "future feature": lambda p: long_short(next_return(p)),
    "future size": lambda p: np.abs(next_return(p)),
    "future volume": lambda p: np.roll(p.volume_AT, -1, axis=1).T,
    "window scaled by its target": lambda p: z_score(p, 20, 1),
    "scaled by the mean of all data": lambda p: (p.close_AT / p.close_AT.mean(axis=1, keepdims=True)).T,
    "future range": lambda p: np.roll(p.high_AT / p.low_AT, -1, axis=1).T,
    "future open to close": lambda p: np.roll(p.close_AT / p.open_AT, -1, axis=1).T,
}


@pytest.mark.parametrize("rule", HONEST.values(), ids=HONEST.keys())
def test_an_honest_rule_passes_with_its_returns(rule, prices):
    assert audit_answers(rule, prices, rng=0).passed
    assert audit_earnings(lambda p: next_bar(rule(p), p), prices, rng=1).passed
    assert audit_fills(next_bar, rule(prices), prices, rng=2).passed


@pytest.mark.parametrize("leak", FUTURE.values(), ids=FUTURE.keys())
def test_an_answer_that_knows_the_future_is_caught(leak, prices):
    audit = audit_answers(leak, prices, rng=0)
    assert {f.leak for f in audit.findings} == {"future_changed"}


def test_a_window_that_ends_at_its_close_is_honest(prices):
    assert audit_answers(lambda p: z_score(p, 20, 0), prices, rng=0).passed


def test_one_asset_and_one_bit_of_the_future_are_enough():
    for seed in range(20):
        panel = walk(60, 1, rng=seed)
        assert not audit_answers(lambda p: np.sign(next_return(p)), panel, rng=seed).passed


def test_a_same_bar_fill_earns_a_fortune_and_is_caught_by_both_detectors(prices):
    position = long_short(momentum(prices, 1))
    assert sharpe_ann(same_bar(position, prices)) > 15
    assert abs(sharpe_ann(next_bar(position, prices))) < 2.5
    fills = audit_fills(same_bar, position, prices, rng=0)
    assert {f.leak for f in fills.findings} == {"same_bar_fill"}
    earned = audit_earnings(lambda p: same_bar(long_short(momentum(p, 1)), p), prices, rng=0)
    assert {f.leak for f in earned.findings} == {"earned_by_chance"}
    assert len(earned.findings) == 2  # in random order, and with signs by chance


def test_a_position_shifted_back_by_one_bar_is_caught_by_what_it_earns(prices):
    def cheat(panel):
        return next_bar(np.roll(long_short(momentum(panel, 1)), -1, axis=0), panel)

    assert "earned_by_chance" in {f.leak for f in audit_earnings(cheat, prices, rng=0).findings}


class Mean:
    """Forecasts the mean of what it was given."""

    def __init__(self, data=None):
        self.data = data

    def fit(self, history, *, horizons, rng):
        pass

    def forecast(self, histories, *, horizons):
        past = [np.nanmean(h.log_return_AT[:, -5:], axis=1) for h in histories]
        return np.array(past)[:, :, None, None] * np.array(horizons)[:, None]


class Remembers(Mean):
    """Looks the answer up in the data it was built with."""

    def forecast(self, histories, *, horizons):
        at = [int(np.searchsorted(self.data.time_T, h.time_T[-1])) for h in histories]
        return np.array([[self.data.close_AT[:, t + h] for h in horizons] for t in at]).transpose(0, 2, 1)[
            ..., None
        ]


def test_a_forecaster_that_kept_the_data_it_was_built_with_is_caught(prices):
    stops = [100, 200, 250]
    assert audit_forecaster(lambda p: Mean(), prices, stops=stops, horizons=(1, 6), rng=0).passed
    audit = audit_forecaster(Remembers, prices, stops=stops, horizons=(1, 6), rng=0)
    assert [(f.leak, f.n) for f in audit.findings] == [("future_changed", 3)]


def test_labels_that_share_bars_are_caught_and_purged_ones_pass():
    start = np.arange(100)
    end = start + 5
    train, test = np.arange(80), np.arange(80, 100)
    audit = audit_split(start, end, train, test)
    assert {(f.leak, f.n, f.first) for f in audit.findings} == {("label_overlap", 5, 75), ("trained_later", 5, 75)}  # fmt: skip
    assert audit_split(start, end, train[:75], test).passed


def test_samples_shuffled_in_time_are_caught():
    order = np.random.default_rng(0).permutation(100)
    bars = np.arange(100)
    audit = audit_split(bars, bars, order[:80], order[80:])
    assert {f.leak for f in audit.findings} == {"trained_later"}
    assert audit_split(bars, bars, order[:80], order[80:], future_is_allowed=True).passed


def test_overlap_is_that_of_a_plain_double_loop():
    gen = np.random.default_rng(0)
    start = gen.integers(0, 40, size=50)
    end = start + gen.integers(0, 6, size=50)
    order = gen.permutation(50)
    train, test = order[:35], order[35:]
    slow = [i for i in train if any(start[i] <= end[j] and start[j] <= end[i] for j in test)]
    assert overlapping(start, end, train, test).tolist() == slow


def test_another_future_leaves_the_past_and_the_holes():
    close = walk(50, 2).close_AT.copy()
    close[0, 30] = close[1, :5] = NAN
    panel = panel_of(close)
    other = with_other_future(panel, 25, rng=0)
    assert np.array_equal(other.close_AT[:, :25], panel.close_AT[:, :25], equal_nan=True)
    assert np.array_equal(np.isnan(other.close_AT), np.isnan(panel.close_AT))
    assert (np.nan_to_num(other.close_AT[:, 25:]) != np.nan_to_num(panel.close_AT[:, 25:]))[:, 10:].all()
    assert np.nanmax(other.low_AT / other.high_AT) <= 1 + 1e-12


@pytest.mark.parametrize("made", [shuffled_in_time, signs_by_chance])
def test_a_series_without_profit_has_no_drift_and_moves_of_the_same_size(made):
    panel = walk(3000, 2, drift=0.004, volatility=0.02)
    new = made(panel, rng=0)
    moves = new.close_AT[:, 1:] / new.close_AT[:, :-1] - 1
    old = panel.close_AT[:, 1:] / panel.close_AT[:, :-1] - 1
    assert old.mean() > 0.003
    assert np.abs(moves.mean()) < 4 * 0.02 / np.sqrt(3000)
    assert np.abs(moves).mean() == pytest.approx(np.abs(old).mean(), rel=0.05)
    assert (new.low_AT <= new.high_AT * (1 + 1e-12)).all()


def test_a_rule_that_draws_at_random_is_refused_not_accused(prices):
    gen = np.random.default_rng(0)
    with pytest.raises(InputError, match="fix its seed"):
        audit_answers(lambda p: gen.normal(size=(p.n_bars, 1)), prices, rng=0)


def test_answers_of_another_length_are_refused(prices):
    with pytest.raises(InputError, match="a row for each of the 300 bars"):
        audit_answers(lambda p: np.zeros((3, 1)), prices, rng=0)


def test_a_panel_too_short_to_tell_is_refused():
    with pytest.raises(InputError, match="20 bars"):
        audit_answers(momentum, walk(10), rng=0)
