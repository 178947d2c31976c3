"""What new days bring to a fitted model: new items, what to learn, what to repeat, what to ask. Knows no torch.

Axes: B users, N events, M new items, Q questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex, OutsideId
from nextbest.data.interactions import Histories
from nextbest.data.item_features import ItemCoder
from nextbest.errors import DataError, InputError
from nextbest.models.base import FloatArray
from nextbest.models.histories import cut, joined, up_to
from nextbest.models.sequence.batches import windows
from nextbest.models.sequence.config import RenewalConfig
from nextbest.models.sequence.validation import Questions
from nextbest.tables import ITEM_ID

_REACH = 5
"""Events to each side of a new item that say where it stands."""


# --- more items ---------------------------------------------------------------------------------
def appended(item_ids: IdIndex, more: pl.Series | Iterable[OutsideId]) -> IdIndex:
    """`item_ids` with `more` after them, so that old row numbers stay what they are.

    Raises
    ------
    InputError
        An id is there already, twice among `more`, null, or of another type.
    """
    ids = (
        more if isinstance(more, pl.Series) else pl.Series(list(more), dtype=item_ids.ids.dtype, strict=False)
    )
    ids = ids.cast(pl.Int64) if ids.dtype.is_integer() else ids
    if ids.dtype != item_ids.ids.dtype or ids.null_count():
        kind = "text" if item_ids.ids.dtype == pl.String else "whole numbers"
        raise InputError(
            "item_ids", f"must all be {kind} like the ids of the model", value=ids.head(5).to_list()
        )
    if twice := ids.filter(ids.is_duplicated()).unique(maintain_order=True).to_list():
        raise InputError("item_ids", f"must be new once each; {len(twice)} come twice", value=twice[:5])
    if there := ids.filter(pl.Series(item_ids.encode(ids) >= 0)).to_list():
        raise InputError(
            "item_ids", f"{len(there)} of them have a row already", value=there[:5], remedy="leave them out"
        )
    return IdIndex(pl.concat([item_ids.ids, ids.alias("id")]))


def encoded(coder: ItemCoder, catalog: pl.DataFrame, item_ids: IdIndex) -> FloatArray:
    """Features of these items as the first ones were read, shape (M, F); every item must have its row.

    Raises
    ------
    DataError
        `item_id` or a column is missing, has another type than in the fit, or an item has no row or two.
    """
    if ITEM_ID not in catalog.columns:
        raise DataError("catalog", f"column {ITEM_ID} missing", remedy=f"it has {catalog.columns[:20]}")
    there = np.zeros(len(item_ids) + 1, bool)
    there[item_ids.encode(catalog[ITEM_ID])] = True
    if not there[:-1].all():
        absent = item_ids.ids.filter(pl.Series(~there[:-1]))
        raise DataError(
            "catalog", f"must hold the new items; {len(absent)} missing", examples=absent.head(5).to_list()
        )
    return coder.encode(catalog, item_ids)


def neighbours(
    histories: Histories, *, is_new_I: NDArray[np.bool_], is_known_I: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """New items and known ones at most five events away in the same history, a pair for each such meeting."""
    items, user_N = histories.item_idx, np.repeat(np.arange(len(histories)), histories.lengths)
    new, known = [items[:0]], [items[:0]]
    for step in range(1, _REACH + 1):
        first, second = items[:-step], items[step:]
        together = user_N[:-step] == user_N[step:]
        for one, other in ((first, second), (second, first)):
            meet = together & is_new_I[one] & is_known_I[other]
            new.append(one[meet])
            known.append(other[meet])
    return np.concatenate(new), np.concatenate(known)


# --- what is learned ----------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class NewDays:
    """A log as a renewal reads it."""

    learned: Histories
    """Users with new events, less those who are asked."""
    is_target_N: NDArray[np.bool_]  # noqa: N815  (axes in the name)
    """Events of `learned` that are new and can be asked for."""
    older: Histories
    """All users' events before the new days, cut into windows; each can be repeated."""
    questions: Questions
    _n_read_first: int
    """Events of a window of `older` that are read only."""

    def epoch(self, *, replay: float, rng: np.random.Generator) -> tuple[Histories, NDArray[np.bool_]]:
        """The new events, and as many older ones drawn anew that they make the share `replay`; and what is asked."""
        wanted = float(self.is_target_N.sum()) * replay / (1 - replay)
        order = rng.permutation(len(self.older))
        n_targets = np.cumsum(self.older.lengths[order] - self._n_read_first)
        # the window that passes what is wanted is still in, so that a small share isn't none
        chosen = order[: int(np.searchsorted(n_targets, wanted) + 1)] if wanted else order[:0]
        older = self.older.take(chosen)
        return joined([self.learned, older]), np.append(self.is_target_N, np.ones(older.n_events, bool))


def new_days(
    histories: Histories,
    *,
    since_us: int,
    is_cloze: bool,
    max_len: int,
    max_questions: int,
    config: RenewalConfig,
    rng: np.random.Generator,
) -> NewDays:
    """Divide a log by a moment: what is learned, what may be repeated, what is asked.

    Asked is every new event (with one before it) of some users, whose new events aren't learned; `max_questions` of
    them at most.

    Raises
    ------
    InputError
        No event at or after `since_us`.
    """
    is_new_N = histories.time_us >= since_us
    n_new_B = np.diff(np.concatenate([[0], np.cumsum(is_new_N)])[histories.indptr])
    users = np.flatnonzero(n_new_B)
    if not len(users):
        raise InputError("since", "the log holds no event at or after it, of an item with a row")
    asked = np.sort(rng.choice(users, int(len(users) * config.held_out), replace=False))
    asked = asked[:0] if len(asked) < config.min_users else asked
    places, user_Q = _askable(histories, is_new_N, asked)
    if len(places) > max_questions:
        some = np.sort(rng.choice(len(places), max_questions, replace=False))
        places, user_Q = places[some], user_Q[some]
    learned = histories.take(np.setdiff1d(users, asked))
    is_target_N = learned.time_us >= since_us
    if not is_cloze:  # nothing stands before a first event to tell it from
        is_target_N[learned.indptr[:-1]] = False
    n_first = 0 if is_cloze else 1
    older = cut(histories, histories.indptr[:-1], histories.lengths - n_new_B)
    starts_W, length_W = windows(older, n_first=n_first, max_len=max_len, every_window=True)
    return NewDays(
        learned,
        is_target_N,
        cut(older, starts_W - n_first, length_W + n_first),
        Questions(up_to(histories, user_Q, places - 1), histories.item_idx[places].astype(np.int64)),
        n_first,
    )


def _askable(
    histories: Histories, is_new_N: NDArray[np.bool_], users: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of new events of these users that have an event before them, and whose they are."""
    user_N = np.repeat(np.arange(len(histories)), histories.lengths)
    can_N = is_new_N & np.isin(user_N, users)
    can_N[histories.indptr[:-1][histories.lengths > 0]] = False
    places = np.flatnonzero(can_N)
    return places, user_N[places]
