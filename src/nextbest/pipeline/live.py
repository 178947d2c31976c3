"""Histories that grow while the pipeline answers: posted events laid over the stored, packed ones.

The stored arrays are never copied or changed. The first event of a user makes a row of its own (a copy
of that user's events only), later ones replace that row by a new one in a single assignment; so readers
need no lock and always see a whole row. Writers take turns.

What memory holds: one row for each user with live events, at most `max_users` of them (the one whose last
event came longest ago goes back to the stored history), at most `max_events_per_user` live events in a
row (the oldest go first), at most `max_event_ids` remembered event ids. What falls out is still in the
event log, if there is one.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from nextbest.data.event_log import EPOCH, Event, to_time_us
from nextbest.data.ids import IdIndex, OutsideId
from nextbest.data.interactions import Histories, Interactions
from nextbest.pipeline.config import LiveConfig

log = logging.getLogger(__name__)

_NO_ITEMS = np.empty(0, np.int32)
_NO_WEIGHTS = np.empty(0, np.float32)
_NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class UserRow:
    """One user's history, oldest first; never changed once made."""

    item_idx: NDArray[np.int32] = field(default_factory=lambda: _NO_ITEMS)
    """Shape (n,), row numbers that the models know."""
    weight: NDArray[np.float32] = field(default_factory=lambda: _NO_WEIGHTS)
    """Shape (n,), > 0."""
    time_us: NDArray[np.int64] = field(default_factory=lambda: _NO_TIMES)
    """Shape (n,), not decreasing; microseconds since 1970 UTC."""
    is_live: NDArray[np.bool_] | None = None
    """Shape (n,): which events were posted; None: none of them."""
    aside: tuple[Event, ...] = ()
    """Posted events of items that the models don't know, in order of arrival."""


EMPTY_ROW = UserRow()


def pack(rows: Sequence[UserRow], segment: NDArray[np.int32] | None) -> Histories:
    """Rows of several users as one `Histories`, in this order."""
    if len(rows) == 1:
        row = rows[0]
        indptr = np.array([0, len(row.item_idx)], dtype=np.int64)
        return Histories(indptr, row.item_idx, row.weight, row.time_us, segment)
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row.item_idx) for row in rows], out=indptr[1:])
    return Histories(
        indptr,
        np.concatenate([_NO_ITEMS, *(row.item_idx for row in rows)]),
        np.concatenate([_NO_WEIGHTS, *(row.weight for row in rows)]),
        np.concatenate([_NO_TIMES, *(row.time_us for row in rows)]),
        segment,
    )


