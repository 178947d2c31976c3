"""Lists for users from the vectors of what they took: no event of an item is needed to recommend it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.assistant.neighbours.vectors import Floats, ItemVectors
from nextbest.data.ids import UNKNOWN
from nextbest.tables import ITEM_ID, USER_ID

N_TASTES = 3
"""Items of a history whose likeness counts: one is chance, all of them blur a user of several tastes."""
LONGEST_HISTORY = 50
"""Of a longer history the last items."""


def recommend_by_vectors(
    history: pl.DataFrame,
    items: ItemVectors,
    *,
    k: int,
    allowed: pl.Series | None = None,
    n_tastes: int = N_TASTES,
) -> pl.DataFrame:
    """The `k` items of each user with the highest mean cosine to the user's `n_tastes` likest items, seen ones left out.

    Parameters
    ----------
    history
        `user_id, item_id`, a user's rows in the order of time. Items without a vector count for nothing.
    allowed
        Only these items may be listed; None: all.

    Returns
    -------
    DataFrame
        `user_id, item_id, rank, score`, sorted by user; a user without a known item has no row.
    """
    of = items.item_ids.encode(history[ITEM_ID])
    mask = items.item_ids.mask(allowed=allowed)
    choice = np.arange(len(items.item_ids)) if mask is None else np.flatnonzero(mask)
    table = history.select(USER_ID).with_columns(pl.Series("row", of)).filter(pl.col("row") != UNKNOWN)
    users: list[object] = []
    rows: list[NDArray[np.int64]] = []
    scores: list[Floats] = []
    places: list[int] = []
    for user, own in table.group_by(USER_ID, maintain_order=True).agg("row").sort(USER_ID).iter_rows():
        best, score = _list(items.vectors, np.array(own), choice, k=k, n_tastes=n_tastes)
        users += [user] * len(best)
        rows.append(best)
        scores.append(score)
        places += range(1, len(best) + 1)
    flat = np.concatenate([*rows, np.empty(0, np.int64)]).astype(np.int64)
    return pl.DataFrame(
        {
            USER_ID: pl.Series(users, dtype=history[USER_ID].dtype),
            ITEM_ID: items.item_ids.decode(flat),
            "rank": pl.Series(places, dtype=pl.Int32),
            "score": np.concatenate([*scores, np.empty(0, np.float32)]).astype(np.float32),
        }
    )


def _list(
    vectors: Floats, own: NDArray[np.int64], choice: NDArray[np.int64], *, k: int, n_tastes: int
) -> tuple[NDArray[np.int64], Floats]:
    cosines = vectors[own[-LONGEST_HISTORY:]] @ vectors[choice].T
    n = min(n_tastes, len(cosines))
    score = np.partition(cosines, len(cosines) - n, axis=0)[-n:].mean(axis=0)
    score[np.isin(choice, own)] = -np.inf
    n_listed = min(k, int(np.isfinite(score).sum()))
    order = np.argsort(-score, kind="stable")[:n_listed]
    return choice[order], score[order]
