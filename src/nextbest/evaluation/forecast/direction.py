"""Up or down, and who goes up more: directional accuracy with two intervals, rank IC across assets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.evaluation.calibration import wilson_interval
from nextbest.evaluation.forecast.block_bootstrap import date_interval
from nextbest.evaluation.forecast.cells import paired_cells
from nextbest.evaluation.forecast.hac import MeanTest, hac_mean_test
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Direction:
    """Share of right signs. `ci_low` to `ci_high` is the one to believe."""

    accuracy: float | None
    """0-1; None without a cell that has a direction."""
    wilson_low: float | None
    """As if every cell were its own observation: too narrow when assets move together."""
    wilson_high: float | None
    ci_low: float | None
    """By blocks of origin dates; None for fewer than `MIN_DATES` of them."""
    ci_high: float | None
    n: int
    """Cells that counted."""
    n_dates: int
    """Dates that hold any."""
    n_zero_forecast: int
    """Left out: the forecast says neither."""
    n_tied: int
    """Left out: the price came out where it began (and the forecast wasn't zero)."""
    n_nan: int
    """Left out: no forecast or no outcome."""


def direction_accuracy(
    forecast_OA: ArrayLike,
    outcome_OA: ArrayLike,
    *,
    rng: Rng,
    overlap: int = 1,
    block_length: int | None = None,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Direction:
    """Share of cells where the forecast has the sign of the outcome.

    Parameters
    ----------
    forecast_OA, outcome_OA
        Log-returns. Shape (O, A), origins oldest first; a cell with a NaN, a zero forecast or a zero outcome is left
        out and counted: none of them is half a hit.
    overlap
        Origins that share steps of one forecast (`hac.overlap`).
    rng, block_length, n_resamples, confidence
        As in `date_interval`.

    Raises
    ------
    InputError
        Shapes don't fit or a parameter is out of range.

    Notes
    -----
    Intervals: Wilson 1927 over cells, and a stationary bootstrap over dates. Twelve coins on 212 days are
    nearer to 212 observations than to 2,544. A market that fell makes "always down" accurate: hold it against that too.
    """
    forecast, outcome = paired_cells(forecast_OA, outcome_OA)
    gone = np.isnan(forecast)
    zero = ~gone & (forecast == 0)
    tied = ~gone & ~zero & (outcome == 0)
    counted = ~gone & ~zero & ~tied
    right = counted & ((forecast > 0) == (outcome > 0))
    n = int(counted.sum())
    left_out = int(zero.sum()), int(tied.sum()), int(gone.sum())
    if not n:
        return Direction(None, None, None, None, None, 0, 0, *left_out)
    low, high = wilson_interval(right.sum(), n, confidence=confidence)
    found = date_interval(
        right.sum(axis=1),
        counted.sum(axis=1),
        rng=rng,
        overlap=overlap,
        block_length=block_length,
        n_resamples=n_resamples,
        confidence=confidence,
        low=0.0,
        high=1.0,
    )
    ci_low, ci_high = (None if np.isnan(end) else end for end in (found.ci_low, found.ci_high))
    return Direction(found.value, float(low), float(high), ci_low, ci_high, n, found.n_clusters, *left_out)


def rank_correlations(forecast_OA: ArrayLike, outcome_OA: ArrayLike, *, min_assets: int = 3) -> Floats:
    """Spearman's rank correlation across assets at each origin. Shape (O,); -1 to 1.

    NaN where fewer than `min_assets` cells hold both, or where all forecasts or all outcomes are equal: a model that says
    the same of all assets ranks nothing. Ties get the mean rank.
    """
    from scipy.stats import rankdata

    if min_assets < 2:
        raise InputError("min_assets", "must be 2 or more", value=min_assets)
    forecast, outcome = paired_cells(forecast_OA, outcome_OA)
    counted = ~np.isnan(forecast)
    n = counted.sum(axis=1, keepdims=True)
    ranks = []
    for values in (forecast, outcome):
        rank = np.where(counted, rankdata(np.where(counted, values, np.inf), axis=1), 0.0)
        ranks.append(np.where(counted, rank - rank.sum(axis=1, keepdims=True) / np.maximum(n, 1), 0.0))
    a, b = ranks
    top = (a * b).sum(axis=1)
    under = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    usable = (n[:, 0] >= min_assets) & (under > 0)
    return np.where(usable, top / np.where(under > 0, under, 1.0), np.nan)


def rank_ic(
    forecast_OA: ArrayLike, outcome_OA: ArrayLike, *, horizon: int = 1, min_assets: int = 3
) -> MeanTest:
    """Mean over dates of the rank correlation across assets, with a HAC t.

    Parameters
    ----------
    forecast_OA, outcome_OA
        Log-returns (or any score: only ranks count). Shape (O, A), origins oldest first.
    horizon
        Steps ahead counted in origins (`hac.overlap`).
    min_assets
        Dates with fewer are left out; 2 or more.

    Returns
    -------
    MeanTest
        `mean` is the IC, -1 to 1; `n_nan` counts dates left out.

    Raises
    ------
    InputError
        Shapes don't fit or a parameter is out of range.

    Notes
    -----
    The information coefficient of Grinold 1989 in its rank form. An IC of 0.03 with t > 3 over 500 days would be news.
    """
    return hac_mean_test(rank_correlations(forecast_OA, outcome_OA, min_assets=min_assets), horizon=horizon)
