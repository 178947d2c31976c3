"""Least expected loss in the tail (CVaR), as a linear programme solved by HiGHS.

Returns in, weights out; knows no client.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import ExternalError, InputError
from nextbest.portfolio.plan.bounds import Bounds, resolve, settle
from nextbest.portfolio.plan.estimates import checked_returns

Floats = NDArray[np.float64]


def min_cvar(
    returns_TA: ArrayLike,
    *,
    alpha: float = 0.05,
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Weights of least CVaR: the least mean loss over the worst `alpha` of the periods.

    Parameters
    ----------
    returns_TA
        Simple returns, one period a row, fractions. Shape (T, A); complete columns only.
    alpha
        Share of periods in the tail, 0-1 exclusive.
    bounds
        Limits of assets and classes; long-only up to 1 where not given.
    names
        Assets in the order of the columns.

    Returns
    -------
    ndarray of shape (A,)
        Fractions with sum 1.

    Raises
    ------
    Infeasible
        The bounds can't hold together; they are named.
    DataError
        A column holds NaN; it is named, never filled.
    InputError
        `alpha` is out of range or the table too small.
    ExternalError
        HiGHS gave up; its own words are passed on.

    Notes
    -----
    Rockafellar & Uryasev 2000. Solved through its dual: a row for each asset and limit instead of one for each period;
    weights are the rows' shadow prices.

    Examples
    --------
    >>> min_cvar([[0.02, -0.04], [-0.01, 0.03], [0.01, 0.02], [-0.02, 0.03]], alpha=0.25).round(4).tolist()
    [0.6364, 0.3636]
    """
    from scipy.optimize import linprog

    if not 0 < alpha < 1:
        raise InputError("alpha", "must lie between 0 and 1, both excluded", value=alpha)
    values, ids = checked_returns(returns_TA, names=names)
    limits = resolve(bounds, ids)
    n_days, n = values.shape
    rows_RA, most_R = limits.rows()
    scale = float(np.abs(values).max()) or 1.0
    # dual variables: the weight y_t of each period in the tail, the common level v, prices of upper, lower and class limits
    upper = np.flatnonzero(limits.upper_A < 1)
    lower = np.flatnonzero(limits.lower_A != 0)
    eye = np.eye(n)
    matrix = np.concatenate(
        [values.T / scale, np.ones((n, 1)), -eye[:, upper], eye[:, lower], -rows_RA.T], axis=1
    )
    cost = np.concatenate([np.zeros(n_days), [-1.0], limits.upper_A[upper], -limits.lower_A[lower], most_R])
    ends = [(0.0, 1.0 / (alpha * n_days))] * n_days + [(None, None)]
    ends += [(0.0, None)] * (len(upper) + len(lower) + len(most_R))
    in_tail = np.zeros((1, len(cost)))
    in_tail[0, :n_days] = 1.0
    # assets without a lower bound have weight >= 0 (an inequality row); others may go below 0 (an equation and a price)
    loose = limits.lower_A == 0
    found = linprog(
        cost,
        A_ub=matrix[loose] if loose.any() else None,
        b_ub=np.zeros(int(loose.sum())) if loose.any() else None,
        A_eq=np.concatenate([matrix[~loose], in_tail]),
        b_eq=np.concatenate([np.zeros(int((~loose).sum())), [1.0]]),
        bounds=ends,
        method="highs-ds",
    )
    if found.status != 0:
        raise ExternalError("HiGHS", str(found.message), retryable=False)
    weights = np.empty(n)
    if loose.any():
        weights[loose] = -found.ineqlin.marginals
    weights[~loose] = -found.eqlin.marginals[:-1]
    return settle(weights, limits)


def cvar(returns_T: ArrayLike, *, alpha: float = 0.05) -> float:
    """Mean return over the worst `alpha` of the periods: a loss is below 0. No unit.

    The period at the edge of the tail counts with the part of it that belongs there (Rockafellar & Uryasev 2002).

    Raises
    ------
    InputError
        `alpha` is out of range, or there is no period, or one isn't finite.

    Examples
    --------
    >>> cvar([-0.04, 0.01, 0.02, 0.03], alpha=0.5)
    -0.015
    """
    values = np.sort(np.asarray(returns_T, np.float64).ravel())
    if not 0 < alpha < 1:
        raise InputError("alpha", "must lie between 0 and 1, both excluded", value=alpha)
    if not len(values) or not np.isfinite(values).all():
        raise InputError("returns", "must be finite numbers, one or more", value=len(values))
    share = np.clip(alpha * len(values) - np.arange(len(values)), 0.0, 1.0)
    return float(values @ share / (alpha * len(values)))
