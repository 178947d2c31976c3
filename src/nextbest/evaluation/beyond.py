"""What lists are like besides right or wrong: coverage, novelty, diversity, popularity bias, serendipity.

Popularity is always that of the *training* rows given, so that no figure looks past the cutoff.
Knows no model.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.lists import list_places
from nextbest.evaluation.ranking import hits_of
from nextbest.tables import ITEM_ID, USER_ID

Floats = NDArray[np.float64]
HEAD_FRACTION = 0.2
"""Share of items, the most popular first, that count as the head; the rest is the long tail."""


def evaluate_lists(
    recommendations: pl.DataFrame,
    train: pl.DataFrame,
    *,
    k: int | Sequence[int] = 10,
    catalog: pl.DataFrame | None = None,
    item_vectors: pl.DataFrame | None = None,
    targets: pl.DataFrame | None = None,
) -> dict[str, float | None]:
    """Figures of whole lists, `<name>@<k>`; None where no list allows one.

    ==========================  ==========================================================================
    `catalog_coverage`          items listed at least once over all items (of train, catalogue and lists), 0-1
    `filled`                    mean list length over k, 0-1
    `novelty`                   mean self-information -log2(users of the item / users), bits; an item nobody
                                took counts as taken by one (Zhou et al. 2010; RecTools' MIUF)
    `arp`                       average recommendation popularity: mean events of the listed items
                                (Yin et al. 2012)
    `popularity_lift`           arp over the same average in the histories of the same users, minus 1; 0 = lists
                                as popular as what these users take (Abdollahpouri et al. 2019)
    `gini`                      inequality of exposure over all items, 0 = equal, near 1 = one item has all
    `long_tail_share`           places held by items outside the most popular fifth, 0-1
    `category_diversity`        pairs in a list of different category, 0-1; needs `catalog.category`
    `vector_diversity`          mean 1 - cosine of the pairs in a list, 0-2; needs `item_vectors`
    `serendipity`               places that hit a target and aren't among the k most popular items, over k
                                (Ge et al. 2010, popularity as the primitive); needs `targets`
    ==========================  ==========================================================================

    Parameters
    ----------
    recommendations
        As in `evaluate_ranking`.
    train
        The rows a model was fitted on: `user_id, item_id`.
    k
        One or more list lengths.
    catalog
        All items that could be listed, with `category` if there is one.
    item_vectors
        Columns `item_id, vector` (a list or array of numbers, one length); pairs with an item that has
        none, or a null category, are left out.
    targets
        `user_id, item_id` of what really came.

    Raises
    ------
    DataError
        As in `evaluate_ranking`; or `train` is empty.
    InputError
        A `k` below 1.
    """
    out: dict[str, float | None] = {}
    popularity = train_popularity(train, catalog=catalog, listed=recommendations[ITEM_ID])
    for one in [k] if isinstance(k, int) else k:
        values = list_values(
            recommendations, train, k=one, catalog=catalog, item_vectors=item_vectors, targets=targets
        )
        means = {name: _mean(values[name]) for name in values.columns if name != USER_ID}
        exposure = _exposure(recommendations, popularity, k=one)
        out[f"catalog_coverage@{one}"] = float((exposure > 0).mean())
        out[f"gini@{one}"] = gini(exposure)
        out.update(means)
        out[f"popularity_lift@{one}"] = _lift(means[f"arp@{one}"], values[USER_ID], train, popularity)
    return out


def list_values(
    recommendations: pl.DataFrame,
    train: pl.DataFrame,
    *,
    k: int,
    catalog: pl.DataFrame | None = None,
    item_vectors: pl.DataFrame | None = None,
    targets: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The figures of `evaluate_lists` that a single list has, a row per listed user: for intervals.

    Null where the list has none (fewer than two items to pair); users without a list have no row.
    `serendipity` is null for a user without targets.
    """
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)
    list_places(recommendations)
    popularity = train_popularity(train, catalog=catalog, listed=recommendations[ITEM_ID])
    n_users = train[USER_ID].n_unique()
    n_head = int(np.ceil(HEAD_FRACTION * len(popularity)))
    items = popularity.with_columns(
        bits=-(pl.max_horizontal("n_users", 1) / n_users).log(2),
        tail=pl.int_range(pl.len()) >= n_head,
    )
    top = recommendations.filter(pl.col("rank") <= k).select(USER_ID, ITEM_ID)
    by_list = top.join(items, on=ITEM_ID, how="left", maintain_order="left").group_by(
        USER_ID, maintain_order=True
    )
    values = by_list.agg(
        (pl.len() / k).alias(f"filled@{k}"),
        pl.col("bits").mean().alias(f"novelty@{k}"),
        pl.col("n_events").mean().alias(f"arp@{k}"),
        pl.col("tail").mean().alias(f"long_tail_share@{k}"),
    )
    extra = []
    if catalog is not None and "category" in catalog.columns:
        extra.append(_category_diversity(top, catalog).rename({"value": f"category_diversity@{k}"}))
    if item_vectors is not None:
        extra.append(_vector_diversity(top, item_vectors).rename({"value": f"vector_diversity@{k}"}))
    if targets is not None:
        head = popularity.head(k)[ITEM_ID]
        extra.append(_serendipity(recommendations, targets, head, k=k))
    for table in extra:
        values = values.join(table, on=USER_ID, how="left", maintain_order="left")
    return values


