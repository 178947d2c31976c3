"""How sure a mean or a difference of means is: bootstrap intervals, paired tests, Holm's correction.

Arrays in, small records out; knows no metric and no model. NaN means "no answer for this user":
such values (in a pair: either one) are left out and counted, never read as zero.

Resampling works on the histogram of the values: drawing n values with replacement depends only on
how often each occurs. A per-user metric has few different values, so a million users cost as much
as a hundred; where values are all different, resamples are drawn in chunks of bounded memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

Rng = int | np.random.Generator
Floats = NDArray[np.float64]
_CHUNK = 4_000_000
"""Random numbers drawn at once; 8 bytes each."""


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval."""

    value: float
    """Mean of the values that aren't NaN, in their own unit."""
    ci_low: float
    ci_high: float
    confidence: float = 0.95
    """Share of such intervals that would hold the true mean, 0-1."""
    n: int = 0
    """Values that counted."""
    n_nan: int = 0
    """Values left out."""


@dataclass(frozen=True)
class PairedTest:
    """A difference of means over the same users, `a` minus `b`."""

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    """Two-sided, of the hypothesis that each user's difference is as likely with the other sign."""
    confidence: float = 0.95
    n: int = 0
    """Pairs that counted."""
    n_nan: int = 0
    """Pairs left out."""


def bootstrap_mean(
    values: ArrayLike,
    *,
    n_resamples: int = 2000,
    rng: Rng,
    confidence: float = 0.95,
    method: Literal["percentile", "bca"] = "percentile",
) -> Interval:
    """Mean of `values` with a bootstrap interval over them.

    Parameters
    ----------
    values
        One number per user. Shape (n,); NaN is left out and counted.
    n_resamples
        Resamples, 1 or more; 2,000 is enough for 95 %.
    rng
        Generator or seed; the same one gives the same interval.
    confidence
        0-1 exclusive.
    method
        `percentile`, or `bca`: bias-corrected and accelerated (Efron 1987), better for few users
        and skewed values, with the jackknife acceleration of the mean.

    Raises
    ------
    DataError
        Nothing but NaN, or an infinite value.
    InputError
        A parameter is out of range or `values` has more than one axis.

    Examples
    --------
    >>> bootstrap_mean([1.0, 1.0, 1.0], rng=0)
    Interval(value=1.0, ci_low=1.0, ci_high=1.0, confidence=0.95, n=3, n_nan=0)
    """
    _check(n_resamples, confidence)
    if method not in ("percentile", "bca"):
        raise InputError("method", "must be 'percentile' or 'bca'", value=method)
    clean, n_nan = _finite(np.asarray(values, np.float64), name="values")
    low, high = _mean_interval(clean, n_resamples=n_resamples, rng=rng, confidence=confidence, method=method)
    return Interval(float(clean.mean()), low, high, confidence, len(clean), n_nan)


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_resamples: int = 10_000,
    rng: Rng,
    confidence: float = 0.95,
) -> PairedTest:
    """Whether `a` and `b` differ in mean over the same users.

    The p-value is a paired permutation test by sign flips (Fisher's randomisation test): all
    2^m flips where the m users with a difference are few enough, else `n_resamples` random ones with
    p = (1 + hits) / (1 + resamples), so that it is never 0. The interval of the difference is a
    percentile bootstrap over users.

    Parameters
    ----------
    a, b
        One number per user, the same users in the same order. Shape (n,); a pair with a NaN is
        left out and counted.
    n_resamples
        Sign flips and resamples; the smallest p-value is 1 / (1 + n_resamples).
    rng, confidence
        As in `bootstrap_mean`.

    Raises
    ------
    InputError
        The arrays differ in length, or a parameter is out of range.
    DataError
        No pair without NaN, or an infinite value.

    Examples
    --------
    >>> paired_test([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], rng=0).p_value
    0.25
    """
    _check(n_resamples, confidence)
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.shape != right.shape:
        raise InputError("b", f"must have the shape of a, {left.shape}", value=right.shape)
    difference, n_nan = _finite(left - right, name="a - b")
    gen = np.random.default_rng(rng)
    p_value = _sign_flip_p(difference, n_resamples=n_resamples, gen=gen)
    low, high = _mean_interval(
        difference, n_resamples=n_resamples, rng=gen, confidence=confidence, method="percentile"
    )
    return PairedTest(float(difference.mean()), low, high, p_value, confidence, len(difference), n_nan)


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """P-values adjusted for their number by Holm's step-down method; family-wise error is kept.

    Parameters
    ----------
    p_values
        Shape (m,); 0-1. NaN (a comparison that wasn't made) stays NaN and isn't counted.

    Returns
    -------
    ndarray of shape (m,)
        In the order given; reject where it is below the level.

    Raises
    ------
    InputError
        A value lies outside 0-1.

    Notes
    -----
    Holm 1979: the i-th smallest of m times (m - i + 1), made monotone, at most 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    made = ~np.isnan(p)
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise InputError("p_values", "must lie in 0-1", value=p.tolist())
    adjusted = np.full(p.shape, np.nan)
    order = np.argsort(p[made], kind="stable")
    factors = np.arange(len(order), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(p[made][order] * factors), 1.0)
    values = np.empty(len(order))
    values[order] = stepped
    adjusted[made] = values
    return adjusted


def _check(n_resamples: int, confidence: float) -> None:
    if n_resamples < 1:
        raise InputError("n_resamples", "must be 1 or more", value=n_resamples)
    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1, both excluded", value=confidence)


def _finite(values: Floats, *, name: str) -> tuple[Floats, int]:
    """The values that aren't NaN, and how many are."""
    if values.ndim != 1:
        raise InputError(name, "must have one axis", value=values.shape)
    clean = values[~np.isnan(values)]
    if not len(clean):
        raise DataError(name, "holds no number, so it has no mean", n_bad=len(values))
    if (infinite := np.isinf(clean)).any():
        raise DataError(
            name, "must be finite", n_bad=int(infinite.sum()), examples=clean[infinite][:5].tolist()
        )
    return clean, len(values) - len(clean)


