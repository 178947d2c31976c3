"""Diebold-Mariano: is one forecast's mean loss another's, when errors overlap in time and across assets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.evaluation.forecast.hac import Degrees, hac_mean_test

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DM:
    """Mean difference of two losses, `a` minus `b`, with its t; positive: `a` is worse."""

    t: float | None
    """None where there is no test; `reason` says why."""
    p: float | None
    """Two-sided."""
    n: int
    """Dates that counted."""
    difference: float | None
    """Mean of a - b; unit of the loss."""
    n_nan: int
    """Dates left out: one of the two losses is NaN."""
    lags: int
    degrees: float
    reason: str | None = None


def date_means(loss_OA: ArrayLike) -> Floats:
    """Mean over assets at each origin. Shape (O,); NaN assets are left out, NaN where none is left."""
    loss = np.asarray(loss_OA, np.float64)
    if loss.ndim != 2:
        raise InputError("loss_OA", "must have the axes origin and asset", value=loss.shape)
    counted = ~np.isnan(loss)
    n = counted.sum(axis=1)
    sums = np.where(counted, loss, 0.0).sum(axis=1)
    return np.where(n > 0, sums / np.maximum(n, 1), np.nan)


def diebold_mariano(
    loss_a_D: ArrayLike,
    loss_b_D: ArrayLike,
    horizon: int = 1,
    *,
    lags: int | None = None,
    degrees: Degrees = "effective",
) -> DM:
    """Whether losses `a` and `b` have the same mean; positive t: `a` (the model) is worse than `b` (the benchmark).

    Parameters
    ----------
    loss_a_D, loss_b_D
        A loss a date, oldest first, already averaged over assets (`date_means` over cells that both answered):
        assets move together, so a date is one observation. Shape (D,); a date with a NaN is left out and counted.
    horizon
        Steps ahead counted in origins (`overlap`); 1 or more.
    lags
        None: 2 (horizon - 1) + floor(4 (n / 100)^(2/9)).
    degrees
        `effective` or the published `n-1`; see `hac_mean_test`.

    Returns
    -------
    DM
        t = mean(a - b) / sqrt(HAC variance / n), times the correction of Harvey, Leybourne & Newbold. `t` and `p`
        are None with a reason when the differences are constant (the same forecasts) or the dates too few.

    Raises
    ------
    InputError
        Shapes differ or aren't one axis, a loss is infinite, or `horizon` < 1.

    Notes
    -----
    Diebold & Mariano 1995; Harvey, Leybourne & Newbold 1997. Bartlett weights, so that the variance is never
    negative (the paper's own rectangle may be). It tests forecasts as they were made, not models in the
    population; for nested models re-estimated at each origin it leans to the smaller model (Clark & West 2007).

    Examples
    --------
    >>> diebold_mariano([1.0, 2.0] * 10, [1.0, 2.0] * 10).reason
    'all 20 values are equal'
    """
    a, b = np.asarray(loss_a_D, np.float64), np.asarray(loss_b_D, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError("loss_b_D", f"must have the one axis of loss_a_D, {a.shape}", value=b.shape)
    if np.isinf(a).any() or np.isinf(b).any():
        raise InputError("loss", "must be finite or NaN", value=int(np.isinf(a).sum() + np.isinf(b).sum()))
    found = hac_mean_test(a - b, horizon=horizon, lags=lags, degrees=degrees)
    return DM(found.t, found.p, found.n, found.mean, found.n_nan, found.lags, found.degrees, found.reason)