def train_popularity(
    train: pl.DataFrame, *, catalog: pl.DataFrame | None = None, listed: pl.Series | None = None
) -> pl.DataFrame:
    """`item_id, n_events, n_users`, the most popular first, ties by id; items of the catalogue or lists that
    nobody took have zeros.

    Raises
    ------
    DataError
        `train` has no row.
    """
    if train.is_empty():
        raise DataError("train", "must hold at least one event")
    counts = train.group_by(ITEM_ID).agg(
        pl.len().cast(pl.Int64).alias("n_events"), pl.col(USER_ID).n_unique().cast(pl.Int64).alias("n_users")
    )
    others = [
        series for series in (listed, None if catalog is None else catalog[ITEM_ID]) if series is not None
    ]
    if others:
        everything = pl.concat([counts[ITEM_ID], *(s.cast(counts.schema[ITEM_ID]) for s in others)])
        counts = everything.unique().to_frame().join(counts, on=ITEM_ID, how="left").fill_null(0)
    return counts.sort("n_events", ITEM_ID, descending=[True, False])


def gini(amounts: NDArray[np.integer] | Floats) -> float | None:
    """Gini index of amounts that are >= 0, shape (n,): 0 = all equal, (n - 1) / n = one has all.

    None where the sum is 0.
    """
    ordered = np.sort(np.asarray(amounts, np.float64))
    total = ordered.sum()
    if total == 0:
        return None
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def _exposure(recommendations: pl.DataFrame, popularity: pl.DataFrame, *, k: int) -> NDArray[np.int64]:
    """How often each item of `popularity` is listed in the first k places."""
    listed = recommendations.filter(pl.col("rank") <= k).group_by(ITEM_ID).agg(pl.len().alias("listed"))
    joined = popularity.join(listed, on=ITEM_ID, how="left", maintain_order="left")
    return joined["listed"].fill_null(0).cast(pl.Int64).to_numpy()


def _lift(arp: float | None, users: pl.Series, train: pl.DataFrame, popularity: pl.DataFrame) -> float | None:
    """How much more popular than the users' own histories, as a fraction; None without histories."""
    own = train.select(USER_ID, ITEM_ID).join(users.to_frame(), on=USER_ID, how="semi")
    per_user = own.join(popularity, on=ITEM_ID, how="left").group_by(USER_ID).agg(pl.col("n_events").mean())
    usual = _mean(per_user["n_events"])
    return None if usual is None or arp is None else arp / usual - 1


def _category_diversity(top: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    """`user_id, value`: share of pairs of different category among the items that have one."""
    known = catalog.select(ITEM_ID, "category").drop_nulls()
    counts = top.join(known, on=ITEM_ID, how="inner").group_by(USER_ID, "category").len()
    n = pl.col("len").cast(pl.Float64)
    sums = counts.group_by(USER_ID).agg(n.sum().alias("n"), (n**2).sum().alias("same"))
    sums = sums.filter(pl.col("n") > 1)
    return sums.select(USER_ID, value=(pl.col("n") ** 2 - pl.col("same")) / (pl.col("n") ** 2 - pl.col("n")))


def _vector_diversity(top: pl.DataFrame, item_vectors: pl.DataFrame) -> pl.DataFrame:
    """`user_id, value`: mean 1 - cosine over pairs; a zero vector is at right angles to everything."""
    if missing := {ITEM_ID, "vector"} - set(item_vectors.columns):
        raise DataError("item_vectors", f"column(s) {sorted(missing)} missing")
    vectors = np.array(item_vectors["vector"].to_list(), dtype=np.float64)
    if vectors.ndim != 2:
        raise DataError("item_vectors", "vectors must have one length")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    numbered = item_vectors.select(ITEM_ID, row=pl.int_range(pl.len()))
    joined = top.join(numbered, on=ITEM_ID, how="inner", maintain_order="left")
    joined = joined.with_columns(u=pl.col(USER_ID).rank("dense") - 1)
    users = joined.unique("u", keep="first").sort("u")[USER_ID]
    u, rows = joined["u"].to_numpy().astype(np.int64), joined["row"].to_numpy()
    n = np.bincount(u, minlength=len(users)).astype(np.float64)
    own = np.bincount(u, weights=(unit[rows] ** 2).sum(axis=1), minlength=len(users))
    length_sq = np.zeros(len(users))
    for d in range(unit.shape[1]):  # one axis at a time: memory stays that of the lists
        length_sq += np.bincount(u, weights=unit[rows, d], minlength=len(users)) ** 2
    pairs = np.where(n > 1, n * n - n, np.nan)
    values = pl.Series("value", 1 - (length_sq - own) / pairs).fill_nan(None)
    return pl.DataFrame({USER_ID: users, "value": values}).drop_nulls()


def _serendipity(
    recommendations: pl.DataFrame, targets: pl.DataFrame, head: pl.Series, *, k: int
) -> pl.DataFrame:
    """`user_id, serendipity@k` of target users: unexpected hits over k."""
    surprising = targets.filter(~pl.col(ITEM_ID).is_in(head.implode()))
    users = targets[USER_ID].unique().sort()
    values = pl.DataFrame({USER_ID: users, "n": np.zeros(len(users))})
    if len(surprising):
        found, hits = hits_of(recommendations, surprising, max_k=k)
        values = (
            values.join(pl.DataFrame({USER_ID: found, "hits": hits.summed(k)}), on=USER_ID, how="left")
            .with_columns(n=pl.col("hits").fill_null(0.0))
            .drop("hits")
        )
    return values.select(USER_ID, (pl.col("n") / k).alias(f"serendipity@{k}"))


def _mean(values: pl.Series) -> float | None:
    mean = values.drop_nulls().mean()
    return float(mean) if isinstance(mean, int | float) else None
