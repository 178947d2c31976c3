"""Arithmetic on packed histories that several models share: pairs, renumbering, repeats. Knows no model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN, IdIndex
from nextbest.data.interactions import Histories
from nextbest.models.topk import FloatArray


def seen_pairs(
    histories: Histories, exclude: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Row and item of every event of the users in the mask `exclude`, shape (B,)."""
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    if exclude.all():
        return users, histories.item_idx
    kept = exclude[users]
    return users[kept], histories.item_idx[kept]


def known_rows(histories: Histories, known_items: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which histories hold at least one item of the mask `known_items`, shape (B,)."""
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    hits = users[known_items[histories.item_idx]]
    return np.asarray(np.bincount(hits, minlength=len(histories)) > 0)


def once_per_item(histories: Histories, n_items: int) -> FloatArray:
    """Event values that make every different item of a history count 1 in all, shape (n_events,)."""
    users = np.repeat(np.arange(len(histories), dtype=np.int64), histories.lengths)
    _, inverse, counts = np.unique(
        users * n_items + histories.item_idx, return_inverse=True, return_counts=True
    )
    return np.asarray(1 / counts[inverse], dtype=np.float32)


def renumbered(histories: Histories, new_idx: NDArray[np.int32]) -> Histories:
    """Histories with item i called `new_idx[i]`; events that become UNKNOWN are left out."""
    items = new_idx[histories.item_idx] if len(new_idx) else histories.item_idx
    keep = items != UNKNOWN
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return Histories(
        kept_before[histories.indptr].astype(np.int64),
        items[keep],
        histories.weight[keep],
        histories.time_us[keep],
        histories.segment,
    )


def with_segments(histories: Histories, ids: IdIndex | None, own: IdIndex | None) -> Histories:
    """Histories whose segments are counted by `own`; unknown to it, or without names, becomes -1."""
    assert histories.segment is not None
    segment = np.full(len(histories), UNKNOWN, np.int32)
    if ids is not None and own is not None and len(ids):
        known = histories.segment != UNKNOWN
        segment[known] = own.encode(ids.ids)[histories.segment[known]]
    return Histories(histories.indptr, histories.item_idx, histories.weight, histories.time_us, segment)


def up_to(
    histories: Histories, user_N: NDArray[np.int64], place_N: NDArray[np.int64], *, max_len: int | None = None
) -> Histories:
    """N histories: each user's up to and with the event at a place of `item_idx`, its newest `max_len` events.

    A place just before a user's first event gives an empty history. Segments aren't kept.
    """
    starts = histories.indptr[user_N]
    if max_len is not None:
        starts = np.maximum(starts, place_N + 1 - max_len)
    return cut(histories, starts, place_N + 1 - starts)


def cut(histories: Histories, starts_N: NDArray[np.int64], length_N: NDArray[np.int64]) -> Histories:
    """N histories: `length_N` events from the place `starts_N` of `item_idx` on. Segments aren't kept."""
    indptr = np.concatenate([[0], np.cumsum(length_N)]).astype(np.int64)
    picks = np.repeat(starts_N - indptr[:-1], length_N) + np.arange(indptr[-1])
    return Histories(indptr, histories.item_idx[picks], histories.weight[picks], histories.time_us[picks])


def joined(parts: Sequence[Histories]) -> Histories:
    """The users of several logs, one after the other. Segments aren't kept."""
    lengths = np.concatenate([h.lengths for h in parts])
    return Histories(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([h.item_idx for h in parts]),
        np.concatenate([h.weight for h in parts]),
        np.concatenate([h.time_us for h in parts]),
    )
