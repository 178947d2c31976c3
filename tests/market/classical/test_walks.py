"""Random walks against their closed forms, gaps, delistings, short histories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from market.price_cases import HOUR, panel_of, random_closes
from nextbest.errors import InputError
from nextbest.market.base import LEVELS, make_forecaster
from nextbest.market.classical.walks import EWMAWalk, HistoricalSimulation, SeasonalNaive, season_of

Z = norm.ppf(LEVELS)
H = (1, 6, 24)
WALKS = ("rw_gauss", "rw_ewma", "rw_hist_sim", "drift", "seasonal_naive")
PANEL = panel_of(random_closes(700, seed=3))
RETURNS = np.diff(np.log(PANEL.close_AT), axis=1)


def asked(name, panel=PANEL, horizons=H, **config):
    return make_forecaster(name, **config).forecast((panel,), horizons=horizons)[0]


def test_the_gaussian_walk_is_sigma_of_all_returns_times_the_root_of_h():
    expected = RETURNS.std(axis=1)[:, None, None] * np.sqrt(H)[:, None] * Z
    np.testing.assert_allclose(asked("rw_gauss"), expected, atol=1e-15)


@pytest.mark.parametrize(("step", "decay"), [({}, 0.94), ({"step": HOUR}, 0.97)])
def test_the_exponential_walk_is_the_recursion_of_riskmetrics(step, decay):
    variance = RETURNS[:, 0] ** 2
    for r in RETURNS.T[1:]:
        variance = decay * variance + (1 - decay) * r**2
    expected = np.sqrt(variance)[:, None, None] * np.sqrt(H)[:, None] * Z
    np.testing.assert_allclose(
        asked("rw_ewma", panel_of(PANEL.close_AT, **step)), expected, rtol=1e-8, atol=1e-12
    )


def test_the_exponential_walk_reads_no_more_than_it_says():
    model = EWMAWalk()
    whole, part = (
        model.forecast((p,), horizons=H) for p in (PANEL, PANEL.until(700, length=model.context_length))
    )
    np.testing.assert_allclose(part, whole, rtol=1e-10, atol=1e-15)


def test_historical_simulation_is_the_quantiles_of_past_moves():
    x = np.log(PANEL.close_AT)[:, -501:]
    expected = [[np.quantile(row[h:] - row[:-h], LEVELS) for h in H] for row in x]
    np.testing.assert_allclose(asked("rw_hist_sim"), expected)


def test_drift_and_its_spread_are_those_of_hyndman():
    n = RETURNS.shape[1]
    mean, sigma = RETURNS.mean(1), RETURNS.std(1, ddof=1)
    h = np.array(H)
    expected = mean[:, None, None] * h[:, None] + sigma[:, None, None] * np.sqrt(h * (1 + h / n))[:, None] * Z
    np.testing.assert_allclose(asked("drift"), expected, rtol=1e-10)


def test_the_seasonal_value_is_that_of_a_season_ago_and_widens_by_season():
    x = np.log(PANEL.close_AT)
    found = asked("seasonal_naive", horizons=(1, 7, 8))
    np.testing.assert_allclose(found[:, :, 4], x[:, [-7, -1, -7]] - x[:, [-1]], atol=1e-12)
    width = found[:, :, 8] - found[:, :, 0]
    np.testing.assert_allclose(width / width[:, :1], [[1, 1, np.sqrt(2)]] * 2)


def test_a_season_is_a_day_of_hours_and_a_week_of_days():
    assert season_of(panel_of(random_closes(100), step=HOUR)) == 24
    assert season_of(PANEL) == 7


@pytest.mark.parametrize("name", WALKS)
def test_an_asset_without_a_close_at_the_cutoff_has_no_answer_and_a_gap_only_leaves_bars_out(name):
    close_AT = random_closes(300, n_assets=3, seed=5)
    close_AT[0, -1] = np.nan
    close_AT[1, 150:155] = np.nan
    found = asked(name, panel_of(close_AT))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()
    assert (np.diff(found[1:], axis=-1) > 0).all()


@pytest.mark.parametrize("name", WALKS)
def test_one_bar_and_no_bar_are_no_answer(name):
    assert np.isnan(asked(name, PANEL.until(1))).all()
    assert np.isnan(asked(name, PANEL.until(0))).all()
    assert make_forecaster(name).forecast((), horizons=H).shape == (0, 0, 3, 9)


@pytest.mark.parametrize("name", WALKS)
@given(st.integers(0, 1000), st.floats(0.01, 100.0))
def test_a_walk_does_not_know_the_currency(name, seed, factor):
    close_AT = random_closes(60, seed=seed)
    one, other = (asked(name, panel_of(p), horizons=(1, 5)) for p in (close_AT, close_AT * factor))
    np.testing.assert_allclose(one, other, atol=1e-10)


def test_settings_and_questions_out_of_range_are_refused():
    for make in (
        lambda: EWMAWalk(decay=1.0),
        lambda: HistoricalSimulation(window=1),
        lambda: SeasonalNaive(season=0),
    ):
        with pytest.raises(InputError):
            make()
    for question in ({"horizons": ()}, {"horizons": (2, 1)}, {"horizons": (1,), "levels": (0.5, 0.1)}):
        with pytest.raises(InputError):
            make_forecaster("rw_gauss").forecast((PANEL,), **question)
