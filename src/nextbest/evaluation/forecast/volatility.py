"""Variance forecasts against realised variance: QLIKE and the squared error of logs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VolatilityScore:
    """Means over cells."""

    qlike: float
    """0 is perfect; no unit."""
    mse_log: float
    """Mean squared difference of log variances; 0 is perfect."""
    correlation_log: float | None
    """Pearson's, of log variances; None where either is constant."""
    n: int
    """Cells that counted."""
    n_nan: int
    """Left out: no forecast or no realised variance."""
    n_zero: int
    """Left out: a realised variance of 0 (nothing was traded), whose logarithm isn't a number."""


def qlike(variance: ArrayLike, realised: ArrayLike) -> Floats:
    """QLIKE loss: r / v - log(r / v) - 1, r realised, v forecast; no unit; 0 where they are equal.

    Parameters
    ----------
    variance, realised
        Variances over the same time, of one shape and unit (squared log-return); forecasts > 0.

    Returns
    -------
    ndarray
        Of that shape; >= 0; NaN where either is NaN or where the realised variance is 0.

    Raises
    ------
    InputError
        Shapes differ.
    DataError
        A forecast is 0 or less, or a realised variance is negative.

    Notes
    -----
    Patton 2011: with an unbiased proxy in place of the true variance it still ranks forecasts rightly. It punishes
    forecasts that are too low far more than those too high.

    Examples
    --------
    >>> qlike([1.0, 2.0], [1.0, 1.0]).round(3).tolist()
    [0.0, 0.193]
    """
    ratio = _ratio(variance, realised)
    found: Floats = ratio - np.log(ratio) - 1
    return found


def squared_log_error(variance: ArrayLike, realised: ArrayLike) -> Floats:
    """Squared difference of log variances. Parameters, NaN and errors as in `qlike`; symmetric in the ratio."""
    found: Floats = np.log(_ratio(variance, realised)) ** 2
    return found


def volatility_score(variance: ArrayLike, realised: ArrayLike) -> VolatilityScore:
    """Both losses in the mean, and the correlation of logs. Parameters and errors as in `qlike`.

    Raises
    ------
    DataError
        Also where no cell is left.
    """
    v, r = np.asarray(variance, np.float64), np.asarray(realised, np.float64)
    losses, logs = qlike(v, r), squared_log_error(v, r)
    counted = ~np.isnan(losses)
    n = int(counted.sum())
    if not n:
        raise DataError("volatility", "no cell holds both a forecast and a realised variance", n_bad=v.size)
    a, b = np.log(v[counted]), np.log(r[counted])
    varies = np.ptp(a) > 0 and np.ptp(b) > 0
    n_zero = int((~np.isnan(v) & (r == 0)).sum())
    return VolatilityScore(
        float(losses[counted].mean()),
        float(logs[counted].mean()),
        float(np.corrcoef(a, b)[0, 1]) if varies else None,
        n,
        v.size - n - n_zero,
        n_zero,
    )


def _ratio(variance: ArrayLike, realised: ArrayLike) -> Floats:
    v, r = np.asarray(variance, np.float64), np.asarray(realised, np.float64)
    if v.shape != r.shape:
        raise InputError("realised", f"must have the shape of variance, {v.shape}", value=r.shape)
    for name, bad, rule in (
        ("variance", v <= 0, "must be above 0"),
        ("realised", r < 0, "must be 0 or more"),
    ):
        if (bad := bad | np.isinf(v if name == "variance" else r)).any():
            places = np.argwhere(bad)
            raise DataError(
                name,
                f"{rule} and finite",
                n_bad=len(places),
                examples=[tuple(p) for p in places[:5].tolist()],
            )
    return np.where(r > 0, r, np.nan) / v
