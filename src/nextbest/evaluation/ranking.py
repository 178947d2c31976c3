"""Ranking metrics at k: an array core on the places of hits, and a table wrapper for recommendations.

Full ranking only: an item that isn't in a list is a miss. Sampled metrics live in `sampled`, under
their own name. Knows no model; one number per user, means and intervals are `significance`'s.

Each metric says its variant, because "NDCG@3" is three numbers in three libraries. All agree with
trec_eval (`ir_measures`, `ranx`) on binary relevance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import InputError
from nextbest.evaluation.lists import checked_targets, list_places, target_hits
from nextbest.tables import USER_ID

Floats = NDArray[np.float64]
Metric = Literal["hr", "recall", "recall_capped", "precision", "mrr", "map", "map_capped", "ndcg"]


@dataclass(frozen=True, eq=False)
class Hits:
    """Where the relevant items stand in each user's list: all that any metric here needs.

    Hits are few where places are many, so this form is small and quick to count.
    """

    user: NDArray[np.int64]
    """Row of the user of each hit. Shape (n_hits,); not decreasing."""
    rank: NDArray[np.int64]
    """Place of each hit, 1 = best. Shape (n_hits,); rising inside a user."""
    n_relevant: NDArray[np.int64]
    """Relevant items of each user, listed or not. Shape (n_users,); >= 0."""

    @classmethod
    def from_matrix(cls, relevant: NDArray[np.bool_], n_relevant: NDArray[np.integer]) -> Self:
        """From a mask of relevant places, best first. Shapes (n_users, n_places) and (n_users,).

        Raises
        ------
        InputError
            Shapes don't fit, or a list holds more relevant items than the user has.
        """
        if relevant.ndim != 2 or n_relevant.shape != relevant.shape[:1]:
            raise InputError("relevant", "must be (n_users, n_places) for n_relevant (n_users,)")
        if (relevant.sum(axis=1) > n_relevant).any():
            raise InputError("n_relevant", "must be at least the number of hits of the user")
        user, place = np.nonzero(relevant)
        return cls(user, place + 1, n_relevant.astype(np.int64))

    @property
    def n_users(self) -> int:
        """Users, those without any hit included."""
        return len(self.n_relevant)

    @cached_property
    def nth(self) -> NDArray[np.int64]:
        """How many hits the user has up to this one. Shape (n_hits,); 1 for the first."""
        first = np.searchsorted(self.user, self.user, side="left")
        return np.arange(1, len(self.user) + 1) - first

    def summed(self, k: int, gain: Floats | None = None) -> Floats:
        """Sum of `gain` (1 without) over each user's hits in the first `k` places. Shape (n_users,)."""
        inside = self.rank <= k
        weights = None if gain is None else gain[inside]
        return np.bincount(self.user[inside], weights=weights, minlength=self.n_users).astype(np.float64)


def hit_rate_at_k(hits: Hits, *, k: int) -> Floats:
    """1 if any relevant item is among the first `k`, else 0. Shape (n_users,); NaN without relevant items.

    trec_eval's `success`.
    """
    return _nan_without_relevant(hits, np.minimum(hits.summed(_checked_k(k)), 1.0))


def recall_at_k(hits: Hits, *, k: int) -> Floats:
    """Hits among the first `k` over *all* relevant items. Shape (n_users,); NaN without relevant items.

    Can't reach 1 for a user with more than `k` of them; `recall_capped_at_k` can.
    """
    return _nan_without_relevant(hits, hits.summed(_checked_k(k)) / np.maximum(hits.n_relevant, 1))


def recall_capped_at_k(hits: Hits, *, k: int) -> Floats:
    """Hits among the first `k` over min(k, relevant items). Shape (n_users,); NaN without relevant items."""
    best = np.minimum(np.maximum(hits.n_relevant, 1), _checked_k(k))
    return _nan_without_relevant(hits, hits.summed(k) / best)


def precision_at_k(hits: Hits, *, k: int) -> Floats:
    """Hits among the first `k` over `k`, also for shorter lists. Shape (n_users,); NaN without relevant items."""
    return _nan_without_relevant(hits, hits.summed(_checked_k(k)) / k)


def mrr_at_k(hits: Hits, *, k: int) -> Floats:
    """1 over the place of the first hit, 0 if it is past `k`. Shape (n_users,); NaN without relevant items."""
    return _nan_without_relevant(hits, hits.summed(_checked_k(k), (hits.nth == 1) / hits.rank))


def map_at_k(hits: Hits, *, k: int) -> Floats:
    """Average precision: precision at each hit among the first `k`, summed, over *all* relevant items.

    Shape (n_users,); NaN without relevant items. trec_eval's `map_cut`; competitions divide by
    min(k, relevant items) instead: `map_capped_at_k`.
    """
    summed = hits.summed(_checked_k(k), hits.nth / hits.rank)
    return _nan_without_relevant(hits, summed / np.maximum(hits.n_relevant, 1))


