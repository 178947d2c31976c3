"""Peers' results, shrunken before anybody is led by them, and the weight each peer has in the proposal.

Knows numbers only. Legend: `N` clients, `K` peers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Shrunken:
    """Results after shrinkage."""

    value_N: FloatArray  # noqa: N815 - shape suffix
    """Posterior mean of each client's true result, in the result's own unit; `mean` for a client without one."""
    mean: float
    """Precision-weighted mean of all; 0 without any result."""
    between: float
    """Variance of true results between clients, after luck is taken out; 0 = all differences may be luck."""


def sharpe_variance(
    sharpe_ann_N: FloatArray, n_returns_N: FloatArray, *, periods_per_year: float
) -> FloatArray:
    """Sampling variance of annualised Sharpe ratios, shape (N,); NaN with fewer than two returns.

    Lo 2002, independent returns: ((1 + S^2 / 2) / n) a period, times the periods of a year.

    >>> sharpe_variance(np.array([0.0]), np.array([250.0]), periods_per_year=250).tolist()
    [1.0]
    """
    variance_N: FloatArray = (periods_per_year + sharpe_ann_N**2 / 2) / np.where(
        n_returns_N >= 2, n_returns_N, np.nan
    )
    return variance_N


def shrink(value_N: FloatArray, variance_N: FloatArray) -> Shrunken:
    """Empirical Bayes: each result is drawn to the mean of all by the share of it that may be luck.

    Parameters
    ----------
    value_N
        Results, shape (N,), any unit; NaN = none.
    variance_N
        Their sampling variances, shape (N,), unit squared, > 0 wherever there is a result.

    Raises
    ------
    InputError
        Shapes differ, or a result has no positive variance.

    Notes
    -----
    Normal means with normal noise; the variance between clients after Paule and Mandel 1982 (the weighted sum of
    squares is n - 1 at it), 0 where noise explains everything. Then value = mean + between / (between + variance) *
    (result - mean).
    """
    if value_N.shape != variance_N.shape:
        raise InputError("variance_N", f"must have shape {value_N.shape}", value=variance_N.shape)
    known = np.isfinite(value_N)
    y, v = value_N[known], variance_N[known]
    if not (np.isfinite(v) & (v > 0)).all():
        raise InputError("variance_N", "must be positive wherever there is a result")
    if len(y) < 2:
        mean = float(y.mean()) if len(y) else 0.0
        return Shrunken(np.full(value_N.shape, mean), mean, 0.0)

    def excess(between: float) -> float:
        weight = 1 / (v + between)
        centre = (weight * y).sum() / weight.sum()
        return float((weight * (y - centre) ** 2).sum() - (len(y) - 1))

    low, high = 0.0, float(y.var(ddof=1)) + 1e-300
    if excess(0.0) <= 0:
        high = 0.0
    else:
        while excess(high) > 0:
            high *= 2
        # the excess falls with the variance, so halving finds the one root; 60 halvings are all of a float
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    weight = 1 / (v + high)
    mean = float((weight * y).sum() / weight.sum())
    shrunken = np.full(value_N.shape, mean)
    shrunken[known] = mean + high / (high + v) * (y - mean)
    return Shrunken(shrunken, mean, high)


def peer_weights(
    distance_K: FloatArray, shrunken_K: FloatArray, *, mean: float, strength: float, max_share: float
) -> FloatArray:
    """Weight of each peer, shape (K,), adding up to one: nearness times what is left of its result.

    Nearness is 1 / (1 + distance / median distance): half for a peer at the median. The result counts exp(strength *
    (shrunken - mean)), between a third and three. No peer has more than `max_share` (raised to 1/K where K peers
    could not have it all otherwise).

    >>> peer_weights(np.zeros(4), np.array([0.0, 0.0, 0.0, 9.0]), mean=0, strength=1, max_share=0.4).round(3).tolist()
    [0.2, 0.2, 0.2, 0.4]
    """
    middle = float(np.median(distance_K))
    near = 1 / (1 + distance_K / middle) if middle > 0 else np.ones_like(distance_K)
    weight: FloatArray = near * np.clip(np.exp(np.clip(strength * (shrunken_K - mean), -9, 9)), 1 / 3, 3)
    weight /= weight.sum()
    share = max(max_share, 1 / len(weight))
    capped = np.zeros(len(weight), dtype=bool)
    while (over := ~capped & (weight > share + 1e-12)).any():
        capped |= over
        weight[capped] = share
        rest = weight[~capped].sum()
        if rest > 0:
            weight[~capped] *= (1 - share * capped.sum()) / rest
    return weight
