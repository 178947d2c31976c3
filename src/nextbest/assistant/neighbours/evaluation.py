"""What neighbours of meaning are worth beside popularity and item-kNN: warm items, and items that nearly nobody took.

Cold: a share of the items, drawn, loses all of its events but `n_kept` drawn ones; only cold items are candidates and
targets, for all three models alike, so that a model which can't know them isn't beaten by an empty list alone.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl

from nextbest.assistant.neighbours.recommending import recommend_by_vectors
from nextbest.assistant.neighbours.vectors import ItemVectors
from nextbest.data.interactions import Interactions
from nextbest.errors import DataError, InputError
from nextbest.evaluation.beyond import evaluate_lists
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.splits import RandomSplitWarning, split_leave_last, split_random
from nextbest.models.knn import ItemKNN
from nextbest.models.popularity import Popularity
from nextbest.tables import ITEM_ID, TIME, USER_ID, TimeKind

MODELS = ("embedding", "popularity", "item_knn")
ORACLE = "popularity, all events"
"""On cold items: counts that nobody has yet. With a few known events of each item plain popularity is all ties."""


@dataclass(frozen=True)
class Measured:
    """One model on one kind of items."""

    setting: str
    """"warm", or "cold" with how many events of each cold item are known: "cold, 0 known"."""
    model: str
    n_users: int
    hr: float
    ndcg: float
    coverage: float
    """Share of the candidates listed at least once."""
    diversity: float | None
    """Mean 1 - cosine of the pairs of a list; None where no list has two items."""


def evaluate_neighbours(
    journal: pl.DataFrame,
    items: ItemVectors,
    *,
    time_kind: TimeKind,
    k: int = 10,
    n_users: int = 1000,
    cold_share: float = 0.2,
    known: tuple[int, ...] = (0, 3),
    rng: int | np.random.Generator = 0,
) -> list[Measured]:
    """Hit rate, NDCG, coverage and diversity of three models, warm items first, then cold ones.

    Parameters
    ----------
    journal
        `user_id, item_id, time`; a pair twice counts once.
    time_kind
        "real" or "order": warm targets are each user's last item; "none": a tenth of the pairs, drawn, which says nothing
        about the future.
    n_users
        Users drawn for each setting, of those with a target.
    cold_share
        Share of the items that are made cold.
    known
        Events of each cold item that are learned from; a setting each.

    Raises
    ------
    InputError
        `cold_share` isn't inside 0 to 1, or `k` or `n_users` < 1.
    DataError
        The journal leaves no user with a target.
    """
    if not 0 < cold_share < 1:
        raise InputError("cold_share", "must lie between 0 and 1, both excluded", value=cold_share)
    for name, value in (("k", k), ("n_users", n_users)):
        if value < 1:
            raise InputError(name, "must be 1 or more", value=value)
    rng = np.random.default_rng(rng)
    pairs = journal.select(USER_ID, ITEM_ID, TIME).unique(
        [USER_ID, ITEM_ID], keep="first", maintain_order=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RandomSplitWarning)  # said in the report
        split = (
            split_random(pairs, rng=rng)
            if time_kind == "none"
            else split_leave_last(pairs, time_kind=time_kind)
        )
    every = items.item_ids.ids
    result = _measure("warm", split.train, split.targets, items, every, k=k, n_users=n_users, rng=rng)
    taken = pairs[ITEM_ID].unique().sort()
    cold = taken.gather(np.sort(rng.choice(len(taken), max(1, int(len(taken) * cold_share)), replace=False)))
    draw = pl.Series("draw", rng.random(len(pairs)))
    marked = pairs.with_columns(pl.col(ITEM_ID).is_in(cold.implode()).alias("is_cold"), draw)
    place = pl.col("draw").rank("ordinal").over(ITEM_ID)
    for n_kept in known:
        keep = ~pl.col("is_cold") | (place <= n_kept)
        train = marked.filter(keep).drop("is_cold", "draw")
        targets = marked.filter(~keep).select(USER_ID, ITEM_ID)
        targets = targets.filter(pl.col(USER_ID).is_in(train[USER_ID].unique().implode()))
        if targets.is_empty():
            raise DataError(
                "journal",
                f"cold items leave no target beyond {n_kept} known event(s)",
                remedy="fewer known events, or more rows",
            )
        name = f"cold, {n_kept} known"
        result += _measure(name, train, targets, items, cold, k=k, n_users=n_users, rng=rng, later=pairs)
    return result


def _measure(
    setting: str,
    train: pl.DataFrame,
    targets: pl.DataFrame,
    items: ItemVectors,
    allowed: pl.Series,
    *,
    k: int,
    n_users: int,
    rng: np.random.Generator,
    later: pl.DataFrame | None = None,
) -> list[Measured]:
    """Three models on one split, and what counts of all events would do where `later` holds them."""
    users = targets[USER_ID].unique().sort()
    users = users.gather(np.sort(rng.permutation(len(users))[:n_users]))
    targets = targets.filter(pl.col(USER_ID).is_in(users.implode())).select(USER_ID, ITEM_ID)
    history = train.filter(pl.col(USER_ID).is_in(users.implode())).sort(USER_ID, TIME, maintain_order=True)
    log = Interactions.from_journal(train, item_ids=items.item_ids)
    vectors = pl.DataFrame({ITEM_ID: items.item_ids.ids, "vector": items.vectors})
    catalog = pl.DataFrame({ITEM_ID: allowed})
    measured = []
    for model in (*MODELS, *([ORACLE] if later is not None else [])):
        if model == "embedding":
            lists = recommend_by_vectors(history, items, k=k, allowed=allowed)
        else:
            learned = log
            if model == ORACLE and later is not None:
                learned = Interactions.from_journal(later, item_ids=items.item_ids)
            fitted = (ItemKNN() if model == "item_knn" else Popularity()).fit(learned)
            lists = fitted.recommend(log, user_ids=users, k=k, item_ids_allowed=allowed).sort(USER_ID, "rank")
        scores = evaluate_ranking(lists, targets, k=k, metrics=("hr", "ndcg"))
        figures = evaluate_lists(lists, history, k=k, item_vectors=vectors) if len(lists) else {}
        measured.append(
            Measured(
                setting,
                model,
                len(users),
                float(scores[f"hr@{k}"].mean()),  # type: ignore[arg-type]  # a column of Float64
                float(scores[f"ndcg@{k}"].mean()),  # type: ignore[arg-type]  # same
                lists[ITEM_ID].n_unique() / len(catalog),
                figures.get(f"vector_diversity@{k}"),
            )
        )
    return measured
