"""What another policy would have earned, from a log of decisions with their propensities.

Inverse propensity (IPS), its self-normalised form and the doubly robust estimate, with the effective
sample size that says how far to believe them. All three need every action that the new policy takes
to have had a chance in the log: that is what the exploration log is for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.clustered import ClusteredInterval, bootstrap_clustered_mean, ratio_interval
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OffPolicyValue:
    """Reward per decision of the new policy, three ways, beside the logged one's."""

    logged: ClusteredInterval
    """Mean reward of the log itself."""
    ips: ClusteredInterval
    """Mean of weight x reward: unbiased, and wild when weights are."""
    snips: ClusteredInterval
    """Sum of weight x reward over sum of weights: calmer, a little biased."""
    doubly_robust: ClusteredInterval | None
    """Model's value corrected by weighted residuals; right if either model or propensities are. None without model."""
    effective_sample_size: float
    """(sum of weights)^2 / sum of squared weights (Kish): decisions that the estimate really rests on."""
    largest_weight_share: float
    """Share of the largest weight in all; above a few per cent one client decides."""
    mean_weight: float
    """About 1 when propensities are right and nothing is cut; far from it, one of them is wrong."""
    n_cut: int
    """Weights cut at `max_weight`."""


def off_policy_value(
    reward: ArrayLike,
    *,
    propensity: ArrayLike,
    target: ArrayLike,
    value_logged: ArrayLike | None = None,
    value_target: ArrayLike | None = None,
    clients: ArrayLike | None = None,
    max_weight: float | None = None,
    n_resamples: int = 2000,
    rng: Rng,
    confidence: float = 0.95,
) -> OffPolicyValue:
    """Value of a target policy from decisions that another policy took and logged.

    Parameters
    ----------
    reward
        What followed the logged action: addition 0/1, or money. Shape (n,); finite.
    propensity
        Probability with which the log's policy took the action it took, above 0 to 1. Shape (n,).
    target
        Probability with which the target policy takes that same action in that case, 0-1 (0 or 1 for one
        that doesn't draw). Shape (n,).
    value_logged, value_target
        A model's expected reward of the logged action, and of the target policy (summed over its actions with
        their probabilities). Fitted on other rows than these. Both or none. Shape (n,); finite.
    clients
        Who each row is, integers; None: each row another. Shape (n,).
    max_weight
        Weights above are cut to it: less variance for some bias. None: none is cut.
    n_resamples, rng, confidence
        Of the bootstrap over clients.

    Raises
    ------
    InputError
        Lengths don't fit, one value without the other, or an option is out of range.
    DataError
        A propensity that is 0, NaN or above 1 (what can't be drawn can't be weighed), a target probability
        outside 0-1, a reward that isn't finite, or a target policy that never does what was logged.

    Notes
    -----
    Horvitz & Thompson 1952; Swaminathan & Joachims 2015 (self-normalised); Dudik, Langford & Li 2011 (doubly
    robust).

    Examples
    --------
    >>> found = off_policy_value([1.0, 0.0], propensity=[0.5, 0.5], target=[1.0, 0.0], rng=0)
    >>> found.ips.value, found.snips.value, found.effective_sample_size
    (1.0, 1.0, 1.0)
    """
    r = np.asarray(reward, np.float64)
    if r.ndim != 1 or not len(r):
        raise InputError("reward", "must have one axis and a row", value=r.shape)
    n = len(r)
    p, q = _like("propensity", propensity, n), _like("target", target, n)
    _refuse("reward", "must be finite", ~np.isfinite(r))
    _refuse("propensity", "must be above 0 and at most 1, not NaN", ~((p > 0) & (p <= 1)))
    _refuse("target", "must lie in 0-1, not NaN", ~((q >= 0) & (q <= 1)))
    if (value_logged is None) != (value_target is None):
        raise InputError("value_logged", "must come with value_target, and the other way round")
    if max_weight is not None and not max_weight > 0:
        raise InputError("max_weight", "must be above 0", value=max_weight)
    who = np.arange(n) if clients is None else np.asarray(clients)
    if who.shape != (n,) or not np.issubdtype(who.dtype, np.integer):
        raise InputError("clients", f"must be {n} integers", value=(str(who.dtype), who.shape))
    weight = q / p
    if not weight.any():
        raise DataError(
            "target",
            "is 0 for every logged action, so the log says nothing of this policy",
            n_bad=n,
            remedy="log with exploration, so that each allowed action has a chance",
        )
    n_cut = 0
    if max_weight is not None:
        n_cut = int((weight > max_weight).sum())
        weight = np.minimum(weight, max_weight)
    gen = np.random.default_rng(rng)

    def mean(values: Floats) -> ClusteredInterval:
        return bootstrap_clustered_mean(
            values, clusters=who, n_resamples=n_resamples, rng=gen, confidence=confidence
        )

    different, index = np.unique(who, return_inverse=True)
    doubly_robust = None
    if value_logged is not None and value_target is not None:
        at_logged, at_target = _like("value_logged", value_logged, n), _like("value_target", value_target, n)
        for name, values in (("value_logged", at_logged), ("value_target", at_target)):
            _refuse(name, "must be finite", ~np.isfinite(values))
        doubly_robust = mean(at_target + weight * (r - at_logged))
    return OffPolicyValue(
        logged=mean(r),
        ips=mean(weight * r),
        snips=ratio_interval(
            np.bincount(index, weight * r, minlength=len(different)),
            np.bincount(index, weight, minlength=len(different)),
            n_resamples=n_resamples,
            rng=gen,
            confidence=confidence,
            n=n,
        ),
        doubly_robust=doubly_robust,
        effective_sample_size=float(weight.sum() ** 2 / (weight @ weight)),
        largest_weight_share=float(weight.max() / weight.sum()),
        mean_weight=float(weight.mean()),
        n_cut=n_cut,
    )


def _like(name: str, values: ArrayLike, n: int) -> Floats:
    found = np.asarray(values, np.float64)
    if found.shape != (n,):
        raise InputError(name, f"must be {n} numbers", value=found.shape)
    return found


def _refuse(name: str, rule: str, wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise DataError(name, rule, n_bad=len(rows), examples=rows[:5].tolist())
