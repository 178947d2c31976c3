"""Glide paths: how the weights of classes move from growth to safety as a goal comes near."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GlidePath:
    """Weights by the time that is left: `far_C` until `glide_months` before the goal, then evenly down to `near_C`."""

    far_C: Floats
    """Weights of classes while the goal is far, fractions with sum 1. Shape (C,)."""
    near_C: Floats
    """Weights on the day of the goal, fractions with sum 1. Shape (C,)."""
    glide_months: int
    """Months before the goal at which the move begins, 1 or more."""

    def __post_init__(self) -> None:
        check_weights("far_C", self.far_C)
        check_weights("near_C", self.near_C)
        if self.far_C.shape != self.near_C.shape:
            raise InputError("near_C", "must have the shape of far_C", value=self.near_C.shape)
        if self.glide_months < 1:
            raise InputError("glide_months", "must be 1 or more", value=self.glide_months)


Weights = ArrayLike | GlidePath
"""Weights of classes: one row for all months (C,), a row for each month (M, C), or a glide path."""


def monthly_weights(weights: Weights, *, n_months: int, n_classes: int) -> Floats:
    """Weights of each month up to the goal. Shape (n_months, C), or (1, C) where they never change.

    Raises
    ------
    InputError
        Another number of classes or months, a weight that isn't finite or below 0, or a sum that isn't 1.

    Examples
    --------
    >>> path = GlidePath(np.array([1.0, 0.0]), np.array([0.0, 1.0]), glide_months=2)
    >>> monthly_weights(path, n_months=4, n_classes=2)[:, 0].tolist()
    [1.0, 1.0, 1.0, 0.5]
    """
    if isinstance(weights, GlidePath):
        left_M = np.arange(n_months, 0, -1)  # months that are left when the month begins
        share_M = np.minimum(left_M / weights.glide_months, 1.0)[:, None]
        found = share_M * weights.far_C + (1 - share_M) * weights.near_C
    else:
        found = np.atleast_2d(np.asarray(weights, np.float64))
    if found.ndim != 2 or found.shape[1] != n_classes:
        raise InputError("weights", f"must have {n_classes} classes", value=found.shape)
    if len(found) not in (1, n_months):
        raise InputError("weights", f"must have one row or {n_months}, one a month", value=len(found))
    check_weights("weights", found)
    return found


def check_weights(name: str, weights: Floats) -> None:
    """Nothing, if rows are finite, 0 or more and sum to 1; else InputError."""
    if not np.isfinite(weights).all() or (weights < -1e-9).any():
        raise InputError(
            name, "must be finite and 0 or more", value=np.asarray(weights).round(6).tolist()[:5]
        )
    sums = np.atleast_1d(weights.sum(axis=-1))
    if (np.abs(sums - 1) > 1e-6).any():
        raise InputError(name, "must sum to 1", value=float(sums[np.abs(sums - 1).argmax()]))
