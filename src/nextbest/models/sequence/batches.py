"""Batches: histories cut into windows of like length, padded on the right to the longest of a batch only.

An event is a target once at most, a window's newest event stands at its last place, and nothing here
loops over users or events. Knows no torch and no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.base import Rng
from nextbest.models.checks import check_items

NO_TARGET = -1
"""In `Batch.target_BL`: nothing is asked at this place."""
QUESTIONS = 0.1
"""Share of a Cloze epoch's windows of which only the newest event is masked, as at the question. BERT4Rec
adds one such copy to its ten randomly masked ones."""
CUT_QUESTIONS = 0.5
"""Share of these that end at a random event instead of the newest: else a model taught by long histories alone
has never met a mask behind a short one, and a new client's second question is a riddle to it."""
_SPREAD = 0.1
"""Lengths that differ by less than this share may meet in a batch, so that epochs aren't all alike."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B windows of L places at most; a window's events stand first, padding after them."""

    input_BL: NDArray[np.int64]  # noqa: N815 - axes in the name, as in the torch code
    """Item row numbers; `n_items` = padding, `n_items + 1` = masked."""
    target_BL: NDArray[np.int64]  # noqa: N815 - axes in the name, as in the torch code
    """The item to be told from the state at this place; -1 = none."""
    length_B: NDArray[np.int64]  # noqa: N815 - axes in the name, as in the torch code
    """Places of each window that hold no padding; in questions 0 where nothing is known."""

    @property
    def n_targets(self) -> int:
        """Places that have a target."""
        return int(np.count_nonzero(self.target_BL != NO_TARGET))

    def windows(self, rows: slice) -> "Batch":
        """Some of its windows, padded to their own longest."""
        longest = max(1, int(self.length_B[rows].max()))
        return Batch(
            input_BL=np.ascontiguousarray(self.input_BL[rows, :longest]),
            target_BL=np.ascontiguousarray(self.target_BL[rows, :longest]),
            length_B=self.length_B[rows],
        )


def next_item_batches(
    histories: Histories,
    *,
    n_items: int,
    max_len: int,
    batch_events: int,
    rng: Rng,
    every_window: bool = True,
    is_target: NDArray[np.bool_] | None = None,
) -> Iterator[Batch]:
    """One epoch of windows in which each place's target is the event after it.

    Parameters
    ----------
    histories
        What users did, oldest first. A history of one event has nothing to predict it from: no window.
    n_items
        Items 0..n_items-1; padding is `n_items`.
    max_len
        Places of a window at most. A window reads up to `max_len + 1` events: the last is a target only.
    batch_events
        Places of a batch at most, padding counted; a window longer than that is a batch alone.
    rng
        Seed or Generator: which windows share a batch and the order of batches.
    every_window
        True: the newest window ends with the history, older ones stand before it, and every event but a
        history's first is a target exactly once. False: newest windows only.
    is_target
        Events that may be asked for, shape (n_events,); the others are read only, and a window that asks for nothing
        is left out. None: all.

    Returns
    -------
    iterator of Batch
        Shape (B, L) with B * L <= `batch_events`; no batch is empty.

    Raises
    ------
    InputError
        A size is below 1, `is_target` has another length, or a row number isn't one of `n_items`.
    """
    _check(histories, n_items=n_items, max_len=max_len, batch_events=batch_events)
    starts_W, length_W = windows(histories, n_first=1, max_len=max_len, every_window=every_window)
    if is_target is not None:
        starts_W, length_W = _asking(starts_W, length_W, _checked_targets(is_target, histories))
    return _next_item(
        histories, starts_W - 1, length_W, n_items, batch_events, np.random.default_rng(rng), is_target
    )


def cloze_batches(
    histories: Histories,
    *,
    n_items: int,
    max_len: int,
    batch_events: int,
    mask_share: float,
    rng: Rng,
    every_window: bool = True,
    is_target: NDArray[np.bool_] | None = None,
) -> Iterator[Batch]:
    """One epoch of windows with some events hidden; targets are those events.

    Every event is in one window (with `every_window`). A window's events are masked at random, each with
    chance `mask_share` and one at least; in one window of ten only the newest is, as at the question, and
    every second of these ends at a random event, so that questions of all lengths are met.

    Parameters
    ----------
    histories, n_items, max_len, batch_events, every_window, is_target
        As in `next_item_batches`, but a window reads `max_len` events, and one event alone is a window too.
        A masked place holds `n_items + 1`.
    mask_share
        Above 0, at most 1.
    rng
        Seed or Generator: masks, which windows share a batch, and the order of batches.

    Raises
    ------
    InputError
        A size is below 1, `mask_share` is out of range, `is_target` has another length, or a row number isn't
        one of `n_items`.

    Notes
    -----
    Sun et al. 2019 (BERT4Rec), masking always and never swapping items, as the paper does.
    """
    _check(histories, n_items=n_items, max_len=max_len, batch_events=batch_events)
    if not 0 < mask_share <= 1:
        raise InputError("mask_share", "must be above 0, at most 1", value=mask_share)
    starts_W, length_W = windows(histories, n_first=0, max_len=max_len, every_window=every_window)
    if is_target is not None:
        starts_W, length_W = _asking(starts_W, length_W, _checked_targets(is_target, histories))
    return _cloze(
        histories,
        starts_W,
        length_W,
        n_items,
        batch_events,
        mask_share,
        np.random.default_rng(rng),
        is_target,
    )


