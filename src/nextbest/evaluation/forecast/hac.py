"""Variance of a mean whose values follow each other: Bartlett weights, lags told, no package.

Forecasts of six steps made every day share five of them, so their losses are alike from day to day and
the plain s / sqrt(n) is too small. Everything that states a t here states it by this.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError

Floats = NDArray[np.float64]
Degrees = Literal["effective", "n-1"]


@dataclass(frozen=True)
class MeanTest:
    """A mean of values in time order, and how far from 0 it is."""

    mean: float | None
    """In the unit of the values; None without any."""
    t: float | None
    """None where no variance can be had; `reason` says why."""
    p: float | None
    """Two-sided, of the hypothesis that the true mean is 0."""
    n: int
    """Values that counted."""
    n_nan: int
    """Values left out."""
    lags: int
    """Autocovariances that entered the variance."""
    degrees: float
    """Degrees of freedom of the Student t that gave `p`."""
    reason: str | None = None
    """Why there is no t; None where there is one."""


def overlap(horizon: int, every: int = 1) -> int:
    """How many origins in a row share a step of one forecast: `horizon` counted in origins, at least 1.

    Parameters
    ----------
    horizon
        Steps ahead, 1 or more; unit: bars.
    every
        Distance of origins, 1 or more; unit: bars.

    Raises
    ------
    InputError
        Either is below 1.

    Examples
    --------
    >>> overlap(24), overlap(24, every=23), overlap(1, every=5)
    (24, 2, 1)
    """
    for name, value in (("horizon", horizon), ("every", every)):
        if value < 1:
            raise InputError(name, "must be 1 or more", value=value)
    return -(-horizon // every)


def default_lags(n: int, horizon: int = 1) -> int:
    """Lags for `n` values of `horizon` origins each: 2 (horizon - 1) + floor(4 (n / 100)^(2/9)).

    The first part is twice the overlap that is known: Bartlett weights take the lags inside it in part
    only, and with `horizon` - 1 a test of 5 % refuses up to 8.5 % (`benchmarks/market_statistics.py`). The second is
    Newey & West's (1994) rule for what else there may be. At most n - 1.
    """
    return max(0, min(n - 1, 2 * (horizon - 1) + int(4 * (n / 100) ** (2 / 9))))


def long_run_variance(values: ArrayLike, *, lags: int) -> float:
    """Long-run variance: g_0 + 2 sum over l of (1 - l / (lags + 1)) g_l, g_l the autocovariance at lag l over n.

    Divide by n for the variance of the mean. Shape of `values` (n,), in time order, without NaN; squared unit
    of the values; never negative. Newey & West 1987.

    Raises
    ------
    InputError
        `lags` is negative or not below n.
    """
    x = np.asarray(values, np.float64)
    if not 0 <= lags < max(len(x), 1):
        raise InputError("lags", f"must lie between 0 and {len(x) - 1}", value=lags)
    x = x - x.mean()
    total = float(x @ x)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(x[lag:] @ x[:-lag])
    return max(total / len(x), 0.0)


def autocovariances(values_DK: ArrayLike) -> Floats:
    """Autocovariances at lags 0 to D - 1 of each column, each over D. Shape (D, K); no NaN."""
    x = np.asarray(values_DK, np.float64)
    n = len(x)
    spectrum = np.fft.rfft(x - x.mean(axis=0), n=2 * n, axis=0)  # 2 n: a lag must not wrap around
    found: Floats = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * n, axis=0)[:n] / n
    return found


def hac_mean_test(
    values_D: ArrayLike, *, horizon: int = 1, lags: int | None = None, degrees: Degrees = "effective"
) -> MeanTest:
    """Mean of values in time order, its t by a HAC variance, and p by Student's t.

    Parameters
    ----------
    values_D
        One value a date, oldest first. Shape (D,); any unit; NaN is left out and counted, and what stays is
        read as consecutive.
    horizon
        Origins that share steps of one forecast (`overlap`); 1: none do.
    lags
        None: `default_lags`.
    degrees
        `effective`: 1.5 n / (lags + 1), at most n - 1, the degrees of freedom of a variance with Bartlett
        weights. `n-1`: as Harvey, Leybourne & Newbold have it, which refuses too often when lags are many.

    Returns
    -------
    MeanTest
        t = mean / sqrt(variance / n) * sqrt((n + 1 - 2h + h (h - 1) / n) / n). `t` and `p` are None, with a
        reason, when all values are equal or when there are fewer than 2 (lags + 1), or 8.

    Raises
    ------
    InputError
        More than one axis, an infinite value, `horizon` below 1 or bad `lags` or `degrees`.

    Notes
    -----
    Variance: Newey & West 1987. Correction: Harvey, Leybourne & Newbold 1997, equation 9; without overlap it is
    sqrt((n - 1) / n). Effective degrees: Priestley 1981, 1 / (b * integral of the squared kernel), which is
    close to the fixed-b law of Kiefer & Vogelsang 2005.

    Examples
    --------
    >>> hac_mean_test([1.0] * 20).reason
    'all 20 values are equal'
    """
    from scipy.stats import t as student

    raw = np.asarray(values_D, np.float64)
    if raw.ndim != 1:
        raise InputError("values_D", "must have one axis", value=raw.shape)
    if np.isinf(raw).any():
        raise InputError("values_D", "must be finite or NaN", value=raw[np.isinf(raw)][:5].tolist())
    if horizon < 1:
        raise InputError("horizon", "must be 1 or more", value=horizon)
    if degrees not in ("effective", "n-1"):
        raise InputError("degrees", "must be 'effective' or 'n-1'", value=degrees)
    x = raw[~np.isnan(raw)]
    n, n_nan = len(x), len(raw) - int((~np.isnan(raw)).sum())
    used = default_lags(n, horizon) if lags is None else lags
    if used < 0:
        raise InputError("lags", "must be 0 or more", value=used)
    free = max(1.0, min(n - 1.0, 1.5 * n / (used + 1))) if degrees == "effective" else max(1.0, n - 1.0)
    mean = float(x.mean()) if n else None
    needed = max(8, 2 * (used + 1), horizon + 1)
    reason = None
    if n and np.ptp(x) <= 1e-12 * np.abs(x).max():
        reason = f"all {n} values are equal"
    if n < needed:
        reason = f"{n} dates, {needed} needed for {used} lags"
    if reason is not None or mean is None:
        return MeanTest(mean, None, None, n, n_nan, used, free, reason)
    variance = long_run_variance(x, lags=used) / n
    shrink = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    t = float(mean / np.sqrt(variance) * np.sqrt(shrink))
    return MeanTest(mean, t, float(2 * student.sf(abs(t), free)), n, n_nan, used, free)
