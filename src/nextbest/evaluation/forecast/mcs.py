"""Model Confidence Set: the models that the data can't tell from the best one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError
from nextbest.evaluation.forecast.block_bootstrap import (
    Kind,
    Reliability,
    default_block_length,
    reliability,
    resampled_means,
)
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
Statistic = Literal["range", "max"]
MIN_DATES = 10


@dataclass(frozen=True, eq=False)
class MCS:
    """Which models stay when the worst is taken out until the rest can't be told apart."""

    included: NDArray[np.bool_]
    """True: in the set. Shape (M,). All True where there is no test."""
    p: Floats
    """MCS p-value, shape (M,): the model is in every set of level 1 - alpha with alpha below it. NaN where there is no test."""
    n: int
    """Dates that counted."""
    n_nan: int
    """Dates left out: a NaN in any of the losses."""
    block_length: int
    reason: str | None = None
    """Why there is no test."""


def model_confidence_set(
    losses_DM: ArrayLike,
    *,
    alpha: float = 0.1,
    rng: Rng,
    statistic: Statistic = "range",
    n_resamples: int = 2000,
    block_length: int | None = None,
    overlap: int = 1,
    kind: Kind = "stationary",
    small_sample: bool = True,
    indices_BD: ArrayLike | None = None,
) -> MCS:
    """The smallest set that holds the best model with probability 1 - `alpha` at least.

    Parameters
    ----------
    losses_DM
        Losses by date, oldest first, of all models, the benchmark among them. Shape (D, M); any unit, the same for
        all; a date with a NaN anywhere is left out and counted.
    alpha
        0-1 exclusive; 0.1 is a 90 % set.
    statistic
        `range` (T_R: the largest studentised difference of any two models) or `max` (T_max: of a model from the
        mean of all that are left).
    rng, n_resamples, block_length, overlap, kind, small_sample, indices_BD
        As in `spa`.

    Returns
    -------
    MCS
        Models with the very same losses are one model: they stay or go together. Without a test (one model, or fewer
        than 10 dates) all are in, p is NaN and `reason` says why.

    Raises
    ------
    InputError
        Wrong axes, an infinite loss, or a parameter out of range.

    Notes
    -----
    Hansen, Lunde & Nason 2011. Variances are the bootstrap's own. p-values never fall from one elimination to the
    next; the last model's is 1. A wide set says that the data are few, not that the models are equal.

    Examples
    --------
    >>> gen = np.random.default_rng(0)
    >>> model_confidence_set(gen.normal(size=(200, 3)) + [0, 0, 1], rng=0).included.tolist()
    [True, True, False]
    """
    if not 0 < alpha < 1:
        raise InputError("alpha", "must lie between 0 and 1, both excluded", value=alpha)
    if statistic not in ("range", "max"):
        raise InputError("statistic", "must be 'range' or 'max'", value=statistic)
    losses = np.asarray(losses_DM, np.float64)
    if losses.ndim != 2 or not losses.shape[1]:
        raise InputError("losses_DM", "must have the axes date and model", value=losses.shape)
    if np.isinf(losses).any():
        raise InputError("losses_DM", "must be finite or NaN", value=int(np.isinf(losses).sum()))
    kept = ~np.isnan(losses).any(axis=1)
    n, n_nan, n_models = int(kept.sum()), int((~kept).sum()), losses.shape[1]
    length = default_block_length(n, overlap) if block_length is None else block_length
    reason = None
    if n_models < 2:
        reason = "one model has nothing to be compared with"
    if n < MIN_DATES:
        reason = f"{n} dates, {MIN_DATES} needed"
    if reason is not None:
        return MCS(np.ones(n_models, bool), np.full(n_models, np.nan), n, n_nan, length, reason)
    losses = losses[kept]
    first, twin_M = _different(losses)
    distinct = losses[:, first]
    mean_K = distinct.mean(axis=0)
    draws_BK = resampled_means(
        distinct - mean_K,  # recentred: in the resamples all models are equally good
        n_resamples=n_resamples,
        block_length=length,
        kind=kind,
        rng=rng,
        indices_BD=indices_BD,
    )
    worth = reliability(n, block_length=length, overlap=overlap, kind=kind) if small_sample else None
    p_K = (_eliminate_range if statistic == "range" else _eliminate_max)(mean_K, draws_BK, worth)
    p_M = p_K[twin_M]
    return MCS(p_M > alpha, p_M, n, n_nan, length)


def _different(losses_DM: Floats) -> tuple[list[int], NDArray[np.int64]]:
    """Columns that no earlier one equals, and of each column the place of its equal among them."""
    seen: dict[bytes, int] = {}
    first: list[int] = []
    twin = np.empty(losses_DM.shape[1], np.int64)
    for column in range(losses_DM.shape[1]):
        key = np.ascontiguousarray(losses_DM[:, column]).tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(column)
        twin[column] = seen[key]
    return first, twin


def _eliminate_range(mean_K: Floats, draws_BK: Floats, worth: Reliability | None) -> Floats:
    """MCS p-values by T_R. Shape (K,)."""
    k = len(mean_K)
    lead_KK = mean_K[:, None] - mean_K
    variance_KK = np.empty((k, k))
    for i in range(k):  # a model at a time: (B, K, K) for 40 models and 10,000 resamples would be 128 MB
        variance_KK[i] = ((draws_BK[:, i, None] - draws_BK) ** 2).mean(axis=0)
    sd_KK = np.sqrt(variance_KK)
    t_KK = _standardised(lead_KK, sd_KK, worth)
    safe_KK = np.where(sd_KK > 0, sd_KK, np.inf)
    left = np.ones(k, bool)
    p_K = np.ones(k)
    running = 0.0
    while left.sum() > 1:
        rows = np.flatnonzero(left)
        observed = t_KK[np.ix_(rows, rows)]
        top = observed.max()
        simulated = np.full(len(draws_BK), -np.inf)
        for i in rows.tolist():
            worst = ((draws_BK[:, i, None] - draws_BK[:, rows]) / safe_KK[i, rows]).max(axis=1)
            np.maximum(simulated, worst, out=simulated)
        running = max(running, float((top < simulated).mean()))
        worst_model = int(rows[observed.max(axis=1).argmax()])
        p_K[worst_model] = running
        left[worst_model] = False
    return p_K


def _eliminate_max(mean_K: Floats, draws_BK: Floats, worth: Reliability | None) -> Floats:
    """MCS p-values by T_max. Shape (K,)."""
    left = np.ones(len(mean_K), bool)
    p_K = np.ones(len(mean_K))
    running = 0.0
    while left.sum() > 1:
        rows = np.flatnonzero(left)
        draws = draws_BK[:, rows] - draws_BK[:, rows].mean(axis=1, keepdims=True)
        sd = np.sqrt((draws**2).mean(axis=0))
        observed = _standardised(mean_K[rows] - mean_K[rows].mean(), sd, worth)
        simulated = (draws / np.where(sd > 0, sd, np.inf)).max(axis=1)
        running = max(running, float((observed.max() < simulated).mean()))
        worst_model = int(rows[observed.argmax()])
        p_K[worst_model] = running
        left[worst_model] = False
    return p_K


def _standardised(difference: Floats, sd: Floats, worth: Reliability | None) -> Floats:
    """Difference over its spread; without any spread it is certain: plus or minus infinity, 0 where there is none."""
    certain = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    ratio = np.where(sd > 0, difference / np.where(sd > 0, sd, 1.0), certain)
    return ratio if worth is None else worth.normal_equivalent(ratio)
