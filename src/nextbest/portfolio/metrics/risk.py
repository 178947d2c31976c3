"""Risk of one series of returns beyond what `fast_metrics` gives: partial moments, variants of moments, tails.

Series in (NaN = no observation), number out; NaN where not defined, never inf. Nothing here is annualised:
thresholds and results are of one period. Knows no valuation.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError
from nextbest.portfolio.metrics.returns import observed
from nextbest.portfolio.metrics.sums import CONSTANT_SPREAD


def lower_partial_moment(returns: npt.ArrayLike, *, threshold: float = 0.0, order: float = 1) -> float:
    """mean(max(threshold - r, 0)^order) over all observations; order 1 is the downside potential."""
    array = observed(returns)
    return float(np.mean(np.maximum(threshold - array, 0.0) ** order)) if len(array) else math.nan


def upper_partial_moment(returns: npt.ArrayLike, *, threshold: float = 0.0, order: float = 1) -> float:
    """mean(max(r - threshold, 0)^order) over all observations; order 1 is the upside potential."""
    array = observed(returns)
    return float(np.mean(np.maximum(array - threshold, 0.0) ** order)) if len(array) else math.nan


def downside_deviation(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Root of the second lower partial moment, of one period; the mean is over all observations (Sortino)."""
    return math.sqrt(lower_partial_moment(returns, threshold=threshold, order=2))


