"""Quantile forecasts against what came: pinball, CRPS, interval coverage, and what can't be a distribution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.clustered import ClusteredInterval
from nextbest.evaluation.forecast.block_bootstrap import date_interval
from nextbest.evaluation.forecast.cells import paired_cells
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels that are asked of every model."""


@dataclass(frozen=True)
class QuantileFaults:
    """Answers that are no distribution."""

    n: int
    """Answers asked for."""
    n_nan: int
    """With a NaN at any level: no answer."""
    n_crossing: int
    """Without NaN, but a higher level lies below a lower one."""


def check_levels(levels: ArrayLike) -> Floats:
    """Levels as an array, if they rise strictly inside 0-1. Shape (Q,)."""
    found = np.asarray(levels, np.float64)
    if (
        found.ndim != 1
        or not len(found)
        or not ((found > 0) & (found < 1)).all()
        or (np.diff(found) <= 0).any()
    ):
        raise InputError("levels", "must rise strictly and lie between 0 and 1", value=found.tolist())
    return found


def pinball(forecast_Q: ArrayLike, outcome: ArrayLike, *, levels: ArrayLike = LEVELS) -> Floats:
    """Pinball loss of each level: (y - q) level where y >= q, else (q - y)(1 - level). Shape (..., Q).

    Parameters
    ----------
    forecast_Q
        Quantiles, the last axis by level. Shape (..., Q); log-return or any unit.
    outcome
        Shape (...); the same unit.
    levels
        Shape (Q,); rising, inside 0-1.

    Returns
    -------
    ndarray of shape (..., Q)
        Unit of the outcome; >= 0; NaN where either is NaN.

    Raises
    ------
    InputError
        Shapes or levels don't fit, or a value is infinite.

    Notes
    -----
    Koenker & Bassett 1978. Its mean is smallest at the true quantile.

    Examples
    --------
    >>> pinball([[0.0, 1.0]], [2.0], levels=[0.5, 0.9]).tolist()
    [[1.0, 0.9]]
    """
    quantiles, y = np.asarray(forecast_Q, np.float64), np.asarray(outcome, np.float64)
    steps = check_levels(levels)
    if quantiles.shape != (*y.shape, len(steps)):
        raise InputError("forecast_Q", f"must have the shape {(*y.shape, len(steps))}", value=quantiles.shape)
    for name, values in (("forecast_Q", quantiles), ("outcome", y)):
        if (n := int(np.isinf(values).sum())) > 0:
            raise InputError(name, f"must be finite or NaN; {n} value(s) are infinite")
    off = y[..., None] - quantiles
    loss: Floats = np.maximum(steps * off, (steps - 1) * off)
    return loss


def crps(forecast_Q: ArrayLike, outcome: ArrayLike, *, levels: ArrayLike = LEVELS) -> Floats:
    """CRPS from quantiles: twice the mean pinball loss over the levels. Shape (...).

    The unit of the outcome (the tables print it x100); NaN where the outcome or any level is NaN. Parameters and errors
    as in `pinball`.

    Notes
    -----
    Laio & Tamea 2007: CRPS is twice the integral of the pinball loss over levels. Variant: the plain mean over the given
    levels. With .1 to .9 the tails beyond them aren't seen, and a figure is comparable only with the same levels.
    """
    found: Floats = 2 * pinball(forecast_Q, outcome, levels=levels).mean(axis=-1)
    return found


def quantile_faults(forecast_Q: ArrayLike) -> QuantileFaults:
    """Count of answers with a NaN and of those that cross. `forecast_Q` of shape (..., Q), the last axis by level.

    A crossing is a fall of more than 1e-12 of the answer's own size: equal levels are allowed, and so are last bits.
    """
    quantiles = np.asarray(forecast_Q, np.float64)
    if quantiles.ndim < 1 or not quantiles.shape[-1]:
        raise InputError("forecast_Q", "must have levels on its last axis", value=quantiles.shape)
    rows = quantiles.reshape(-1, quantiles.shape[-1])
    gone = np.isnan(rows).any(axis=1)
    sound = rows[~gone]
    falls = np.diff(sound, axis=1) < -1e-12 * np.abs(sound).max(axis=1, keepdims=True, initial=0.0)
    return QuantileFaults(len(rows), int(gone.sum()), int(falls.any(axis=1).sum()))


def coverage(
    low_OA: ArrayLike,
    high_OA: ArrayLike,
    outcome_OA: ArrayLike,
    *,
    rng: Rng,
    overlap: int = 1,
    block_length: int | None = None,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> ClusteredInterval:
    """Share of outcomes inside [low, high], ends included, with an interval by blocks of dates.

    Parameters
    ----------
    low_OA, high_OA, outcome_OA
        Two quantiles and what came. Shape (O, A), origins oldest first; a cell with a NaN in any is left out and counted.
    overlap
        Origins that share steps of one forecast (`hac.overlap`).
    rng, block_length, n_resamples, confidence
        As in `date_interval`.

    Returns
    -------
    ClusteredInterval
        `value` 0-1, to be held against the nominal share (.8 for the levels .1 and .9).

    Raises
    ------
    InputError, DataError
        Shapes don't fit; no cell is left.

    Notes
    -----
    Unconditional coverage. It can be right on average and wrong on every day: too wide in calm times, too narrow in storms.
    """
    low, outcome = paired_cells(low_OA, outcome_OA)
    high, outcome = paired_cells(high_OA, outcome)
    counted = ~np.isnan(low) & ~np.isnan(high)
    if not counted.any():
        raise DataError("coverage", "no cell holds both an interval and an outcome", n_bad=counted.size)
    inside = counted & (outcome >= low) & (outcome <= high)
    return date_interval(
        inside.sum(axis=1),
        counted.sum(axis=1),
        rng=rng,
        overlap=overlap,
        block_length=block_length,
        n_resamples=n_resamples,
        confidence=confidence,
        low=0.0,
        high=1.0,
        n_nan=int((~counted).sum()),
    )