class LiveHistories:
    """The histories of a log and everything posted since.

    Parameters
    ----------
    interactions
        The stored histories.
    config
        Bounds of memory.
    """

    def __init__(self, interactions: Interactions, config: LiveConfig) -> None:
        self._stored, self._config = interactions.histories, config
        self._user_ids, self._item_ids = interactions.user_ids, interactions.item_ids
        self._rows: dict[OutsideId, UserRow] = {}
        self._touched: dict[OutsideId, None] = {}
        self._event_ids: dict[str, None] = {}
        self._lock = threading.Lock()
        self._user_ids.find(""), self._item_ids.find("")  # builds their look-up now, not in the first request
        self.last_time_us = interactions.last_time_us
        """Time of the newest event, stored or posted; None when there is none at all."""
        self.n_dropped = 0
        """Posted events that memory's bounds have pushed out."""

    # --- readers: no lock ---------------------------------------------------------------------
    def key_of(self, user_id: OutsideId) -> OutsideId:
        """The id in the journal's own type where it can be ("12" and 12 are one user there)."""
        key = self._user_ids.coerce(user_id)
        return user_id if key is None else key

    def is_known(self, user_id: OutsideId) -> bool:
        """Whether the user is in the journal or has posted events."""
        return self._user_ids.find(user_id) >= 0 or self.key_of(user_id) in self._rows

    def row(self, user_id: OutsideId) -> tuple[int, UserRow]:
        """Stored row number (-1: not in the journal) and the whole history; views, don't write into them."""
        stored = self._user_ids.find(user_id)
        if self._rows:
            found = self._rows.get(self.key_of(user_id))
            if found is not None:
                return stored, found
        if stored < 0:
            return stored, EMPTY_ROW
        return stored, self.stored_row(stored)

    def stored_row(self, user_idx: int) -> UserRow:
        """The history as the journal had it."""
        h = self._stored
        at = slice(h.indptr[user_idx], h.indptr[user_idx + 1])
        return UserRow(h.item_idx[at], h.weight[at], h.time_us[at])

    @property
    def n_live_users(self) -> int:
        """Users with posted events in memory."""
        return len(self._rows)

    def events(self) -> list[Event]:
        """All posted events in memory, by user; event ids of those that are in use are not kept."""
        found: list[Event] = []
        with self._lock:
            rows = list(self._rows.items())
        for user_id, row in rows:
            assert row.is_live is not None  # every row of the overlay was merged
            for n in np.flatnonzero(row.is_live):
                item_id = self._item_ids.ids[int(row.item_idx[n])]
                time = EPOCH + timedelta(microseconds=int(row.time_us[n]))
                found.append(Event(user_id, item_id, time, float(row.weight[n])))
            found.extend(row.aside)
        return found

    # --- writers: one at a time -----------------------------------------------------------------
    def add(self, events: Iterable[Event]) -> int:
        """Lay events over the histories; the number that is new.

        An event is not new if its `event_id` came before; if it has none and the history holds the same
        item at the same time; or if the stored history holds that (the model was trained on it).
        """
        with self._lock:
            by_user: dict[OutsideId, list[Event]] = {}
            for event in events:
                if event.event_id is not None:
                    if event.event_id in self._event_ids:
                        continue
                    self._event_ids[event.event_id] = None
                by_user.setdefault(self.key_of(event.user_id), []).append(event)
            n_added = sum(self._add_to_user(user, posted) for user, posted in by_user.items())
            self._forget()
        return n_added

    def adopt(self, other: "LiveHistories") -> int:
        """Take over what was posted to another pipeline (an older model); the number that is new here."""
        n_added = self.add(other.events())
        with self._lock:
            self._event_ids = {**other._event_ids, **self._event_ids}
            self._forget()
        return n_added

    def _add_to_user(self, user: OutsideId, posted: list[Event]) -> int:
        stored_idx, row = self.row(user)
        stored = self.stored_row(stored_idx) if stored_idx >= 0 else EMPTY_ROW
        in_stored = _pairs(stored)
        in_row = set(in_stored) if row.is_live is None else _pairs(row)
        in_aside: set[tuple[OutsideId, int]] = {(e.item_id, e.time_us) for e in row.aside}
        new: list[tuple[int, int, float]] = []
        aside = list(row.aside)
        n_before = len(aside)
        for event in posted:
            item_idx, time_us = self._item_ids.find(event.item_id), event.time_us
            if (item_idx, time_us) in in_stored:
                continue
            pairs, pair = (
                (in_row, (item_idx, time_us)) if item_idx >= 0 else (in_aside, (event.item_id, time_us))
            )
            if event.event_id is None and pair in pairs:
                continue
            pairs.add(pair)
            if item_idx >= 0:
                new.append((time_us, item_idx, event.weight))
            else:
                aside.append(event)
            self.last_time_us = max(time_us, time_us if self.last_time_us is None else self.last_time_us)
        n_added = len(new) + len(aside) - n_before
        if not n_added:
            return 0
        aside, dropped = aside[-self._config.max_events_per_user :], len(aside)
        self.n_dropped += dropped - len(aside)
        self._rows[user] = self._merged(row, new, tuple(aside))
        self._touched.pop(user, None)
        self._touched[user] = None
        return n_added

    def _merged(self, row: UserRow, new: list[tuple[int, int, float]], aside: tuple[Event, ...]) -> UserRow:
        """The row with new events at their place in time; equal times keep the order of arrival."""
        is_live = np.zeros(len(row.item_idx), np.bool_) if row.is_live is None else row.is_live
        time_us = np.concatenate([row.time_us, np.array([t for t, _, _ in new], np.int64)])
        item_idx = np.concatenate([row.item_idx, np.array([i for _, i, _ in new], np.int32)])
        weight = np.concatenate([row.weight, np.array([w for _, _, w in new], np.float32)])
        is_live = np.concatenate([is_live, np.ones(len(new), np.bool_)])
        order = np.argsort(time_us, kind="stable")
        surplus = int(is_live.sum()) - self._config.max_events_per_user
        if surplus > 0:
            oldest_live = np.flatnonzero(is_live[order])[:surplus]
            order = np.delete(order, oldest_live)
            self.n_dropped += surplus
        return UserRow(item_idx[order], weight[order], time_us[order], is_live[order], aside)

    def _forget(self) -> None:
        """Back inside the bounds."""
        while len(self._rows) > self._config.max_users:
            user = next(iter(self._touched))
            del self._touched[user]
            row = self._rows.pop(user)
            lost = len(row.aside) + (0 if row.is_live is None else int(row.is_live.sum()))
            if not self.n_dropped:
                log.warning("live histories full: max_users=%d, oldest go", self._config.max_users)
            self.n_dropped += lost
        while len(self._event_ids) > self._config.max_event_ids:
            del self._event_ids[next(iter(self._event_ids))]


def _pairs(row: UserRow) -> set[tuple[OutsideId, int]]:
    """(item row number, time) of every event."""
    return set(zip(row.item_idx.tolist(), row.time_us.tolist(), strict=True))


def history_row(
    item_ids: IdIndex, events: Sequence[tuple[OutsideId, datetime | None]]
) -> tuple[UserRow, list[OutsideId]]:
    """A history given in a query as a row, and its items that the models don't know.

    An event without a time takes that of the one before it; leading ones the first time there is, and
    where there is none at all the events are one microsecond apart.
    """
    known: list[tuple[int, int]] = []
    unknown: list[OutsideId] = []
    first = next((t for _, t in events if t is not None), None)
    now = 0 if first is None else to_time_us("history", first)
    for n, (item_id, time) in enumerate(events):
        if time is not None:
            now = to_time_us("history", time)
        elif first is None:
            now = n
        item_idx = item_ids.find(item_id)
        if item_idx >= 0:
            known.append((now, item_idx))
        else:
            unknown.append(item_id)
    if not known:
        return EMPTY_ROW, unknown
    time_us = np.array([t for t, _ in known], np.int64)
    order = np.argsort(time_us, kind="stable")
    items = np.array([i for _, i in known], np.int32)[order]
    return UserRow(items, np.ones(len(items), np.float32), time_us[order]), unknown
