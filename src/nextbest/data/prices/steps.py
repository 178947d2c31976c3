"""The length of a bar: its name (`1h`, `1d`), how it is found in the times, where a bar of it begins.

Knows nothing of prices. Days and weeks are those of UTC; a week begins on Monday.
"""

import re
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
ALWAYS_OPEN = 0.8
"""Share of the steps with a bar from which on a market counts as never closed; five days of seven are 0.71."""
_MONDAY_US = 4 * 86_400 * 1_000_000  # the epoch is a Thursday


def parse_step(text: str) -> timedelta:
    """`15m`, `1h`, `1d`, `1w` as a length.

    >>> parse_step("4h")
    datetime.timedelta(seconds=14400)

    Raises
    ------
    InputError
        Not a whole number and one of s, m, h, d, w.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", text.strip().lower())
    if not found:
        raise InputError(
            "step", "must be a whole number and one of s, m, h, d, w", value=text, remedy="e.g. 1h"
        )
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def step_name(step: timedelta) -> str:
    """The shortest name of a length; `parse_step` reads it.

    >>> step_name(timedelta(hours=24)), step_name(timedelta(minutes=90))
    ('1d', '90m')
    """
    check_step(step)
    seconds = int(step.total_seconds())
    unit = next(u for u in reversed(_UNITS) if seconds % _UNITS[u] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def check_step(step: timedelta) -> timedelta:
    """The same length, if it is whole seconds, one or more; else `InputError`."""
    if step < timedelta(seconds=1) or step % timedelta(seconds=1):
        raise InputError("step", "must be whole seconds, one or more", value=str(step))
    return step


def in_us(step: timedelta) -> int:
    """The length in microseconds."""
    return step // timedelta(microseconds=1)


def bar_start(time_us: NDArray[np.int64], step: timedelta) -> NDArray[np.int64]:
    """Open of the bar in which each moment falls, microseconds since the epoch; weeks begin on Monday."""
    length = in_us(step)
    offset = _MONDAY_US if step % WEEK == timedelta(0) else 0
    return (time_us - offset) // length * length + offset


def bar_clock(time_us: NDArray[np.int64], step: timedelta) -> NDArray[np.int64]:
    """The bars that a market could have had between its first and its last, microseconds since the epoch.

    Every step where at least `ALWAYS_OPEN` of them have a bar; else the times given: when a market closes is not
    known here, only when nobody had a bar.

    Parameters
    ----------
    time_us
        All times at which any asset has a bar, ascending, each once; may be none.
    """
    if not len(time_us):
        return time_us
    length = in_us(step)
    span = int(time_us[-1] - time_us[0])
    regular = not ((time_us - time_us[0]) % length).any()
    if regular and len(time_us) >= ALWAYS_OPEN * (span // length + 1):
        return np.arange(time_us[0], time_us[-1] + 1, length)
    return time_us


def find_step(table: pl.DataFrame) -> timedelta:
    """The commonest distance between one bar and the next of the same asset; the smaller one in a tie.

    Parameters
    ----------
    table
        Columns `asset_id` and `time`, sorted by them.

    Raises
    ------
    DataError
        No asset has two bars at different times.
    """
    length = pl.col("time").diff().over("asset_id")
    counted = (
        table.select(length=length)
        .filter(pl.col("length") > pl.duration(seconds=0))
        .group_by("length")
        .len()
        .sort(["len", "length"], descending=[True, False])
    )
    if not len(counted):
        raise DataError("prices", "no asset has two bars, so their step can't be told", remedy="state step=")
    found: timedelta = counted["length"][0]
    return found
