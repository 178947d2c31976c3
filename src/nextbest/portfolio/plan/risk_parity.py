"""Risk parity: weights whose shares of the portfolio's variance are equal, or as budgeted.

Covariances in, weights out. Without tighter limits it is cyclical coordinate descent; where a limit binds, Newton steps
of the same objective within the limits.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.bounds import TOLERANCE, Bounds, Limits, resolve, settle
from nextbest.portfolio.plan.estimates import checked_covariance
from nextbest.portfolio.plan.quadratic import solve_quadratic

Floats = NDArray[np.float64]
_MAX_ROUNDS = 500
_GOAL = 1e-10
"""Greatest difference of a risk share from its budget at which descent stops; fractions."""


def risk_parity(
    cov_AA: ArrayLike,
    *,
    budget: Mapping[str, float] | None = None,
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Weights with equal (or budgeted) shares of variance.

    Parameters
    ----------
    cov_AA
        Covariance of returns. Shape (A, A), symmetric; variances above 0.
    budget
        Wanted share of risk by name, all assets, above 0; scaled to sum 1. Equal where not given.
    bounds
        Limits; lower bounds must be 0 or more. Where they bind, shares are equal only among the assets that
        aren't at a limit: the answer minimises variance less the budgeted sum of log weights within the limits.
    names
        Assets in the order of `cov_AA`.

    Returns
    -------
    ndarray of shape (A,)
        Fractions with sum 1.

    Raises
    ------
    Infeasible
        The bounds can't hold together; they are named.
    DataError
        A variance is 0 (its share of risk can't be anything else), or the matrix is no covariance.
    InputError
        A budget isn't above 0 or doesn't name every asset; a lower bound is below 0.

    Notes
    -----
    Spinu 2013 (objective); Griveau-Billion, Richard & Roncalli 2013 (coordinate descent).

    Examples
    --------
    >>> risk_parity([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.333333, 0.666667]
    """
    cov, ids = checked_covariance(cov_AA, names=names)
    limits = resolve(bounds, ids)
    if (limits.lower_A < 0).any():
        raise InputError("lower", "must be 0 or more for risk parity", value=float(limits.lower_A.min()))
    if (flat := np.flatnonzero(np.diag(cov) <= 0)).size:
        raise DataError(
            "cov",
            "variances must be above 0 for risk parity",
            n_bad=len(flat),
            examples=[ids[i] for i in flat],
        )
    budget_A = _budget(budget, ids)
    scale_A = np.sqrt(np.diag(cov))  # on correlations all coordinates have one size
    x_A = _descend(cov / np.outer(scale_A, scale_A), budget_A) / scale_A
    weights_A = x_A / x_A.sum()
    if _within(weights_A, limits):
        return settle(weights_A, limits)
    return settle(_within_limits(cov, budget_A, limits), limits)


def risk_shares(weights_A: ArrayLike, cov_AA: ArrayLike) -> Floats:
    """Each asset's share of the portfolio's variance, fractions with sum 1. Shape (A,).

    Raises
    ------
    DataError
        The portfolio has no variance, so nothing can be shared out.

    Examples
    --------
    >>> risk_shares([0.5, 0.5], [[0.03, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.75, 0.25]
    """
    w, cov = np.asarray(weights_A, np.float64), np.asarray(cov_AA, np.float64)
    parts = w * (cov @ w)
    if not parts.sum() > 0:
        raise DataError("cov", "the portfolio has no variance, so its risk has no shares")
    shares: Floats = parts / parts.sum()
    return shares


def _budget(budget: Mapping[str, float] | None, names: tuple[str, ...]) -> Floats:
    """Budgets in the order of names, sum 1."""
    if budget is None:
        return np.full(len(names), 1.0 / len(names))
    if set(budget) != set(names):
        raise InputError(
            "budget", "must name every asset and no other", value=sorted(set(budget) ^ set(names))[:5]
        )
    found = np.array([budget[n] for n in names], np.float64)
    if not (found > 0).all() or not np.isfinite(found).all():
        raise InputError("budget", "must be above 0", value=[n for n in names if not budget[n] > 0][:5])
    scaled: Floats = found / found.sum()
    return scaled


