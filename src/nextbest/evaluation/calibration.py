"""Whether 0.02 means 2 of 100: reliability tables, calibration error, Brier score, slope and intercept.

Each function takes plain arrays of probabilities and 0/1 outcomes, or grouped ones with weights
(`CalibrationCounts.points`), so a month of millions is counted once and judged many ways.

Rare events need care. With 0.15 % additions, bins of equal width hold 99.9 % of the rows in the first
bin, where too high and too low cancel: ECE is then hardly more than |sum p - sum y| / n. Bins of
equal mass (the default here) part the rows evenly, so the top bins stand apart. In any binning the
ECE of "nobody adds" is no more than the base rate, 0.0015: read `relative` (per addition) beside it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]
Binning = Literal["mass", "width", "expected"]
N_BINS = 100
"""Bins by default: with equal mass the last one is the top 1 %, which is who gets the offers."""
_CLIP = 1e-7


@dataclass(frozen=True)
class CalibrationError:
    """How far probabilities are from what happened, bin by bin."""

    ece: float
    """Expected calibration error: mean over rows of |mean probability - rate| of the row's bin. 0-1."""
    relative: float
    """The same per observed event: sum over bins of |expected - observed| over all observed. NaN without."""
    n_bins: int
    """Bins that hold anything."""


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic regression of the outcome on the log-odds of the probability."""

    slope: float
    """1 = right; below 1 the probabilities are too extreme. NaN when it can't be fitted."""
    intercept: float
    """Intercept beside that slope, log-odds."""
    shift: float
    """Intercept with the slope held at 1 (calibration in the large), log-odds: > 0 means more happens than said."""


