"""Money-weighted return: the rate at which all dated cash flows are worth nothing (XIRR), with all its roots.

An investor's view: money paid in is negative, money received positive. Knows no portfolio.

Rates are looked for where they can be verified in double precision: where no flow is discounted to more than
`LARGEST_FACTOR` times itself, and between `LOWEST_RATE` and `HIGHEST_RATE`. Beyond, rounding of the sum exceeds
a cent of each million, and a "root" says nothing about the money.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyxirr

from nextbest.errors import InputError

FloatArray = npt.NDArray[np.float64]
DayCount = Literal["ACT/365F", "ACT/365.25", "ACT/360", "ACT/ACT ISDA", "30/360 ISDA", "30E/360", "30U/360"]
"""How days become years; ACT/365F is what spreadsheets' XIRR uses."""
Preference = Literal["falling", "nearest"]
"""Which of several roots is the primary one."""

LARGEST_FACTOR = 1e12
LOWEST_RATE, HIGHEST_RATE = -1 + 1e-9, 1e6
_GRID_STEP = 0.01
"""Of ln(1 + rate): two roots nearer than 1 % to each other may be missed, both at once."""


@dataclass(frozen=True)
class Rate:
    """Annual rate of dated cash flows."""

    rate: float | None
    """The primary root, fraction a year; None when there is none."""
    roots: tuple[float, ...]
    """All roots found, ascending. More than one: the rate depends on the rule, and says little."""
    years: float
    """From the first flow to the last, by the day count."""
    day_count: DayCount = "ACT/365F"

    @property
    def over_period(self) -> float | None:
        """The rate over the whole period instead of a year: (1 + rate)^years - 1."""
        return None if self.rate is None else math.expm1(self.years * math.log1p(self.rate))


def xirr(days: Sequence[date], amounts: Sequence[float], *, day_count: DayCount = "ACT/365F") -> Rate:
    """The annual rate at which the flows' present values add up to zero, and every such rate.

    Parameters
    ----------
    days, amounts
        Each flow's day and its amount, one currency, any order; < 0 is money paid in, > 0 money received.
    day_count
        How the years from the first flow are counted.

    Returns
    -------
    Rate
        `rate` is None when there is no root: flows of one sign, or none in the range that can be verified.

        Of several roots the primary one is that at which the present value falls as the rate rises, as it does
        for money first invested and then received; of several such (or none) the one with the smallest
        |ln(1 + rate)|. The rule is fixed; `roots` holds the others too.

    Raises
    ------
    InputError
        Lengths differ, an amount isn't finite, or the day count is unknown.

    Notes
    -----
    Flows that change sign once have one root (Descartes), which pyxirr finds. Others are scanned for changes of
    sign on a grid of ln(1 + rate) and refined by bisection; a root at which the present value touches zero without
    crossing it isn't found.

    Examples
    --------
    >>> found = xirr([date(2010, 1, 1), date(2010, 12, 31)], [-200, 210])
    >>> round(found.rate, 7), len(found.roots)
    (0.0501408, 1)
    """
    if len(days) != len(amounts):
        raise InputError("amounts", f"must be {len(days)}, one for each day", value=len(amounts))
    if day_count not in get_args(DayCount):
        raise InputError("day_count", f"must be one of {', '.join(get_args(DayCount))}", value=day_count)
    amount_N = np.asarray(amounts, np.float64)
    if not np.isfinite(amount_N).all():
        raise InputError("amounts", "must be finite", value=float(amount_N[~np.isfinite(amount_N)][0]))
    by_day: dict[date, float] = {}
    for day, amount in zip(days, amount_N.tolist(), strict=True):
        by_day[day] = by_day.get(day, 0.0) + amount  # one day's flows are one flow: only their sum has a rate
    kept = sorted((day, amount) for day, amount in by_day.items() if amount)
    if not kept:
        return Rate(None, (), 0.0, day_count)
    basis = pyxirr.DayCount.of(day_count)
    first = kept[0][0]
    year_of = {day: float(pyxirr.year_fraction(first, day, basis)) for day, _ in kept}
    year_N = np.array([year_of[day] for day, _ in kept])
    amount_N = np.array([amount for _, amount in kept])
    years = float(year_N[-1])
    signs = np.sign(amount_N)
    n_changes = int(np.count_nonzero(signs[1:] != signs[:-1]))
    if not n_changes or years == 0:
        return Rate(None, (), years, day_count)
    if n_changes == 1:
        rate = pyxirr.xirr([day for day, _ in kept], amount_N, day_count=basis)
        if rate is not None and _in_range(rate, years):
            rate = _polished(rate, year_N, amount_N)
            return Rate(rate, (rate,), years, day_count)
    roots = _roots(year_N, amount_N)
    return Rate(_primary(roots), tuple(math.expm1(u) for u, _ in roots), years, day_count)


