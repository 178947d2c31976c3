"""Simulated prices have the truth that they state, measured here by plain means."""

from datetime import timedelta

import numpy as np
import pytest

from nextbest.data.prices.volatility import garman_klass
from nextbest.errors import InputError
from nextbest.simulate.market import planted, random_walks, regime_changes


def returns_of(market):
    close_AT = market.panel.close_AT
    return close_AT[:, 1:] / close_AT[:, :-1] - 1


def ic_of(market):
    """Correlation of the stated expectation, in units of volatility, with the outcome."""
    return np.corrcoef(
        (market.expected_AT / market.volatility_AT)[:, 1:].ravel(),
        (returns_of(market) / market.volatility_AT[:, 1:]).ravel(),
    )[0, 1]


@pytest.mark.parametrize("law", ["gaussian", "garch_t"])
def test_nobody_earns_on_a_walk_and_its_volatility_is_the_stated_one(law):
    market = random_walks(n_assets=40, n_bars=2_000, law=law, volatility=0.02, rng=1)
    returns = returns_of(market)
    standard_error = 0.02 / np.sqrt(returns.size)
    assert abs(returns.mean()) < 4 * standard_error
    assert returns.std() == pytest.approx(0.02, rel=0.05)
    assert (
        abs(np.corrcoef(returns[:, :-1].ravel(), returns[:, 1:].ravel())[0, 1])
        < 4 / np.sqrt(returns.size) * 2
    )
    assert not market.expected_AT.any()
    assert market.ic == 0.0


def test_a_garch_walk_clusters_has_fat_tails_and_states_its_variance():
    calm = random_walks(n_assets=20, n_bars=2_000, rng=2)
    wild = random_walks(n_assets=20, n_bars=2_000, law="garch_t", rng=2)

    def clustering(market):
        squared = np.minimum(returns_of(market) ** 2, 0.01)
        return np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in squared])

    def kurtosis(values):
        return np.mean((values - values.mean()) ** 4) / values.var() ** 2

    assert abs(clustering(calm)) < 0.03 < 0.08 < clustering(wild)
    assert kurtosis(returns_of(calm)) == pytest.approx(3, abs=0.2)
    assert kurtosis(returns_of(wild)) > 5
    standardised = returns_of(wild) / wild.volatility_AT[:, 1:]
    assert standardised.std() == pytest.approx(1, rel=0.03)
    assert np.mean(np.abs(standardised[wild.volatility_AT[:, 1:] > 0.025])) == pytest.approx(
        np.mean(np.abs(standardised[wild.volatility_AT[:, 1:] < 0.015])), rel=0.05
    )


def test_assets_move_together_as_much_as_stated():
    returns = returns_of(random_walks(n_assets=10, n_bars=4_000, correlation=0.6, rng=3))
    off = np.corrcoef(returns)[np.triu_indices(10, 1)]
    assert off.mean() == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("law", ["gaussian", "garch_t"])
@pytest.mark.parametrize("pattern", ["momentum", "reversal"])
@pytest.mark.parametrize("ic", [0.05, 0.2])
def test_a_planted_series_can_be_predicted_by_as_much_as_it_says(law, pattern, ic):
    market = planted(ic=ic, pattern=pattern, law=law, n_assets=20, n_bars=4_000, rng=4)
    error = 1 / np.sqrt(20 * 4_000)
    assert ic_of(market) == pytest.approx(ic, abs=4 * error + 0.01)
    x = returns_of(market) / market.volatility_AT[:, 1:]
    seen = np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]
    assert seen == pytest.approx(ic if pattern == "momentum" else -ic, abs=4 * error + 0.01)
    assert returns_of(market).std() == pytest.approx(0.02, rel=0.08)


def test_a_leader_is_followed_and_follows_nobody():
    market = planted(ic=0.3, pattern="leader", n_assets=5, n_bars=8_000, rng=5)
    returns = returns_of(market)
    followers = [np.corrcoef(returns[0, :-1], row[1:])[0, 1] for row in returns[1:]]
    np.testing.assert_allclose(followers, 0.3, atol=0.05)
    assert abs(np.corrcoef(returns[0, :-1], returns[0, 1:])[0, 1]) < 0.05
    assert not market.expected_AT[0].any()


def test_trading_on_the_truth_pays_on_a_planted_series_and_not_on_a_walk():
    market = planted(ic=0.1, n_assets=10, n_bars=2_000, rng=6)
    gain = np.sign(market.expected_AT[:, 1:]) * returns_of(market)
    assert gain.mean() / gain.std() * np.sqrt(gain.size) > 5
    walk = random_walks(n_assets=10, n_bars=2_000, rng=6)
    momentum = np.sign(returns_of(walk)[:, :-1]) * returns_of(walk)[:, 1:]
    assert abs(momentum.mean() / momentum.std() * np.sqrt(momentum.size)) < 4


def test_regimes_have_their_own_drift_and_volatility():
    market = regime_changes(n_assets=20, n_bars=6_000, drifts=(0.002, -0.004), correlation=0.0, rng=7)
    returns, state = returns_of(market), market.state_T[1:]
    for regime, (drift, volatility) in enumerate(((0.002, 0.01), (-0.004, 0.04))):
        inside = returns[:, state == regime]
        assert inside.std() == pytest.approx(volatility, rel=0.05)
        assert inside.mean() == pytest.approx(drift, abs=4 * volatility / np.sqrt(inside.size))
    lengths = 6_000 / (np.count_nonzero(np.diff(market.state_T)) + 1)
    assert 60 < lengths < 170


def test_candles_hold_their_open_and_close_and_their_range_tells_the_volatility():
    panel = random_walks(n_assets=5, n_bars=2_000, law="garch_t", rng=8).panel
    assert (panel.high_AT >= np.maximum(panel.open_AT, panel.close_AT)).all()
    assert (panel.low_AT <= np.minimum(panel.open_AT, panel.close_AT)).all()
    np.testing.assert_allclose(panel.open_AT[:, 1:], panel.close_AT[:, :-1])
    variance = garman_klass(panel.open_AT, panel.high_AT, panel.low_AT, panel.close_AT)
    assert (variance >= -1e-12).all()
    assert 0.6 < np.sqrt(variance.mean()) / 0.02 < 1.05
    assert panel.step == timedelta(days=1)


def test_the_same_seed_is_the_same_market():
    assert planted(rng=9).panel.digest() == planted(rng=9).panel.digest() != planted(rng=10).panel.digest()


@pytest.mark.parametrize(
    "call",
    [
        lambda: random_walks(n_assets=0),
        lambda: random_walks(n_bars=1),
        lambda: random_walks(volatility=0.0),
        lambda: random_walks(correlation=1.0),
        lambda: random_walks(law="cauchy"),
        lambda: random_walks(step=timedelta(0)),
        lambda: planted(ic=0.0),
        lambda: planted(pattern="magic"),
        lambda: planted(pattern="leader"),
        lambda: regime_changes(drifts=(0.0,)),
        lambda: regime_changes(mean_length=1.0),
    ],
)
def test_laws_that_can_not_be_are_refused(call):
    with pytest.raises(InputError):
        call()
