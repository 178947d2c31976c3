"""Returns of a whole period: linked, weighted by time in Dietz' way, per year, per calendar month.

Plain numbers and arrays in and out. Knows no valuation and no client.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError

FloatArray = npt.NDArray[np.float64]
DayArray = npt.NDArray[np.datetime64]


def period_return(begin: float, end: float, *, inflow: float = 0.0, outflow: float = 0.0) -> float:
    """Return of one period between two valuations: (end + outflow) / (begin + inflow) - 1.

    Parameters
    ----------
    begin, end
        Values, one currency.
    inflow, outflow
        External money of the period, both >= 0: what came in counts from the period's start, what went out
        until its end.

    Returns
    -------
    float
        Fraction; NaN where nothing was invested (begin + inflow <= 0).

    Examples
    --------
    >>> period_return(240, 264)
    0.10000000000000009
    """
    invested = begin + inflow
    return (end + outflow) / invested - 1.0 if invested > 0 else math.nan


def link(returns: npt.ArrayLike) -> float:
    """Time-weighted return: linked period returns, prod(1 + r) - 1. NaN returns are left out; NaN for none.

    >>> round(link([0.22, 0.10]), 3)
    0.342
    """
    array = observed(returns)
    return float(np.prod(1.0 + array) - 1.0) if len(array) else math.nan


def linked_so_far(returns: npt.ArrayLike) -> FloatArray:
    """`link` up to and with each observation, shape (T,) without the NaN."""
    return np.multiply.accumulate(1.0 + observed(returns)) - 1.0


def modified_dietz(
    begin: float, end: float, *, flows: Sequence[float] = (), weights: Sequence[float] = ()
) -> float:
    """Return of a period without daily values: (end - begin - sum F) / (begin + sum w F).

    Parameters
    ----------
    begin, end
        Values at the period's ends, one currency.
    flows
        External flows, > 0 is money coming in.
    weights
        Share of the period that each flow was invested, 0-1: (days - day) / days for a flow at the end of its
        day, (days - day + 1) / days at its start.

    Returns
    -------
    float
        Fraction of the whole period, not annualised; NaN where the average capital isn't above zero.

    Raises
    ------
    InputError
        Not one weight for each flow, or one outside 0-1.

    Notes
    -----
    Dietz 1966, modified for the day of each flow (GIPS). One division, where TWR links all days: differs from it
    when flows are large and the market moved.

    Examples
    --------
    >>> modified_dietz(100, 300, flows=[50], weights=[0.5])
    1.2
    """
    if len(flows) != len(weights):
        raise InputError("weights", f"must be {len(flows)}, one for each flow", value=len(weights))
    bad = [weight for weight in weights if not 0 <= weight <= 1]
    if bad:
        raise InputError("weights", "must lie between 0 and 1", value=bad[0])
    capital = begin + sum(weight * flow for weight, flow in zip(weights, flows, strict=True))
    return (end - begin - sum(flows)) / capital if capital > 0 else math.nan


def annual_growth(total_return: float, *, years: float, min_years: float = 1.0) -> float:
    """Growth per year that compounds to the total: (1 + total)^(1 / years) - 1.

    Parameters
    ----------
    total_return
        Fraction, of the whole period.
    years
        Length of the period, > 0.
    min_years
        Under it the answer is NaN, because a lucky month annualised is 400 %. Figures of a client are made
        with 1; 0 is for comparing with libraries that annualise everything.

    Returns
    -------
    float
        Fraction a year; NaN under `min_years` and where all or more was lost.

    >>> round(annual_growth(0.342, years=2), 4)
    0.1584
    """
    if not years > 0:
        raise InputError("years", "must be above 0", value=years)
    if years < min_years or not total_return > -1:
        return math.nan
    return float((1.0 + total_return) ** (1.0 / years) - 1.0)


def is_a_year(start: np.datetime64, end: np.datetime64) -> bool:
    """Whether `end` is at least the same date of the next year, so that 1 January to 1 January is a year.

    >>> is_a_year(np.datetime64("2021-01-01"), np.datetime64("2022-01-01"))
    True
    """
    month = start.astype("datetime64[M]")
    day_of_month = (start.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
    last_day = (month + 13).astype("datetime64[D]") - np.timedelta64(1, "D")
    anniversary = min((month + 12).astype("datetime64[D]") + day_of_month, last_day)
    return bool(end.astype("datetime64[D]") >= anniversary)


def calendar_returns(
    days_T: DayArray, returns_T: FloatArray, *, by: Literal["month", "year"] = "month"
) -> tuple[DayArray, FloatArray]:
    """Linked returns of calendar months or years.

    Parameters
    ----------
    days_T, returns_T
        Last day of each return, ascending, and the return; fractions; shape (T,); NaN is left out.
    by
        A return belongs to the month (year) of its last day, also one over a gap.

    Returns
    -------
    (months, returns)
        First day of each month that has a return, and its linked return. The first and the last month may be
        incomplete.

    Examples
    --------
    >>> days = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], "datetime64[D]")
    >>> [round(r, 4) for r in calendar_returns(days, np.array([0.1, 0.1, -0.1]))[1].tolist()]
    [0.21, -0.1]
    """
    seen = ~np.isnan(returns_T)
    unit: Literal["datetime64[M]", "datetime64[Y]"] = "datetime64[M]" if by == "month" else "datetime64[Y]"
    periods = days_T[seen].astype(unit)
    if not len(periods):
        return np.empty(0, "datetime64[D]"), np.empty(0)
    firsts = np.flatnonzero(np.append(True, periods[1:] != periods[:-1]))
    linked: FloatArray = np.multiply.reduceat(1.0 + returns_T[seen], firsts) - 1.0
    return periods[firsts].astype("datetime64[D]"), linked


def observed(values: npt.ArrayLike) -> FloatArray:
    """The values as a vector without NaN.

    Raises
    ------
    InputError
        More than one axis, or an infinite value.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise InputError("values", "must be one series", value=array.shape)
    if np.isinf(array).any():
        raise InputError("values", "must be finite or NaN", value=float(array[np.isinf(array)][0]))
    return array[~np.isnan(array)]
