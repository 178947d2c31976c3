"""What is held out of a log to stop training by: never trained on, and with `time` nothing later either.

Knows no torch, no model and no metric.
"""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.base import Rng

log = logging.getLogger(__name__)


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
        `last`: the newest event of some users, one user in ten at most of those with two events or more.
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
    if how not in {"last", "time", None}:
        raise InputError("how", "must be 'last', 'time' or None", value=how)
    if users < 1:
        raise InputError("users", "must be 1 or more", value=users)
    if not 0 < fraction < 1:
        raise InputError("fraction", "must lie between 0 and 1, both excluded", value=fraction)
    if how is None:
        return histories, _none(histories)
    generator = np.random.default_rng(rng)
    if how == "last":
        left_B, asked = _without_last(histories, users=users, rng=generator)
    else:
        left_B, asked = _before_moment(histories, users=users, fraction=fraction, rng=generator)
    if not len(asked):
        log.warning(
            "too little data to hold any out: training runs all its epochs, without early stopping",
            extra={"how": how, "n_users": len(histories), "n_events": histories.n_events},
        )
        return histories, _none(histories)
    train = _first(histories, left_B)
    target_idx = histories.item_idx[histories.indptr[asked] + left_B[asked]].astype(np.int64)
    return train, Questions(train.take(asked), target_idx)


def _without_last(
    histories: Histories, *, users: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many events each user keeps, and who is asked."""
    able = np.flatnonzero(histories.lengths >= 2)
    asked = _drawn(able, min(users, len(able) // 10), rng=rng)
    left_B = histories.lengths.copy()
    left_B[asked] -= 1
    return left_B, asked


def _before_moment(
    histories: Histories, *, users: int, fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many events each user keeps, and who is asked."""
    n = histories.n_events
    if not n:
        return histories.lengths, np.empty(0, np.int64)
    n_later = int(n * fraction)  # events that share the moment stay: their order among themselves is unknown
    moment_us = np.partition(histories.time_us, n - 1 - n_later)[n - 1 - n_later]
    n_before = np.concatenate([[0], np.cumsum(histories.time_us <= moment_us)])
    left_B = np.diff(n_before[histories.indptr])
    able = np.flatnonzero((left_B > 0) & (left_B < histories.lengths))
    return left_B, _drawn(able, min(users, len(able)), rng=rng)


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
