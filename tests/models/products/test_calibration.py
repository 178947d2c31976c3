"""Curves that are monotone, keep the total and help; proved against a plain optimiser and by laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.models.products.base import logit, sigmoid
from nextbest.models.products.calibration import CalibrationConfig, Calibrator, shift_for_total


def world(n=20_000, *, rng=0, bend=lambda z: 0.5 * z - 1):
    """Probabilities that are wrong by a known bend of their log-odds, and what came."""
    gen = np.random.default_rng(rng)
    z = gen.normal(-2, 1.2, n)
    true = sigmoid(bend(z))
    return sigmoid(z)[:, None], (gen.random(n) < true)[:, None], true[:, None]


def fit(p, y, weight=None, *, level="month", **config):
    weight = np.ones(len(p)) if weight is None else weight
    can = np.ones(p.shape, bool)
    return Calibrator(CalibrationConfig(level=level, **config)).fit(p, y, can_NP=can, weight_N=weight)


@pytest.mark.parametrize("method", ["isotonic", "platt", "auto"])
def test_calibrated_probabilities_come_near_the_true_ones(method):
    p, y, true = world()
    wrong, right = np.abs(p - true).mean(), np.abs(fit(p, y, method=method)(p) - true).mean()
    assert wrong > 0.05
    assert right < 0.01


def test_isotonic_follows_a_bend_that_platt_can_not():
    p, y, true = world(bend=lambda z: np.where(z < -2, -3.0, -0.5) + 0.3 * z)
    errors = {m: np.abs(fit(p, y, method=m)(p) - true).mean() for m in ("isotonic", "platt")}
    assert errors["isotonic"] < 0.7 * errors["platt"]


@pytest.mark.parametrize("method", ["isotonic", "platt"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.01, 0.6))
def test_a_curve_never_reorders_clients_and_keeps_the_weighted_total(method, seed, share):
    gen = np.random.default_rng(seed)
    p = gen.beta(1, 5, (800, 1))
    y = gen.random((800, 1)) < share
    weight = gen.uniform(0.5, 20, 800)
    out = fit(p, y, weight, method=method, min_platt=5)(p)[:, 0].astype(float)
    assert (np.diff(out[np.argsort(p[:, 0])]) >= -1e-7).all()
    if y.sum() >= 5:
        assert weight @ out == pytest.approx(weight @ y[:, 0], rel=1e-3)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_a_month_with_more_additions_than_usual_moves_no_level_when_it_is_kept(method):
    p, y, _ = world(bend=lambda z: z)
    more = y | (np.random.default_rng(1).random(y.shape) < 0.15)
    weight = np.random.default_rng(2).uniform(0.5, 20, len(p))
    said = float(weight @ p[:, 0])
    for hit in (y, more):
        shift = shift_for_total(logit(p[:, 0]), weight, float(weight @ hit[:, 0]))
        kept = fit(p, hit, weight, method=method, level="kept")
        met = fit(p, hit, weight, method=method, level="month")(p)[:, 0]
        assert sigmoid(logit(kept(p)[:, 0]) + shift) == pytest.approx(met, abs=1e-5)
    assert weight @ fit(p, y, weight, method=method, level="kept")(p)[:, 0] == pytest.approx(said, rel=0.02)


def test_platt_is_weighted_logistic_regression():
    from scipy.optimize import minimize

    p, y, _ = world(3000)
    weight = np.random.default_rng(1).uniform(1, 3, len(p))
    z, hit = logit(p[:, 0]), y[:, 0]

    def loss(beta):
        q = beta[0] * z + beta[1]
        return float(weight @ (np.logaddexp(0, q) - hit * q))

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8}).x
    ours = fit(p, y, weight, method="platt", strength=0.0)
    assert ours(p)[:, 0] == pytest.approx(sigmoid(best[0] * z + best[1]), abs=1e-4)


def test_with_few_additions_the_curve_is_drawn_to_no_change():
    p, y, _ = world(1500)
    free = np.abs(fit(p, y, method="platt", strength=0.0).knots_[0][1] - logit(p).min()).max()
    tied = fit(p, y, method="platt", strength=1e9)
    slope = np.diff(tied.knots_[0][1]) / np.diff(tied.knots_[0][0])
    assert slope == pytest.approx(1, abs=1e-3)
    assert free > 0.5


@pytest.mark.parametrize(("n", "knots"), [(400, 0), (3000, 2), (40_000, 20)])
def test_the_method_follows_the_number_of_additions(n, knots):
    gen = np.random.default_rng(0)
    p = gen.beta(1, 10, (n, 1))
    y = gen.random((n, 1)) < p
    found = len(fit(p, y).knots_[0][0])
    assert found == knots if knots < 3 else found >= 10


def test_what_can_not_come_is_not_looked_at_and_0_stays_0():
    p, y, _ = world(5000)
    p2, y2 = np.vstack([p, np.zeros((5000, 1))]), np.vstack([y, np.zeros((5000, 1), bool)])
    can = np.vstack([np.ones((5000, 1), bool), np.zeros((5000, 1), bool)])
    both = Calibrator(CalibrationConfig(level="month")).fit(p2, y2, can_NP=can, weight_N=np.ones(10_000))
    assert (both(p) == fit(p, y)(p)).all()
    assert both(np.zeros((3, 1))).tolist() == [[0], [0], [0]]


def test_one_value_for_all_clients_needs_no_curve():
    p = np.full((500, 1), 0.3)
    y = np.random.default_rng(0).random((500, 1)) < 0.6
    assert (fit(p, y)(p) == np.float32(0.3)).all()


def test_an_upside_down_score_gets_a_nearly_flat_curve_not_a_falling_one():
    p, y, _ = world(4000, bend=lambda z: -2 * z - 5)
    out = fit(p, y, method="platt")(p)[:, 0]
    assert (np.diff(out[np.argsort(p[:, 0])]) >= 0).all()


def test_none_changes_nothing():
    p, y, _ = world(2000)
    assert (fit(p, y, method="none")(p) == p.astype(np.float32)).all()


def test_curves_come_back_from_their_arrays():
    p, y, _ = world(6000)
    three = np.hstack([p, p[::-1], p])
    rows = np.hstack([y, y[::-1], np.zeros_like(y)])
    before = fit(three, rows)
    after = Calibrator.from_arrays(before.arrays())
    assert (after(three) == before(three)).all()
    assert (Calibrator.from_arrays(Calibrator().arrays())(three) == three.astype(np.float32)).all()


def test_arrays_that_do_not_fit_are_a_value_error():
    p, y, _ = world(6000)
    arrays = fit(p, y).arrays()
    with pytest.raises(ValueError, match="don't fit"):
        Calibrator.from_arrays({**arrays, "n_knots": arrays["n_knots"] + 1})


def test_wrong_input_is_refused():
    p, y, _ = world(100)
    with pytest.raises(InputError, match="must have the shape"):
        fit(p, y[:50])
    with pytest.raises(InputError, match="must lie in 0-1"):
        fit(p + 1, y)
    with pytest.raises(InputError, match="must lie in 0-1"):
        fit(p * np.nan, y)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=1, max_size=20), st.floats(0.05, 0.95))
def test_a_shift_meets_the_total(z, share):
    z = np.array(z)
    shift = shift_for_total(z, np.ones(len(z)), share * len(z), most=20)
    assert sigmoid(z + shift).sum() == pytest.approx(share * len(z), rel=1e-6)


def test_a_total_out_of_reach_gives_the_bound_and_no_rows_no_shift():
    assert shift_for_total(np.zeros(3), np.ones(3), 99.0, most=2) == pytest.approx(2)
    assert shift_for_total(np.zeros(0), np.zeros(0), 1.0) == 0.0
