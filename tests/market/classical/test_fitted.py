"""Models that are fitted: GARCH against `arch`, HAR and boosting on worlds whose answer is known."""

import warnings

import numpy as np
import pytest

from market.price_cases import HOUR, panel_of, random_closes
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, make_forecaster
from nextbest.market.classical.garch import (
    GarchParameters,
    GarchWalk,
    cumulative_variance,
    garch_variance,
    student_HQ,
)
from nextbest.market.classical.har import bar_variance

H = (1, 6, 24)


def clustered(n_bars=900, *, n_assets=3, seed=1):
    """Closes whose variance is high in some months and low in others, in all assets at once."""
    rng = np.random.default_rng(seed)
    calm = np.where(np.arange(n_bars) // 60 % 2 == 0, 0.005, 0.03)
    steps_AT = rng.standard_t(6, (n_assets, n_bars)) * calm
    return 100 * np.exp(np.cumsum(steps_AT, axis=1))


CLOSES = clustered()
PANEL = panel_of(CLOSES, candles=True)


@pytest.fixture(scope="module")
def garch():
    model = GarchWalk(window=800)
    model.fit(PANEL, horizons=H, rng=np.random.default_rng(0))
    return model


def arch_fixed(r, p):
    from arch.univariate import GARCH, StudentsT, ZeroMean

    model = ZeroMean(r, volatility=GARCH(1, 0, 1), distribution=StudentsT(), rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fix([p.omega, p.alpha, p.beta, p.df])


def test_the_recursion_and_its_sums_are_those_of_arch_to_1e_8(garch):
    r = PANEL.log_return_AT[0, -800:] * 100
    p = garch.parameters_["A"]
    theirs = arch_fixed(r, p)
    ours = garch_variance(r, p)
    np.testing.assert_allclose(ours[:-1], theirs.conditional_volatility**2, rtol=1e-8)
    ahead = theirs.forecast(horizon=24).variance.to_numpy()[-1]
    np.testing.assert_allclose(cumulative_variance(ours[-1], p, 24), np.cumsum(ahead), rtol=1e-8)


def test_the_forecast_is_the_recursion_in_the_shape_of_a_t(garch):
    p = garch.parameters_["B"]
    r = PANEL.log_return_AT[1, -800:] * 100
    spread = (
        np.sqrt(np.cumsum(arch_fixed(r, p).forecast(horizon=24).variance.to_numpy()[-1]))[[0, 5, 23]] / 100
    )
    found = garch.forecast((PANEL,), horizons=H)[0, 1]
    np.testing.assert_allclose(found, spread[:, None] * student_HQ(p.df, H, np.array(LEVELS)), rtol=1e-8)
    assert (found[:, 4] == 0).all()


def test_a_sum_of_independent_t_steps_has_the_quantiles_that_its_kurtosis_gives():
    df, n, rng = 8.0, 400_000, np.random.default_rng(0)
    steps = rng.standard_t(df, (n, 6)) * np.sqrt((df - 2) / df)
    drawn = np.quantile(steps.sum(1) / np.sqrt(6), LEVELS)
    np.testing.assert_allclose(student_HQ(df, [6], np.array(LEVELS))[0], drawn, atol=0.008)
    assert abs(student_HQ(df, [1], np.array(LEVELS))[0, 8] - drawn[8]) > 0.03


def test_between_fits_only_the_state_moves(garch):
    before = dict(garch.parameters_)
    calm, wild = (garch.forecast((PANEL.until(stop),), horizons=(1,))[0, 0, 0, 8] for stop in (780, 895))
    assert garch.parameters_ == before
    assert wild != calm


def test_an_asset_too_short_or_without_movement_is_not_fitted_and_has_no_answer():
    close_AT = CLOSES.copy()
    close_AT[0, :850] = np.nan
    close_AT[1] = 5.0
    panel = panel_of(close_AT)
    model = GarchWalk()
    with pytest.raises(NotFittedError):
        model.forecast((panel,), horizons=H)
    model.fit(panel, horizons=H, rng=np.random.default_rng(0))
    found = model.forecast((panel,), horizons=H)[0]
    assert set(model.parameters_) == {"C"}
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2]).all()