def question_batches(
    histories: Histories, *, n_items: int, max_len: int, batch_events: int, append_mask: bool = False
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Every history once, its newest events only: what a model reads to answer it.

    Parameters
    ----------
    histories
        Whom to answer; an empty one gives a row of length 0 (of 1, the mask, with `append_mask`).
    n_items, batch_events
        As in `next_item_batches`.
    max_len
        Places of a row at most.
    append_mask
        The place after the newest event holds the mask `n_items + 1`; then `max_len - 1` events are read.

    Returns
    -------
    iterator of (rows, Batch)
        `rows`, shape (B,): which histories these are; all rows together are each history once, longest first.
        The answer is the state at place `length_B - 1`. L is 1 at least, and no place has a target.

    Raises
    ------
    InputError
        A size is below 1 (`max_len` below 2 with `append_mask`), or a row number isn't one of `n_items`.
    """
    _check(histories, n_items=n_items, max_len=max_len, batch_events=batch_events)
    if append_mask and max_len < 2:
        raise InputError("max_len", "must be 2 or more where a mask is appended", value=max_len)
    return _questions(histories, n_items, max_len, batch_events, append_mask=append_mask)


def _check(histories: Histories, *, n_items: int, max_len: int, batch_events: int) -> None:
    for name, value in (("n_items", n_items), ("max_len", max_len), ("batch_events", batch_events)):
        if value < 1:
            raise InputError(name, "must be 1 or more", value=value)
    check_items("histories", histories.item_idx, n_items=n_items)


def windows(
    histories: Histories, *, n_first: int, max_len: int, every_window: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where windows of `max_len` events start and how many they have; the first `n_first` events are in none.

    Cut from the newest event backwards; what is left over is the oldest window.
    """
    n_events_B = np.maximum(histories.lengths - n_first, 0)
    n_windows_B = -(-n_events_B // max_len) if every_window else np.minimum(n_events_B, 1)
    first_B = np.cumsum(n_windows_B) - n_windows_B
    age_W = np.arange(int(n_windows_B.sum())) - np.repeat(first_B, n_windows_B)  # 0 = newest
    end_W = np.repeat(histories.indptr[1:], n_windows_B) - age_W * max_len
    length_W = np.minimum(np.repeat(n_events_B, n_windows_B) - age_W * max_len, max_len)
    return end_W - length_W, length_W


def _checked_targets(is_target: NDArray[np.bool_], histories: Histories) -> NDArray[np.bool_]:
    if is_target.shape != (histories.n_events,) or is_target.dtype != np.bool_:
        raise InputError(
            "is_target", f"must be boolean of shape ({histories.n_events},)", value=is_target.shape
        )
    return is_target


def _asking(
    starts_W: NDArray[np.int64], length_W: NDArray[np.int64], is_target: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The windows with an event that may be asked for."""
    n_before = np.concatenate([[0], np.cumsum(is_target)])
    some_W = n_before[starts_W + length_W] > n_before[starts_W]
    return starts_W[some_W], length_W[some_W]


def _grouped(
    length_W: NDArray[np.int64], *, batch_events: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Windows of each batch: like lengths together, in random order."""
    blurred_W = length_W * (1 + _SPREAD * rng.random(len(length_W)))
    batches = _cut(np.argsort(-blurred_W), length_W, batch_events=batch_events)
    return [batches[number] for number in rng.permutation(len(batches))]


def _cut(
    order_W: NDArray[np.int64], length_W: NDArray[np.int64], *, batch_events: int
) -> list[NDArray[np.int64]]:
    """`order_W` in stretches whose number of rows times longest row is at most `batch_events`."""
    sorted_W = length_W[order_W]
    batches, start = [], 0
    while start < len(order_W):
        at_most = max(1, batch_events // max(1, int(sorted_W[start])))  # the first of them is a lower bound
        longest = np.maximum.accumulate(np.maximum(sorted_W[start : start + at_most], 1))
        fits = longest * np.arange(1, len(longest) + 1) <= batch_events
        n_rows = max(1, int(np.count_nonzero(fits)))
        batches.append(order_W[start : start + n_rows])
        start += n_rows
    return batches


def _read(
    events: NDArray[Any], starts_B: NDArray[np.int64], length_B: NDArray[np.int64], *, pad: int, width: int
) -> NDArray[np.int64]:
    """Events of each row from its start on, shape (B, width), `pad` past its length."""
    place_L = np.arange(width)
    if not len(events):
        return np.full((len(starts_B), width), pad, np.int64)
    at_BL = np.minimum(starts_B[:, None] + place_L, len(events) - 1)
    return np.where(place_L < length_B[:, None], events[at_BL], pad).astype(np.int64, copy=False)


def _next_item(
    histories: Histories,
    starts_W: NDArray[np.int64],
    length_W: NDArray[np.int64],
    n_items: int,
    batch_events: int,
    rng: np.random.Generator,
    is_target: NDArray[np.bool_] | None,
) -> Iterator[Batch]:
    events = histories.item_idx
    targets = events if is_target is None else np.where(is_target, events, NO_TARGET)
    for windows in _grouped(length_W, batch_events=batch_events, rng=rng):
        starts_B, length_B = starts_W[windows], length_W[windows]
        width = int(length_B.max())
        yield Batch(
            _read(events, starts_B, length_B, pad=n_items, width=width),
            _read(targets, starts_B + 1, length_B, pad=NO_TARGET, width=width),
            length_B,
        )


def _cloze(
    histories: Histories,
    starts_W: NDArray[np.int64],
    length_W: NDArray[np.int64],
    n_items: int,
    batch_events: int,
    mask_share: float,
    rng: np.random.Generator,
    is_target: NDArray[np.bool_] | None,
) -> Iterator[Batch]:
    is_question_W = rng.random(len(length_W)) < QUESTIONS
    cut_W = is_question_W & (rng.random(len(length_W)) < CUT_QUESTIONS)
    shortest_W = 1 if is_target is None else _first_target(starts_W, is_target) + 1
    n_choices_W = length_W - shortest_W + 1
    cut_at_W = shortest_W + (rng.random(len(length_W)) * n_choices_W).astype(np.int64)
    length_W = np.where(cut_W, cut_at_W, length_W)
    for windows in _grouped(length_W, batch_events=batch_events, rng=rng):
        starts_B, length_B = starts_W[windows], length_W[windows]
        width = int(length_B.max())
        item_BL = _read(histories.item_idx, starts_B, length_B, pad=n_items, width=width)
        may_BL = np.arange(width) < length_B[:, None]
        if is_target is not None:
            may_BL &= _read(is_target, starts_B, length_B, pad=0, width=width) > 0
        masked_BL = _masks(length_B, is_question_W[windows], may_BL, mask_share=mask_share, rng=rng)
        yield Batch(
            np.where(masked_BL, n_items + 1, item_BL), np.where(masked_BL, item_BL, NO_TARGET), length_B
        )


def _first_target(starts_W: NDArray[np.int64], is_target: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many events of each window stand before its first one that may be asked for; each has one."""
    places = np.flatnonzero(is_target)
    return np.asarray(places[np.searchsorted(places, starts_W)] - starts_W, dtype=np.int64)


def _masks(
    length_B: NDArray[np.int64],
    is_question_B: NDArray[np.bool_],
    may_BL: NDArray[np.bool_],
    *,
    mask_share: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Which places are hidden: one at least in every row, only places that may be."""
    place_L = np.arange(may_BL.shape[1])
    masked_BL = rng.random(may_BL.shape, dtype=np.float32) < mask_share
    masked_BL[is_question_B] = place_L == length_B[is_question_B, None] - 1
    masked_BL &= may_BL
    bare = np.flatnonzero(~masked_BL.any(axis=1))
    n_may = may_BL[bare].sum(axis=1)
    number = 1 + (rng.random(len(bare)) * n_may).astype(np.int64)
    masked_BL[bare, np.argmax(may_BL[bare].cumsum(axis=1) == number[:, None], axis=1)] = True
    return masked_BL


def _questions(
    histories: Histories, n_items: int, max_len: int, batch_events: int, *, append_mask: bool
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    n_read_Q = np.minimum(histories.lengths, max_len - append_mask)
    starts_Q, length_Q = histories.indptr[1:] - n_read_Q, n_read_Q + append_mask
    for rows in _cut(np.argsort(-length_Q, kind="stable"), length_Q, batch_events=batch_events):
        length_B = length_Q[rows]
        width = max(1, int(length_B.max()))
        input_BL = _read(histories.item_idx, starts_Q[rows], n_read_Q[rows], pad=n_items, width=width)
        if append_mask:
            input_BL[np.arange(len(rows)), length_B - 1] = n_items + 1
        yield rows, Batch(input_BL, np.full_like(input_BL, NO_TARGET), length_B)
