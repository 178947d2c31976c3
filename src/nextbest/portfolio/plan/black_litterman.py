"""Black-Litterman: start from given weights, move towards views as far as they are trusted.

Covariance, prior weights and views in, weights out. Here the prior is usually what peers hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.portfolio.plan.bounds import Bounds, resolve
from nextbest.portfolio.plan.estimates import checked_covariance
from nextbest.portfolio.plan.optimise import least_variance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What somebody expects of a mix of assets."""

    weights: Mapping[str, float]
    """The mix by asset: {"equity": 1} for itself, {"equity": 1, "bond": -1} for one over the other."""
    mean_return: float
    """Expected return of the mix per period of the covariance, a fraction."""
    confidence: float
    """0-1 exclusive: 0.5 trusts the view as much as the prior."""


def implied_returns(cov_AA: ArrayLike, *, prior_A: ArrayLike, risk_aversion: float = 2.5) -> Floats:
    """Mean returns for which `prior_A` is the best portfolio: risk_aversion x covariance x weights. Shape (A,).

    Raises
    ------
    InputError
        Shapes differ, the prior doesn't sum to 1, or `risk_aversion` isn't above 0.

    Examples
    --------
    >>> implied_returns([[0.04, 0.0], [0.0, 0.01]], prior_A=[0.5, 0.5], risk_aversion=2.0).tolist()
    [0.04, 0.01]
    """
    cov, prior = np.asarray(cov_AA, np.float64), np.asarray(prior_A, np.float64)
    if prior.shape != (len(cov),) or not np.isfinite(prior).all():
        raise InputError("prior", f"must be {len(cov)} finite weights", value=prior.tolist())
    if abs(prior.sum() - 1) > 1e-6:
        raise InputError("prior", "must sum to 1", value=float(prior.sum()))
    if not risk_aversion > 0:
        raise InputError("risk_aversion", "must be above 0", value=risk_aversion)
    return risk_aversion * cov @ prior


def posterior_returns(
    cov_AA: ArrayLike,
    *,
    implied_A: ArrayLike,
    views: Sequence[View],
    tau: float = 0.05,
    names: Sequence[str] | None = None,
) -> Floats:
    """Mean returns after the views, per period. Shape (A,).

    Parameters
    ----------
    implied_A
        Mean returns before them. Shape (A,).
    tau
        Uncertainty of the prior means as a share of the covariance, above 0. With confidences its size
        cancels out: a view of confidence c moves its own mix by c of the way, if it stands alone.

    Raises
    ------
    InputError
        A view names an unknown asset, says nothing, or its confidence is not between 0 and 1.

    Notes
    -----
    Black & Litterman 1992; each view's variance is tau p'Cp (1 - c) / c for the confidence c (Idzorek 2005, in the closed
    form of Walters 2014).

    Examples
    --------
    >>> view = View({"a": 1.0}, 0.08, 0.5)
    >>> posterior_returns([[0.04, 0.0], [0.0, 0.01]], implied_A=[0.04, 0.01], views=[view], names=["a", "b"]).round(6).tolist()
    [0.06, 0.01]
    """
    cov, ids = checked_covariance(cov_AA, names=names)
    implied = np.asarray(implied_A, np.float64)
    if not tau > 0:
        raise InputError("tau", "must be above 0", value=tau)
    if not views:
        return implied
    place = {name: i for i, name in enumerate(ids)}
    mix_VA, said_V, trust_V = np.zeros((len(views), len(ids))), np.empty(len(views)), np.empty(len(views))
    for v, view in enumerate(views):
        if strangers := sorted(set(view.weights) - set(place)):
            raise InputError("views", "names assets that aren't there", value=strangers[:5])
        for name, weight in view.weights.items():
            mix_VA[v, place[name]] = weight
        said_V[v], trust_V[v] = view.mean_return, view.confidence
    if not ((trust_V > 0) & (trust_V < 1)).all():
        raise InputError(
            "views", "confidence must lie between 0 and 1, both excluded", value=trust_V.tolist()
        )
    if not np.isfinite(said_V).all() or not mix_VA.any(axis=1).all():
        raise InputError("views", "must say a finite return of a mix that isn't empty", value=len(views))
    spread_VV = tau * mix_VA @ cov @ mix_VA.T
    doubt_V = np.diag(spread_VV) * (1 - trust_V) / trust_V
    gain = np.linalg.lstsq(spread_VV + np.diag(doubt_V), said_V - mix_VA @ implied, rcond=None)[0]
    moved: Floats = implied + tau * cov @ mix_VA.T @ gain
    return moved


def black_litterman(
    cov_AA: ArrayLike,
    *,
    prior_A: ArrayLike,
    views: Sequence[View] = (),
    risk_aversion: float = 2.5,
    tau: float = 0.05,
    bounds: Bounds | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Weights that are best under the means after the views; without views, the prior itself (within the bounds).

    Parameters
    ----------
    cov_AA
        Covariance of returns. Shape (A, A).
    prior_A
        Weights to start from, sum 1. Shape (A,).
    views
        What is expected otherwise, and how much that is trusted.
    risk_aversion
        Mean return given up for a unit of variance, above 0.
    bounds, names
        As `min_variance`.

    Returns
    -------
    ndarray of shape (A,)
        Fractions with sum 1.

    Raises
    ------
    Infeasible, InputError, DataError
        As `posterior_returns` and `min_variance`.

    Notes
    -----
    Maximises mean'w - risk_aversion / 2 w'Cw. C is the covariance of returns alone: the posterior's own uncertainty
    (tau C and less) isn't added, so that no view means no change.

    Examples
    --------
    >>> black_litterman([[0.04, 0.0], [0.0, 0.01]], prior_A=[0.3, 0.7]).round(6).tolist()
    [0.3, 0.7]
    """
    cov, ids = checked_covariance(cov_AA, names=names)
    limits = resolve(bounds, ids)
    implied_A = implied_returns(cov, prior_A=prior_A, risk_aversion=risk_aversion)
    mean_A = posterior_returns(cov, implied_A=implied_A, views=views, tau=tau, names=ids)
    return least_variance(risk_aversion * cov, -mean_A, limits)