def test_next_variance_at_the_long_run_level_stays_there():
    p = GarchParameters(omega=0.1, alpha=0.1, beta=0.8, df=6)
    np.testing.assert_allclose(cumulative_variance(1.0, p, 5), np.arange(1, 6))


@pytest.mark.parametrize("name", ["har", "lgbm_quantile"])
def test_a_volatility_model_is_wider_in_wild_months_and_covers_four_in_five(name):
    panel = panel_of(clustered(1300, seed=2), candles=True)
    config = {"har": {}, "lgbm_quantile": {"n_trees": 25, "min_leaf_rows": 50}}[name]
    model = make_forecaster(name, **config)
    model.fit(panel.until(900), horizons=(1, 6), rng=np.random.default_rng(0))
    stops = np.arange(900, 1290, 3)
    length = model.context_length
    found = model.forecast([panel.until(int(s), length=length) for s in stops], horizons=(1, 6))
    width = (found[..., 8] - found[..., 0])[:, :, 0].mean(1)
    wild = (stops - 1) // 60 % 2 == 1
    settled = (stops - 1) % 60 > 30
    assert width[wild & settled].mean() > 1.7 * width[~wild & settled].mean()
    x = np.log(panel.close_AT)
    outcome = (x[:, stops] - x[:, stops - 1]).T
    inside = (outcome >= found[:, :, 0, 0]) & (outcome <= found[:, :, 0, 8])
    assert 0.72 < inside.mean() < 0.88
    assert (np.diff(found, axis=-1) >= 0).all()


@pytest.mark.parametrize("name", ["har", "lgbm_quantile", "rw_garch_t"])
def test_an_answer_needs_the_stated_context_only_and_not_the_neighbours_in_the_call(name):
    model = make_forecaster(name)
    model.fit(PANEL.until(800), horizons=(1, 6), rng=np.random.default_rng(0))
    short = [PANEL.until(s, length=model.context_length) for s in (850, 900)]
    together = model.forecast(short, horizons=(1, 6))
    np.testing.assert_allclose(together[:1], model.forecast(short[:1], horizons=(1, 6)), rtol=1e-12)
    np.testing.assert_allclose(
        together[0], model.forecast((PANEL.until(850),), horizons=(1, 6))[0], rtol=1e-6
    )


@pytest.mark.parametrize("name", ["har", "lgbm_quantile"])
def test_a_delisted_asset_and_a_gap_leave_the_others_their_answers(name):
    close_AT = CLOSES.copy()
    close_AT[0, 800:] = np.nan
    close_AT[1, 400:420] = np.nan
    panel = panel_of(close_AT)
    model = make_forecaster(name)
    model.fit(panel, horizons=(1,), rng=np.random.default_rng(0))
    found = model.forecast((panel,), horizons=(1,))[0]
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1:]).all()


def test_boosting_is_the_same_for_the_same_seed_and_answers_levels_in_between_only():
    answers = []
    for _ in range(2):
        model = make_forecaster("lgbm_quantile", n_trees=5)
        model.fit(PANEL, horizons=(1,), rng=np.random.default_rng(7))
        answers.append(model.forecast((PANEL,), horizons=(1,)))
    np.testing.assert_array_equal(*answers)
    between = model.forecast((PANEL,), horizons=(1,), levels=(0.15, 0.5))[0, :, 0]
    np.testing.assert_allclose(between[:, 0], answers[0][0, :, 0, :2].mean(-1))
    with pytest.raises(InputError, match="levels"):
        model.forecast((PANEL,), horizons=(1,), levels=(0.01, 0.5))


def test_the_variance_of_a_bar_without_a_range_is_its_squared_return():
    bare = panel_of(CLOSES)
    np.testing.assert_array_equal(bar_variance(bare), bare.log_return_AT**2)
    assert (bar_variance(PANEL)[:, 1:] != bare.log_return_AT[:, 1:] ** 2).any()


def test_intraday_bars_have_longer_windows():
    hourly = panel_of(random_closes(400), step=HOUR)
    model = make_forecaster("har")
    model.fit(hourly, horizons=(1,), rng=np.random.default_rng(0))
    assert len(model.fitted_[1][0]) == 7
    assert np.isfinite(model.forecast((hourly,), horizons=(1,))).all()
