"""Diebold-Mariano against a published example, statsmodels' HAC, laws, and its size where errors overlap."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import InputError
from nextbest.evaluation.forecast.dm import date_means, diebold_mariano
from nextbest.evaluation.forecast.hac import (
    autocovariances,
    default_lags,
    hac_mean_test,
    long_run_variance,
    overlap,
)


def shuffled_hundred() -> np.ndarray:
    """`random.sample(range(100), 100)` as Python 2 had it, in which the example was published."""
    pool, found = list(range(100)), []
    for i in range(100):
        j = int(random.random() * (100 - i))
        found.append(pool[j])
        pool[j] = pool[99 - i]
    return np.array(found, float)


def test_the_published_example_of_johntwk_diebold_mariano_test() -> None:
    random.seed(123)
    y, first, second = shuffled_hundred(), shuffled_hundred(), shuffled_hundred()
    for power, t, p in (
        (1, 1.3275742446369585, 0.18737195617455585),
        (2, 1.2112523589452902, 0.22868210381769466),
        (4, 0.9124498079287283, 0.36374861695187799),
    ):
        found = diebold_mariano(
            np.abs(y - first) ** power, np.abs(y - second) ** power, lags=0, degrees="n-1"
        )
        assert (found.t, found.p) == pytest.approx((t, p), abs=1e-12)


def test_four_lags_by_hand() -> None:
    d = np.array([1.0, 2.0, 0.0, -1.0, 3.0, 1.0, 2.0, 0.0, 1.0, 1.0])  # mean 1, squares sum to 12
    # products of neighbours: 0*1 + 1*-1 + -1*-2 + -2*2 + 2*0 + 0*1 + 1*-1 + -1*0 + 0*0 = -4
    variance = (12 + 2 * (1 - 1 / 2) * -4) / 10
    t = 1 / np.sqrt(variance / 10) * np.sqrt((10 + 1 - 2) / 10)
    found = diebold_mariano(d, np.zeros(10), lags=1)
    assert (found.t, found.difference, found.lags) == pytest.approx((t, 1.0, 1))
    assert found.degrees == pytest.approx(1.5 * 10 / 2)


@pytest.mark.parametrize(("lags", "n"), [(0, 30), (4, 60), (11, 90)])
def test_variance_is_that_of_statsmodels(lags: int, n: int) -> None:
    regression = pytest.importorskip("statsmodels.regression.linear_model")
    x = np.cumsum(np.random.default_rng(lags).normal(size=n)) * 0.3 + 1
    fit = regression.OLS(x, np.ones(n)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    assert long_run_variance(x, lags=lags) / n == pytest.approx(float(fit.bse[0]) ** 2, rel=1e-10)
    shrink = np.sqrt((n - 1) / n)
    assert hac_mean_test(x, lags=lags).t == pytest.approx(float(fit.tvalues[0]) * shrink, rel=1e-10)


def test_autocovariances_are_the_sums_written_out() -> None:
    x = np.random.default_rng(0).normal(size=(17, 2))
    c = x - x.mean(axis=0)
    slow = np.array([[(c[lag:, k] * c[: 17 - lag, k]).sum() / 17 for k in range(2)] for lag in range(17)])
    assert autocovariances(x) == pytest.approx(slow, abs=1e-12)


losses = st.lists(st.floats(0, 10).map(lambda v: round(v, 3)), min_size=40, max_size=40)


@given(a=losses, b=losses, horizon=st.integers(1, 5), scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_swapping_turns_the_sign_and_units_dont_matter(
    a: list[float], b: list[float], horizon: int, scale: float, shift: float
) -> None:
    one, other = diebold_mariano(a, b, horizon), diebold_mariano(b, a, horizon)
    if one.t is None or abs(one.t) > 1e4:
        return
    assert other.t == pytest.approx(-one.t)
    scaled = diebold_mariano(np.array(a) * scale + shift, np.array(b) * scale + shift, horizon)
    assert (scaled.t, scaled.p) == pytest.approx((one.t, one.p), rel=1e-4, abs=1e-6)


@given(a=losses, seed=st.integers(0, 100))
def test_order_of_dates_doesnt_matter_without_lags(a: list[float], seed: int) -> None:
    loss, base = np.array(a), np.arange(40) % 7
    order = np.random.default_rng(seed).permutation(40)
    before, after = diebold_mariano(loss, base, lags=0), diebold_mariano(loss[order], base[order], lags=0)
    assert after.t == pytest.approx(before.t)


def test_a_worse_model_has_a_positive_t() -> None:
    gen = np.random.default_rng(0)
    base = gen.normal(size=200) ** 2
    found = diebold_mariano(base + 0.5 + 0.1 * gen.normal(size=200), base)
    assert found.t is not None
    assert found.t > 5
    assert found.difference == pytest.approx(0.5, abs=0.05)


def test_refuses_about_five_in_a_hundred_where_none_is_better_and_six_day_errors_overlap() -> None:
    """The published lags and degrees refuse 7-9 of a hundred here, a plain t test thirty."""
    gen = np.random.default_rng(1)
    steps = gen.normal(size=(3, 600, 218, 4)) + gen.normal(size=(3, 600, 218, 1))
    levels = np.cumsum(steps, axis=2)
    y, one, other = (levels[:, :, 6:] - levels[:, :, :-6])[:, :, :212]
    a, b = (((y - 0.3 * z) ** 2).mean(axis=-1) for z in (one, other))
    p = np.array([diebold_mariano(a[i], b[i], 6).p for i in range(600)])
    assert 0.03 <= (p < 0.05).mean() <= 0.07
    plain = np.array([diebold_mariano(a[i], b[i], 1, lags=0, degrees="n-1").p for i in range(200)])
    assert (plain < 0.05).mean() > 0.2


def test_equal_forecasts_and_few_dates_have_no_test_but_a_reason() -> None:
    x = np.arange(30.0)
    equal = diebold_mariano(x, x)
    assert (equal.t, equal.p, equal.difference, equal.reason) == (None, None, 0.0, "all 30 values are equal")
    assert diebold_mariano(x + 1, x).reason == "all 30 values are equal"
    few = diebold_mariano(x, x[::-1], 24)
    assert (few.t, few.reason) == (None, "30 dates, 60 needed for 29 lags")
    none = diebold_mariano([np.nan] * 5, np.zeros(5))
    assert (none.n, none.n_nan, none.difference, none.t) == (0, 5, None, None)


def test_nan_dates_are_left_out_and_counted() -> None:
    gen = np.random.default_rng(2)
    a, b = gen.normal(size=(2, 50))
    holed = np.insert(a, 7, np.nan)
    found = diebold_mariano(holed, np.insert(b, 7, 0.0))
    assert (found.n, found.n_nan) == (50, 1)
    assert found.t == diebold_mariano(a, b).t


def test_date_means_leave_missing_assets_out() -> None:
    found = date_means([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    assert found[0] == 2.0
    assert np.isnan(found[1])


def test_lags_and_overlap() -> None:
    assert [default_lags(212, h) for h in (1, 6, 24)] == [4, 14, 50]
    assert default_lags(5, 24) == 4
    assert [overlap(h, every=5) for h in (1, 6, 24)] == [1, 2, 5]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: diebold_mariano([1.0], [1.0, 2.0]), "one axis"),
        (lambda: diebold_mariano([np.inf, 1], [1.0, 2.0]), "finite"),
        (lambda: diebold_mariano([1.0, 1], [1.0, 2.0], 0), "horizon"),
        (lambda: hac_mean_test([[1.0]]), "one axis"),
        (lambda: hac_mean_test([np.inf]), "finite"),
        (lambda: hac_mean_test([1.0], lags=-1), "lags"),
        (lambda: hac_mean_test([1.0], degrees="n"), "degrees"),  # type: ignore[arg-type]
        (lambda: long_run_variance([1.0, 2.0], lags=2), "between 0 and 1"),
        (lambda: overlap(0), "horizon"),
        (lambda: overlap(1, every=0), "every"),
        (lambda: date_means([1.0]), "origin and asset"),
    ],
)
def test_bad_calls_are_told(call: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()  # type: ignore[operator]
