"""Laws of returns with a known truth: walks that nobody can predict, and series that somebody can, by so much.

Prices of a walk are martingales: the expected price is the last one, so that no rule earns anything before costs and
none loses. (The mean *log* return is then about minus half the variance.)
"""

from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.steps import DAY
from nextbest.errors import InputError
from nextbest.simulate.market.candles import START, SimulatedMarket, candles, check_size

FloatArray = NDArray[np.float64]
Rng = int | np.random.Generator
Law = Literal["gaussian", "garch_t"]
Pattern = Literal["momentum", "reversal", "leader"]
ALPHA, BETA, DEGREES = 0.08, 0.90, 5.0
"""GARCH(1,1) weights of the last squared shock and the last variance, and degrees of freedom of its t shocks."""
_WORST = 0.9
"""Largest move of one bar, up or down; symmetric, so that the expected price stays the last one."""
_BURN = 200


def random_walks(
    *,
    n_assets: int = 1,
    n_bars: int = 1_000,
    law: Law = "gaussian",
    volatility: float = 0.02,
    correlation: float = 0.0,
    rng: Rng = 0,
    step: timedelta = DAY,
    start: datetime = START,
) -> SimulatedMarket:
    """Walks: the expected return of every bar is zero, whatever was before it.

    Parameters
    ----------
    law
        `gaussian`: one variance. `garch_t`: variance clusters and shocks have fat tails; its level is the same.
    volatility
        Standard deviation of a bar's simple return; above 0, at most 0.2.
    correlation
        Of the shocks of any two assets, 0 to below 1.

    Raises
    ------
    InputError
        An argument is out of range.
    """
    return _simulate(
        ic=0.0, pattern="momentum", n_assets=n_assets, n_bars=n_bars, law=law, volatility=volatility,
        correlation=correlation, rng=rng, step=step, start=start,
    )  # fmt: skip


def planted(
    *,
    ic: float = 0.05,
    pattern: Pattern = "momentum",
    n_assets: int = 1,
    n_bars: int = 1_000,
    law: Law = "gaussian",
    volatility: float = 0.02,
    correlation: float = 0.0,
    rng: Rng = 0,
    step: timedelta = DAY,
    start: datetime = START,
) -> SimulatedMarket:
    """Series that can be predicted from their own candles, with a stated information coefficient.

    Returns in units of their volatility follow x[t] = ic s[t - 1] + sqrt(1 - ic^2) z[t], with unit variance.

    Parameters
    ----------
    ic
        Correlation of the best forecast with the outcome, above 0 to 0.9.
    pattern
        What s is: `momentum` the asset's own last return, `reversal` minus it, `leader` the last return of the first
        asset (which itself is a walk, and of which a perfect forecaster knows nothing).

    Raises
    ------
    InputError
        An argument is out of range, or a leader has nobody to lead.
    """
    if not 0 < ic <= 0.9:
        raise InputError("ic", "must be above 0, at most 0.9", value=ic)
    if pattern not in ("momentum", "reversal", "leader"):
        raise InputError("pattern", "must be momentum, reversal or leader", value=pattern)
    if pattern == "leader" and n_assets < 2:
        raise InputError("n_assets", "must be 2 or more with a leader", value=n_assets)
    return _simulate(
        ic=ic, pattern=pattern, n_assets=n_assets, n_bars=n_bars, law=law, volatility=volatility,
        correlation=correlation, rng=rng, step=step, start=start,
    )  # fmt: skip


