"""The back-test against sums done by hand and a plain second implementation in pieces and money."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.trading.toy_prices import panel_of, walk
from nextbest.errors import DataError, InputError
from nextbest.market.trading.backtest import Costs, backtest, funding_of

NAN = np.nan


def all_in(n_bars, at=0):
    position = np.full((n_bars, 1), NAN)
    position[at:] = 1.0
    return position


def test_a_decision_at_a_close_is_filled_at_the_next_open():
    panel = panel_of([[100.0, 110.0, 121.0]], open=[[100.0, 105.0, 110.0]])
    result = backtest(all_in(3), panel, Costs())
    assert result.net_ST[0].tolist() == pytest.approx([0.0, 110 / 105 - 1, 121 / 110 - 1])
    assert result.first == 1


def test_the_gap_to_the_open_is_earned_by_what_was_held_before_the_trade():
    panel = panel_of([[100.0, 100.0, 130.0]], open=[[100.0, 100.0, 120.0]])
    position = np.array([[1.0], [0.0], [0.0]])
    assert backtest(position, panel, Costs()).net_ST[0, 2] == pytest.approx(0.2)


def test_costs_are_paid_on_each_side():
    panel = panel_of([[100.0] * 4])
    position = np.array([[1.0], [-1.0], [-1.0], [-1.0]])
    result = backtest(position, panel, Costs(fee=0.001, half_spread=0.0005, slippage=0.0005))
    assert result.turnover_ST[0, :3].tolist() == pytest.approx([0.0, 1.0, 2.0 + 0.002 / 0.998])
    assert result.net_ST[0, 1] == pytest.approx(-0.002)


def test_a_stated_rate_is_charged_by_the_day_and_received_by_a_short():
    panel = panel_of([[100.0] * 49], step=timedelta(hours=1))
    rate = backtest(np.stack([all_in(49), -all_in(49)]), panel, Costs(funding=0.24))
    assert rate.net_ST[0, 1] == pytest.approx(-0.01)
    assert rate.net_ST[1, 1] == pytest.approx(0.01)


def test_a_short_pays_to_borrow():
    panel = panel_of([[100.0] * 3])
    result = backtest(np.stack([all_in(3), -all_in(3)]), panel, Costs(borrow=0.001))
    assert result.net_ST[:, 1].tolist() == pytest.approx([0.0, -0.001])


def test_funding_by_table_counts_in_the_bar_it_falls_in():
    panel = panel_of([[100.0] * 4])
    table = pl.DataFrame(
        {
            "asset_id": ["A", "A", "A", "Z"],
            "time": ["2020-01-02 00:00", "2020-01-02 08:00", "2020-02-01 00:00", "2020-01-02 00:00"],
            "rate": [0.001, 0.002, 0.5, 0.5],
        }
    ).with_columns(pl.col("time").str.to_datetime(time_unit="us", time_zone="UTC"))
    rate = funding_of(table, panel)
    assert rate[:, 0].tolist() == pytest.approx([0.0, 0.003, 0.0, 0.0])
    assert backtest(all_in(4), panel, Costs(funding=rate)).net_ST[0].tolist() == pytest.approx([0, -0.003, 0, 0])  # fmt: skip


def test_a_missing_bar_can_not_be_traded_and_is_told():
    panel = panel_of([[100.0, 100.0, NAN, 150.0, 150.0]])
    position = np.array([[1.0], [0.0], [0.0], [0.0], [0.0]])
    result = backtest(position, panel, Costs())
    assert result.n_missing_S.tolist() == [1]
    assert result.missing_by_asset == {"A": 1}
    assert result.turnover_ST[0].tolist() == pytest.approx([0, 1, 0, 1, 0])
    assert result.net_ST[0].tolist() == pytest.approx(
        [0, 0, 0, 0.5, 0]
    )  # the gap until it was back is its own


def test_no_decision_leaves_what_is_held():
    panel = panel_of([[100.0, 100.0, 110.0, 121.0]])
    held = np.array([[1.0], [NAN], [NAN], [NAN]])
    result = backtest(held, panel, Costs())
    assert result.turnover_ST[0].tolist() == pytest.approx([0, 1, 0, 0])
    assert result.net_ST[0, 2:].tolist() == pytest.approx([0.1, 0.1])


def test_a_trade_above_the_volume_share_is_cut_and_told():
    panel = panel_of([[100.0] * 3], volume=[[1000.0] * 3])
    costs = Costs(capital=10_000, volume_share=0.01)
    result = backtest(all_in(3), panel, costs)
    assert result.turnover_ST[0].tolist() == pytest.approx([0.0, 0.1, 0.1])
    assert result.n_clipped_S.tolist() == [2]


def test_capacity_is_the_capital_that_fills_the_volume_share():
    panel = panel_of([[100.0] * 3], volume=[[1000.0] * 3])
    assert backtest(all_in(3), panel, Costs(volume_share=0.01)).capacity_S.tolist() == pytest.approx([1000.0])


def test_what_falls_to_zero_stays_there():
    panel = panel_of([[100.0, 100.0, 40.0, 80.0]])
    result = backtest(2 * all_in(4), panel, Costs())
    assert result.ruined_S.tolist() == [True]
    assert result.net_ST[0].tolist() == pytest.approx([0, 0, -1, 0])


def test_at_the_break_even_cost_the_mean_net_return_is_nothing():
    panel = walk(300, 2, drift=0.001)
    position = np.sign(np.random.default_rng(3).normal(size=(300, 2))) * 0.1
    position[:, 0] = np.abs(position[:, 0])
    free = backtest(position, panel, Costs())
    cost = abs(float(free.break_even_bps_S[0])) / 1e4
    side = 1.0 if free.break_even_bps_S[0] > 0 else -1.0
    net = free.gross_ST[0] - side * cost * free.turnover_ST[0]
    assert net.mean() == pytest.approx(0, abs=1e-12)


def test_closes_without_opens_are_filled_a_bar_later_at_the_close_or_refused():
    panel = panel_of([[100.0, 110.0, 121.0]], open=[[NAN] * 3])
    with pytest.raises(DataError, match="fill='close'"):
        backtest(all_in(3), panel, Costs())
    assert backtest(all_in(3), panel, Costs(), fill="close").net_ST[0].tolist() == pytest.approx([0, 0, 0.1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_returns_are_those_of_an_account_of_pieces_and_money(seed):
    gen = np.random.default_rng(seed)
    panel = walk(12, 2, rng=seed, volatility=0.1)
    close, opened = panel.close_AT.copy(), panel.open_AT * np.exp(gen.normal(scale=0.02, size=(2, 12)))
    hole = gen.random((2, 12)) < 0.2
    close[hole] = opened[hole] = NAN
    panel = panel_of(close, open=opened)
    position = gen.uniform(-0.6, 0.6, size=(12, 2))
    position[gen.random((12, 2)) < 0.3] = NAN
    costs = Costs(fee=0.001, half_spread=0.002, funding=0.0003)
    result = backtest(position, panel, costs)
    assert result.net_ST[0] == pytest.approx(_by_pieces(position, close, opened, costs), abs=1e-12)


def _by_pieces(position, close, opened, costs):
    """The slow account: pieces of each asset, money, no weights anywhere."""
    n_assets, n_bars = close.shape
    pieces, price, money, equity = np.zeros(n_assets), np.full(n_assets, NAN), 1.0, 1.0
    net = []
    for t in range(n_bars):
        target = position[t - 1] if t else np.full(n_assets, NAN)
        there = ~np.isnan(close[:, t])
        at_open = np.where(there, opened[:, t], price)
        worth = money + sum(pieces[a] * at_open[a] for a in range(n_assets) if pieces[a])
        for a in range(n_assets):
            if there[a] and not np.isnan(target[a]):
                wanted = target[a] * worth / opened[a, t]
                money -= (wanted - pieces[a]) * opened[a, t] + abs(wanted - pieces[a]) * opened[a, t] * costs.per_side  # fmt: skip
                pieces[a] = wanted
        for a in range(n_assets):
            if pieces[a]:
                money -= pieces[a] * at_open[a] * costs.funding
        price = np.where(there, close[:, t], price)
        now = money + sum(pieces[a] * price[a] for a in range(n_assets) if pieces[a])
        net.append(now / equity - 1)
        equity = now
    return net


def test_strategies_together_are_each_alone():
    panel = walk(80, 3)
    positions = np.random.default_rng(5).normal(scale=0.3, size=(4, 80, 3))
    together = backtest(positions, panel, Costs(fee=0.001, funding=0.0001))
    for s in range(4):
        alone = backtest(positions[s], panel, Costs(fee=0.001, funding=0.0001))
        assert np.allclose(together.net_ST[s], alone.net_ST[0], atol=1e-14)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"position_STA": np.zeros((2, 5, 3))}, "position_STA"),
        ({"position_STA": np.full((5, 2), np.inf)}, "position_STA"),
        ({"names": ("a", "b")}, "names"),
        ({"latency": 0}, "latency"),
        ({"fill": "mid"}, "fill"),
        ({"costs": Costs(funding=np.zeros((3, 2)))}, "costs.funding"),
    ],
)
def test_a_wrong_call_names_its_argument(changed, name):
    call = {"position_STA": np.zeros((5, 2)), "panel": walk(5, 2), "costs": Costs()} | changed
    position, panel, costs = call.pop("position_STA"), call.pop("panel"), call.pop("costs")
    with pytest.raises(InputError) as error:
        backtest(position, panel, costs, **call)
    assert error.value.name == name


@pytest.mark.parametrize("wrong", [{"fee": -0.1}, {"slippage": NAN}, {"volume_share": 0.0}, {"capital": -1.0}, {"funding": 2.0}])  # fmt: skip
def test_costs_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Costs(**wrong)