def map_capped_at_k(hits: Hits, *, k: int) -> Floats:
    """Average precision over min(k, relevant items): the MAP@k of Kaggle (H&M, Santander).

    Shape (n_users,); NaN without relevant items.
    """
    summed = hits.summed(_checked_k(k), hits.nth / hits.rank)
    return _nan_without_relevant(hits, summed / np.minimum(np.maximum(hits.n_relevant, 1), k))


def ndcg_at_k(hits: Hits, *, k: int) -> Floats:
    """Discounted gain of the first `k` over that of the best list *of k places*.

    Shape (n_users,); NaN without relevant items.

    Notes
    -----
    Järvelin & Kekäläinen 2002 with binary gain and discount log2(place + 1); the ideal list is cut
    at `k`: it holds min(k, relevant items) hits. Equals trec_eval's `ndcg_cut`. Libraries that put
    all relevant items into the ideal give smaller numbers, those that take only the listed ones larger.
    """
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, _checked_k(k) + 2)))
    best = ideal[np.minimum(np.maximum(hits.n_relevant, 1), k) - 1]
    return _nan_without_relevant(hits, hits.summed(k, 1.0 / np.log2(hits.rank + 1.0)) / best)


METRICS: Mapping[str, Callable[..., Floats]] = {
    "hr": hit_rate_at_k,
    "recall": recall_at_k,
    "recall_capped": recall_capped_at_k,
    "precision": precision_at_k,
    "mrr": mrr_at_k,
    "map": map_at_k,
    "map_capped": map_capped_at_k,
    "ndcg": ndcg_at_k,
}
"""Every ranking metric by its name in columns (`ndcg@10`) and recipes."""
DEFAULT_METRICS: tuple[Metric, ...] = ("ndcg", "hr", "recall", "precision", "mrr", "map")


def evaluate_ranking(
    recommendations: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    k: int | Sequence[int] = (10,),
    metrics: Sequence[Metric] = DEFAULT_METRICS,
) -> pl.DataFrame:
    """Every metric at every k, a row per user who has targets, sorted by user.

    Parameters
    ----------
    recommendations
        Columns `user_id, item_id, rank`: each user's rows together, ranks 1, 2, 3, ... in order,
        no item twice. Users without targets are ignored.
    targets
        Columns `user_id, item_id`; a row twice counts once. Items that no list could hold (unknown to
        the model) count as misses.
    k
        One or more list lengths, each 1 or more.
    metrics
        Names of `METRICS`.

    Returns
    -------
    DataFrame
        `user_id`, then `<metric>@<k>` in the order asked. A user without recommendations has 0
        everywhere, never NaN.

    Raises
    ------
    DataError
        A list is out of order or holds an item twice, ranks have gaps, an id is null, the ids of
        both tables differ in type, or there is no target.
    InputError
        A `k` below 1 or an unknown metric.

    Examples
    --------
    >>> recs = pl.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "rank": [1, 2]})
    >>> targets = pl.DataFrame({"user_id": [1, 2], "item_id": [8, 8]})
    >>> evaluate_ranking(recs, targets, k=2, metrics=["hr", "mrr"])["mrr@2"].to_list()
    [0.5, 0.0]
    """
    ks = [k] if isinstance(k, int) else list(k)
    if not ks or not metrics:
        raise InputError("k" if not ks else "metrics", "must name at least one")
    for one in ks:
        _checked_k(one)
    if unknown := [m for m in metrics if m not in METRICS]:
        raise InputError("metrics", f"must be among {list(METRICS)}", value=unknown)
    users, hits = hits_of(recommendations, targets, max_k=max(ks))
    columns = {f"{metric}@{one}": METRICS[metric](hits, k=one) for metric in metrics for one in ks}
    return pl.DataFrame({USER_ID: users, **columns})


def hits_of(
    recommendations: pl.DataFrame, targets: pl.DataFrame, *, max_k: int | None = None
) -> tuple[pl.Series, Hits]:
    """The target users, sorted, and where their targets stand in their lists.

    Checks both tables as `evaluate_ranking` says; places past `max_k` are left out.
    """
    places = list_places(recommendations)
    wanted = checked_targets(targets, recommendations)
    users = wanted[USER_ID].unique().sort()
    user, rank, n_relevant = target_hits(places, wanted, users, max_k=max_k)
    return users, Hits(user, rank, n_relevant)


def _nan_without_relevant(hits: Hits, values: Floats) -> Floats:
    return np.where(hits.n_relevant > 0, values, np.nan)


def _checked_k(k: int) -> int:
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)
    return k
