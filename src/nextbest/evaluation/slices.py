"""Users in groups, so that a mean doesn't hide whom a model fails: hot, warm, cold, and by history length.

Knows no model and no metric: it sorts users of a split and averages whatever columns it is given.
"""

import itertools
from collections.abc import Sequence

import polars as pl

from nextbest.errors import DataError, InputError
from nextbest.evaluation.significance import Rng, bootstrap_mean
from nextbest.evaluation.splits import Split
from nextbest.tables import USER_ID

SLICE = "slice"


def user_slices(split: Split, *, clients: pl.DataFrame | None = None) -> pl.DataFrame:
    """`user_id, slice` of every target user, sorted by user.

    `hot`: has a history when asked. `warm`: none, but a row in `clients`, so features are known.
    `cold`: nothing is known.

    Examples
    --------
    >>> history = pl.DataFrame({"user_id": [1], "item_id": [7]})
    >>> split = Split(history, history, pl.DataFrame({"user_id": [1, 2, 3], "item_id": [8, 8, 8]}), {})
    >>> user_slices(split, clients=pl.DataFrame({"user_id": [1, 2]}))["slice"].to_list()
    ['hot', 'warm', 'cold']
    """
    users = split.targets.select(pl.col(USER_ID).unique().sort())
    hot = pl.col(USER_ID).is_in(split.history[USER_ID].unique().implode())
    known = pl.Series(USER_ID, [], dtype=users.schema[USER_ID]) if clients is None else clients[USER_ID]
    warm = pl.col(USER_ID).is_in(known.unique().implode())
    label = pl.when(hot).then(pl.lit("hot")).when(warm).then(pl.lit("warm")).otherwise(pl.lit("cold"))
    return users.with_columns(label.alias(SLICE))


def history_slices(split: Split, *, edges: Sequence[int] = (1, 5, 20, 100)) -> pl.DataFrame:
    """`user_id, slice` of every target user by number of events in the history, sorted by user.

    `edges` are the first lengths of each group, rising, from 1: (1, 5) gives `0`, `1-4`, `5+`.
    """
    if list(edges) != sorted(set(edges)) or not edges or edges[0] < 1:
        raise InputError("edges", "must rise strictly from 1 or more", value=list(edges))
    names = [f"{a}-{b - 1}" if b - 1 > a else str(a) for a, b in itertools.pairwise(edges)]
    below = "0" if edges[0] == 1 else f"0-{edges[0] - 1}"
    users = split.targets.select(pl.col(USER_ID).unique().sort())
    lengths = split.history.group_by(USER_ID).len("n")
    joined = users.join(lengths, on=USER_ID, how="left", maintain_order="left")
    label: pl.Expr = pl.lit(below)
    for edge, name in zip(edges, [*names, f"{edges[-1]}+"], strict=True):
        label = pl.when(pl.col("n").fill_null(0) >= edge).then(pl.lit(name)).otherwise(label)
    return joined.select(USER_ID, label.alias(SLICE))


def slice_means(
    per_user: pl.DataFrame,
    slices: pl.DataFrame,
    *,
    n_resamples: int = 2000,
    rng: Rng,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Mean of every metric in every slice with its bootstrap interval.

    Parameters
    ----------
    per_user
        What `evaluate_ranking` returns.
    slices
        `user_id, slice`, a row for each user of `per_user`.
    n_resamples, rng, confidence
        As in `bootstrap_mean`.

    Returns
    -------
    DataFrame
        `slice, n_users, metric, value, ci_low, ci_high`, sorted by slice, metrics in the given order;
        an interval of one user is that user.

    Raises
    ------
    DataError
        A user has no slice or two.
    """
    if slices[USER_ID].n_unique() != len(slices):
        raise DataError("slices", "each user must stand in one slice", n_bad=len(slices))
    joined = per_user.join(slices.select(USER_ID, SLICE), on=USER_ID, how="left")
    if n_missing := joined[SLICE].null_count():
        missing = joined.filter(pl.col(SLICE).is_null())[USER_ID].head(5).to_list()
        raise DataError(
            "slices", "each user of per_user must have a slice", n_bad=n_missing, examples=missing
        )
    rows = []
    for (name,), part in joined.sort(SLICE, USER_ID).group_by(SLICE, maintain_order=True):
        for metric in [c for c in per_user.columns if c != USER_ID]:
            found = bootstrap_mean(
                part[metric].to_numpy(), n_resamples=n_resamples, rng=rng, confidence=confidence
            )
            rows.append((name, len(part), metric, found.value, found.ci_low, found.ci_high))
    return pl.DataFrame(
        rows,
        schema={
            SLICE: pl.String,
            "n_users": pl.Int64,
            "metric": pl.String,
            "value": pl.Float64,
            "ci_low": pl.Float64,
            "ci_high": pl.Float64,
        },
        orient="row",
    )