def _mean_interval(
    values: Floats, *, n_resamples: int, rng: Rng, confidence: float, method: Literal["percentile", "bca"]
) -> tuple[float, float]:
    """Ends of the bootstrap interval of the mean of finite `values`."""
    means = _resampled_means(values, n_resamples=n_resamples, gen=np.random.default_rng(rng))
    tail = (1 - confidence) / 2
    levels = np.array([tail, 1 - tail])
    if method == "bca":
        levels = _bca_levels(values, means, levels)
    low, high = np.quantile(means, levels)
    return float(low), float(high)


def _resampled_means(values: Floats, *, n_resamples: int, gen: np.random.Generator) -> Floats:
    """Means of `n_resamples` draws with replacement of all values. Shape (n_resamples,)."""
    different, counts = np.unique(values, return_counts=True)
    n = len(values)
    if len(different) == 1:
        return np.full(n_resamples, different[0])
    if len(different) * 4 <= n:  # a multinomial draw costs about four times a plain one
        shares = counts / n
        return _in_chunks(
            lambda size: gen.multinomial(n, shares, size=size) @ different / n,
            n_resamples=n_resamples,
            width=len(different),
        )
    return _in_chunks(
        lambda size: values[gen.integers(0, n, size=(size, n), dtype=np.int32)].mean(axis=1),
        n_resamples=n_resamples,
        width=n,
    )


def _sign_flip_p(difference: Floats, *, n_resamples: int, gen: np.random.Generator) -> float:
    """Two-sided p-value of the sum under random signs."""
    sizes, counts = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    m = int(counts.sum())
    if m == 0:
        return 1.0
    reached = abs(float(difference.sum()))
    reached -= 1e-12 * float(sizes @ counts)  # sums that are equal on paper differ in the last bits
    if 2**m <= n_resamples:
        bits = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
        sums = (2 * bits - 1) @ np.repeat(sizes, counts)
        return float((np.abs(sums) >= reached).mean())
    sums = _flipped(sizes[counts == 1], n_resamples=n_resamples, gen=gen)
    several, times = sizes[counts > 1], counts[counts > 1]
    if len(several):  # of equal values only the number of flips matters
        sums += _in_chunks(
            lambda size: (2 * gen.binomial(times, 0.5, size=(size, len(times))) - times) @ several,
            n_resamples=n_resamples,
            width=len(several),
        )
    return float((1 + (np.abs(sums) >= reached).sum()) / (1 + n_resamples))


def _flipped(values: Floats, *, n_resamples: int, gen: np.random.Generator) -> Floats:
    """Sums of the values under random signs, a random bit each. Shape (n_resamples,)."""
    n_bytes = -(-len(values) // 8)
    if not n_bytes:
        return np.zeros(n_resamples)

    def draw(size: int) -> Floats:
        packed = np.frombuffer(gen.bytes(size * n_bytes), np.uint8).reshape(size, n_bytes)
        bits = np.unpackbits(packed, axis=1, count=len(values))
        sums: Floats = 2 * (bits.astype(np.float64) @ values) - values.sum()
        return sums

    return _in_chunks(draw, n_resamples=n_resamples, width=len(values))


def _in_chunks(draw: Callable[[int], Floats], *, n_resamples: int, width: int) -> Floats:
    """`draw(size)` often enough for `n_resamples` rows, with at most `_CHUNK` numbers at once."""
    step = max(1, _CHUNK // width)
    sizes = [min(step, n_resamples - start) for start in range(0, n_resamples, step)]
    return np.concatenate([draw(size) for size in sizes])


def _bca_levels(values: Floats, means: Floats, levels: Floats) -> Floats:
    """Quantile levels moved for bias and skewness (Efron 1987); unchanged where all values are equal."""
    from scipy.special import ndtr, ndtri

    centred = values - values.mean()
    spread = float((centred**2).sum())
    if spread == 0:
        return levels
    acceleration = float((centred**3).sum()) / (6 * spread**1.5)
    n = len(means)
    off = means - values.mean()
    tied = np.abs(off) <= 1e-9 * np.sqrt(spread / len(values))  # equal on paper, not in the last bits
    share = (float((~tied & (off < 0)).sum()) + 0.5 * float(tied.sum())) / n
    bias = float(ndtri(np.clip(share, 0.5 / n, 1 - 0.5 / n)))
    moved = bias + ndtri(levels)
    adjusted: Floats = ndtr(bias + moved / (1 - acceleration * moved))
    return adjusted
