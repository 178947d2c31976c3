"""Cuts of a journal into what a model may learn, what is known when it is asked, and the targets.

The default is by global time, the only cut that can't leak the future. Leave-last-out is here to
compare with published tables, the random cut for journals whose time means nothing. Knows no
model and no metric; never drops a target to make a number look better.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl

from nextbest.errors import DataError, InputError
from nextbest.evaluation.protocol import (
    TIES,
    checked_journal,
    describe,
    first_targets,
    share_before_quantile,
    tied_share,
)
from nextbest.tables import ITEM_ID, TIME, USER_ID, TimeKind

Rng = int | np.random.Generator
Targets = Literal["all", "first"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RandomSplitWarning(UserWarning):
    """A random cut was asked for: it can't show what a model would have reached on later events."""


@dataclass(frozen=True, eq=False)
class Split:
    """One cut of a journal; tables are sorted by user and time."""

    train: pl.DataFrame
    """Journal rows that a model may be fitted on."""
    history: pl.DataFrame
    """Journal rows known at the moment of the question; equals `train` but for leave-last without refit."""
    targets: pl.DataFrame
    """What really came: `user_id, item_id, time`, an item at most once a user, unknown items kept."""
    protocol: dict[str, Any]
    """Name, choices and counts, JSON-ready; goes beside every figure measured on this cut."""


def split_by_time(
    journal: pl.DataFrame,
    *,
    cutoff: datetime | None = None,
    test_fraction: float = 0.1,
    test_days: float | None = None,
    targets: Targets = "all",
    time_kind: TimeKind = "real",
) -> Split:
    """One moment for everybody: `train` before the cutoff, targets at or after it.

    Parameters
    ----------
    journal
        Columns `user_id, item_id, time`; others travel along into `train` and `history`.
    cutoff
        The moment, with a time zone. None: from `test_days`, or else from `test_fraction`.
    test_fraction
        Share of all events that lie at or after the cutoff, 0-1 exclusive; more of them where the
        cutoff is shared by many events (the protocol tells the true share).
    test_days
        Length of the target window in days, counted back from the last event.
    targets
        `all`: every item a user took from the cutoff on. `first`: only the user's first event.
    time_kind
        What `time` means in this journal (`Workspace.time_kind`).

    Raises
    ------
    DataError
        The time means only an order or nothing, all events share one moment, or a column breaks
        the journal's contract.
    InputError
        `cutoff` has no time zone or leaves no events on one side, it came together with
        `test_days`, or a number is out of range.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> times = [datetime(2026, 1, d, tzinfo=UTC) for d in (1, 2, 3, 4)]
    >>> journal = pl.DataFrame({"user_id": [1, 2, 1, 2], "item_id": [7, 8, 9, 9], "time": times})
    >>> split = split_by_time(journal.cast({"time": pl.Datetime("us", "UTC")}), test_days=2)
    >>> split.train["item_id"].to_list(), split.targets["item_id"].to_list()
    ([7, 8], [9, 9])
    >>> split.protocol["cutoff"], split.protocol["n_targets_of_cold_items"]
    ('2026-01-02T00:00:00.000001+00:00', 2)
    """
    _refuse_without_moments(time_kind, "a split by time")
    if cutoff is not None and test_days is not None:
        raise InputError("cutoff", "can't be given together with test_days", value=cutoff)
    ordered = checked_journal(journal)
    times = np.sort(ordered[TIME].to_physical().to_numpy())
    if times[0] == times[-1]:
        raise DataError(
            "journal",
            "all events share one moment",
            examples=[_moment(int(times[0])).isoformat()],
            remedy="use split_random, or give the journal its real times",
        )
    if cutoff is not None:
        edge = _microseconds(cutoff)
        if not times[0] < edge <= times[-1]:
            raise InputError(
                "cutoff",
                f"must leave events on both sides, after {_moment(int(times[0]))} and not after "
                f"{_moment(int(times[-1]))}",
                value=cutoff.isoformat(),
            )
    elif test_days is not None:
        edge = _window_start(times, days=test_days, name="test_days")
    else:
        if not 0 < test_fraction < 1:
            raise InputError("test_fraction", "must lie between 0 and 1, both excluded", value=test_fraction)
        edge = int(times[len(times) - max(1, round(test_fraction * len(times)))])
        edge = max(edge, int(times[np.searchsorted(times, times[0], side="right")]))
    return _cut(ordered, edge, None, targets=targets, choices={"name": "time"})


