"""Hierarchical risk parity: like assets share a branch, branches share the portfolio by their variance.

Covariances in, weights out.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError
from nextbest.portfolio.plan.bounds import Bounds, resolve, settle
from nextbest.portfolio.plan.estimates import checked_covariance
from nextbest.portfolio.plan.optimise import least_variance

Floats = NDArray[np.float64]
Linkage = Literal["ward", "single", "average", "complete"]


def hrp(
    cov_AA: ArrayLike,
    *,
    linkage: Linkage = "ward",
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Weights by hierarchical risk parity.

    Parameters
    ----------
    cov_AA
        Covariance of returns. Shape (A, A), symmetric; variances above 0.
    linkage
        How branches are joined, on the distances sqrt((1 - correlation) / 2); leaves in optimal order.
    bounds
        Limits of assets and classes. The method itself knows none: where its weights break one, the nearest
        weights (least squares) within the limits are the answer.
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
        A variance is 0, or the matrix is no covariance.

    Notes
    -----
    Lopez de Prado 2016, with Ward's linkage and optimal leaf order as skfolio has them, and the list halved at each step.

    Examples
    --------
    >>> hrp([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.2, 0.8]
    """
    cov, ids = checked_covariance(cov_AA, names=names)
    limits = resolve(bounds, ids)
    variance_A = np.diag(cov)
    if (flat := np.flatnonzero(variance_A <= 0)).size:
        raise DataError(
            "cov", "variances must be above 0 for HRP", n_bad=len(flat), examples=[ids[i] for i in flat]
        )
    weights_A = np.ones(len(cov))
    stack = [_order(cov, linkage)]
    while stack:
        branch = stack.pop()
        if len(branch) < 2:
            continue
        left, right = branch[: len(branch) // 2], branch[len(branch) // 2 :]
        risk_left, risk_right = _branch_variance(cov, left), _branch_variance(cov, right)
        share = risk_right / (risk_left + risk_right)
        weights_A[left] *= share
        weights_A[right] *= 1 - share
        stack += [left, right]
    sums_G = limits.member_GA @ weights_A
    broken = (weights_A < limits.lower_A).any() or (weights_A > limits.upper_A).any()
    broken = broken or (sums_G < limits.class_lower_G).any() or (sums_G > limits.class_upper_G).any()
    if broken:
        return least_variance(np.eye(len(cov)), -weights_A, limits)
    return settle(weights_A, limits)


def _order(cov: Floats, linkage: Linkage) -> NDArray[np.intp]:
    """Assets so that like ones stand beside each other."""
    from scipy.cluster.hierarchy import leaves_list
    from scipy.cluster.hierarchy import linkage as join
    from scipy.spatial.distance import squareform

    if len(cov) == 1:
        return np.zeros(1, np.intp)
    volatility = np.sqrt(np.diag(cov))
    distance = np.sqrt(np.clip((1 - cov / np.outer(volatility, volatility)) / 2, 0.0, 1.0))
    np.fill_diagonal(distance, 0.0)
    tree = join(squareform(distance, checks=False), method=linkage, optimal_ordering=True)
    return np.asarray(leaves_list(tree), np.intp)


def _branch_variance(cov: Floats, branch: NDArray[np.intp]) -> float:
    """Variance of the branch's assets weighted by their inverse variances."""
    inner = cov[np.ix_(branch, branch)]
    inverse = 1.0 / np.diag(inner)
    inverse /= inverse.sum()
    return float(inverse @ inner @ inverse)
