"""Resampling of dates in blocks, for everything here that draws: intervals, SPA, Model Confidence Set.

Days follow each other (a week of large moves, forecasts that share steps), so single days drawn by chance
break what binds them; blocks keep it inside a block. Draws are made in chunks of bounded memory and turned into
counts a date, so that a resampled mean of all columns is one product of matrices.

A bootstrap of few blocks thinks itself surer than it is: blocks cut some of the dependence, the mean is taken off, and
the variance is itself a guess of few degrees of freedom. With 212 days and six-day forecasts a test of 5 % built on it
refuses 16 % of the time. `reliability` says by how much, and what is built here is corrected by it unless told not to be.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.clustered import ClusteredInterval
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Kind = Literal["stationary", "circular"]
MIN_DATES = 8
"""Dates an interval needs: with fewer, resamples say nothing."""
_CHUNK = 1_000_000
"""Dates drawn at once; about 50 bytes each while a chunk is worked on."""


def default_block_length(n: int, overlap: int = 1) -> int:
    """Mean length of a block over `n` dates: the larger of 2 `overlap` and n^(1/3), at most a quarter of the dates.

    `overlap` counts origins that share a step of one forecast (`hac.overlap`). n^(1/3) is the rate at which the
    best length grows (Hall, Horowitz & Jing 1995). At least 1.
    """
    wanted = max(2 * overlap, round(float(n) ** (1 / 3)))
    return int(max(1, min(wanted, max(overlap, n // 4), n)))


def kernel(n: int, *, block_length: int, kind: Kind = "stationary") -> Floats:
    """Weight of the autocovariance at each lag 0 to n - 1 in the variance of a resampled mean. Shape (n,).

    `stationary`: (1 - i/n)(1 - q)^i + (i/n)(1 - q)^(n - i) with q = 1 / block_length (Politis & Romano 1994);
    `circular`: 1 - i / block_length, at least 0.
    """
    _check(n, 1, block_length, kind)
    i = np.arange(n)
    if kind == "circular":
        return np.maximum(1 - i / block_length, 0.0)
    keep = 1 - 1 / block_length
    found: Floats = (1 - i / n) * keep**i + (i / n) * keep ** (n - i)
    return found


@dataclass(frozen=True)
class Reliability:
    """What a bootstrap's own variance is worth."""

    bias: float
    """Its expected value over the true variance, 0-1."""
    degrees: float
    """Degrees of freedom of a Student t whose variance it would be; 1 or more."""

    def normal_equivalent(self, t: ArrayLike) -> Floats:
        """Ratios of a mean to its bootstrap deviation, as ratios to a known one: nearer to 0, in the same order.

        Resampled ratios are normal, observed ones aren't: this makes them comparable. Infinities stay.
        """
        from scipy.special import ndtri, stdtr

        ratio = np.asarray(t, np.float64)
        tail = stdtr(self.degrees, -np.abs(ratio) * np.sqrt(self.bias))
        # A tail of 0 in floating point is no infinite ratio: beyond 38 deviations the ratio stays itself
        found: Floats = np.copysign(np.minimum(-ndtri(tail), np.abs(ratio)), ratio)
        return found

    def stretch(self, confidence: float) -> float:
        """How much wider than the bootstrap's an interval must be; 1 or more."""
        from scipy.special import ndtri, stdtrit

        level = (1 + confidence) / 2
        return float(stdtrit(self.degrees, level) / ndtri(level) / np.sqrt(self.bias))


def reliability(n: int, *, block_length: int, overlap: int = 1, kind: Kind = "stationary") -> Reliability:
    """How far the variance by `n` dates in blocks falls short when `overlap` origins share steps of one forecast.

    Parameters
    ----------
    n, block_length
        Dates, 1 or more; block 1 to n.
    overlap
        `hac.overlap`: the autocorrelation at lag i is taken as 1 - i / overlap, that of sums of so many steps. Losses
        of forecasts have at most about that.

    Notes
    -----
    bias = sum of k_i (1 - i/n)(r_i - R/n) over sum of (1 - i/n) r_i, over lags of both signs, k the kernel, r the
    autocorrelation, R the latter sum; degrees = n / sum of k_i^2 (1 - i/n) (Priestley 1981), as `hac_mean_test` has it.
    """
    i = np.arange(n)
    sides = np.where(i == 0, 1.0, 2.0) * (1 - i / n)
    weights = kernel(n, block_length=block_length, kind=kind)
    r = np.maximum(1 - i / max(overlap, 1), 0.0)
    true = float(sides @ r)
    bias = float(sides @ (weights * (r - true / n))) / true
    degrees = n / float(sides @ weights**2)
    return Reliability(min(1.0, max(bias, 1e-3)), max(1.0, degrees))


