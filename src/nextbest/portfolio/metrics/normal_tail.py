"""VaR and CVaR from moments: the normal law, and Cornish and Fisher's correction for skewness and kurtosis.

Arrays in, arrays out; one formula for one portfolio and for thousands. Knows no returns.
"""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def normal_tail(mean: FloatArray, std: FloatArray, *, alpha: float) -> tuple[FloatArray, FloatArray]:
    """VaR and CVaR of a normal law, as returns: mean + std z and mean - std phi(z) / alpha.

    Parameters
    ----------
    mean, std
        Of one period's returns, fractions; std with ddof 0 is the house's convention. Any one shape.
    alpha
        Tail, 0-0.5 exclusive.

    Returns
    -------
    (var, cvar), the shape of the inputs; cvar <= var.
    """
    z = NormalDist().inv_cdf(alpha)
    return mean + std * z, mean - std * NormalDist().pdf(z) / alpha


def cornish_fisher_tail(
    mean: FloatArray, std: FloatArray, skewness: FloatArray, kurtosis: FloatArray, *, alpha: float
) -> tuple[FloatArray, FloatArray]:
    """VaR and CVaR with the normal quantile corrected by skewness S and excess kurtosis K ("modified" VaR).

    w(z) = z + (z^2 - 1) S/6 + (z^3 - 3z) K/24 - (2z^3 - 5z) S^2/36; VaR is mean + std w(z_alpha), CVaR the mean of
    the same quantile function over the tail, which has the closed form
    -phi(z)/alpha [1 + z S/6 + (z^2 - 1) K/24 - (2z^2 - 1) S^2/36].

    Parameters
    ----------
    mean, std, skewness, kurtosis
        Population moments of one period's returns; kurtosis in excess of 3. Any one shape.
    alpha
        Tail, 0-0.5 exclusive.

    Returns
    -------
    (var, cvar), the shape of the inputs; cvar <= var
        NaN for both where w falls somewhere between the quantiles `alpha` and `alpha` / 1000: there the expansion is
        no quantile function, and its numbers mean nothing.

    Notes
    -----
    Cornish & Fisher 1937; Favre & Galeano 2002 (VaR); Maillard 2018, "A user's guide to the Cornish-Fisher
    expansion" (CVaR and the domain). PerformanceAnalytics' modified ES is another expansion (Boudt et al. 2008).
    """
    z = NormalDist().inv_cdf(alpha)
    s2 = skewness * skewness
    quantile = z + (z * z - 1) * skewness / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * s2 / 36
    tail = (
        -NormalDist().pdf(z)
        / alpha
        * (1 + z * skewness / 6 + (z * z - 1) * kurtosis / 24 - (2 * z * z - 1) * s2 / 36)
    )
    valid = rises_in_tail(np.asarray(skewness), np.asarray(kurtosis), alpha=alpha) & (tail <= quantile)
    return (
        np.where(valid, mean + std * quantile, np.nan),
        np.where(valid, mean + std * tail, np.nan),
    )


def rises_in_tail(skewness: FloatArray, kurtosis: FloatArray, *, alpha: float) -> npt.NDArray[np.bool_]:
    """Whether Cornish and Fisher's w rises from the quantile `alpha` / 1000 to `alpha`: its slope a z^2 + b z + c >= 0.

    Not farther out: a kurtosis just under the normal law's bends w at z = -10, where no probability is.
    """
    low, high = NormalDist().inv_cdf(alpha / 1000), NormalDist().inv_cdf(alpha)
    s2 = skewness * skewness
    a, b, c = kurtosis / 8 - s2 / 6, skewness / 3, 1 - kurtosis / 8 + 5 * s2 / 36
    with np.errstate(all="ignore"):
        vertex = np.clip(np.where(a > 0, -b / (2 * a), low), low, high)
    slopes = [a * z * z + b * z + c for z in (low, high, vertex)]
    rises: npt.NDArray[np.bool_] = np.minimum(np.minimum(slopes[0], slopes[1]), slopes[2]) >= 0
    return rises
