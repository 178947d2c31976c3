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


def held_out(
    histories: Histories,
    *,
    how: Literal["last", "time"] | None,
    users: int,
    fraction: float,
    rng: Rng,
) -> tuple[Histories, Questions]:
    """A log in two: what to train on, and questions about what was taken out of it.

    Parameters
    ----------
    histories
        B users, oldest first; not changed.
    how
        `last`: the newest event of some users with two events or more: of one in ten at most, or of as many as
        make a hundredth of the events, where histories are long (few questions would stop by chance).
        `time`: everything after the moment that leaves at most `fraction` of the events behind it; asked
        is the first of those events of each user who has events before it, too. None: nothing.
    users
        Users asked at most, drawn by `rng`; 1 or more.
    fraction
        Between 0 and 1, both excluded; used by `time`.
    rng
        Seed or Generator.

    Returns
    -------
    train : Histories
        The same B users, without what was taken out; a user may be left with nothing.
    questions : Questions
        In order of users. None at all where the log is too small for one: then `train` is `histories`, and a
        warning is logged, because training can't stop early.

    Raises
    ------
    InputError
        `how` is none of these, `users` < 1, or `fraction` outside its range.
    """
    _check(how, users=users, fraction=fraction)
    if how is None:
        return histories, _none(histories)
    generator = np.random.default_rng(rng)
    if how == "last":
        left_B, asked = _without_last(histories, users=users, rng=generator)
    else:
        left_B, asked = _before_moment(histories, users=users, fraction=fraction, rng=generator)
    if not len(asked):
        _warn(how, n_events=histories.n_events)
        return histories, _none(histories)
    train = _first(histories, left_B)
    return train, _questions(histories, left_B, asked)


def held_out_of(
    shards: Shards, *, how: Literal["last", "time"] | None, users: int, fraction: float, rng: Rng
) -> tuple[Shards, Questions]:
    """`held_out` of a log that is read a shard at a time; what is taken out is so in every epoch.

    Parameters, returns and errors are those of `held_out`, with shards for histories. Users are drawn from all
    shards alike. The moment of `time` is found to a 65,536th of the log's span, on the side that holds out
    less. Memory: a shard, and the questions. The log is read two times for `last`, four times for `time`.
    A process that has a share of the shards holds out a part of its share.
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
    return _Remaining(shards, asked_S, moment_us, removed_I), _joined(found)


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


def _without_last(
    histories: Histories, *, users: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many events each user keeps, and who is asked."""
    able = _able(histories, None)
    asked = _drawn(able, min(users, _most(len(able), n_events=histories.n_events)), rng=rng)
    return _left(histories, asked, None), asked


def _most(n_able: int, *, n_events: int) -> int:
    """Users whose newest event may be held out: a tenth of them, or what is a hundredth of the events."""
    return min(n_able, max(n_able // 10, n_events // 100))


def _before_moment(
    histories: Histories, *, users: int, fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many events each user keeps, and who is asked."""
    n = histories.n_events
    if not n:
        return histories.lengths, np.empty(0, np.int64)
    newest = n - 1 - int(n * fraction)  # events that share the moment stay: nothing tells their order
    moment_us = int(np.partition(histories.time_us, newest)[newest])
    able = _able(histories, moment_us)
    asked = _drawn(able, min(users, len(able)), rng=rng)
    return _left(histories, asked, moment_us), asked


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


def _joined(parts: list[Questions]) -> Questions:
    """Questions of several shards, one after the other; segments aren't kept."""
    logs = [part.histories for part in parts]
    lengths = np.concatenate([h.lengths for h in logs])
    histories = Histories(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([h.item_idx for h in logs]),
        np.concatenate([h.weight for h in logs]),
        np.concatenate([h.time_us for h in logs]),
    )
    return Questions(histories, np.concatenate([part.target_idx for part in parts]))


def _drawn(able: NDArray[np.int64], n: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.sort(rng.choice(able, size=n, replace=False)) if n else able[:0]


def _first(histories: Histories, n_B: NDArray[np.int64]) -> Histories:
    """The oldest `n_B` events of each user."""
    indptr = np.concatenate([[0], np.cumsum(n_B)]).astype(np.int64)
    picks = np.repeat(histories.indptr[:-1] - indptr[:-1], n_B) + np.arange(indptr[-1])
    return Histories(
        indptr,
        histories.item_idx[picks],
        histories.weight[picks],
        histories.time_us[picks],
        histories.segment,
    )


def _none(histories: Histories) -> Questions:
    return Questions(histories.take([]), np.empty(0, np.int64))
