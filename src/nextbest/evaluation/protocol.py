"""What a report must say about a split: sizes, cold users and items, repeats, ties, leaks.

Counts only; cuts nothing itself. Every value is JSON-ready.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from nextbest.errors import DataError
from nextbest.tables import ITEM_ID, JOURNAL, TIME, USER_ID

TIES = "inside a user, events of one moment keep the journal's order (stable sort)"


def checked_journal(journal: pl.DataFrame) -> pl.DataFrame:
    """The journal sorted by user and time, ties in its own order (stable).

    Raises
    ------
    DataError
        A required column is missing, null or of another type, or there is no event.
    """
    JOURNAL.check(journal)
    if journal.is_empty():
        raise DataError("journal", "must hold at least one event to be split")
    return journal.sort(USER_ID, TIME, maintain_order=True)


def tied_share(ordered: pl.DataFrame) -> float:
    """Share of neighbouring events of one user that bear the same time, 0-1; 0 where no user has two.

    `ordered` is sorted by user and time. Their order comes from the file, not from life: what a
    model learns from it may be an artefact.
    """
    same_user = ordered.select(pl.col(USER_ID) == pl.col(USER_ID).shift(1)).to_series().fill_null(value=False)
    same_time = ordered.select(pl.col(TIME) == pl.col(TIME).shift(1)).to_series().fill_null(value=False)
    n_pairs = int(same_user.sum())
    return float((same_user & same_time).sum() / n_pairs) if n_pairs else 0.0


def first_targets(events: pl.DataFrame) -> pl.DataFrame:
    """Target rows `user_id, item_id, time`: each item of a user once, at its first event."""
    targets = events.select(USER_ID, ITEM_ID, TIME)
    return targets.unique(subset=[USER_ID, ITEM_ID], keep="first", maintain_order=True)


def share_before_quantile(times: pl.Series, all_times: pl.Series, *, quantile: float) -> float:
    """Share of `times` that lie before the `quantile` of `all_times`, 0-1.

    High for leave-last-out: the model has then seen other users' events from after most targets.
    """
    edge = np.quantile(all_times.to_physical().to_numpy(), quantile)
    return float((times.to_physical().to_numpy() < edge).mean())


def describe(
    *,
    train: pl.DataFrame,
    history: pl.DataFrame,
    targets: pl.DataFrame,
    n_target_events: int,
    choices: Mapping[str, Any],
) -> dict[str, Any]:
    """The `protocol` of a split: its choices, then its counts.

    Nothing is dropped to make it look better: a cold user is asked for, and a target whose item is
    not in `train` stays and counts as a miss.
    """
    users = history[USER_ID].unique().implode()
    items = train[ITEM_ID].unique().implode()
    target_users = targets[USER_ID].unique()
    cold_item = ~targets[ITEM_ID].is_in(items)
    repeats = targets.join(history, on=[USER_ID, ITEM_ID], how="semi")
    n_targets = len(targets)
    n_cold_users = int((~target_users.is_in(users)).sum())
    return {
        **choices,
        "n_train_events": len(train),
        "n_train_users": train[USER_ID].n_unique(),
        "n_train_items": train[ITEM_ID].n_unique(),
        "n_history_events": len(history),
        "n_target_users": len(target_users),
        "n_target_events": n_target_events,
        "n_targets": n_targets,
        "n_targets_merged": n_target_events - n_targets,
        "n_cold_users": n_cold_users,
        "cold_user_share": n_cold_users / len(target_users),
        "n_cold_items": targets[ITEM_ID].filter(cold_item).n_unique(),
        "n_targets_of_cold_items": int(cold_item.sum()),
        "cold_target_share": float(cold_item.sum() / n_targets),
        "repeat_share": len(repeats) / n_targets,
        "n_targets_dropped": 0,
    }
