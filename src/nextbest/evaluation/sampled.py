"""Metrics against a few sampled items instead of all: only to compare with papers that did so.

They don't keep the order of models (Krichene & Rendle 2020): one and the same BERT4Rec on ml-1m
gives NDCG@10 = 0.60 against 100 sampled items and 0.15 against all. So they have their own names
(`ndcg@10 of 101`) and always warn.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import polars as pl

from nextbest.errors import DataError, InputError
from nextbest.evaluation.ranking import METRICS, Hits, Metric, hits_of
from nextbest.tables import USER_ID

Rng = int | np.random.Generator


class SampledMetricsWarning(UserWarning):
    """A metric was computed against sampled items: it can't be compared with full ranking."""


def evaluate_sampled(
    recommendations: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    n_items: int,
    n_negatives: int = 100,
    rng: Rng,
    k: int | Sequence[int] = (10,),
    metrics: Sequence[Metric] = ("ndcg", "hr"),
) -> pl.DataFrame:
    """Each user's one target ranked among `n_negatives` items drawn evenly from the other candidates.

    The place among the sample is drawn from its exact law, given the place among all: 1 + a
    hypergeometric number of better items. So the model is asked once, for full lists.

    Parameters
    ----------
    recommendations
        Full rankings: as in `evaluate_ranking`, long enough to hold every target.
    targets
        `user_id, item_id`, one target a user.
    n_items
        Candidates of each user, the target among them (items of the model less the excluded ones).
    n_negatives
        Items sampled without replacement, 1..n_items - 1.
    rng, k, metrics
        Generator or seed; as in `evaluate_ranking`.

    Returns
    -------
    DataFrame
        `user_id`, then `<metric>@<k> of <n_negatives + 1>`.

    Warns
    -----
    SampledMetricsWarning
        Always.

    Raises
    ------
    DataError
        A user has two targets, or a target isn't in the user's list.
    InputError
        `n_negatives` or `n_items` doesn't fit.
    """
    if not 1 <= n_negatives < n_items:
        raise InputError("n_negatives", f"must lie in 1..{n_items - 1}", value=n_negatives)
    warnings.warn(
        f"metrics against {n_negatives} sampled items don't keep the order of models and can't stand beside full "
        "ranking; use evaluate_ranking",
        SampledMetricsWarning,
        stacklevel=2,
    )
    users, full = hits_of(recommendations, targets)
    if (several := full.n_relevant > 1).any():
        raise DataError(
            "targets",
            "each user must have one target to be ranked among sampled items",
            n_bad=int(several.sum()),
            examples=users.filter(several).head(5).to_list(),
        )
    if len(full.user) < len(users):
        unlisted = np.bincount(full.user, minlength=len(users)) == 0
        raise DataError(
            "recommendations",
            "each target must be in its user's list",
            n_bad=int(unlisted.sum()),
            examples=users.filter(unlisted).head(5).to_list(),
            remedy="recommend all n_items",
        )
    if int(full.rank.max()) > n_items:
        raise InputError("n_items", "must be at least the length of the lists", value=n_items)
    better = np.random.default_rng(rng).hypergeometric(full.rank - 1, n_items - full.rank, n_negatives)
    hits = Hits(full.user, better.astype(np.int64) + 1, full.n_relevant)
    ks = [k] if isinstance(k, int) else list(k)
    if unknown := [m for m in metrics if m not in METRICS]:
        raise InputError("metrics", f"must be among {list(METRICS)}", value=unknown)
    columns = {
        f"{metric}@{one} of {n_negatives + 1}": METRICS[metric](hits, k=one)
        for metric in metrics
        for one in ks
    }
    return pl.DataFrame({USER_ID: users, **columns})
