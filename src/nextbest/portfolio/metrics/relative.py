"""A series of returns against a benchmark's: what `fast_metrics` doesn't give, because it needs annual growth.

Both series over the same periods; a period that either lacks (NaN) is left out. Annual figures are arguments, so
that each caller states its own convention of annualising.
"""

import math

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError
from nextbest.portfolio.metrics.sums import CONSTANT_SPREAD, FloatArray


def paired(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both series on the periods that both have.

    Raises
    ------
    InputError
        The lengths differ.
    """
    own, theirs = np.asarray(returns, np.float64), np.asarray(benchmark, np.float64)
    if own.shape != theirs.shape or own.ndim != 1:
        raise InputError("benchmark", f"must have shape {own.shape}", value=theirs.shape)
    both = ~np.isnan(own) & ~np.isnan(theirs)
    return own[both], theirs[both]


def beta(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> float:
    """cov(r, b) / var(b); NaN for a constant benchmark."""
    own, theirs = paired(returns, benchmark)
    if len(own) < 2 or np.ptp(theirs) <= CONSTANT_SPREAD:
        return math.nan
    away = theirs - theirs.mean()
    return float((own - own.mean()) @ away / (away @ away))


def fama_beta(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> float:
    """std(r) / std(b): the beta of a portfolio as risky as this one and fully diversified (Fama 1972)."""
    own, theirs = paired(returns, benchmark)
    if len(own) < 2 or np.ptp(theirs) <= CONSTANT_SPREAD:
        return math.nan
    return float(own.std() / theirs.std())


def specific_risk(returns: npt.ArrayLike, benchmark: npt.ArrayLike, *, periods_per_year: float) -> float:
    """Annual std (ddof 0) of what the line on the benchmark leaves: r - beta b (Bacon 2008)."""
    own, theirs = paired(returns, benchmark)
    slope = beta(own, theirs)
    left = own - slope * theirs
    return float(left.std() * math.sqrt(periods_per_year)) if len(left) > 1 else math.nan


def jensen_alpha(own_ann: float, benchmark_ann: float, *, beta: float, rf_ann: float = 0.0) -> float:
    """Annual return above that of the line: R - rf - beta (B - rf), annual compounded returns (Jensen 1968)."""
    return own_ann - rf_ann - beta * (benchmark_ann - rf_ann)


def treynor_ratio(own_ann: float, *, beta: float, rf_ann: float = 0.0) -> float:
    """(R - rf) / beta; NaN unless beta > 0, because a negative one turns the order round (Treynor 1965)."""
    return (own_ann - rf_ann) / beta if beta > 0 else math.nan


def modigliani_m2(
    own_ann: float, *, volatility: float, benchmark_volatility: float, rf_ann: float = 0.0
) -> float:
    """Annual return at the benchmark's risk: rf + (R - rf) sigma_b / sigma; NaN without risk (Modigliani 1997)."""
    if not volatility > 0:
        return math.nan
    return rf_ann + (own_ann - rf_ann) * benchmark_volatility / volatility


def batting_average(returns: npt.ArrayLike, benchmark: npt.ArrayLike) -> float:
    """Share of periods in which the portfolio did better than the benchmark, 0-1; equal is not better."""
    own, theirs = paired(returns, benchmark)
    return float(np.mean(own > theirs)) if len(own) else math.nan
