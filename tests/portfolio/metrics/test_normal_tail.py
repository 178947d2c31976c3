"""The closed forms against averaging step by step, and where the expansion stops meaning anything."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nextbest.portfolio.metrics.normal_tail import cornish_fisher_tail, normal_tail, rises_in_tail
from portfolio.metrics.oracles import cornish_fisher_by_numbers


def tail(mean: float, std: float, skew: float, kurt: float, alpha: float = 0.05) -> tuple[float, float]:
    var, cvar = cornish_fisher_tail(*(np.array([x]) for x in (mean, std, skew, kurt)), alpha=alpha)
    return float(var[0]), float(cvar[0])


@pytest.mark.parametrize(("skew", "kurt"), [(0.0, 0.0), (-0.5, 2.0), (0.4, 1.0), (-1.0, 6.0), (0.0, 20.0)])
def test_cvar_is_the_average_of_the_quantile_over_the_tail(skew: float, kurt: float) -> None:
    assert tail(0.01, 0.05, skew, kurt) == pytest.approx(
        cornish_fisher_by_numbers(0.01, 0.05, skew, kurt, alpha=0.05, steps=20_000), rel=2e-4
    )


def test_without_skewness_and_kurtosis_it_is_the_normal_law() -> None:
    var, cvar = normal_tail(np.array([0.01]), np.array([0.05]), alpha=0.05)
    assert tail(0.01, 0.05, 0.0, 0.0) == pytest.approx((var[0], cvar[0]))
    assert (var[0], cvar[0]) == pytest.approx((0.01 - 1.6448536 * 0.05, 0.01 - 2.0627128 * 0.05), abs=1e-8)


def test_an_expansion_that_falls_in_the_tail_has_no_value() -> None:
    assert np.isnan(tail(0.0, 1.0, 3.0, 1.0)).all()


def test_a_kurtosis_under_the_normal_law_s_bends_it_only_where_no_probability_is() -> None:
    var, cvar = tail(0.0, 1.0, 0.1, -0.4)
    assert cvar < var < 0


@given(st.floats(-4, 4), st.floats(-2, 40), st.floats(0.005, 0.2))
def test_what_rises_by_the_rule_rises_on_a_grid_and_the_other_way(
    skew: float, kurt: float, alpha: float
) -> None:
    grid = np.linspace(NormalDist().inv_cdf(alpha / 1000), NormalDist().inv_cdf(alpha), 2001)
    s2 = skew * skew
    slope = (1 - kurt / 8 + 5 * s2 / 36) + skew / 3 * grid + (kurt / 8 - s2 / 6) * grid * grid
    assume(abs(slope.min()) > 1e-4)
    assert bool(rises_in_tail(np.array(skew), np.array(kurt), alpha=alpha)) == bool(slope.min() >= 0)
