"""How a portfolio is spread: shares, concentration, turnover, what the invested money earned on average.

Values in, numbers out; NaN where not defined. Knows no valuation.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError


def shares(values: Mapping[str, float]) -> dict[str, float]:
    """Value of each holding over their sum; empty where the sum isn't above zero. A debt has a negative share."""
    total = math.fsum(values.values())
    return {name: value / total for name, value in values.items()} if total > 0 else {}


def by_group(
    amounts: Mapping[str, float], groups: Mapping[str, str], *, other: str = "other"
) -> dict[str, float]:
    """Amounts added up by group, the largest first; an asset without a group is `other`."""
    summed: dict[str, float] = {}
    for name, amount in amounts.items():
        group = groups.get(name, other)
        summed[group] = summed.get(group, 0.0) + amount
    return dict(sorted(summed.items(), key=lambda item: (-item[1], item[0])))


def herfindahl(weights: npt.ArrayLike) -> float:
    """Sum of squared shares, 1/N for N equal ones to 1 for a single one (HHI).

    Parameters
    ----------
    weights
        Shares or values, >= 0, in any scale; shape (A,).

    Returns
    -------
    float
        NaN where nothing is held.

    >>> herfindahl([50, 50])
    0.5
    """
    array = np.asarray(weights, np.float64)
    if array.size and not array.min() >= 0:
        raise InputError("weights", "must be 0 or more", value=float(array.min()))
    total = array.sum()
    return float(np.sum((array / total) ** 2)) if total > 0 else math.nan


def effective_number(weights: npt.ArrayLike) -> float:
    """1 / HHI: how many equal holdings would be as concentrated."""
    concentration = herfindahl(weights)
    return 1.0 / concentration if concentration > 0 else math.nan


def turnover(*, bought: float, sold: float, average_value: float) -> float:
    """min(bought, sold) / average value, fraction of the period (SEC form N-1A); not annualised.

    The smaller of the two, so that money merely paid in or out is no turnover.
    """
    if bought < 0 or sold < 0:
        raise InputError("bought", "bought and sold must be 0 or more", value=(bought, sold))
    return min(bought, sold) / average_value if average_value > 0 else math.nan


def average_investment(days: Sequence[float], capital: Sequence[float]) -> float:
    """Capital at work averaged over the days it was at work.

    Parameters
    ----------
    days
        Day numbers at which the capital changed, ascending, and the last day of the period.
    capital
        Net money paid in so far, from each of those days until the next; one fewer than `days`. Stretches
        without any (zero or below) don't count, neither as money nor as days.

    Returns
    -------
    float
        NaN where no capital was ever at work for a day.
    """
    if len(capital) != len(days) - 1:
        raise InputError("capital", f"must be {len(days) - 1}, one for each stretch", value=len(capital))
    length = np.diff(np.asarray(days, np.float64))
    amount = np.asarray(capital, np.float64)
    at_work = (amount > 0) & (length > 0)
    total = length[at_work].sum()
    return float(amount[at_work] @ length[at_work] / total) if total > 0 else math.nan


def return_on_average_investment(gain: float, average: float) -> float:
    """Gain over the average investment, fraction of the period (Ghostfolio's ROAI): neither TWR nor MWR.

    >>> round(return_on_average_investment(2 * 85.73 - 2 * 75.8, average_investment([0, 32], [2 * 75.8])), 4)
    0.131
    """
    return gain / average if average > 0 else math.nan