def xnpv(
    rate: float, days: Sequence[date], amounts: Sequence[float], *, day_count: DayCount = "ACT/365F"
) -> float:
    """Present value of dated flows at the first one's day, in their currency.

    Parameters
    ----------
    rate
        Fraction a year, above -1.
    """
    if not rate > -1:
        raise InputError("rate", "must be above -1", value=rate)
    first, basis = min(days), pyxirr.DayCount.of(day_count)
    years = np.array([pyxirr.year_fraction(first, day, basis) for day in days])
    return float(np.asarray(amounts, np.float64) @ np.exp(-years * math.log1p(rate)))


def irr(amounts: Sequence[float], *, prefer: Preference = "falling") -> Rate:
    """The rate per period of flows that are one period apart; all roots as in `xirr`.

    Parameters
    ----------
    amounts
        One for each period from the first, 0 where nothing flowed.
    prefer
        Of several roots: `falling` is the rule of `xirr`; `nearest` the one with the smallest |ln(1 + rate)|, close
        to what numpy-financial answers.

    >>> round(irr([-100, -118, 264]).rate, 4)
    0.1386
    """
    amount_N = np.asarray(amounts, np.float64)
    if not np.isfinite(amount_N).all():
        raise InputError("amounts", "must be finite", value=float(amount_N[~np.isfinite(amount_N)][0]))
    place_N = np.flatnonzero(amount_N)
    if not len(place_N):
        return Rate(None, (), 0.0)
    roots = _roots((place_N - place_N[0]).astype(np.float64), amount_N[place_N])
    return Rate(
        _primary(roots, prefer), tuple(math.expm1(u) for u, _ in roots), float(place_N[-1] - place_N[0])
    )


def _polished(rate: float, year_N: FloatArray, amount_N: FloatArray) -> float:
    """The root after two steps of Newton in ln(1 + rate): pyxirr stops at nine digits."""
    u = math.log1p(rate)
    for _ in range(2):
        worth_N = amount_N * np.exp(-u * year_N)
        slope = float(worth_N @ year_N)
        u += float(worth_N.sum()) / slope if slope else 0.0
    return math.expm1(u)


def _in_range(rate: float, years: float) -> bool:
    """Whether a root at this rate can be verified."""
    return LOWEST_RATE <= rate <= HIGHEST_RATE and -years * math.log1p(rate) <= math.log(LARGEST_FACTOR)


def _roots(year_N: FloatArray, amount_N: FloatArray) -> list[tuple[float, bool]]:
    """(ln(1 + rate), whether the present value falls there) for each change of sign, ascending."""
    if np.sign(amount_N).min() == np.sign(amount_N).max():
        return []
    lowest = math.log1p(LOWEST_RATE)
    if year_N[-1] > 0:
        lowest = max(lowest, -math.log(LARGEST_FACTOR) / float(year_N[-1]))
    highest = math.log1p(HIGHEST_RATE)
    grid = np.linspace(lowest, highest, 2 + int((highest - lowest) / _GRID_STEP))
    values = np.concatenate([_scaled_value(part, year_N, amount_N) for part in np.array_split(grid, 16)])
    roots = [(float(grid[i]), bool(values[i - 1] > 0)) for i in np.flatnonzero(values[1:-1] == 0) + 1]
    roots += [
        (_bisect(float(grid[i]), float(grid[i + 1]), year_N, amount_N), bool(values[i] > 0))
        for i in np.flatnonzero(values[:-1] * values[1:] < 0)
    ]
    return sorted(roots)


def _bisect(low: float, high: float, year_N: FloatArray, amount_N: FloatArray) -> float:
    """Where the present value changes sign between two grid points."""
    from scipy.optimize import brentq

    def value(u: float) -> float:
        return float(_scaled_value(np.array([u]), year_N, amount_N)[0])

    return float(brentq(value, low, high, xtol=1e-15, rtol=1e-14))


def _scaled_value(grid_U: FloatArray, year_N: FloatArray, amount_N: FloatArray) -> FloatArray:
    """Present value at each ln(1 + rate), divided by the largest discount factor: its sign, without overflow."""
    exponent_UN = -grid_U[:, None] * year_N
    exponent_UN -= exponent_UN.max(axis=1, keepdims=True)
    values: FloatArray = np.exp(exponent_UN, out=exponent_UN) @ amount_N
    return values


def _primary(roots: list[tuple[float, bool]], prefer: Preference = "falling") -> float | None:
    """The root by the rule of `xirr`, or the nearest to no growth."""
    falling = [u for u, falls in roots if falls] if prefer == "falling" else []
    nearest = min(falling or [u for u, _ in roots], key=abs, default=None)
    return None if nearest is None else math.expm1(nearest)
