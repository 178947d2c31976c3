"""Intervals and tests where a customer has several rows: whole customers are drawn, not rows.

The months of one customer are alike (who adds in April often adds in May), so drawing rows makes
intervals too narrow. Everything here works on each customer's sums; else it is `significance` with
its NaN rule. A mean over rows is a ratio of two sums, and both vary from draw to draw.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.significance import Interval, PairedTest, Rng, paired_test

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]
_CHUNK = 4_000_000


@dataclass(frozen=True)
class ClusteredInterval(Interval):
    """A mean over rows with an interval over customers."""

    n_clusters: int = 0
    """Customers that counted."""


def bootstrap_clustered_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike,
    n_resamples: int = 2000,
    rng: Rng,
    confidence: float = 0.95,
) -> ClusteredInterval:
    """Mean of `values` over rows, with a percentile bootstrap over customers.

    Parameters
    ----------
    values
        One number per row (a customer in a month). Shape (n,); NaN is left out and counted.
    clusters
        Who each row is: integers, any. Shape (n,).
    n_resamples, rng, confidence
        As in `bootstrap_mean`.

    Returns
    -------
    ClusteredInterval
        `value` is the plain mean of the rows: a customer with three rows counts three times.

    Raises
    ------
    DataError
        Nothing but NaN, or an infinite value.
    InputError
        Lengths differ, or a parameter is out of range.

    Examples
    --------
    >>> found = bootstrap_clustered_mean([1.0, 1.0, 0.0], clusters=[7, 7, 9], rng=0)
    >>> round(found.value, 3), found.n, found.n_clusters, found.ci_low, found.ci_high
    (0.667, 3, 2, 0.0, 1.0)
    """
    row_values, customers = _aligned(values, clusters)
    counted = ~np.isnan(row_values)
    kept = row_values[counted]
    if not len(kept):
        raise DataError("values", "holds no number, so it has no mean", n_bad=len(row_values))
    top, bottom = _sums(kept, customers[counted])
    return ratio_interval(
        top,
        bottom,
        n_resamples=n_resamples,
        rng=rng,
        confidence=confidence,
        n=len(kept),
        n_nan=len(row_values) - len(kept),
    )


def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    n_resamples: int = 2000,
    rng: Rng,
    confidence: float = 0.95,
    n: int | None = None,
    n_nan: int = 0,
) -> ClusteredInterval:
    """Sum of `numerator` over sum of `denominator`, with a percentile bootstrap over their rows.

    Parameters
    ----------
    numerator, denominator
        One pair per customer; denominators >= 0. Shape (n_customers,).
    n, n_nan
        Rows that the sums were made of, and rows left out before; only passed on. None: as many as customers.

    Raises
    ------
    DataError
        A value isn't finite, a denominator is negative, or all are 0.
    InputError
        Shapes differ, or a parameter is out of range.
    """
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    if top.ndim != 1 or top.shape != bottom.shape:
        raise InputError(
            "denominator", f"must have the one axis of numerator, {top.shape}", value=bottom.shape
        )
    if n_resamples < 1:
        raise InputError("n_resamples", "must be 1 or more", value=n_resamples)
    _check_confidence(confidence)
    if (bad := ~np.isfinite(top) | ~np.isfinite(bottom) | (bottom < 0)).any():
        rows = np.flatnonzero(bad)
        raise DataError(
            "values", "must be finite, denominators >= 0", n_bad=len(rows), examples=rows[:5].tolist()
        )
    total = bottom.sum()
    if not total > 0:
        raise DataError("denominator", "is 0 for every customer, so there is no ratio", n_bad=len(bottom))
    value = float(top.sum() / total)
    drawn = _drawn_ratios(top, bottom, n_resamples=n_resamples, gen=np.random.default_rng(rng))
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return ClusteredInterval(
        value, float(low), float(high), confidence, len(top) if n is None else n, n_nan, len(top)
    )


def clustered_paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: ArrayLike,
    n_resamples: int = 10_000,
    rng: Rng,
    confidence: float = 0.95,
) -> PairedTest:
    """Whether `a` and `b` differ in mean over rows, when a customer's rows come together.

    As `paired_test`, with the sign flipped for a whole customer at once and customers drawn for the interval.
    `difference` is the mean difference over rows; `n` counts customers.

    Raises
    ------
    InputError
        Lengths differ, or a parameter is out of range.
    DataError
        No pair without NaN, or an infinite value.
    """
    left, customers = _aligned(a, clusters)
    right, _ = _aligned(b, clusters)
    difference = left - right
    counted = ~np.isnan(difference)
    if not counted.any():
        raise DataError("a - b", "holds no number, so it has no mean", n_bad=len(difference))
    sums, sizes = _sums(difference[counted], customers[counted])
    gen = np.random.default_rng(rng)
    flipped = paired_test(sums, np.zeros(len(sums)), n_resamples=n_resamples, rng=gen, confidence=confidence)
    over = ratio_interval(sums, sizes, n_resamples=n_resamples, rng=gen, confidence=confidence)
    return PairedTest(
        over.value,
        over.ci_low,
        over.ci_high,
        flipped.p_value,
        confidence,
        len(sums),
        len(difference) - int(counted.sum()),
    )


def linearised_interval(
    value: float,
    pull: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    low: float = -np.inf,
    high: float = np.inf,
    n: int = 0,
) -> ClusteredInterval:
    """A normal interval of a smooth statistic from what each row adds to it (infinitesimal jackknife).

    Parameters
    ----------
    value
        The statistic.
    pull
        Its derivative by the weight of each row; sums to about 0. Shape (n_rows,).
    clusters
        Customer of each row; None: each row its own. Shape (n_rows,).
    low, high
        Where the statistic ends; the interval is cut there.

    Raises
    ------
    InputError
        Lengths differ or `confidence` is out of range.

    Notes
    -----
    Efron 1981; the clustered form is the sandwich of survey statistics. The variance is the sum of the
    squared pulls of customers.
    """
    from scipy.special import ndtri

    _check_confidence(confidence)
    pulls = np.asarray(pull, np.float64)
    if clusters is not None:
        rows, customers = _aligned(pulls, clusters)
        pulls, _ = _sums(rows, customers)
    half = float(ndtri((1 + confidence) / 2)) * float(np.sqrt(pulls @ pulls))
    return ClusteredInterval(
        value, max(low, value - half), min(high, value + half), confidence, n, 0, len(pulls)
    )


def _aligned(values: ArrayLike, clusters: ArrayLike) -> tuple[Floats, Ids]:
    rows, customers = np.asarray(values, np.float64), np.asarray(clusters)
    if rows.ndim != 1:
        raise InputError("values", "must have one axis", value=rows.shape)
    if customers.shape != rows.shape or not np.issubdtype(customers.dtype, np.integer):
        raise InputError(
            "clusters", f"must be {len(rows)} integers", value=(str(customers.dtype), customers.shape)
        )
    return rows, customers


def _sums(values: Floats, customers: Ids) -> tuple[Floats, Floats]:
    """Sum and number of the values of each customer."""
    index = customers
    is_dense = len(index) and index.min() >= 0 and index.max() < 4 * len(index)
    if not is_dense:  # numbers that are dense can be counted by, without a sort
        _, index = np.unique(customers, return_inverse=True)
    sizes = np.bincount(index)
    used = sizes > 0
    return np.bincount(index, values)[used].astype(np.float64), sizes[used].astype(np.float64)


def _drawn_ratios(top: Floats, bottom: Floats, *, n_resamples: int, gen: np.random.Generator) -> Floats:
    """Ratios of sums of `n_resamples` draws of all customers with replacement.

    Few different pairs (most customers add nothing in all their months) are drawn by how often each occurs.
    A draw of nothing but empty denominators has no ratio and is drawn as the plain value.
    """
    pairs, counts = np.unique(top + 1j * bottom, return_counts=True)
    n = len(top)
    plain = top.sum() / bottom.sum()
    if len(pairs) == 1:
        return np.full(n_resamples, plain)
    few = len(pairs) * 4 <= n
    if few:
        # The commonest first: each next draw of the multinomial is then out of a small rest
        order = np.argsort(-counts, kind="stable")
        pairs, shares = pairs[order], counts[order] / n
    step = max(1, _CHUNK // (len(pairs) if few else n))
    found = []
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        if few:
            times = gen.multinomial(n, shares, size=size)
            tops, bottoms = times @ pairs.real, times @ pairs.imag
        else:
            rows = gen.integers(0, n, size=(size, n), dtype=np.int32)
            tops, bottoms = top[rows].sum(axis=1), bottom[rows].sum(axis=1)
        found.append(np.divide(tops, bottoms, out=np.full(size, plain), where=bottoms > 0))
    return np.concatenate(found)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1, both excluded", value=confidence)
