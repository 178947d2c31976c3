"""Kinds of market known at the time, holding, and the same positions at random times."""

import numpy as np
import pytest

from market.trading.toy_prices import panel_of, walk
from nextbest.errors import InputError
from nextbest.market.trading.altered import with_other_future
from nextbest.market.trading.backtest import Costs, backtest
from nextbest.market.trading.signals import long_short
from nextbest.market.verdict.baselines import holding, random_entry
from nextbest.market.verdict.regimes import regimes

NAN = np.nan


def test_a_long_rise_is_a_bull_market_and_a_long_fall_a_bear_market():
    gen = np.random.default_rng(0)
    move = np.concatenate([np.full(200, 0.01), np.full(200, -0.01), np.zeros(200)]) + gen.normal(scale=0.005, size=600)  # fmt: skip
    found = regimes(panel_of(100 * np.exp(np.cumsum(move))[None]), length=60)
    assert set(found.trend_T[:61]) == {""}
    assert set(found.trend_T[100:200]) == {"bull"}
    assert set(found.trend_T[290:400]) == {"bear"}
    assert (found.trend_T[470:] == "sideways").mean() > 0.4


def test_a_rough_stretch_is_told_from_a_calm_one():
    scale = np.repeat([0.01, 0.05, 0.01], 200)
    move = np.random.default_rng(1).normal(size=600) * scale
    found = regimes(panel_of(100 * np.exp(np.cumsum(move))[None]), length=40)
    assert set(found.volatility_T[250:400]) == {"high_volatility"}
    assert (found.volatility_T[450:] == "low_volatility").mean() > 0.8


def test_the_kind_of_a_bar_is_known_before_it_opens():
    panel = walk(300, 2)
    other = with_other_future(panel, 200, rng=0)
    before, after = regimes(panel, length=30), regimes(other, length=30)
    assert np.array_equal(before.trend_T[:201], after.trend_T[:201])
    assert np.array_equal(before.volatility_T[:201], after.volatility_T[:201])


def test_the_running_median_is_that_of_all_windows_so_far():
    panel = walk(120, 1)
    found = regimes(panel, length=20)
    market = panel.log_return_AT[0]
    spread = [market[t - 20 : t].std(ddof=1) for t in range(21, 120)]
    expected = ["high_volatility" if s > np.median(spread[: i + 1]) else "low_volatility" for i, s in enumerate(spread)]  # fmt: skip
    assert found.volatility_T[21:].tolist() == expected


def test_too_few_bars_have_no_kind():
    assert regimes(walk(20), length=30).masks() == {}


def test_buy_and_hold_drifts_and_equal_weight_trades_back():
    panel = panel_of([[100.0, 100.0, 200.0, 400.0], [100.0, 100.0, 100.0, 100.0]])
    result = holding(panel, Costs(), first=1)
    assert result.names == ("buy_and_hold", "equal_weight")
    assert result.net_ST[0, 2:].tolist() == pytest.approx([0.5, 2 / 3])
    assert result.net_ST[1, 2:].tolist() == pytest.approx([0.5, 0.5])
    assert result.turnover_ST[0].tolist() == pytest.approx([0, 1, 0, 0])
    assert result.turnover_ST[1, 3] == pytest.approx(1 / 3)


def test_an_asset_not_yet_listed_is_not_held():
    panel = panel_of([[100.0, 100.0, 110.0], [NAN, NAN, 100.0]])
    assert holding(panel, Costs(), first=1).net_ST[0, 2] == pytest.approx(0.1)


def test_an_oracle_beats_its_own_positions_at_random_times_and_chance_does_not():
    panel = walk(300, 2, rng=3)
    coming = np.concatenate([panel.log_return_AT[:, 1:], np.zeros((2, 1))], axis=1).T
    assert random_entry(long_short(coming), panel, Costs(), rng=0, n_entries=99).p_value == 0.01
    chance = np.random.default_rng(1).normal(size=(300, 2))
    assert random_entry(long_short(chance), panel, Costs(), rng=0, n_entries=99).p_value > 0.05


def test_a_rule_that_only_holds_is_no_better_than_itself_at_another_time():
    panel = walk(300, 2, drift=0.01)
    always = np.full((300, 2), 0.5)
    assert random_entry(always, panel, Costs(), rng=0, n_entries=19).p_value == 1.0


def test_random_entries_trade_as_much_as_the_strategy():
    panel = walk(200, 2, rng=5)
    position = long_short(np.random.default_rng(0).normal(size=(200, 2)))
    own = backtest(position, panel, Costs()).turnover_ST[0, 1:].mean()
    moved = backtest(np.roll(position, 37, axis=0), panel, Costs()).turnover_ST[0, 1:].mean()
    assert moved == pytest.approx(own, rel=0.02)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda p: regimes(p, length=5), "length"),
        (lambda p: regimes(p, band=0.0), "band"),
        (lambda p: holding(p, Costs(), first=0), "first"),
        (lambda p: random_entry(np.zeros((60, 3)), p, Costs(), rng=0, n_entries=5), "n_entries"),
        (lambda p: random_entry(np.full((60, 3), NAN), p, Costs(), rng=0), "position_TA"),
    ],
)
def test_a_wrong_call_names_its_argument(call, name):
    with pytest.raises(InputError) as error:
        call(walk(60, 3))
    assert error.value.name == name
