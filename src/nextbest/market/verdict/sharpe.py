"""Sharpe ratios, how sure one is, and how high the best of many worthless ones is expected to be.

Takes returns of bars (or of days), knows no strategy. Sharpe is per bar and without a risk-free rate: what is
tested is an excess over cash, or a book that finances itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """What the Sharpe ratio's own error depends on."""

    sharpe: float
    """Mean over standard deviation (n - 1 below), per observation; NaN where nothing varies."""
    skewness: float
    """Third standardised moment; 0 for a normal distribution."""
    kurtosis: float
    """Fourth standardised moment, not the excess; 3 for a normal distribution."""
    n: int
    """Observations."""


def moments(return_T: ArrayLike) -> Moments:
    """Sharpe ratio, skewness and kurtosis of returns.

    Parameters
    ----------
    return_T
        Shape (T,), simple returns; NaN is left out.

    Raises
    ------
    DataError
        Fewer than 3 returns, or one is infinite.
    """
    values = np.asarray(return_T, np.float64).ravel()
    values = values[~np.isnan(values)]
    if len(values) < 3 or np.isinf(values).any():
        raise DataError("returns", "must be 3 or more finite numbers", n_bad=len(values))
    centred = values - values.mean()
    spread = float(np.sqrt((centred**2).mean()))
    if spread <= 1e-15 * max(1.0, float(np.abs(values).max())):
        return Moments(math.nan, math.nan, math.nan, len(values))
    unit = centred / spread
    sharpe = float(values.mean() / values.std(ddof=1))
    return Moments(sharpe, float((unit**3).mean()), float((unit**4).mean()), len(values))


def sharpe_ann(sharpe: float, *, periods_per_year: float) -> float:
    """A Sharpe ratio of one bar as an annual one: times the root of bars a year.

    >>> round(sharpe_ann(0.1, periods_per_year=365), 2)
    1.91
    """
    return sharpe * math.sqrt(periods_per_year)


def periods_per_year(time_T: NDArray[np.datetime64]) -> float:
    """Bars a year, counted: bars less one over the calendar years they span (365.25 days).

    Raises
    ------
    DataError
        Fewer than two bars.
    """
    if len(time_T) < 2:
        raise DataError("returns", "must span two bars or more to count bars a year", n_bad=len(time_T))
    years = float((time_T[-1] - time_T[0]) / np.timedelta64(1, "s")) / (365.25 * 86_400)
    return (len(time_T) - 1) / years


def psr(found: Moments, *, benchmark: float = 0.0) -> float:
    """Probabilistic Sharpe ratio: how sure it is that the true Sharpe ratio is above `benchmark`.

    Parameters
    ----------
    found
        Of the returns.
    benchmark
        Per observation, like `found.sharpe`.

    Returns
    -------
    float
        0-1; NaN where the Sharpe ratio is.

    Notes
    -----
    Bailey & Lopez de Prado 2012, eq. 11: Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)).

    Examples
    --------
    The paper's hedge fund, 24 months with a Sharpe ratio of 0.458 a month:

    >>> round(psr(Moments(0.458, 0.0, 3.0, 24)), 3), round(psr(Moments(0.458, -2.448, 10.164, 24)), 3)
    (0.982, 0.913)
    """
    from scipy.special import ndtr

    if math.isnan(found.sharpe):
        return math.nan
    error = sharpe_error(found)
    return float(ndtr((found.sharpe - benchmark) / error)) if error > 0 else float(found.sharpe > benchmark)


def sharpe_error(found: Moments) -> float:
    """Standard error of the Sharpe ratio with skewness and kurtosis (Mertens 2002), per observation."""
    spread = 1 - found.skewness * found.sharpe + (found.kurtosis - 1) / 4 * found.sharpe**2
    return math.sqrt(max(spread, 0.0) / (found.n - 1))


def expected_max_sharpe(n_trials: int, *, variance: float) -> float:
    """Sharpe ratio that the best of `n_trials` worthless strategies is expected to show.

    Parameters
    ----------
    n_trials
        Strategies ever tried, 1 or more.
    variance
        Of the trials' Sharpe ratios, in the same period as them, squared; 0 or more.

    Returns
    -------
    float
        0 for one trial.

    Raises
    ------
    InputError
        A number is out of range.

    Notes
    -----
    Bailey & Lopez de Prado 2014, eq. 1: sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant. Of
    independent trials; trials that resemble each other reach less, so the bar errs on the strict side.

    Examples
    --------
    The paper's 100 trials, annual variance 1/2, 250 days a year:

    >>> round(expected_max_sharpe(100, variance=0.5 / 250), 4)
    0.1132
    """
    from scipy.special import ndtri

    if n_trials < 1:
        raise InputError("n_trials", "must be 1 or more", value=n_trials)
    if not (math.isfinite(variance) and variance >= 0):
        raise InputError("variance", "must be 0 or more", value=variance)
    if n_trials == 1:
        return 0.0
    high, higher = ndtri(1 - 1 / n_trials), ndtri(1 - 1 / (n_trials * math.e))
    return math.sqrt(variance) * float((1 - np.euler_gamma) * high + np.euler_gamma * higher)


def deflated_sharpe(found: Moments, *, n_trials: int, variance: float) -> float:
    """Probability that the best strategy's true Sharpe ratio is above zero, its being the best of many counted in.

    Parameters
    ----------
    found
        Of the best strategy's returns.
    n_trials, variance
        As in `expected_max_sharpe`, per observation.

    Returns
    -------
    float
        `psr` against the expected maximum; 0-1, NaN where the Sharpe ratio is.

    Raises
    ------
    InputError
        As `expected_max_sharpe`.

    Notes
    -----
    Bailey & Lopez de Prado 2014, eq. 2.

    Examples
    --------
    The paper's example: annual Sharpe ratio 2.5 over 1,250 days, the best of 100 trials; and of 46:

    >>> found = Moments(2.5 / 250**0.5, -3.0, 10.0, 1250)
    >>> [round(deflated_sharpe(found, n_trials=n, variance=0.5 / 250), 4) for n in (100, 46)]
    [0.9004, 0.9505]
    """
    return psr(found, benchmark=expected_max_sharpe(n_trials, variance=variance))


def min_track_record(found: Moments, *, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Observations needed before `psr` reaches `confidence`; infinite at or below the benchmark.

    Bailey & Lopez de Prado 2012, eq. 13.

    Raises
    ------
    InputError
        The confidence isn't between 0 and 1.
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1", value=confidence)
    if not found.sharpe > benchmark:
        return math.inf
    spread = 1 - found.skewness * found.sharpe + (found.kurtosis - 1) / 4 * found.sharpe**2
    return 1 + spread * float(ndtri(confidence) / (found.sharpe - benchmark)) ** 2