def rolling_windows(
    journal: pl.DataFrame,
    *,
    n_windows: int,
    window_days: float,
    step_days: float | None = None,
    targets: Targets = "all",
    time_kind: TimeKind = "real",
) -> list[Split]:
    """Several splits by time, oldest first: the last ends with the journal, each other `step_days` earlier.

    Each learns from everything before its window, so a later window knows the earlier ones.

    Parameters
    ----------
    journal, targets, time_kind
        As in `split_by_time`.
    n_windows
        How many, 1 or more.
    window_days
        Length of each target window, days.
    step_days
        Distance between window starts, days; None = `window_days`, so that windows don't overlap.

    Raises
    ------
    DataError, InputError
        As in `split_by_time`; also when a window has no event, or nothing lies before it.
    """
    _refuse_without_moments(time_kind, "rolling windows")
    if n_windows < 1:
        raise InputError("n_windows", "must be 1 or more", value=n_windows)
    if step_days is not None and step_days <= 0:
        raise InputError("step_days", "must be above 0", value=step_days)
    ordered = checked_journal(journal)
    times = np.sort(ordered[TIME].to_physical().to_numpy())
    newest = _window_start(times, days=window_days, name="window_days")
    length = _days_us(window_days)
    step = length if step_days is None else _days_us(step_days)
    splits = []
    for window in range(n_windows):
        back = n_windows - 1 - window
        start = newest - back * step
        end = start + length
        before, inside = (int(np.searchsorted(times, edge)) for edge in (start, end))
        if before == 0:
            raise InputError(
                "n_windows",
                f"leaves nothing to learn from before window {window + 1} of {n_windows}, "
                f"which starts at {_moment(start)}",
                value=n_windows,
                remedy="ask for fewer or shorter windows",
            )
        if inside == before:
            raise DataError(
                "journal",
                f"no event in window {window + 1} of {n_windows}, {_moment(start)} to {_moment(end)}",
                remedy="ask for longer windows",
            )
        choices = {"name": "rolling", "window": window + 1, "n_windows": n_windows}
        splits.append(_cut(ordered, start, end, targets=targets, choices=choices))
    return splits


def split_leave_last(
    journal: pl.DataFrame,
    *,
    part: Literal["test", "validation"] = "test",
    refit: bool = True,
    time_kind: TimeKind = "real",
    ties: Literal["journal", "shuffle"] = "journal",
    rng: Rng = 0,
) -> Split:
    """Each user's last event as the target: for comparison with published tables, it leaks the future.

    With a user's events 1..n in time order:

    ===================  ============  ============  ========
    part                 train         history       target
    ===================  ============  ============  ========
    test, refit          1..n-1        1..n-1        n
    test, no refit       1..n-2        1..n-1        n
    validation           1..n-2        1..n-2        n-1
    ===================  ============  ============  ========

    *No refit* is the protocol of SASRec and S3Rec as published; refitting with the validation
    event is worth 13-15 % on the Amazon sets, so compare only like with like. Users with fewer
    than three events are train-only.

    Parameters
    ----------
    journal
        Columns `user_id, item_id, time`.
    part
        Which event is the target.
    refit
        Whether the validation event may be learned from; means nothing for `part="validation"`.
    time_kind
        What `time` means in this journal; "order" is enough here.
    ties
        Order of a user's events of one moment: the `journal`'s own, or a `shuffle` by `rng`, which
        tells how much of a result lives in that order.

    Raises
    ------
    DataError
        The time means nothing, no user has three events, or a column breaks the journal's contract.
    """
    if part not in ("test", "validation"):
        raise InputError("part", "must be 'test' or 'validation'", value=part)
    if ties not in ("journal", "shuffle"):
        raise InputError("ties", "must be 'journal' or 'shuffle'", value=ties)
    if time_kind == "none":
        raise DataError(
            "journal", "its time means nothing, so no event is the last", remedy="use split_random"
        )
    ordered = checked_journal(journal)
    if ties == "shuffle":
        shuffled = ordered[np.random.default_rng(rng).permutation(len(ordered))]
        ordered = shuffled.sort(USER_ID, TIME, maintain_order=True)
    from_end = ordered.select((pl.len() - 1 - pl.int_range(pl.len())).over(USER_ID)).to_series()
    long = ordered.select(pl.len().over(USER_ID) >= 3).to_series()
    if not long.any():
        raise DataError("journal", "no user has three events", remedy="use split_by_time")
    first_known = 1 if part == "test" and refit else 2
    first_history = 2 if part == "validation" else 1
    train = ordered.filter(~long | (from_end >= first_known))
    history = ordered.filter(~long | (from_end >= first_history))
    picked = ordered.filter(long & (from_end == (0 if part == "test" else 1))).select(USER_ID, ITEM_ID, TIME)
    choices: dict[str, Any] = {
        "name": "leave-last",
        "part": part,
        "refit": part == "test" and refit,
        "ties": TIES if ties == "journal" else "inside a user, events of one moment are shuffled",
        "tied_share": tied_share(ordered),
        "n_users_train_only": ordered.filter(~long)[USER_ID].n_unique(),
    }
    if time_kind == "real":
        choices["targets_before_80pct_of_log"] = share_before_quantile(
            picked[TIME], ordered[TIME], quantile=0.8
        )
    protocol = describe(
        train=train, history=history, targets=picked, n_target_events=len(picked), choices=choices
    )
    return Split(train, history, picked, protocol)


