"""Superior predictive ability: does the best of many models beat the benchmark, its being the best counted in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.evaluation.forecast.block_bootstrap import (
    Kind,
    default_block_length,
    kernel,
    reliability,
    resampled_means,
)
from nextbest.evaluation.forecast.hac import autocovariances
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
MIN_DATES = 10


@dataclass(frozen=True)
class SPA:
    """P-values of "no model is better than the benchmark"; small: at least one is."""

    lower: float | None
    """Supposes that models worse than the benchmark are worse in truth by as much: too small at times."""
    consistent: float | None
    """The one to read: models that are clearly worse don't count against the others."""
    upper: float | None
    """White's reality check, studentised: every model counts as if equal to the benchmark."""
    best: int | None
    """Column of the model with the largest studentised lead."""
    n: int
    """Dates that counted."""
    n_nan: int
    """Dates left out: a NaN in any of the losses."""
    n_models: int
    """Models compared: those that differ from the benchmark."""
    block_length: int
    reason: str | None = None
    """Why there is no p-value."""


@dataclass(frozen=True)
class _Simulated:
    lead: Floats
    """Mean loss of the benchmark less the model's, in standard deviations when studentised. Shape (K,)."""
    draws: Floats
    """The same in resamples, recentred: lower, consistent, upper. Shape (K, B, 3)."""
    columns: NDArray[np.int64]
    """Models that differ from the benchmark. Shape (K,)."""
    n: int
    n_nan: int
    block_length: int
    reason: str | None


def spa(
    loss_D: ArrayLike,
    losses_DM: ArrayLike,
    *,
    rng: Rng,
    n_resamples: int = 2000,
    block_length: int | None = None,
    overlap: int = 1,
    kind: Kind = "stationary",
    studentize: bool = True,
    small_sample: bool = True,
    indices_BD: ArrayLike | None = None,
) -> SPA:
    """Hansen's test that no model of many has a smaller mean loss than the benchmark.

    Parameters
    ----------
    loss_D
        Loss of the benchmark by date, oldest first. Shape (D,). For returns of strategies give minus the return.
    losses_DM
        Losses of all models that were tried, also those nobody looked at. Shape (D, M); the unit of `loss_D`.
        A date with a NaN anywhere is left out and counted: leave out models that seldom answer first.
    rng
        Generator or seed.
    n_resamples, kind
        Resamples of dates in blocks, 1 or more.
    block_length
        Mean block, 1 to D; None: `default_block_length` of the dates and `overlap`.
    studentize
        Divide each lead by its standard deviation, as Hansen does. False: `arch`'s statistic, where the noisiest
        model decides.
    small_sample
        Correct observed leads for what the bootstrap's variance is worth (`reliability`); only with `studentize`.
        False: the published test, which refuses too often when forecasts overlap.
    indices_BD
        Resampled row numbers in place of drawn ones; of the dates that count. Shape (B, dates).

    Returns
    -------
    SPA
        The share of resamples whose best lead is above the observed best one: 0 means below 1 / n_resamples. A model
        whose loss is the benchmark's on every date isn't counted. All None, with a reason, when no model differs
        or fewer than 10 dates count.

    Raises
    ------
    InputError
        Shapes don't fit, a loss is infinite, or a parameter is out of range.

    Notes
    -----
    Hansen 2005. d = loss_D - losses_DM; w^2 its long-run variance with the weights of the stationary bootstrap,
    (1 - i/n)(1 - q)^i + (i/n)(1 - q)^(n - i), q = 1 / block_length; T = max of mean(d) / w; draws are recentred at
    max(mean, 0) (lower), mean where mean >= -w sqrt(2 log log n / n) else 0 (consistent), mean (upper). Hansen cuts
    T at 0; here it isn't cut, which matters only when no model leads at all: p then says how far behind.

    Examples
    --------
    >>> gen = np.random.default_rng(0)
    >>> noise = gen.normal(size=(200, 1))
    >>> spa(noise[:, 0], noise - [0.5] + gen.normal(size=(200, 3)), rng=0).consistent < 0.01
    True
    """
    found = _simulate(
        loss_D,
        losses_DM,
        rng=rng,
        n_resamples=n_resamples,
        block_length=block_length,
        overlap=overlap,
        kind=kind,
        studentize=studentize,
        small_sample=small_sample,
        indices_BD=indices_BD,
    )
    n_models = len(found.columns)
    if found.reason is not None:
        return SPA(None, None, None, None, found.n, found.n_nan, n_models, found.block_length, found.reason)
    top = found.lead.max()
    lower, consistent, upper = (found.draws.max(axis=0) > top).mean(axis=0).tolist()
    best = int(found.columns[found.lead.argmax()])
    return SPA(lower, consistent, upper, best, found.n, found.n_nan, n_models, found.block_length)


