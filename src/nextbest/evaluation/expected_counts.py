"""Expected against observed additions: the same month's sum of probabilities and what came, by product.

`CalibrationCounts` keeps a fine histogram of the probabilities of each product; it adds up over
months, and everything calibration says is said from it, so the matrix of a month can be dropped.
Intervals are those of the Poisson-binomial law: the coin flips of many unequal coins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.masks import Counts, Floats, Masks, check_not_held, checked_masks
from nextbest.evaluation.per_product import LOG_LOSS_CLIP, PRODUCT, check_probabilities, of_product

_SHIFT = 16
"""Bits of a float32 left out: what is left parts every octave into 128 bins."""
_LOWEST = int(np.float32(2.0**-30).view(np.uint32)) >> _SHIFT
_N_BINS = (int(np.float32(1.0).view(np.uint32)) >> _SHIFT) - _LOWEST + 2
_EXACT_BELOW = 100.0
"""Variance of a count under which its law is computed, not approximated."""


@dataclass(frozen=True, eq=False)
class CalibrationCounts:
    """Histogram of probabilities and additions of each product, clients who hold it left out.

    Bins are at most 0.8 % wide (a float32's first 16 bits), one below 2^-30. Sums of probabilities are exact
    to float64; what depends on the spread inside a bin (Brier score, log-loss) is right to about 1e-5.
    """

    n: Counts
    """Clients. Shape (n_products, n_bins)."""
    expected: Floats
    """Sum of probabilities. Shape (n_products, n_bins)."""
    observed: Counts
    """Additions. Shape (n_products, n_bins)."""

    @classmethod
    def of(cls, probability_NP: NDArray[np.floating], added_N: Masks, *, held_N: Masks | None = None) -> Self:
        """Counts of one month (or any rows).

        Raises
        ------
        InputError
            Shapes or types don't fit.
        DataError
            A probability is NaN or outside 0-1, or a held product is added.
        """
        n_products = int(probability_NP.shape[-1])
        check_probabilities(probability_NP, n_products=n_products)
        checked_masks("added_N", added_N, n_products=n_products, n_clients=len(probability_NP))
        if held_N is not None:
            checked_masks("held_N", held_N, n_products=n_products, n_clients=len(probability_NP))
            check_not_held(added_N, held_N)
        n = np.zeros((n_products, _N_BINS), np.int64)
        expected, observed = np.zeros(n.shape), np.zeros(n.shape, np.int64)
        for p in range(n_products):
            score, is_added = of_product(probability_NP, added_N, held_N, p)
            bits = (score.astype(np.float32) + np.float32(0)).view(np.uint32) >> np.uint32(_SHIFT)
            bins = np.maximum(bits.astype(np.int64) - (_LOWEST - 1), 0)
            n[p] = np.bincount(bins, minlength=_N_BINS)
            expected[p] = np.bincount(bins, score, minlength=_N_BINS)
            observed[p] = np.bincount(bins[is_added], minlength=_N_BINS)
        return cls(n, expected, observed)

    def __add__(self, other: Self) -> Self:
        """Counts of both sets of rows together."""
        if self.n.shape != other.n.shape:
            raise InputError("other", f"must count {len(self.n)} products", value=len(other.n))
        return type(self)(self.n + other.n, self.expected + other.expected, self.observed + other.observed)

    def points(self, product: int | None = None) -> tuple[Floats, Floats, Floats]:
        """Mean probability, rate and number of rows of each bin that isn't empty; all products when None.

        The three arguments `probability, outcome, weight` of the functions in `calibration`.
        """
        rows = slice(None) if product is None else slice(product, product + 1)
        n, expected, observed = (a[rows].sum(axis=0) for a in (self.n, self.expected, self.observed))
        used = n > 0
        size = n[used].astype(np.float64)
        return np.clip(expected[used] / size, 0, 1), observed[used] / size, size

    def log_loss(self, product: int | None = None) -> float:
        """Mean negative log-likelihood, natural logarithm, clipped as in `per_product`; NaN without rows."""
        p, rate, n = self.points(product)
        if not len(n):
            return float("nan")
        p = np.clip(p, LOG_LOSS_CLIP, 1 - LOG_LOSS_CLIP)
        return float(-(n * (rate * np.log(p) + (1 - rate) * np.log1p(-p))).sum() / n.sum())

    def table(self, products: Sequence[str], *, confidence: float = 0.95) -> pl.DataFrame:
        """A row per product: what was expected, what came, and whether chance explains the difference.

        Returns
        -------
        DataFrame
            `product, n, expected, observed, ratio` (observed / expected, null when nothing was expected),
            `ci_low, ci_high` (counts that the probabilities make likely, as `poisson_binomial_interval`),
            `is_inside`. The interval knows only coin flips: clients who act together (payroll and its
            account, a household, a campaign) make true counts vary more.
        """
        if len(products) != len(self.n):
            raise InputError("products", f"must name {len(self.n)} products", value=len(products))
        rows = []
        for p, name in enumerate(products):
            probability, _, n = self.points(p)
            expected, observed = float(self.expected[p].sum()), int(self.observed[p].sum())
            low, high = poisson_binomial_interval(probability, weight=n, confidence=confidence)
            ratio = observed / expected if expected else None
            is_inside = low <= observed <= high
            rows.append((name, int(n.sum()), expected, observed, ratio, low, high, is_inside))
        schema = {
            PRODUCT: pl.String(),
            "n": pl.Int64(),
            "expected": pl.Float64(),
            "observed": pl.Int64(),
            "ratio": pl.Float64(),
            "ci_low": pl.Int64(),
            "ci_high": pl.Int64(),
            "is_inside": pl.Boolean(),
        }
        return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True)
class ShareWithin:
    """How many product-months were foretold within a tolerance."""

    share: float
    """Rows within the tolerance over rows that count; NaN without rows."""
    weighted_share: float
    """The same, each row weighted by its observed additions."""
    weighted_error: float
    """Sum of |expected - observed| over the sum of observed."""
    chance: float
    """The share that perfect knowledge of the expected counts would reach: the rest is coin flips."""
    n: int
    """Product-months that count."""
    n_left_out: int
    """Product-months with fewer expected additions than asked."""


def share_within(
    expected: ArrayLike, observed: ArrayLike, *, tolerance: float = 0.1, min_expected: float = 100.0
) -> ShareWithin:
    """Share of product-months whose expected additions lie within `tolerance` of the observed ones.

    Parameters
    ----------
    expected, observed
        A product in a month each; counts >= 0. Shape (n,).
    tolerance
        Share of the observed count, 0-1 exclusive.
    min_expected
        Rows with a smaller *expected* count are left out (choosing by the observed one would flatter).

    Raises
    ------
    InputError
        Shapes differ or an option is out of range.
    DataError
        A count is NaN, infinite or negative.
    """
    said, came = np.asarray(expected, np.float64), np.asarray(observed, np.float64)
    if said.ndim != 1 or said.shape != came.shape:
        raise InputError("observed", f"must have the one axis of expected, {said.shape}", value=came.shape)
    _check_tolerance(tolerance)
    for name, values in (("expected", said), ("observed", came)):
        if (bad := ~(np.isfinite(values) & (values >= 0))).any():
            rows = np.flatnonzero(bad)
            raise DataError(name, "must be finite and >= 0", n_bad=len(rows), examples=rows[:5].tolist())
    counts = said >= min_expected
    e, o = said[counts], came[counts]
    nan = float("nan")
    if not len(e):
        return ShareWithin(nan, nan, nan, nan, 0, len(said))
    within = np.abs(e - o) <= tolerance * o
    total = float(o.sum())
    return ShareWithin(
        float(within.mean()),
        float(within @ o / total) if total else nan,
        float(np.abs(e - o).sum() / total) if total else nan,
        float(chance_within(e, tolerance=tolerance).mean()),
        len(e),
        len(said) - len(e),
    )


def chance_within(expected: ArrayLike, *, tolerance: float = 0.1) -> Floats:
    """Probability that a Poisson count lies within `tolerance` of its own mean: what foresight can't beat.

    Share of the count, as in `share_within`: |mean - count| <= tolerance * count. Shape of `expected`.
    A mean of 100 is met within 10 % seven times in ten, one of 400 nineteen times in twenty.

    Examples
    --------
    >>> chance_within([10, 100, 400, 1000]).round(2).tolist()
    [0.24, 0.7, 0.95, 1.0]
    """
    from scipy.special import pdtr

    _check_tolerance(tolerance)
    mean = np.asarray(expected, np.float64)
    low, high = np.ceil(mean / (1 + tolerance) - 1e-9), np.floor(mean / (1 - tolerance) + 1e-9)
    below = np.where(low > 0, pdtr(np.maximum(low - 1, 0), mean), 0.0)
    return np.asarray(np.clip(pdtr(high, mean) - below, 0, 1), np.float64)


def poisson_binomial_interval(
    probability: ArrayLike, *, weight: ArrayLike | None = None, confidence: float = 0.95
) -> tuple[int, int]:
    """Equal-tailed range of the number of events of independent trials with these probabilities.

    Parameters
    ----------
    probability
        0-1, a trial each. Shape (n,).
    weight
        Trials that share the probability, whole numbers; None: one each. Shape (n,).
    confidence
        0-1 exclusive; the range holds at least this much.

    Notes
    -----
    The smallest counts at which the distribution function reaches (1 -+ confidence) / 2. Below a variance
    of 100 the law is computed by the discrete Fourier transform (Fernandez & Williams 2010), above by the
    normal law corrected for skewness (Volkova 1996; Hong 2013).

    Examples
    --------
    >>> poisson_binomial_interval([0.5], weight=[100])
    (40, 60)
    """
    p = np.asarray(probability, np.float64)
    w = np.ones_like(p) if weight is None else np.asarray(weight, np.float64)
    if p.ndim != 1 or w.shape != p.shape:
        raise InputError("weight", f"must have the one axis of probability, {p.shape}", value=w.shape)
    if not (np.all((p >= 0) & (p <= 1)) and np.all(w >= 0)):
        raise InputError("probability", "must lie in 0-1, weights >= 0")
    if not 0 < confidence < 1:
        raise InputError("confidence", "must lie between 0 and 1, both excluded", value=confidence)
    used = (w > 0) & (p > 0)
    p, w = p[used], w[used]
    mean, variance = float(w @ p), float(w @ (p * (1 - p)))
    spread = np.sqrt(variance)
    n_points = min(int(w.sum()), int(mean + 12 * spread + 30)) + 1
    tail = (1 - confidence) / 2
    if variance < _EXACT_BELOW and n_points * len(p) < 20_000_000:
        start, cumulative = 0, np.cumsum(_law(p, w, n_points))
    else:
        third = float(w @ (p * (1 - p) * (1 - 2 * p)))
        start = max(0, int(mean - 10 * spread))
        cumulative = _nearly_normal(np.arange(start, int(mean + 10 * spread) + 2), mean, spread, third)
    low, high = np.searchsorted(cumulative, [tail, 1 - tail - 1e-12])
    return start + int(low), start + int(min(high, len(cumulative) - 1))


def _law(p: Floats, w: Floats, n_points: int) -> Floats:
    """Probabilities of 0, 1, ... n_points - 1 events."""
    angle = 2 * np.pi * np.arange(n_points) / n_points
    size, turn = np.empty(n_points), np.empty(n_points)
    step = max(1, 2_000_000 // max(1, len(p)))
    for start in range(0, n_points, step):
        part = slice(start, start + step)
        factor = 1 + p * (np.exp(1j * angle[part])[:, None] - 1)
        with np.errstate(divide="ignore"):  # a factor may be 0, and so is the product then
            size[part] = np.log(np.abs(factor)) @ w
        turn[part] = np.angle(factor) @ w
    law: Floats = np.fft.fft(np.exp(size) * np.exp(1j * turn)).real / n_points
    return np.clip(law, 0, 1)


def _nearly_normal(count: NDArray[np.int64], mean: float, spread: float, third: float) -> Floats:
    from scipy.special import ndtr

    x = (count + 0.5 - mean) / spread
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    corrected = ndtr(x) + third / spread**3 * (1 - x**2) * density / 6
    return np.maximum.accumulate(np.clip(corrected, 0, 1))


def _check_tolerance(tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise InputError("tolerance", "must lie between 0 and 1, both excluded", value=tolerance)