def reliability_table(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    n_bins: int = N_BINS,
    binning: Binning = "mass",
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Said and happened, bin by bin, from the lowest probability up; empty bins are left out.

    Parameters
    ----------
    probability
        0-1. Shape (n,).
    outcome
        0 or 1; with `weight` a rate 0-1. Shape (n,).
    weight
        Rows each entry stands for, >= 0; None: one each. Shape (n,).
    n_bins
        Bins asked for, 1 or more; equal probabilities always share a bin, so there may be fewer.
    binning
        `mass`: as many rows in each. `width`: 1 / n_bins of the scale each. `expected`: as many expected
        events in each, which spreads the few clients who matter over most bins.
    confidence
        Of the Wilson interval of the rate, 0-1 exclusive.

    Returns
    -------
    DataFrame
        `bin` (from 0), `n, probability` (mean), `rate, ci_low, ci_high, expected, observed` (counts).

    Raises
    ------
    InputError
        Lengths differ or an option is out of range.
    DataError
        A value is NaN or out of its range, or there is no row.

    Examples
    --------
    >>> reliability_table([0.1, 0.1, 0.8, 0.8], [0, 0, 1, 1], n_bins=2)["rate"].to_list()
    [0.0, 1.0]
    """
    p, y, w = _checked(probability, outcome, weight)
    n, expected, observed, where = _binned(p, y, w, n_bins=n_bins, binning=binning)
    rate = observed / n
    low, high = wilson_interval(observed, n, confidence=confidence)
    return pl.DataFrame(
        {
            "bin": where.astype(np.int64),
            "n": n,
            "probability": expected / n,
            "rate": rate,
            "ci_low": low,
            "ci_high": high,
            "expected": expected,
            "observed": observed,
        }
    )


def calibration_error(
    probability: ArrayLike,
    outcome: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    n_bins: int = N_BINS,
    binning: Binning = "mass",
) -> CalibrationError:
    """Expected calibration error (ECE), L1, weighted by rows; arguments and errors as `reliability_table`.

    Notes
    -----
    Naeini et al. 2015 for the binary outcome (probability of the event, not of the predicted class). Biased
    upwards by chance: with n_b rows in a bin about sqrt(2 p / (pi n_b)) remains for true probabilities, so
    compare only figures of like size and binning.

    Examples
    --------
    >>> calibration_error([0.5, 0.5], [1, 1], n_bins=1).ece
    0.5
    """
    p, y, w = _checked(probability, outcome, weight)
    n, expected, observed, _ = _binned(p, y, w, n_bins=n_bins, binning=binning)
    gap, total = float(np.abs(expected - observed).sum()), float(observed.sum())
    return CalibrationError(gap / float(n.sum()), gap / total if total else float("nan"), len(n))


def brier_score(probability: ArrayLike, outcome: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """Mean squared difference of probability and outcome, 0-1; 0 is best. Errors as `reliability_table`.

    With grouped rows the outcome is a rate, and the variance of its 0/1 outcomes is put back.
    """
    p, y, w = _checked(probability, outcome, weight)
    return float((w * (p**2 - 2 * p * y + y)).sum() / w.sum())


def calibration_line(
    probability: ArrayLike, outcome: ArrayLike, *, weight: ArrayLike | None = None
) -> CalibrationLine:
    """Calibration slope, intercept and shift; arguments and errors as `reliability_table`.

    Returns
    -------
    CalibrationLine
        All NaN when the outcomes are all 0 or all 1; slope and intercept NaN when all probabilities are equal
        or split the outcomes perfectly.

    Notes
    -----
    Cox 1958. Maximum likelihood by Newton's method; probabilities are clipped to 1e-7 from 0 and 1.
    """
    p, y, w = _checked(probability, outcome, weight)
    nan = float("nan")
    happened = float(w @ y)
    if happened in (0.0, float(w.sum())):
        return CalibrationLine(nan, nan, nan)
    clipped = np.clip(p, _CLIP, 1 - _CLIP)
    x = np.log(clipped) - np.log1p(-clipped)
    shift = _newton(np.ones((1, len(x))), x, y, w)
    line = None if np.ptp(x[w > 0]) == 0 else _newton(np.stack([np.ones_like(x), x]), np.zeros_like(x), y, w)
    slope, intercept = (nan, nan) if line is None else (float(line[1]), float(line[0]))
    return CalibrationLine(slope, intercept, nan if shift is None else float(shift[0]))


def wilson_interval(n_yes: ArrayLike, n: ArrayLike, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's interval of a share, also right for 0 of n and for few rows. Shapes of `n_yes`; NaN where n = 0."""
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1, both excluded", value=confidence)
    yes, rows = np.asarray(n_yes, np.float64), np.asarray(n, np.float64)
    z = float(ndtri((1 + confidence) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = yes / rows
        middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
        half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _binned(
    p: Floats, y: Floats, w: Floats, *, n_bins: int, binning: Binning
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Rows, expected and observed events of each bin that isn't empty, and its number."""
    if n_bins < 1:
        raise InputError("n_bins", "must be 1 or more", value=n_bins)
    if binning == "width":
        bins = np.minimum((p * n_bins).astype(np.int64), n_bins - 1)
    elif binning in ("mass", "expected"):
        different, index = np.unique(p, return_inverse=True)
        mass = np.bincount(index, w * p if binning == "expected" else w, minlength=len(different))
        total = mass.sum()
        if not total > 0:  # every probability is 0: one bin
            mass, total = np.ones_like(mass), float(len(mass))
        middle = (np.cumsum(mass) - mass / 2) / total
        # a border reached on paper is reached, whatever the last bits say
        bins = np.minimum((middle * n_bins + 1e-9).astype(np.int64), n_bins - 1)[index]
    else:
        raise InputError("binning", "must be 'mass', 'width' or 'expected'", value=binning)
    n: Floats = np.bincount(bins, w, minlength=n_bins).astype(np.float64)
    expected: Floats = np.bincount(bins, w * p, minlength=n_bins).astype(np.float64)
    observed: Floats = np.bincount(bins, w * y, minlength=n_bins).astype(np.float64)
    where = np.flatnonzero(n > 0)
    return n[where], expected[where], observed[where], where


def _newton(design: Floats, offset: Floats, y: Floats, w: Floats) -> Floats | None:
    """Coefficients of a logistic regression with an offset; None when they run away."""
    beta = np.zeros(len(design))
    if len(design) == 2:
        beta[1] = 1.0
    for _ in range(100):
        eta = np.clip(offset + beta @ design, -40, 40)
        mu = 1 / (1 + np.exp(-eta))
        gradient = design @ (w * (y - mu))
        hessian = (design * (w * mu * (1 - mu))) @ design.T
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        longest = float(np.abs(step).max())
        beta = beta + step * min(1.0, 4.0 / longest if longest else 1.0)
        if not np.isfinite(beta).all() or np.abs(beta).max() > 1e3:
            return None
        if longest < 1e-9:
            return beta
    return None


def _checked(
    probability: ArrayLike, outcome: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    p, y = np.asarray(probability, np.float64), np.asarray(outcome, np.float64)
    w = np.ones_like(p) if weight is None else np.asarray(weight, np.float64)
    if p.ndim != 1:
        raise InputError("probability", "must have one axis", value=p.shape)
    for name, values in (("outcome", y), ("weight", w)):
        if values.shape != p.shape:
            raise InputError(name, f"must have the shape of probability, {p.shape}", value=values.shape)
    for name, values, high in (("probability", p, 1.0), ("outcome", y, 1.0), ("weight", w, np.inf)):
        if (bad := ~((values >= 0) & (values <= high) & np.isfinite(values))).any():
            rows = np.flatnonzero(bad)
            rule = "must lie in 0-1, not NaN" if high == 1 else "must be finite and >= 0"
            raise DataError(name, rule, n_bad=len(rows), examples=rows[:5].tolist())
    if not w.sum() > 0:
        raise DataError("probability", "holds no row, so there is nothing to judge")
    return p, y, w