def stepm(
    loss_D: ArrayLike,
    losses_DM: ArrayLike,
    *,
    alpha: float = 0.05,
    rng: Rng,
    n_resamples: int = 2000,
    block_length: int | None = None,
    overlap: int = 1,
    kind: Kind = "stationary",
    studentize: bool = True,
    small_sample: bool = True,
    indices_BD: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Which models beat the benchmark, with a chance of at most `alpha` that any of them is there wrongly.

    Parameters
    ----------
    alpha
        Family-wise error rate, 0-1 exclusive.
    loss_D, losses_DM, rng, n_resamples, block_length, overlap, kind, studentize, small_sample, indices_BD
        As in `spa`.

    Returns
    -------
    ndarray of bool, shape (M,)
        All False where `spa` has no p-value.

    Raises
    ------
    InputError
        As in `spa`, or `alpha` out of range.

    Notes
    -----
    Romano & Wolf 2005, step-down, with Hansen's consistent recentring (Hsu, Hsu & Kuan 2010), as in `arch`: models
    whose lead is above the 1 - alpha quantile of the best resampled lead are taken out, and the rest tried again.
    """
    if not 0 < alpha < 1:
        raise InputError("alpha", "must lie between 0 and 1, both excluded", value=alpha)
    found = _simulate(
        loss_D,
        losses_DM,
        rng=rng,
        n_resamples=n_resamples,
        block_length=block_length,
        overlap=overlap,
        kind=kind,
        studentize=studentize,
        small_sample=small_sample,
        indices_BD=indices_BD,
    )
    better = np.zeros(np.asarray(losses_DM).shape[1], bool)
    rest = np.ones(len(found.columns), bool)
    while found.reason is None and rest.any():
        bar = np.quantile(found.draws[rest, :, 1].max(axis=0), 1 - alpha)
        passed = rest & (found.lead > bar)
        if not passed.any():
            break
        better[found.columns[passed]] = True
        rest &= ~passed
    return better


def _simulate(
    loss_D: ArrayLike,
    losses_DM: ArrayLike,
    *,
    rng: Rng,
    n_resamples: int,
    block_length: int | None,
    overlap: int,
    kind: Kind,
    studentize: bool,
    small_sample: bool,
    indices_BD: ArrayLike | None,
) -> _Simulated:
    """Leads over the benchmark, and what they come to in resamples where none is real."""
    loss, losses = np.asarray(loss_D, np.float64), np.asarray(losses_DM, np.float64)
    if loss.ndim != 1 or losses.ndim != 2 or len(losses) != len(loss):
        raise InputError("losses_DM", f"must have a row for each of {loss.shape} dates", value=losses.shape)
    if np.isinf(loss).any() or np.isinf(losses).any():
        raise InputError("losses_DM", "must be finite or NaN", value=int(np.isinf(losses).sum()))
    lead_DM = loss[:, None] - losses
    kept = ~np.isnan(lead_DM).any(axis=1)
    lead_DM = lead_DM[kept]
    n, n_nan = len(lead_DM), int((~kept).sum())
    scale = np.abs(loss[kept]).max(initial=0.0)
    columns = np.flatnonzero((np.abs(lead_DM) > 1e-12 * scale).any(axis=0))
    length = default_block_length(n, overlap) if block_length is None else block_length
    reason = None
    if not len(columns):
        reason = "no model differs from the benchmark"
    if n < MIN_DATES:
        reason = f"{n} dates, {MIN_DATES} needed"
    if reason is not None:
        return _Simulated(np.empty(0), np.empty((0, 0, 3)), columns, n, n_nan, length, reason)
    lead_DK = lead_DM[:, columns]
    mean_K = lead_DK.mean(axis=0)
    variance_K = _long_run_variances(lead_DK, length)
    # A lead that is the same every day has no noise to compare with: a hair of it keeps 0 / 0 out
    spread_K = np.sqrt(np.maximum(variance_K, (1e-9 * np.abs(mean_K)) ** 2))
    draws_BK = resampled_means(
        lead_DK,
        n_resamples=n_resamples,
        block_length=length,
        kind=kind,
        rng=rng,
        indices_BD=indices_BD,
    )
    relevant = mean_K >= -spread_K * np.sqrt(2 * np.log(np.log(n)) / n)
    centres = np.stack([np.maximum(mean_K, 0), np.where(relevant, mean_K, 0), mean_K], axis=-1)
    unit_K = spread_K if studentize else np.ones_like(spread_K)
    draws_KB3 = (draws_BK.T[:, :, None] - centres[:, None, :]) / unit_K[:, None, None]
    lead_K = mean_K / unit_K
    if studentize and small_sample:
        worth = reliability(n, block_length=length, overlap=overlap, kind="stationary")
        lead_K = worth.normal_equivalent(lead_K * np.sqrt(n)) / np.sqrt(n)
    return _Simulated(lead_K, draws_KB3, columns, n, n_nan, length, None)


def _long_run_variances(values_DK: Floats, block_length: int) -> Floats:
    """Variance of sqrt(n) times the mean of each column under the stationary bootstrap. Shape (K,)."""
    weights = kernel(len(values_DK), block_length=block_length)
    weights[0] = 0.5  # lag 0 counts once, the others on both sides
    found: Floats = np.maximum(2 * (weights @ autocovariances(values_DK)), 0.0)
    return found
