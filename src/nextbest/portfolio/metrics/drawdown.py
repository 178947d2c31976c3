"""Falls below the highest wealth so far: the series, each episode with its dates, and averages of them.

Series of returns in; the base 1.0 before the first return is the first peak. Falls are negative fractions, sizes
in averages positive, as their authors have them. Knows no valuation.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError
from nextbest.portfolio.metrics.returns import FloatArray, observed


@dataclass(frozen=True)
class Drawdown:
    """One fall from a peak until wealth is back at it. Places count observations; -1 is the base before the first."""

    depth: float
    """Deepest fall below the peak, fraction, in [-1, 0)."""
    peak: int
    """Place of the peak it falls from."""
    trough: int
    """Place of the deepest fall."""
    recovery: int | None
    """First place at the old peak or above; None = not yet."""
    end: int
    """`recovery`, or the last place there is."""


def fall_from_peak(wealth: npt.ArrayLike) -> FloatArray:
    """wealth / highest so far - 1 at each point, shape of the input; <= 0, below -1 only if wealth goes negative.

    Parameters
    ----------
    wealth
        Values of a portfolio without flows, or growth of 1; the first one is the first peak and must be > 0.
    """
    array = observed(wealth)
    if len(array) and array[0] <= 0:
        raise InputError("wealth", "must start above 0", value=float(array[0]))
    falls: FloatArray = array / np.maximum.accumulate(array) - 1.0
    return falls


def drawdown_series(returns: npt.ArrayLike) -> FloatArray:
    """Fall below the highest wealth so far after each observation, shape (T,) without the NaN, in [-1, 0]."""
    wealth = np.cumprod(np.concatenate([[1.0], 1.0 + observed(returns)]))
    return np.clip(fall_from_peak(wealth)[1:], -1.0, 0.0)


def drawdowns(returns: npt.ArrayLike) -> list[Drawdown]:
    """All episodes below a peak, in the order they began.

    >>> [(d.peak, d.trough, d.recovery, round(d.depth, 2)) for d in drawdowns([0.1, -0.5, 0.1, 1.0, -0.1])]
    [(0, 1, 3, -0.5), (3, 4, None, -0.1)]
    """
    falls_T = drawdown_series(returns)
    below = np.flatnonzero(falls_T < 0)
    if not len(below):
        return []
    runs = np.split(below, np.flatnonzero(np.diff(below) > 1) + 1)
    found = []
    for run in runs:
        first, last = int(run[0]), int(run[-1])
        trough = first + int(np.argmin(falls_T[first : last + 1]))
        recovery = last + 1 if last + 1 < len(falls_T) else None
        found.append(
            Drawdown(
                depth=float(falls_T[trough]),
                peak=first - 1,
                trough=trough,
                recovery=recovery,
                end=last if recovery is None else recovery,
            )
        )
    return found


def deepest(returns: npt.ArrayLike) -> Drawdown | None:
    """The deepest episode, the first of equals; None without a fall."""
    return min(drawdowns(returns), key=lambda drawdown: drawdown.depth, default=None)


def average_drawdown(returns: npt.ArrayLike) -> float:
    """Mean depth of the episodes, one each however long; 0 without a fall, NaN without observations."""
    if not len(observed(returns)):
        return math.nan
    depths = [drawdown.depth for drawdown in drawdowns(returns)]
    return float(np.mean(depths)) if depths else 0.0


def ulcer_index(returns: npt.ArrayLike) -> float:
    """sqrt(mean(fall^2)) over all observations (Martin & McCann 1989), fraction, >= 0."""
    falls_T = drawdown_series(returns)
    return float(np.sqrt(np.mean(falls_T * falls_T))) if len(falls_T) else math.nan


def pain_index(returns: npt.ArrayLike) -> float:
    """mean |fall| over all observations (Becker; Bacon 2008), fraction, >= 0."""
    falls_T = drawdown_series(returns)
    return float(-falls_T.mean()) if len(falls_T) else math.nan


def burke_denominator(returns: npt.ArrayLike) -> float:
    """sqrt(sum of squared depths of the episodes) (Burke 1994), fraction, >= 0."""
    return math.sqrt(sum(drawdown.depth**2 for drawdown in drawdowns(returns)))


def conditional_drawdown(returns: npt.ArrayLike, *, alpha: float = 0.05) -> float:
    """Mean of the floor(alpha (n - 1)) + 1 deepest falls of the series (CDaR; Chekhlov et al. 2005), in [-1, 0]."""
    falls_T = np.sort(drawdown_series(returns))
    return float(falls_T[: int(alpha * (len(falls_T) - 1)) + 1].mean()) if len(falls_T) else math.nan
