"""The goal engine against closed forms, a plain slow simulation, and laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.bounds import Bounds
from nextbest.portfolio.plan.glide import GlidePath, monthly_weights
from nextbest.portfolio.plan.goals import Goal, GoalSimulator, goal_odds
from nextbest.portfolio.plan.optimise import efficient_portfolio
from nextbest.portfolio.plan.reference_odds import lognormal_odds, optimal_odds

GOAL = Goal(180.0, 60, monthly_contribution=1.0, inflation_ann=0.05, fee_ann=0.01)


@pytest.fixture(scope="module")
def simulator() -> GoalSimulator:
    returns = np.random.default_rng(3).normal([0.008, 0.003], [0.05, 0.01], (150, 2))
    return GoalSimulator(returns, n_paths=2_000, block=6, rng=1)


def test_probability_of_a_lognormal_lump_sum_is_the_closed_form_within_one_point():
    quantiles = ndtri((np.arange(2_000) + 0.5) / 2_000)
    returns = np.exp((0.07 - 0.15**2 / 2) / 12 + 0.15 / 12**0.5 * quantiles) - 1
    expected = lognormal_odds(wealth=100, target=150, years=10, drift=0.07, volatility=0.15)
    assert expected == pytest.approx(0.6494230350052297)
    for seed in range(3):
        found = goal_odds(
            Goal(150, 120), wealth=100, returns_MC=returns[:, None], weights=[1.0], block=1, rng=seed
        )
        assert found.probability == pytest.approx(expected, abs=0.01)


def test_goal_based_case_of_das_and_others_is_met():
    mean = [0.0493, 0.077, 0.0886]
    cov = np.array([[0.0017, -0.0017, -0.0021], [-0.0017, 0.0396, 0.03086], [-0.0021, 0.03086, 0.0392]])
    means = np.linspace(0.0526, 0.0886, 15)
    weights = [efficient_portfolio(mean, cov, target=m, bounds=Bounds(-5, 5)) for m in means]
    risks = [float(np.sqrt(w @ cov @ w)) for w in weights]
    found = optimal_odds(means, risks, wealth=100, target=200, n_years=10)
    assert found.probability == pytest.approx(0.669, abs=0.01)
    fixed = max(
        lognormal_odds(wealth=100, target=200, years=10, drift=m, volatility=s)
        for m, s in zip(means, risks, strict=True)
    )
    assert found.probability > fixed + 0.05  # changing portfolios is worth something
    assert set(found.choice_YG[-1]) > {0}


def test_optimal_odds_of_one_portfolio_are_the_closed_form():
    found = optimal_odds([0.06], [0.12], wealth=100, target=140, n_years=6)
    closed = lognormal_odds(wealth=100, target=140, years=6, drift=0.06, volatility=0.12)
    assert found.probability == pytest.approx(closed, abs=0.002)
    paid = optimal_odds([0.06], [0.12], wealth=100, target=140, n_years=6, contribution_ann=5)
    assert paid.probability > found.probability + 0.1


def test_odds_are_those_of_a_plain_loop_over_the_same_rows(simulator):
    weights = np.array([0.6, 0.4])
    found = simulator.odds(GOAL, wealth=100.0, weights=weights)
    ends = []
    for path in range(simulator.n_paths):
        wealth = 100.0
        for month in range(GOAL.n_months):
            row = simulator.returns_MC[simulator._rows[month][path]]
            wealth = (wealth + 1.05 ** (month / 12)) * (1 + row @ weights) * 0.99 ** (1 / 12)
        ends.append(wealth)
    missing = np.maximum(180 * 1.05**5 - np.array(ends), 0)
    assert found.probability == pytest.approx(np.mean(missing == 0))
    assert found.shortfall_mean == pytest.approx(missing.mean())
    assert found.shortfall_worst == pytest.approx(np.quantile(missing, 0.95))
    assert found.quantiles_MQ[-1] == pytest.approx(np.quantile(ends, [0.05, 0.25, 0.5, 0.75, 0.95]))
    assert found.quantiles_MQ[0].tolist() == [100.0] * 5


def test_blocks_keep_the_order_of_history_and_rows_stay_whole():
    returns = np.column_stack([np.arange(24) / 1000, np.arange(24) / 500])
    simulator = GoalSimulator(returns, n_paths=240, block=6, rng=0)
    simulator.probability(Goal(1.0, 12), wealth=1.0, weights=[0.5, 0.5])
    rows = np.array(simulator._rows)
    assert ((rows[1:6] - rows[:5]) % 24 == 1).all()
    assert np.bincount(rows[0], minlength=24).tolist() == [10] * 24  # every month starts equally many paths
    assert len(set(((rows[6] - rows[5]) % 24).tolist())) > 5  # blocks don't follow each other


@pytest.mark.parametrize("weights", [[0.6, 0.4], GlidePath(np.array([0.9, 0.1]), np.array([0.0, 1.0]), 48)])
def test_required_contribution_reaches_the_wanted_odds_and_a_little_less_does_not(simulator, weights):
    for wanted in (0.5, 0.8, 0.95):
        needed = simulator.required_contribution(GOAL, wealth=80.0, weights=weights, wanted=wanted)
        assert (
            simulator.odds(GOAL, wealth=80.0, weights=weights, wanted=wanted).required_contribution == needed
        )
        enough = replace(GOAL, monthly_contribution=needed)
        assert simulator.probability(enough, wealth=80.0, weights=weights) >= wanted
        less = replace(GOAL, monthly_contribution=needed * 0.999)
        assert simulator.probability(less, wealth=80.0, weights=weights) < wanted


def test_nothing_more_is_required_where_the_goal_is_already_safe(simulator):
    assert (
        simulator.required_contribution(Goal(10.0, 12), wealth=100.0, weights=[0.5, 0.5], wanted=0.9) == 0.0
    )


def test_required_months_reach_the_wanted_odds_and_one_month_less_does_not(simulator):
    goal = replace(GOAL, monthly_contribution=2.0)
    months = simulator.required_months(goal, wealth=50.0, weights=[0.5, 0.5], wanted=0.7)
    assert months is not None
    for n, reached in ((months, True), (months - 1, False)):
        p = simulator.probability(replace(goal, n_months=n), wealth=50.0, weights=[0.5, 0.5])
        assert (p >= 0.7) is reached
    assert (
        simulator.required_months(goal, wealth=50.0, weights=[0.5, 0.5], wanted=0.7, most=months - 1) is None
    )
    assert simulator.required_months(Goal(10.0, 12), wealth=100.0, weights=[0.5, 0.5], wanted=0.7) == 1


@settings(max_examples=20)
@given(
    wealth=st.floats(1, 500),
    more=st.floats(0.1, 50),
    contribution=st.floats(0, 10),
    months=st.integers(1, 90),
    share=st.floats(0, 1),
)
def test_more_money_never_lowers_the_odds_and_they_follow_the_currency(
    simulator, wealth, more, contribution, months, share
):
    goal, weights = Goal(150.0, months, contribution, 0.04), [share, 1 - share]
    before = simulator.odds(goal, wealth=wealth, weights=weights)
    assert simulator.probability(goal, wealth=wealth + more, weights=weights) >= before.probability
    paying = replace(goal, monthly_contribution=contribution + more)
    assert simulator.probability(paying, wealth=wealth, weights=weights) >= before.probability
    other = simulator.odds(
        replace(goal, target=150.0 * 64, monthly_contribution=contribution * 64),
        wealth=wealth * 64,
        weights=weights,
    )
    assert other.probability == before.probability
    assert other.quantiles_MQ == pytest.approx(before.quantiles_MQ * 64)
    assert (np.diff(before.quantiles_MQ, axis=1) >= 0).all()


def test_same_seed_same_answer_and_the_horizon_asked_first_does_not_matter():
    returns = np.random.default_rng(0).normal(0.005, 0.03, (60, 1))
    one, two = (GoalSimulator(returns, n_paths=500, rng=7) for _ in range(2))
    two.probability(Goal(1.0, 240), wealth=1.0, weights=[1.0])
    assert (
        one.odds(GOAL, wealth=90, weights=[1.0]).quantiles_MQ
        == two.odds(GOAL, wealth=90, weights=[1.0]).quantiles_MQ
    ).all()


def test_glide_path_ends_in_the_near_weights():
    path = GlidePath(np.array([0.8, 0.2]), np.array([0.0, 1.0]), 4)
    growth = monthly_weights(path, n_months=6, n_classes=2)[:, 0]
    assert growth == pytest.approx([0.8, 0.8, 0.8, 0.6, 0.4, 0.2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: Goal(0.0, 12), "target"),
        (lambda s: Goal(10.0, 0), "n_months"),
        (lambda s: Goal(10.0, 12, -1.0), "monthly_contribution"),
        (lambda s: Goal(10.0, 12, 0.0, 5.0), "inflation_ann"),
        (lambda s: Goal(10.0, 12, 0.0, 0.0, 1.0), "fee_ann"),
        (lambda s: s.odds(GOAL, wealth=-1.0, weights=[0.5, 0.5]), "wealth"),
        (lambda s: s.odds(GOAL, wealth=1.0, weights=[0.5, 0.6]), "sum to 1"),
        (lambda s: s.odds(GOAL, wealth=1.0, weights=[1.5, -0.5]), "0 or more"),
        (lambda s: s.odds(GOAL, wealth=1.0, weights=[1.0]), "2 classes"),
        (lambda s: s.odds(GOAL, wealth=1.0, weights=np.full((7, 2), 0.5)), "one row or 60"),
        (lambda s: s.odds(GOAL, wealth=1.0, weights=[0.5, 0.5], wanted=1.0), "wanted"),
        (lambda s: s.required_months(GOAL, wealth=1.0, weights=[0.5, 0.5], wanted=0.5, most=0), "most"),
        (lambda s: GoalSimulator([[0.1], [np.nan]], rng=0), "1 row"),
        (lambda s: GoalSimulator([[0.1], [-1.5]], rng=0), "-1 or more"),
        (lambda s: GoalSimulator([[0.1]], block=2, rng=0), "block"),
        (lambda s: GoalSimulator([[0.1]], block=1, n_paths=5, rng=0), "n_paths"),
        (lambda s: GoalSimulator([], rng=0), "row a month"),
        (lambda s: GlidePath(np.array([1.0]), np.array([1.0]), 0), "glide_months"),
        (lambda s: GlidePath(np.array([1.0]), np.array([0.5, 0.5]), 3), "shape"),
        (lambda s: lognormal_odds(wealth=0, target=1, years=1, drift=0, volatility=1), "wealth"),
        (lambda s: optimal_odds([0.1], [0.0], wealth=1, target=1, n_years=1), "volatility"),
        (lambda s: optimal_odds([0.1], [0.1, 0.2], wealth=1, target=1, n_years=1), "shape"),
        (lambda s: optimal_odds([0.1], [0.1], wealth=1, target=0, n_years=1), "target"),
        (lambda s: optimal_odds([0.1], [0.1], wealth=1, target=1, n_years=1, n_grid=3), "n_grid"),
    ],
)
def test_wrong_calls_are_told_what_is_wrong(simulator, call, message):
    with pytest.raises((InputError, DataError), match=message):
        call(simulator)