def _descend(corr: Floats, budget_A: Floats) -> Floats:
    """x that minimises x'Cx/2 - budget @ log x, one coordinate after another. Shape (A,)."""
    n = len(corr)
    x: Floats = np.sqrt(budget_A) / np.sqrt(max(float(np.sqrt(budget_A) @ corr @ np.sqrt(budget_A)), 1e-12))
    diagonal, rows = corr.diagonal().tolist(), list(corr)
    budget = budget_A.tolist()
    marginal_A = corr @ x
    for _ in range(_MAX_ROUNDS):
        for i in range(n):
            old = float(x[i])
            rest = float(marginal_A[i]) - diagonal[i] * old
            new = (-rest + (rest * rest + 4.0 * diagonal[i] * budget[i]) ** 0.5) / (2.0 * diagonal[i])
            marginal_A += (new - old) * rows[i]
            x[i] = new
        marginal_A = corr @ x  # rounding of the updates must not add up
        parts = x * marginal_A
        if float(np.abs(parts - budget_A).max()) < _GOAL:
            return x
    raise DataError(
        "cov",
        "risk parity did not settle",
        remedy="assets that move exactly against each other have no such weights",
    )


def _within(weights_A: Floats, limits: Limits) -> bool:
    """Whether weights lie within every limit."""
    sums_G = limits.member_GA @ weights_A
    return bool(
        (weights_A >= limits.lower_A - TOLERANCE).all()
        and (weights_A <= limits.upper_A + TOLERANCE).all()
        and (sums_G >= limits.class_lower_G - TOLERANCE).all()
        and (sums_G <= limits.class_upper_G + TOLERANCE).all()
    )


def _within_limits(cov: Floats, budget_A: Floats, limits: Limits) -> Floats:
    """Weights of the same objective within limits, by Newton steps with the limits kept.

    The limits of w become limits of x through w = x / sum(x): each is `row @ x <= most * sum(x)`, a cone.
    """
    n = len(cov)
    rows_RA, most_R = limits.rows()
    cone_rows = np.concatenate([np.eye(n), -np.eye(n), rows_RA])
    cone_most = np.concatenate([limits.upper_A, -limits.lower_A, most_R])
    cone = cone_rows - cone_most[:, None]
    cone = cone[~((cone_most >= 1) & (np.arange(len(cone)) < n))]  # at most 1 holds by itself
    scale = float(np.diag(cov).mean())
    c_AA = cov / scale
    x_A = _starting_point(limits)
    x_A /= np.sqrt(x_A @ c_AA @ x_A)

    def objective(at: Floats) -> float:
        return float(at @ c_AA @ at / 2 - budget_A @ np.log(at)) if (at > 0).all() else np.inf

    for _ in range(100):
        gradient = c_AA @ x_A - budget_A / x_A
        hessian = c_AA + np.diag(budget_A / x_A**2)
        step = solve_quadratic(
            hessian,
            gradient,
            equal=(np.zeros((0, n)), np.zeros(0)),
            at_most=(np.concatenate([cone, -np.eye(n)]), np.concatenate([-cone @ x_A, 0.99 * x_A])),
        )
        slope = float(gradient @ step)
        reach, before = 1.0, objective(x_A)
        while objective(x_A + reach * step) > before + 1e-4 * reach * slope and reach > 1e-10:
            reach /= 2
        x_A = x_A + reach * step
        if float(np.abs(reach * step).max() / x_A.max()) < 1e-9 or slope > -1e-14:
            weights_A: Floats = x_A / x_A.sum()
            return weights_A
    raise DataError("cov", "risk parity within these bounds did not settle", remedy="widen the bounds")


def _starting_point(limits: Limits) -> Floats:
    """Weights within limits and above 0 wherever the limits allow it."""
    from nextbest.portfolio.plan.optimise import least_variance

    n = len(limits.names)
    if (limits.upper_A <= 0).any():
        names = [limits.names[i] for i in np.flatnonzero(limits.upper_A <= 0)]
        raise InputError(
            "upper", "must be above 0 for risk parity: every asset has a share of risk", value=names[:5]
        )
    nearest = least_variance(np.eye(n), -np.full(n, 1.0 / n), limits)
    if (nearest <= 0).any():
        names = [limits.names[i] for i in np.flatnonzero(nearest <= 0)]
        raise InputError("bounds", "leave nothing for assets that must have a share of risk", value=names[:5])
    return nearest
