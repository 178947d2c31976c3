"""Optimisers against known answers, skfolio, and laws: sum 1, within bounds, nobody beats the optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.black_litterman import View, black_litterman, posterior_returns
from nextbest.portfolio.plan.bounds import Bounds, Infeasible, resolve, settle, verify
from nextbest.portfolio.plan.estimates import moments
from nextbest.portfolio.plan.hierarchical import hrp
from nextbest.portfolio.plan.min_cvar import cvar, min_cvar
from nextbest.portfolio.plan.optimise import efficient_portfolio, mean_variance_frontier, min_variance
from nextbest.portfolio.plan.risk_parity import risk_parity, risk_shares

NAMES = ["a", "b", "c", "d", "e", "f"]
CLASSES = {"a": "equity", "b": "equity", "c": "equity", "d": "bond", "e": "bond", "f": "gold"}


@pytest.fixture(scope="module")
def returns_TA() -> np.ndarray:
    rng = np.random.default_rng(5)
    common = rng.normal(0, 0.01, (240, 1))
    return 0.0004 + common * [1.2, 1.0, 0.8, 0.2, 0.1, -0.3] + rng.standard_t(4, (240, 6)) * 0.006


METHODS = {
    "min_variance": lambda r, b: min_variance(moments(r)[1], bounds=b, names=NAMES),
    "risk_parity": lambda r, b: risk_parity(moments(r)[1], bounds=b, names=NAMES),
    "min_cvar": lambda r, b: min_cvar(r, bounds=b, names=NAMES),
    "hrp": lambda r, b: hrp(moments(r)[1], bounds=b, names=NAMES),
    "black_litterman": lambda r, b: black_litterman(
        moments(r)[1],
        prior_A=np.full(6, 1 / 6),
        views=[View({"a": 1, "d": -1}, 0.002, 0.6)],
        bounds=b,
        names=NAMES,
    ),
    "efficient": lambda r, b: mean_variance_frontier(
        *moments(r), n_points=3, bounds=b, names=NAMES
    ).weights_FA[1],
}


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=30)
@given(st.data())
def test_weights_sum_to_one_within_random_bounds_that_can_hold(method, returns_TA, data):
    inside = data.draw(st.lists(st.floats(0.02, 1), min_size=6, max_size=6))
    weights = np.array(inside) / sum(inside)
    slack = np.array(data.draw(st.lists(st.floats(0, 0.3), min_size=12, max_size=12)))
    lower, upper = np.maximum(weights - slack[:6], 0), weights + slack[6:]
    lower[data.draw(st.integers(0, 5))] = 0.0
    equity = weights[:3].sum()
    ends = (max(equity - data.draw(st.floats(0, 0.2)), 0.0), equity + data.draw(st.floats(0, 0.2)))
    bounds = Bounds(
        dict(zip(NAMES, lower, strict=True)), dict(zip(NAMES, upper, strict=True)), {"equity": ends}, CLASSES
    )
    found = METHODS[method](returns_TA, bounds)
    assert abs(found.sum() - 1) < 1e-8
    assert (found >= lower - 1e-8).all()
    assert (found <= upper + 1e-8).all()
    assert ends[0] - 1e-8 <= found[:3].sum() <= ends[1] + 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_bounds_that_leave_one_answer_give_it(method, returns_TA):
    found = METHODS[method](returns_TA, Bounds(0.0, 1 / 6))
    assert found == pytest.approx(np.full(6, 1 / 6), abs=1e-7)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_no_random_portfolio_beats_the_minimum(seed):
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.001, 0.02, (40, 4))
    cov = moments(returns)[1]
    best, best_tail = min_variance(cov), min_cvar(returns, alpha=0.1)
    others = rng.dirichlet(np.full(4, 0.5), 200)
    assert np.einsum("na,ab,nb->n", others, cov, others).min() >= best @ cov @ best - 1e-12
    assert max(cvar(returns @ w, alpha=0.1) for w in others) <= cvar(returns @ best_tail, alpha=0.1) + 1e-10


def test_minimum_of_fewer_days_than_assets_is_found():
    returns = np.random.default_rng(0).normal(0, 0.01, (10, 25))
    found = min_variance(moments(returns)[1])
    assert (returns @ found).var() < 1e-8


def test_min_variance_risk_parity_cvar_and_hrp_are_skfolios(returns_TA):
    pytest.importorskip("skfolio")
    from skfolio import RiskMeasure
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting

    cov = moments(returns_TA)[1]
    theirs = MeanRisk().fit(returns_TA).weights_
    ours = min_variance(cov)
    assert ours @ cov @ ours <= theirs @ cov @ theirs + 1e-15
    assert ours == pytest.approx(theirs, abs=1e-3)  # their solver stops at a looser gap
    assert risk_parity(cov) == pytest.approx(
        RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(returns_TA).weights_, abs=1e-5
    )
    tail = MeanRisk(risk_measure=RiskMeasure.CVAR, cvar_beta=0.95).fit(returns_TA).weights_
    assert cvar(returns_TA @ min_cvar(returns_TA)) == pytest.approx(cvar(returns_TA @ tail), abs=1e-6)
    assert hrp(cov) == pytest.approx(HierarchicalRiskParity().fit(returns_TA).weights_, abs=1e-9)


def test_bounded_risk_parity_is_skfolios(returns_TA):
    pytest.importorskip("skfolio")
    from skfolio import RiskMeasure
    from skfolio.optimization import RiskBudgeting

    theirs = (
        RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, min_weights=0.05, max_weights=0.25)
        .fit(returns_TA)
        .weights_
    )
    assert risk_parity(moments(returns_TA)[1], bounds=Bounds(0.05, 0.25)) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        (0.06, [0.8772, 0.0434, 0.0416, 0.0378]),
        (0.09, [0.5032, 0.2488, 0.0780, 0.1700]),
        (0.12, [0.1293, 0.4541, 0.1143, 0.3022]),
    ],
)
def test_efficient_portfolios_are_those_published_by_mathworks(target, weights):
    mean = [0.05, 0.1, 0.12, 0.18]
    cov = [
        [0.0064, 0.00408, 0.00192, 0.0],
        [0.00408, 0.0289, 0.0204, 0.0119],
        [0.00192, 0.0204, 0.0576, 0.0336],
        [0.0, 0.0119, 0.0336, 0.1225],
    ]
    assert efficient_portfolio(mean, cov, target=target) == pytest.approx(weights, abs=1e-4)


def test_frontier_rises_in_mean_and_risk(returns_TA):
    frontier = mean_variance_frontier(*moments(returns_TA), n_points=8)
    assert (np.diff(frontier.mean_F) > 0).all()
    assert (np.diff(frontier.volatility_F) > 0).all()


def test_risk_shares_are_equal_or_as_budgeted(returns_TA):
    cov = moments(returns_TA)[1]
    assert risk_shares(risk_parity(cov), cov) == pytest.approx(np.full(6, 1 / 6), abs=1e-8)
    budget = dict(zip(NAMES, [0.3, 0.1, 0.1, 0.2, 0.2, 0.1], strict=True))
    assert risk_shares(risk_parity(cov, budget=budget, names=NAMES), cov) == pytest.approx(
        list(budget.values()), abs=1e-8
    )


def test_shorts_exist_only_where_a_lower_bound_allows_them():
    cov = [[0.04, 0.038], [0.038, 0.05]]
    assert min_variance([[0.04, 0.05], [0.05, 0.09]]).tolist() == [1.0, 0.0]
    short = min_variance([[0.04, 0.05], [0.05, 0.09]], bounds=Bounds(-1.0, 2.0))
    assert short == pytest.approx([4 / 3, -1 / 3], abs=1e-7)
    assert min_variance(cov).min() >= 0


def test_min_cvar_with_a_negative_lower_bound_may_short():
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.02, (120, 1))
    returns = common * [1.0, 1.5] + rng.normal(0, 0.002, (120, 2))
    free = min_cvar(returns, bounds=Bounds(-3.0, 4.0))
    assert free[1] < -1
    assert cvar(returns @ free) > cvar(returns @ min_cvar(returns))


def test_infeasible_names_the_bounds_in_conflict():
    cov = np.eye(6)
    with pytest.raises(Infeasible, match=r"b >= 0.6, c >= 0.5") as found:
        min_variance(cov, bounds=Bounds({"b": 0.6, "c": 0.5}), names=NAMES)
    assert found.value.conflict == ["b >= 0.6", "c >= 0.5"]
    with pytest.raises(Infeasible) as found:
        min_variance(
            cov,
            bounds=Bounds(0.0, {"a": 0.2, "f": 0.1}, {"equity": (0.0, 0.3), "bond": (0.0, 0.4)}, CLASSES),
            names=NAMES,
        )
    assert found.value.conflict == ["f <= 0.1", "class equity <= 0.3", "class bond <= 0.4"]
    with pytest.raises(Infeasible, match=r"0 <= 0\.1, 1 <= 0\.1"):
        min_variance(np.eye(2), bounds=Bounds(0.0, 0.1))
    with pytest.raises(Infeasible, match=r"mean return = 0.2, mean return within 0.05..0.1"):
        efficient_portfolio([0.05, 0.1], np.eye(2), target=0.2)
    with pytest.raises(Infeasible, match=r"a >= 0.5, a <= 0.4"):
        min_variance(np.eye(2), bounds=Bounds({"a": 0.5}, {"a": 0.4}), names=["a", "b"])


def test_nan_columns_are_named_and_never_filled():
    returns = np.zeros((4, 3))
    returns[2, 1] = np.nan
    for method in (moments, min_cvar):
        with pytest.raises(DataError, match=r"1 column.*b \(1 of 4\)"):
            method(returns, names=["a", "b", "c"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: min_variance([[1.0, 0.5], [0.4, 1.0]]), "symmetric"),
        (lambda: min_variance([[1.0, np.nan], [np.nan, 1.0]]), "NaN"),
        (lambda: min_variance([[1.0, 2.0]]), "square"),
        (lambda: risk_parity([[0.0, 0.0], [0.0, 1.0]]), "above 0"),
        (lambda: hrp([[0.0, 0.0], [0.0, 1.0]]), "above 0"),
        (lambda: risk_parity(np.eye(2), bounds=Bounds(-0.1)), "0 or more"),
        (lambda: risk_parity(np.eye(2), budget={"0": 1.0}), "every asset"),
        (lambda: risk_parity(np.eye(2), budget={"0": 1.0, "1": 0.0}), "above 0"),
        (lambda: risk_parity(np.eye(2), bounds=Bounds(0.0, {"0": 0.0})), "share of risk"),
        (lambda: min_cvar(np.zeros((3, 2)), alpha=1.0), "alpha"),
        (lambda: cvar([]), "one or more"),
        (lambda: min_variance(np.eye(2), bounds=Bounds({"z": 0.1})), "aren't there"),
        (lambda: min_variance(np.eye(2), bounds=Bounds(classes={"bond": (0, 1)})), "no asset belongs"),
        (lambda: min_variance(np.eye(2), bounds=Bounds(float("nan"))), "finite"),
        (lambda: min_variance(np.eye(2), names=["a", "a"]), "differ"),
        (lambda: efficient_portfolio([0.1], np.eye(2), target=0.1), "finite numbers"),
        (lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.6]), "sum to 1"),
        (
            lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.5], views=[View({"0": 1}, 0.1, 1.0)]),
            "confidence",
        ),
        (
            lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.5], views=[View({"z": 1}, 0.1, 0.5)]),
            "aren't there",
        ),
        (lambda: mean_variance_frontier([0.1, 0.2], np.eye(2), n_points=1), "2 or more"),
        (lambda: moments([[0.1, 0.2]]), "two rows or more"),
        (lambda: moments([[0.1], [0.2]], names=["a", "b"]), "name all 1 columns"),
        (lambda: min_variance([[-1.0, 0.0], [0.0, 1.0]]), "below 0"),
        (lambda: min_variance(np.eye(2), bounds=Bounds(class_of={"z": "bond"})), "aren't there"),
        (
            lambda: min_variance(
                np.eye(1), bounds=Bounds(classes={"b": (0, float("nan"))}, class_of={"0": "b"})
            ),
            "finite",
        ),
        (lambda: black_litterman(np.eye(2), prior_A=[1.0]), "2 finite weights"),
        (lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.5], risk_aversion=0.0), "risk_aversion"),
        (lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.5], tau=0.0), "tau"),
        (lambda: black_litterman(np.eye(2), prior_A=[0.5, 0.5], views=[View({}, 0.1, 0.5)]), "isn't empty"),
        (lambda: risk_shares([1.0, 0.0], [[0.0, 0.0], [0.0, 1.0]]), "no variance"),
        (
            lambda: risk_parity(np.eye(3), bounds=Bounds(0.0, 1.0, {"x": (0.0, 0.0)}, {"0": "x"})),
            "must have a share of risk",
        ),
        (lambda: cvar([0.1], alpha=0.0), "alpha"),
    ],
)
def test_wrong_calls_are_told_what_is_wrong(call, message):
    with pytest.raises((InputError, DataError), match=message):
        call()


def test_without_views_black_litterman_gives_the_prior(returns_TA):
    prior = np.array([0.3, 0.2, 0.1, 0.2, 0.1, 0.1])
    assert black_litterman(moments(returns_TA)[1], prior_A=prior) == pytest.approx(prior, abs=1e-7)


def test_posterior_of_the_black_litterman_formula_in_plain_algebra(returns_TA):
    cov = moments(returns_TA)[1]
    implied, mix, tau, trust = np.full(6, 0.0003), np.array([1.0, 0, 0, -1.0, 0, 0]), 0.05, 0.25
    omega = tau * mix @ cov @ mix * (1 - trust) / trust
    inverse = np.linalg.inv(tau * cov)
    expected = np.linalg.solve(inverse + np.outer(mix, mix) / omega, inverse @ implied + mix * 0.001 / omega)
    found = posterior_returns(
        cov, implied_A=implied, views=[View({"a": 1, "d": -1}, 0.001, trust)], names=NAMES
    )
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_better_view_of_an_asset_raises_its_weight(returns_TA):
    cov = moments(returns_TA)[1]
    weights = [
        black_litterman(cov, prior_A=np.full(6, 1 / 6), views=[View({"c": 1.0}, r, 0.5)], names=NAMES)[2]
        for r in (-0.001, 0.0, 0.001)
    ]
    assert weights == sorted(weights)
    assert weights[0] < weights[2]


def test_a_solver_that_misses_its_limits_is_not_believed():
    limits = resolve(Bounds(0.0, 0.6, {"x": (0.0, 0.3)}, {"a": "x"}), ["a", "b", "c"])
    with pytest.raises(
        DataError, match=r"missed its limits; 3 row\(s\).*sum 1.2.*b 0.700000 outside 0..0.6.*x 0.500000"
    ):
        verify(np.array([0.5, 0.7, 0.0]), limits)
    with pytest.raises(DataError, match="no finite weights"):
        settle(np.array([np.nan, 0.5, 0.5]), limits)
    assert settle(np.array([0.3 - 1e-10, 0.6, 0.1]), limits).sum() == pytest.approx(1, abs=1e-15)
