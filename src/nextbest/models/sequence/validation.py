"""What is held out of a log to stop training by: never trained on, and with `time` nothing later either.

Knows no torch, no model and no metric.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.base import Rng
from nextbest.models.histories import cut, joined
from nextbest.models.sequence.shards import Shards

log = logging.getLogger(__name__)
_MOMENT_BINS = 2**16


@dataclass(frozen=True, eq=False)
class Questions:
    """Histories with the one item that came next."""

    histories: Histories
    """Q histories, none of them empty."""
    target_idx: NDArray[np.int64]
    """Shape (Q,); the item after each history. It may be one that training never shows."""

    def __len__(self) -> int:
        return len(self.target_idx)


def held_out_of(
    shards: Shards, *, how: Literal["last", "time"] | None, users: int, fraction: float, rng: Rng
) -> tuple[Shards, Questions]:
    """A log in two: what to train on, and questions about what was taken out of it, the same in every epoch.

    Parameters
    ----------
    shards
        The log, read a shard at a time: two times for `last`, four times for `time`. Of several processes each
        holds out a part of its own share.
    how
        `last`: the newest event of some users with two events or more: of one in ten at most, or of as many as
        make a hundredth of the events, where histories are long (few questions would stop by chance).
        `time`: everything after the moment that leaves at most `fraction` of the events behind it; asked
        is the first of those events of each user who has events before it, too. None: nothing.
    users
        Users asked at most, drawn by `rng` from all shards alike; 1 or more.
    fraction
        Between 0 and 1, both excluded; used by `time`. The moment is found to a 65,536th of the log's span, on the
        side that holds out less.
    rng
        Seed or Generator.

    Returns
    -------
    train : Shards
        The same users, without what was taken out; a user may be left with nothing.
    questions : Questions
        Shard by shard. None at all where the log is too small for one: then `train` is `shards`, and a warning is
        logged, because training can't stop early.

    Raises
    ------
    InputError
        `how` is none of these, `users` < 1, or `fraction` outside its range.
    """
    _check(how, users=users, fraction=fraction)
    generator = np.random.default_rng(rng)
    empty = Histories.from_lists([])
    if how is None:
        return shards, _none(empty)
    moment_us = _moment(shards, fraction=fraction) if how == "time" else None
    able_S = [len(_able(histories, moment_us)) for histories in _each(shards)]
    n_able = sum(able_S)
    n_asked = min(users, n_able if how == "time" else _most(n_able, n_events=shards.n_events))
    if not n_asked:
        _warn(how, n_events=shards.n_events)
        return shards, _none(empty)
    n_asked_S = generator.multivariate_hypergeometric(able_S, n_asked)
    asked_S, removed_I = [], np.zeros(shards.n_items, np.int64)
    found: list[Questions] = []
    for histories, n in zip(_each(shards), n_asked_S.tolist(), strict=True):
        asked = _drawn(_able(histories, moment_us), n, rng=generator)
        asked_S.append(asked)
        left_B = _left(histories, asked, moment_us)
        found.append(_questions(histories, left_B, asked))
        kept_I = np.bincount(_first(histories, left_B).item_idx, minlength=shards.n_items)
        removed_I += np.bincount(histories.item_idx, minlength=shards.n_items) - kept_I
    return _Remaining(shards, asked_S, moment_us, removed_I), Questions(
        joined([part.histories for part in found]), np.concatenate([part.target_idx for part in found])
    )


class _Remaining:
    """Shards without what was held out of them."""

    def __init__(
        self,
        shards: Shards,
        asked_S: list[NDArray[np.int64]],
        moment_us: int | None,
        removed_I: NDArray[np.int64],
    ) -> None:
        self._shards, self._asked_S, self._moment_us = shards, asked_S, moment_us
        self.n_items, self.n_shards = shards.n_items, shards.n_shards
        self.item_counts: NDArray[np.int64] = shards.item_counts - removed_I
        self.n_events = shards.n_events - int(removed_I.sum())

    def read(self, number: int) -> Histories:
        """One shard, less what was held out."""
        histories = self._shards.read(number)
        return _first(histories, _left(histories, self._asked_S[number], self._moment_us))

    def epoch(self, rng: Rng) -> Iterator[Histories]:
        """Every user once, a shard at a time in an order that `rng` draws."""
        for number in np.random.default_rng(rng).permutation(self.n_shards):
            yield self.read(int(number))


def _check(how: object, *, users: int, fraction: float) -> None:
    if how not in {"last", "time", None}:
        raise InputError("how", "must be 'last', 'time' or None", value=how)
    if users < 1:
        raise InputError("users", "must be 1 or more", value=users)
    if not 0 < fraction < 1:
        raise InputError("fraction", "must lie between 0 and 1, both excluded", value=fraction)


def _warn(how: str, *, n_events: int) -> None:
    log.warning(
        "too little data to hold any out: training runs all its epochs, without early stopping",
        extra={"how": how, "n_events": n_events},
    )


def _each(shards: Shards) -> Iterator[Histories]:
    return map(shards.read, range(shards.n_shards))


def _most(n_able: int, *, n_events: int) -> int:
    """Users whose newest event may be held out: a tenth of them, or what is a hundredth of the events."""
    return min(n_able, max(n_able // 10, n_events // 100))


def _moment(shards: Shards, *, fraction: float) -> int:
    """A time after which at most `fraction` of the events are, found by counting."""
    spans = [(int(h.time_us.min()), int(h.time_us.max())) for h in _each(shards) if h.n_events]
    if not spans:
        return 0
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    width = (last - first) // _MOMENT_BINS + 1
    n_T = np.zeros(_MOMENT_BINS, np.int64)
    for histories in _each(shards):
        n_T += np.bincount((histories.time_us - first) // width, minlength=_MOMENT_BINS)
    later_T = n_T.sum() - np.cumsum(n_T)
    place = int(np.argmax(later_T <= int(n_T.sum() * fraction)))
    return first + (place + 1) * width - 1


def _able(histories: Histories, moment_us: int | None) -> NDArray[np.int64]:
    """Users with an event to ask for and one before it: the newest, or the first after the moment."""
    if moment_us is None:
        return np.flatnonzero(histories.lengths >= 2)
    n_B = _n_until(histories, moment_us)
    return np.flatnonzero((n_B > 0) & (n_B < histories.lengths))


def _left(histories: Histories, asked: NDArray[np.int64], moment_us: int | None) -> NDArray[np.int64]:
    """How many events each user keeps: those until the moment, or all but the newest of who is asked."""
    if moment_us is not None:
        return _n_until(histories, moment_us)
    left_B = histories.lengths.copy()
    left_B[asked] -= 1
    return left_B


def _n_until(histories: Histories, moment_us: int) -> NDArray[np.int64]:
    """Events of each user that aren't later than the moment."""
    n_before = np.concatenate([[0], np.cumsum(histories.time_us <= moment_us)])
    return np.asarray(np.diff(n_before[histories.indptr]), dtype=np.int64)


def _questions(histories: Histories, left_B: NDArray[np.int64], asked: NDArray[np.int64]) -> Questions:
    """The events that users keep, and the item after them."""
    target_idx = histories.item_idx[histories.indptr[asked] + left_B[asked]].astype(np.int64)
    return Questions(_first(histories.take(asked), left_B[asked]), target_idx)


def _drawn(able: NDArray[np.int64], n: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(able, size=n, replace=False)) if n else able[:0]


def _first(histories: Histories, n_B: NDArray[np.int64]) -> Histories:
    """The oldest `n_B` events of each user."""
    return cut(histories, histories.indptr[:-1], n_B)


def _none(histories: Histories) -> Questions:
    return Questions(histories.take([]), np.empty(0, np.int64))