def regime_changes(
    *,
    n_assets: int = 1,
    n_bars: int = 1_000,
    volatilities: tuple[float, ...] = (0.01, 0.04),
    drifts: tuple[float, ...] = (0.0005, -0.001),
    mean_length: float = 100.0,
    correlation: float = 0.5,
    rng: Rng = 0,
    step: timedelta = DAY,
    start: datetime = START,
) -> SimulatedMarket:
    """Gaussian returns whose mean and volatility change together for all assets, at moments nobody knows beforehand.

    `expected_AT` and `volatility_AT` are those of the bar's regime: more than a forecaster can know, since the
    regime itself can only be guessed from what it did.

    Parameters
    ----------
    volatilities, drifts
        Standard deviation and mean of a bar's simple return in each regime; of one length, 2 or more.
    mean_length
        Bars that a regime lasts on average, above 1; the next is any other one, all alike.

    Raises
    ------
    InputError
        An argument is out of range.
    """
    check_size(n_assets, n_bars, step)
    for volatility in volatilities:
        _check(volatility, correlation)
    if len(volatilities) != len(drifts) or len(drifts) < 2:
        raise InputError("drifts", "must be as many as volatilities, 2 or more", value=len(drifts))
    if mean_length <= 1:
        raise InputError("mean_length", "must be above 1", value=mean_length)
    rng = np.random.default_rng(rng)
    jump_T = np.where(rng.random(n_bars) < 1 / mean_length, rng.integers(1, len(drifts), n_bars), 0)
    state_T = ((rng.integers(len(drifts)) + np.cumsum(jump_T)) % len(drifts)).astype(np.int8)
    shape = (n_assets, n_bars)
    volatility_AT = np.broadcast_to(np.asarray(volatilities)[state_T], shape).copy()
    expected_AT = np.broadcast_to(np.asarray(drifts)[state_T], shape).copy()
    shock_AT = _correlated(rng.normal(size=shape), rng.normal(size=n_bars), correlation)
    return_AT = np.clip(expected_AT + volatility_AT * shock_AT, -_WORST, _WORST)
    panel = candles(return_AT, volatility_AT, rng=rng, step=step, start=start)
    return SimulatedMarket(panel, expected_AT, volatility_AT, 0.0, state_T)


def _simulate(
    *,
    ic: float,
    pattern: Pattern,
    n_assets: int,
    n_bars: int,
    law: Law,
    volatility: float,
    correlation: float,
    rng: Rng,
    step: timedelta,
    start: datetime,
) -> SimulatedMarket:
    check_size(n_assets, n_bars, step)
    _check(volatility, correlation)
    if law not in ("gaussian", "garch_t"):
        raise InputError("law", "must be gaussian or garch_t", value=law)
    rng = np.random.default_rng(rng)
    n_all = n_bars + _BURN  # the first bars forget where the recursion began
    if law == "gaussian":
        shock_AT = _correlated(rng.normal(size=(n_assets, n_all)), rng.normal(size=n_all), correlation)
    else:
        shock_AT = _correlated(_t(rng, (n_assets, n_all)), _t(rng, (n_all,)), correlation)
    return_AT, expected_AT, volatility_AT = (np.empty((n_assets, n_all)) for _ in range(3))
    variance_A = np.full(n_assets, volatility**2)
    x_A = np.zeros(n_assets)
    rest = np.sqrt(1 - ic**2)
    for t in range(n_all):
        signal_A = _signal(x_A, pattern)
        sigma_A = np.sqrt(variance_A)
        followers_A = np.ones(n_assets, bool)
        followers_A[0] = pattern != "leader"
        x_A = np.where(followers_A, ic * signal_A + rest * shock_AT[:, t], shock_AT[:, t])
        expected_AT[:, t] = sigma_A * ic * signal_A * followers_A
        volatility_AT[:, t] = sigma_A * np.where(followers_A, rest, 1.0)
        return_AT[:, t] = np.clip(sigma_A * x_A, -_WORST, _WORST)
        if law == "garch_t":
            variance_A = (1 - ALPHA - BETA) * volatility**2 + ALPHA * return_AT[:, t] ** 2 + BETA * variance_A
    kept = slice(_BURN, None)
    panel = candles(return_AT[:, kept], volatility_AT[:, kept], rng=rng, step=step, start=start)
    truth = (expected_AT[:, kept].copy(), volatility_AT[:, kept].copy())
    return SimulatedMarket(panel, *truth, ic, np.zeros(n_bars, np.int8))


def _signal(x_A: FloatArray, pattern: Pattern) -> FloatArray:
    if pattern == "leader":
        return np.full(len(x_A), x_A[0])
    return -x_A if pattern == "reversal" else x_A


def _correlated(own_AT: FloatArray, common_T: FloatArray, correlation: float) -> FloatArray:
    mixed_AT: FloatArray = np.sqrt(correlation) * common_T + np.sqrt(1 - correlation) * own_AT
    return mixed_AT


def _t(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Student shocks of unit variance."""
    return np.asarray(rng.standard_t(DEGREES, shape) * np.sqrt((DEGREES - 2) / DEGREES), np.float64)


def _check(volatility: float, correlation: float) -> None:
    if not 0 < volatility <= 0.2:
        raise InputError("volatility", "must be above 0, at most 0.2", value=volatility)
    if not 0 <= correlation < 1:
        raise InputError("correlation", "must be 0 to below 1", value=correlation)