def draw_blocks(
    n: int, *, n_resamples: int, block_length: int, kind: Kind = "stationary", rng: Rng
) -> Indices:
    """Row numbers of resampled dates. Shape (n_resamples, n); 0 to n - 1.

    Parameters
    ----------
    n
        Dates, 1 or more.
    block_length
        Dates in a block, 1 to n: the mean of a geometric law (`stationary`, Politis & Romano 1994) or the exact
        length (`circular`, Politis & Romano 1992). Both wrap around the end.

    Raises
    ------
    InputError
        A number or `kind` is out of range.
    """
    _check(n, n_resamples, block_length, kind)
    return _draw(n, n_resamples, block_length, kind, np.random.default_rng(rng))


def resampled_means(
    values_DK: ArrayLike,
    *,
    n_resamples: int,
    block_length: int,
    kind: Kind = "stationary",
    rng: Rng,
    indices_BD: ArrayLike | None = None,
) -> Floats:
    """Means of each column over resampled dates; all columns see the same dates. Shape (n_resamples, K).

    Parameters
    ----------
    values_DK
        A row a date, oldest first. Shape (D, K); no NaN; any unit.
    indices_BD
        Row numbers to use in place of drawing (another library's, or one set for several questions).
        Shape (B, D); then `n_resamples`, `block_length` and `rng` aren't read.

    Raises
    ------
    DataError
        A value isn't finite, or there is no date.
    InputError
        A parameter is out of range.
    """
    values = np.asarray(values_DK, np.float64)
    if values.ndim != 2:
        raise InputError("values_DK", "must have the axes date and column", value=values.shape)
    if not len(values):
        raise DataError("values_DK", "has no date")
    if (bad := ~np.isfinite(values).all(axis=1)).any():
        rows = np.flatnonzero(bad)
        raise DataError("values_DK", "must be finite", n_bad=len(rows), examples=rows[:5].tolist())
    n = len(values)
    step = max(1, _CHUNK // n)
    if indices_BD is not None:
        given = np.asarray(indices_BD)
        if given.ndim != 2 or given.shape[1] != n or not np.issubdtype(given.dtype, np.integer):
            raise InputError("indices_BD", f"must be integers of shape (B, {n})", value=given.shape)
        if len(given) and (given.min() < 0 or given.max() >= n):
            raise InputError("indices_BD", f"must lie in 0 to {n - 1}", value=(given.min(), given.max()))
        parts = [_means(values, given[at : at + step]) for at in range(0, len(given), step)]
        return np.concatenate(parts) if parts else np.empty((0, values.shape[1]))
    _check(n, n_resamples, block_length, kind)
    gen = np.random.default_rng(rng)
    sizes = [min(step, n_resamples - at) for at in range(0, n_resamples, step)]
    return np.concatenate([_means(values, _draw(n, size, block_length, kind, gen)) for size in sizes])


def date_interval(
    top_D: ArrayLike,
    bottom_D: ArrayLike,
    *,
    n_resamples: int = 2000,
    block_length: int | None = None,
    overlap: int = 1,
    kind: Kind = "stationary",
    rng: Rng,
    confidence: float = 0.95,
    n_nan: int = 0,
    low: float = -np.inf,
    high: float = np.inf,
) -> ClusteredInterval:
    """Sum of `top_D` over sum of `bottom_D` (a share, a mean over cells) with an interval by blocks of dates.

    Parameters
    ----------
    top_D, bottom_D
        Sum and number of the cells of each date, oldest first; numbers >= 0. Shape (D,); no NaN.
    block_length
        None: `default_block_length` of the dates and `overlap`.
    n_nan
        Cells left out before; only passed on.
    low, high
        Where the value can end (0 and 1 for a share); the interval is cut there.

    Returns
    -------
    ClusteredInterval
        Percentiles of the resamples, stretched away from the value by `Reliability.stretch`: plain ones hold the truth
        too seldom; NaN where fewer than `MIN_DATES` dates hold any cell. `n` cells, `n_clusters` dates that hold any. A resample without any cell counts as the plain value.

    Raises
    ------
    DataError
        A value isn't finite, a number is negative, or all are 0.
    InputError
        Shapes differ or a parameter is out of range.
    """
    top, bottom = np.asarray(top_D, np.float64), np.asarray(bottom_D, np.float64)
    if top.ndim != 1 or top.shape != bottom.shape:
        raise InputError("bottom_D", f"must have the one axis of top_D, {top.shape}", value=bottom.shape)
    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1, both excluded", value=confidence)
    if (bottom < 0).any() or not bottom.sum() > 0:
        raise DataError(
            "bottom_D", "must be 0 or more and not 0 at every date", n_bad=int((bottom <= 0).sum())
        )
    length = default_block_length(len(top), overlap) if block_length is None else block_length
    means = resampled_means(
        np.stack([top, bottom], axis=1), n_resamples=n_resamples, block_length=length, kind=kind, rng=rng
    )
    value = float(top.sum() / bottom.sum())
    counts = int(bottom.sum()), n_nan, int((bottom > 0).sum())
    if counts[2] < MIN_DATES:
        return ClusteredInterval(value, np.nan, np.nan, confidence, *counts)
    some = means[:, 1] > 0
    drawn = np.where(some, means[:, 0] / np.where(some, means[:, 1], 1.0), value)
    tail = (1 - confidence) / 2
    wider = reliability(len(top), block_length=length, overlap=overlap, kind=kind).stretch(confidence)
    ends = value + wider * (np.quantile(drawn, [tail, 1 - tail]) - value)
    ci_low, ci_high = np.clip(ends, low, high).tolist()
    return ClusteredInterval(value, ci_low, ci_high, confidence, *counts)


def _check(n: int, n_resamples: int, block_length: int, kind: str) -> None:
    if n < 1:
        raise InputError("n", "must be 1 or more", value=n)
    if n_resamples < 1:
        raise InputError("n_resamples", "must be 1 or more", value=n_resamples)
    if not 1 <= block_length <= n:
        raise InputError("block_length", f"must lie between 1 and the {n} dates", value=block_length)
    if kind not in ("stationary", "circular"):
        raise InputError("kind", "must be 'stationary' or 'circular'", value=kind)


def _draw(n: int, size: int, block_length: int, kind: Kind, gen: np.random.Generator) -> Indices:
    if kind == "circular":
        n_blocks = -(-n // block_length)
        starts = gen.integers(0, n, size=(size, n_blocks))
        whole = (starts[:, :, None] + np.arange(block_length)).reshape(size, -1)[:, :n] % n
        return whole.astype(np.int64, copy=False)
    starts = gen.integers(0, n, size=(size, n))
    return stationary_rows(starts, gen.random((size, n)) <= 1 / block_length)


def stationary_rows(starts_BD: Indices, is_new_BD: NDArray[np.bool_]) -> Indices:
    """Row numbers from where each block would start and whether one starts: else the row after the last, wrapped."""
    n = starts_BD.shape[1]
    places = np.arange(n)
    begun = np.where(is_new_BD, places, 0)
    begun[:, 0] = 0
    last = np.maximum.accumulate(begun, axis=1)
    rows: Indices = (np.take_along_axis(starts_BD, last, axis=1) + places - last) % n
    return rows


def _means(values_DK: Floats, rows_BD: NDArray[np.integer]) -> Floats:
    b, n = rows_BD.shape
    flat = (rows_BD + np.arange(b)[:, None] * n).ravel()
    counts_BD = np.bincount(flat, minlength=b * n).reshape(b, n)
    means: Floats = counts_BD.astype(np.float64) @ values_DK / n
    return means
