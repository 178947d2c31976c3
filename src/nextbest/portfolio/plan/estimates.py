"""Mean and covariance of returns, from complete columns only: nothing is filled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]


def checked_returns(
    returns_TA: ArrayLike, *, names: Sequence[str] | None = None
) -> tuple[Floats, tuple[str, ...]]:
    """The returns as float64 and the assets' names, if every cell is a finite number.

    Parameters
    ----------
    returns_TA
        Simple returns of one period a row, fractions. Shape (T, A), T >= 2.
    names
        Assets, for messages and bounds; `0`, `1`, ... where not given.

    Raises
    ------
    DataError
        A column holds NaN or infinity: those columns are named. They are never filled, because a filled cell
        is a return of zero that nobody earned and pulls risk down.
    InputError
        Not two axes, fewer than two rows, no column, or another number of names.
    """
    values = np.asarray(returns_TA, np.float64)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise InputError(
            "returns", "must have two axes: two rows or more, one column or more", value=values.shape
        )
    ids = _names(values.shape[1], names)
    bad_A = ~np.isfinite(values).all(axis=0)
    if bad_A.any():
        counts = (~np.isfinite(values)).sum(axis=0)
        raise DataError(
            "returns",
            f"hold NaN or infinity in {int(bad_A.sum())} column(s)",
            examples=[f"{ids[i]} ({counts[i]} of {len(values)})" for i in np.flatnonzero(bad_A)],
            remedy="leave those assets out or take days on which all have prices; nothing is filled",
        )
    return values, ids


def checked_covariance(
    cov_AA: ArrayLike, *, names: Sequence[str] | None = None
) -> tuple[Floats, tuple[str, ...]]:
    """The covariance as float64 and the assets' names, if it is square, finite, symmetric and of positive variances.

    Raises
    ------
    DataError
        A cell is NaN or infinite, the matrix isn't symmetric, or a variance is below 0 (columns are named).
    InputError
        Not square, or another number of names.
    """
    values = np.asarray(cov_AA, np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not len(values):
        raise InputError("cov", "must be a square matrix", value=values.shape)
    ids = _names(len(values), names)
    bad_A = ~np.isfinite(values).all(axis=0)
    if bad_A.any():
        raise DataError(
            "cov", "holds NaN or infinity in columns", examples=[ids[i] for i in np.flatnonzero(bad_A)]
        )
    scale = float(np.abs(values).max())
    if scale and float(np.abs(values - values.T).max()) > 1e-9 * scale:
        raise DataError("cov", "must be symmetric", remedy="take (cov + cov.T) / 2 if it is only rounding")
    if (below := np.flatnonzero(np.diag(values) < 0)).size:
        raise DataError(
            "cov", "variances must not be below 0", n_bad=len(below), examples=[ids[i] for i in below]
        )
    return values, ids


def moments(returns_TA: ArrayLike, *, names: Sequence[str] | None = None) -> tuple[Floats, Floats]:
    """Mean (A,) and covariance (A, A) of complete returns, per period; the covariance divides by T - 1.

    Raises
    ------
    DataError, InputError
        As `checked_returns`.

    Examples
    --------
    >>> mean, cov = moments([[0.01, 0.00], [0.03, 0.02]])
    >>> mean.round(4).tolist(), cov.round(6).tolist()
    ([0.02, 0.01], [[0.0002, 0.0002], [0.0002, 0.0002]])
    """
    values, _ = checked_returns(returns_TA, names=names)
    mean_A = values.mean(axis=0)
    centred = values - mean_A
    return mean_A, centred.T @ centred / (len(values) - 1)


def _names(n: int, names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of `n` assets."""
    if names is None:
        return tuple(str(i) for i in range(n))
    if len(names) != n:
        raise InputError("names", f"must name all {n} columns", value=len(names))
    return tuple(names)