def upside_risk(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Root of the second upper partial moment, of one period."""
    return math.sqrt(upper_partial_moment(returns, threshold=threshold, order=2))


def downside_frequency(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Share of observations below the threshold, 0-1."""
    array = observed(returns)
    return float(np.mean(array < threshold)) if len(array) else math.nan


def upside_frequency(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Share of observations above the threshold, 0-1; with 0 this is the hit rate."""
    array = observed(returns)
    return float(np.mean(array > threshold)) if len(array) else math.nan


def kappa(returns: npt.ArrayLike, *, threshold: float = 0.0, order: float = 3) -> float:
    """(mean - threshold) / LPM_order^(1/order); NaN without losses (Kaplan & Knowles 2004).

    Order 1 is Omega - 1 ("Omega-Sharpe"), order 2 the Sortino ratio of one period.
    """
    array = observed(returns)
    moment = lower_partial_moment(array, threshold=threshold, order=order)
    return _ratio(float(array.mean()) - threshold, moment ** (1 / order)) if len(array) else math.nan


def omega(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Upside over downside potential; NaN without losses. At threshold 0: Bernardo and Ledoit's gain-loss ratio."""
    return _ratio(
        upper_partial_moment(returns, threshold=threshold), lower_partial_moment(returns, threshold=threshold)
    )


def upside_potential_ratio(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Upside potential over downside deviation; NaN without losses (Sortino, van der Meer & Plantinga 1999)."""
    return _ratio(
        upper_partial_moment(returns, threshold=threshold), downside_deviation(returns, threshold=threshold)
    )


def volatility_skewness(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Second upper over second lower partial moment; NaN without losses (Bacon 2008)."""
    return _ratio(
        upper_partial_moment(returns, threshold=threshold, order=2),
        lower_partial_moment(returns, threshold=threshold, order=2),
    )


def variability_skewness(returns: npt.ArrayLike, *, threshold: float = 0.0) -> float:
    """Upside risk over downside deviation, the root of `volatility_skewness` (Bacon 2008)."""
    return math.sqrt(volatility_skewness(returns, threshold=threshold))


def gain_to_pain(returns: npt.ArrayLike) -> float:
    """Sum of returns over the sum of losses' sizes; NaN without losses (Schwager 2012)."""
    array = observed(returns)
    return _ratio(float(array.sum()), float(np.maximum(-array, 0.0).sum()))


def tail_ratio(returns: npt.ArrayLike, *, alpha: float = 0.05) -> float:
    """|quantile 1 - alpha| / |quantile alpha|, linear between order statistics; NaN where the lower one is zero."""
    array = observed(returns)
    if not len(array):
        return math.nan
    low, high = np.quantile(array, [alpha, 1 - alpha])
    return _ratio(abs(float(high)), abs(float(low)))


def mean_absolute_deviation(returns: npt.ArrayLike) -> float:
    """mean |r - mean|."""
    array = observed(returns)
    return float(np.mean(np.abs(array - array.mean()))) if len(array) else math.nan


def historical_var(returns: npt.ArrayLike, *, alpha: float) -> float:
    """Quantile `alpha`, linear between order statistics (type 7), as a return: losses are negative."""
    if not 0 < alpha < 1:
        raise InputError("alpha", "must lie between 0 and 1", value=alpha)
    array = observed(returns)
    return float(np.quantile(array, alpha)) if len(array) else math.nan


def discrete_cvar(outcomes: Sequence[float], probabilities: Sequence[float], *, alpha: float) -> float:
    """Mean of the worst `alpha` of probability of a discrete law; the outcome at the edge counts in part.

    Parameters
    ----------
    outcomes, probabilities
        Profit or return of each outcome, and its probability, >= 0, together 1.
    alpha
        Above 0, at most 1; 1 gives the mean.

    Raises
    ------
    InputError
        The lengths differ, or probabilities don't add up to 1.

    Notes
    -----
    Acerbi & Tasche 2002, which stays coherent where a plain mean below the quantile doesn't.

    >>> discrete_cvar([-100, -20, 0, 50], [0.1, 0.3, 0.4, 0.2], alpha=0.2)
    -60.0
    """
    if len(outcomes) != len(probabilities):
        raise InputError("probabilities", f"must be {len(outcomes)}", value=len(probabilities))
    if min(probabilities, default=0) < 0 or not math.isclose(sum(probabilities), 1.0, abs_tol=1e-9):
        raise InputError("probabilities", "must be >= 0 and add up to 1", value=list(probabilities))
    if not 0 < alpha <= 1:
        raise InputError("alpha", "must lie above 0 and be at most 1", value=alpha)
    left, total = alpha, 0.0
    for outcome, probability in sorted(zip(outcomes, probabilities, strict=True)):
        part = min(probability, left)
        total += part * outcome
        left -= part
    return total / alpha


def population_skewness(returns: npt.ArrayLike) -> float:
    """Third central moment over std^3 (g1, ddof 0), the house's skewness; NaN for constant returns."""
    return _standard_moment(returns, 3)


def population_kurtosis(returns: npt.ArrayLike) -> float:
    """Fourth central moment over variance^2 (ddof 0), 3 for the normal law: *not* the excess."""
    return _standard_moment(returns, 4)


def sample_kurtosis(returns: npt.ArrayLike) -> float:
    """n (n+1) / ((n-1)(n-2)(n-3)) sum(((r - mean) / s)^4), s with ddof 1: not the excess (Bacon 2008)."""
    array = observed(returns)
    n = len(array)
    if n < 4 or np.ptp(array) <= CONSTANT_SPREAD:
        return math.nan
    standard = (array - array.mean()) / array.std(ddof=1)
    return float(n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * np.sum(standard**4))


def sample_excess_kurtosis(returns: npt.ArrayLike) -> float:
    """`sample_kurtosis` less 3 (n-1)^2 / ((n-2)(n-3)): unbiased for the normal law (G2, a spreadsheet's KURT)."""
    n = len(observed(returns))
    return sample_kurtosis(returns) - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)) if n > 3 else math.nan


def log_volatility(returns: npt.ArrayLike, *, periods: float) -> float:
    """std(ln(1 + r), ddof 1) sqrt(periods): `periods` a year annualises; n gives the volatility of the period itself."""
    logs = _logs(returns)
    return float(logs.std(ddof=1) * math.sqrt(periods)) if len(logs) > 1 else math.nan


def log_semi_volatility(returns: npt.ArrayLike, *, periods: float) -> float:
    """sqrt(sum over ln(1 + r) below their mean of the squared distance / (n - 1)) sqrt(periods)."""
    logs = _logs(returns)
    if len(logs) < 2:
        return math.nan
    below = np.minimum(logs - logs.mean(), 0.0)
    return float(math.sqrt(below @ below / (len(logs) - 1) * periods))


def _logs(returns: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """ln(1 + r); empty where a return of -1 or less leaves none."""
    array = observed(returns)
    logs: npt.NDArray[np.float64] = np.log1p(array) if len(array) and array.min() > -1 else np.empty(0)
    return logs


def _standard_moment(returns: npt.ArrayLike, order: int) -> float:
    """Central moment over the power of the population's std."""
    array = observed(returns)
    if len(array) < 2 or np.ptp(array) <= CONSTANT_SPREAD:
        return math.nan
    standard = (array - array.mean()) / array.std()
    return float(np.mean(standard**order))


def _ratio(above: float, below: float) -> float:
    """The quotient, NaN where it has none."""
    ratio = above / below if below > 0 else math.nan
    return ratio if math.isfinite(ratio) else math.nan