def split_random(journal: pl.DataFrame, *, rng: Rng, test_fraction: float = 0.1) -> Split:
    """A random share of each journal's (user, item) pairs as targets: only where time means nothing.

    All events of a pair go to one side, so a repeat can't leak its own answer; a user all of whose
    items were drawn keeps one of them.

    Warns
    -----
    RandomSplitWarning
        Always: the model is asked for events older than what it learned from.

    Raises
    ------
    DataError
        No user has two different items, or a column breaks the journal's contract.
    InputError
        `test_fraction` is out of range.
    """
    if not 0 < test_fraction < 1:
        raise InputError("test_fraction", "must lie between 0 and 1, both excluded", value=test_fraction)
    warnings.warn(
        "a random split asks for events from among those learned from, so its figures are too good and say "
        "nothing about the future; use split_by_time where the journal has times",
        RandomSplitWarning,
        stacklevel=2,
    )
    ordered = checked_journal(journal)
    pairs = ordered.select(USER_ID, ITEM_ID).unique(maintain_order=True)
    pairs = pairs.with_columns(draw=pl.Series(np.random.default_rng(rng).random(len(pairs))))
    drawn = pl.col("draw") < test_fraction
    pairs = pairs.with_columns(drawn & (pl.col("draw") < pl.col("draw").max().over(USER_ID)))
    marked = ordered.join(pairs, on=[USER_ID, ITEM_ID], how="left", maintain_order="left")
    chosen = marked["draw"]
    if not chosen.any():
        raise DataError(
            "journal",
            "no pair of user and item was drawn as a target",
            remedy="users need two different items each; or raise test_fraction",
        )
    train, events = ordered.filter(~chosen), ordered.filter(chosen)
    targets = first_targets(events)
    choices = {"name": "random", "test_fraction": test_fraction, "honest": False}
    protocol = describe(
        train=train, history=train, targets=targets, n_target_events=len(events), choices=choices
    )
    return Split(train, train, targets, protocol)


def _cut(
    ordered: pl.DataFrame, start: int, end: int | None, *, targets: Targets, choices: dict[str, Any]
) -> Split:
    """Split an ordered journal at `start`; targets up to `end` (excluded), microseconds."""
    if targets not in ("all", "first"):
        raise InputError("targets", "must be 'all' or 'first'", value=targets)
    moments = ordered[TIME].to_physical()
    train = ordered.filter(moments < start)
    events = ordered.filter(moments >= start)
    if end is not None:
        events = events.filter(events[TIME].to_physical() < end)
    n_events = len(events)
    asked = events.unique(subset=USER_ID, keep="first", maintain_order=True) if targets == "first" else events
    protocol = describe(
        train=train,
        history=train,
        targets=first_targets(asked),
        n_target_events=len(asked),
        choices={
            **choices,
            "cutoff": _moment(start).isoformat(),
            "end": None if end is None else _moment(end).isoformat(),
            "targets": targets,
            "ties": TIES,
            "tied_share": tied_share(ordered),
            "n_window_events": n_events,
            "test_share": n_events / len(ordered),
            "first_event": _moment(int(moments.to_numpy().min())).isoformat(),
            "last_event": _moment(int(moments.to_numpy().max())).isoformat(),
        },
    )
    return Split(train, train, first_targets(asked), protocol)


def _refuse_without_moments(time_kind: TimeKind, what: str) -> None:
    if time_kind not in ("real", "order", "none"):
        raise InputError("time_kind", "must be 'real', 'order' or 'none'", value=time_kind)
    if time_kind == "real":
        return
    raise DataError(
        "journal",
        f"{what} needs real moments; here time means "
        + ("only the order inside each user" if time_kind == "order" else "nothing"),
        remedy="use split_leave_last" if time_kind == "order" else "use split_random",
    )


def _window_start(times: Iterable[int], *, days: float, name: str) -> int:
    """First microsecond of the window of `days` that ends with the last event."""
    ordered = np.asarray(times)
    if not days > 0:
        raise InputError(name, "must be above 0", value=days)
    start = int(ordered[-1]) + 1 - _days_us(days)
    if start <= ordered[0]:
        raise InputError(
            name,
            f"leaves nothing to learn from: the journal covers {(ordered[-1] - ordered[0]) / 8.64e10:.3g} days",
            value=days,
        )
    return start


def _days_us(days: float) -> int:
    return round(days * 86_400_000_000)


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise InputError(
            "cutoff", "must carry a time zone", value=moment.isoformat(), remedy="add tzinfo=UTC"
        )
    return (moment - _EPOCH) // _MICROSECOND
