"""Sharpe ratios and their deflation: published numbers, closed forms, laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.errors import DataError, InputError
from nextbest.market.verdict.sharpe import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record,
    moments,
    periods_per_year,
    psr,
    sharpe_error,
)

PAPER = Moments(2.5 / math.sqrt(250), -3.0, 10.0, 1250)
"""Bailey & Lopez de Prado 2014: annual Sharpe ratio 2.5, 1,250 days of 250 a year, the trials' annual variance 1/2."""


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "expected"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_deflated_sharpe_is_that_of_the_paper(trials, skewness, kurtosis, expected):
    found = Moments(PAPER.sharpe, skewness, kurtosis, PAPER.n)
    assert deflated_sharpe(found, n_trials=trials, variance=0.5 / 250) == pytest.approx(expected, abs=5e-5)


def test_expected_maximum_is_that_of_the_paper():
    assert expected_max_sharpe(100, variance=0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("skewness", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)])
def test_psr_is_that_of_the_paper_of_2012(skewness, kurtosis, expected):
    assert psr(Moments(0.458, skewness, kurtosis, 24)) == pytest.approx(expected, abs=5e-4)


def test_expected_maximum_is_near_the_mean_maximum_of_draws():
    gen = np.random.default_rng(0)
    for n in (5, 36, 200):
        drawn = gen.normal(size=(20_000, n)).max(axis=1).mean()
        assert expected_max_sharpe(n, variance=1.0) == pytest.approx(drawn, rel=0.04)


def test_moments_are_those_of_scipy():
    values = np.random.default_rng(1).standard_t(5, size=300) + 0.1
    found = moments(np.append(values, np.nan))
    assert found.n == 300
    assert found.sharpe == pytest.approx(values.mean() / values.std(ddof=1))
    assert found.skewness == pytest.approx(stats.skew(values))
    assert found.kurtosis == pytest.approx(stats.kurtosis(values, fisher=False))


def test_sharpe_error_is_the_spread_of_sharpe_ratios_of_skewed_draws():
    gen = np.random.default_rng(2)
    draws = gen.gamma(2.0, size=(4000, 250)) - 1.5
    sharpes = draws.mean(axis=1) / draws.std(axis=1, ddof=1)
    whole = moments(draws.ravel())
    expected = sharpe_error(Moments(whole.sharpe, whole.skewness, whole.kurtosis, 250))
    assert sharpes.std() == pytest.approx(expected, rel=0.05)


def test_returns_that_never_move_have_no_sharpe_ratio():
    found = moments(np.full(10, 0.1))
    assert math.isnan(found.sharpe)
    assert math.isnan(psr(found))


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0.01, 0.2))
def test_more_trials_never_make_it_surer(few, more, sharpe):
    low, high = sorted((few, more))
    found = Moments(sharpe, 0.0, 3.0, 1000)
    assert deflated_sharpe(found, n_trials=high, variance=1e-3) <= deflated_sharpe(found, n_trials=low, variance=1e-3) + 1e-12  # fmt: skip


def test_one_trial_is_deflated_by_nothing():
    assert deflated_sharpe(PAPER, n_trials=1, variance=0.002) == psr(PAPER)


def test_after_the_least_track_record_psr_has_its_confidence():
    n = min_track_record(PAPER, benchmark=0.05, confidence=0.95)
    assert psr(Moments(PAPER.sharpe, PAPER.skewness, PAPER.kurtosis, round(n)), benchmark=0.05) == pytest.approx(0.95, abs=1e-3)  # fmt: skip
    assert min_track_record(PAPER, benchmark=1.0) == math.inf


def test_bars_a_year_are_counted():
    days = np.datetime64("2020-01-01", "us") + np.arange(366) * np.timedelta64(1, "D")
    assert periods_per_year(days) == pytest.approx(365.25)
    assert periods_per_year(days[np.arange(366) % 7 < 5]) == pytest.approx(365.25 * 5 / 7, rel=0.01)


@pytest.mark.parametrize(
    ("call", "error", "name"),
    [
        (lambda: expected_max_sharpe(0, variance=1.0), InputError, "n_trials"),
        (lambda: expected_max_sharpe(5, variance=-1.0), InputError, "variance"),
        (lambda: min_track_record(PAPER, confidence=1.0), InputError, "confidence"),
        (lambda: moments([0.1, np.inf, 0.2]), DataError, "returns"),
        (lambda: moments([0.1, np.nan]), DataError, "returns"),
        (lambda: periods_per_year(np.array(["2020-01-01"], "datetime64[us]")), DataError, "returns"),
    ],
)
def test_a_wrong_call_names_its_argument(call, error, name):
    with pytest.raises(error) as raised:
        call()
    assert raised.value.name == name
