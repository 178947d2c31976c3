"""Weights of least variance, with or without a wanted return, and the frontier between risk and return.

Means and covariances in, weights out; knows no client and no instrument. Every answer is checked: weights sum to 1 and
lie within the bounds, or an error says which limits are in each other's way.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.portfolio.plan.bounds import Bounds, Infeasible, Limits, resolve, settle
from nextbest.portfolio.plan.estimates import checked_covariance
from nextbest.portfolio.plan.quadratic import solve_quadratic

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frontier:
    """Portfolios of least variance for a row of mean returns."""

    mean_F: Floats
    """Mean return per period, fractions, rising. Shape (F,)."""
    volatility_F: Floats
    """Standard deviation per period, fractions. Shape (F,)."""
    weights_FA: Floats
    """Weights, fractions. Shape (F, A)."""


def min_variance(
    cov_AA: ArrayLike, *, bounds: Bounds | None = None, names: Sequence[str] | None = None
) -> Floats:
    """Weights of least variance within `bounds`.

    Parameters
    ----------
    cov_AA
        Covariance of returns. Shape (A, A), symmetric, positive semidefinite; any period.
    bounds
        Limits of assets and classes; long-only up to 1 where not given.
    names
        Assets in the order of `cov_AA`, as `bounds` calls them.

    Returns
    -------
    ndarray of shape (A,)
        Fractions with sum 1.

    Raises
    ------
    Infeasible
        The bounds can't hold together; they are named.
    DataError, InputError
        The covariance is not one (`checked_covariance`).

    Notes
    -----
    Markowitz 1952, by an interior-point method.

    Examples
    --------
    >>> min_variance([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.2, 0.8]
    """
    cov, ids = checked_covariance(cov_AA, names=names)
    limits = resolve(bounds, ids)
    return least_variance(cov, np.zeros(len(cov)), limits)


def efficient_portfolio(
    mean_A: ArrayLike,
    cov_AA: ArrayLike,
    *,
    target: float,
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Weights of least variance whose mean return equals `target`.

    Parameters
    ----------
    mean_A
        Mean returns of the same period as the covariance, fractions. Shape (A,).
    target
        Mean return of the portfolio, a fraction.

    Returns
    -------
    ndarray of shape (A,)
        Fractions with sum 1.

    Raises
    ------
    Infeasible
        The bounds conflict, or `target` lies outside what they allow; the ends of that range are said.
    DataError, InputError
        As `min_variance`; or a mean is not finite.
    """
    cov, mean, limits = _checked(mean_A, cov_AA, bounds, names)
    low, high = (float(mean @ _extreme(sign * mean, limits)) for sign in (1.0, -1.0))
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    if not low - slack <= target <= high + slack:
        raise Infeasible(
            [f"mean return = {target:g}", f"mean return within {low:g}..{high:g} (all other bounds)"]
        )
    target = min(max(target, low), high)
    return least_variance(cov, np.zeros(len(cov)), limits, equal=(mean[None, :], np.array([target])))


def mean_variance_frontier(
    mean_A: ArrayLike,
    cov_AA: ArrayLike,
    *,
    n_points: int = 20,
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Frontier:
    """The efficient frontier, from least variance to the highest mean return that `bounds` allow.

    Parameters
    ----------
    n_points
        Portfolios, evenly apart in mean return; 2 or more.

    Raises
    ------
    Infeasible, DataError, InputError
        As `efficient_portfolio`.
    """
    if n_points < 2:
        raise InputError("n_points", "must be 2 or more", value=n_points)
    cov, mean, limits = _checked(mean_A, cov_AA, bounds, names)
    start_A = least_variance(cov, np.zeros(len(cov)), limits)
    end_A = _extreme(-mean, limits)
    targets_F = np.linspace(float(mean @ start_A), float(mean @ end_A), n_points)
    inner = [
        least_variance(cov, np.zeros(len(cov)), limits, equal=(mean[None, :], np.array([t])))
        for t in targets_F[1:-1]
    ]
    weights_FA = np.array([start_A, *inner, end_A])
    variance_F = np.einsum("fa,ab,fb->f", weights_FA, cov, weights_FA)
    return Frontier(weights_FA @ mean, np.sqrt(np.maximum(variance_F, 0.0)), weights_FA)


def least_variance(
    cov: Floats, linear_A: Floats, limits: Limits, *, equal: tuple[Floats, Floats] | None = None
) -> Floats:
    """Weights that minimise w'Cw/2 + linear'w within resolved limits, and with further `equal` rows. Shape (A,)."""
    free_A = limits.upper_A - limits.lower_A > 1e-12
    fixed_A = np.where(free_A, 0.0, limits.lower_A)
    rows_RA, most_R = limits.rows()
    equal_EA, value_E = np.ones((1, len(cov))), np.ones(1)
    if equal is not None:
        equal_EA, value_E = np.concatenate([equal_EA, equal[0]]), np.concatenate([value_E, equal[1]])
    w = fixed_A.copy()
    if free_A.any():
        eye = np.eye(int(free_A.sum()))
        at_most_rows = np.concatenate([-eye, eye, rows_RA[:, free_A]])
        at_most = np.concatenate(
            [-limits.lower_A[free_A], limits.upper_A[free_A], most_R - rows_RA @ fixed_A]
        )
        w[free_A] = solve_quadratic(
            cov[np.ix_(free_A, free_A)],
            linear_A[free_A] + cov[free_A] @ fixed_A,
            equal=(equal_EA[:, free_A], value_E - equal_EA @ fixed_A),
            at_most=(at_most_rows, at_most),
        )
    return settle(w, limits)


def _checked(
    mean_A: ArrayLike, cov_AA: ArrayLike, bounds: Bounds | None, names: Sequence[str] | None
) -> tuple[Floats, Floats, Limits]:
    """Covariance, mean and limits that fit each other."""
    cov, ids = checked_covariance(cov_AA, names=names)
    mean = np.asarray(mean_A, np.float64)
    if mean.shape != (len(cov),) or not np.isfinite(mean).all():
        raise InputError("mean", f"must be {len(cov)} finite numbers", value=np.asarray(mean_A).tolist())
    return cov, mean, resolve(bounds, ids)


def _extreme(cost_A: Floats, limits: Limits) -> Floats:
    """Weights of least `cost @ weights` within limits."""
    from scipy.optimize import linprog

    rows, most = limits.rows()
    found = linprog(
        cost_A,
        A_ub=rows if len(rows) else None,
        b_ub=most if len(rows) else None,
        A_eq=np.ones((1, len(cost_A))),
        b_eq=[1.0],
        bounds=np.column_stack([limits.lower_A, limits.upper_A]),
        method="highs",
    )
    assert found.status == 0, found.message  # limits were checked to hold together, and are bounded
    return settle(np.asarray(found.x), limits)
