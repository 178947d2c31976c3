"""What was read of each asset, and what about it a reader must know before trusting a figure made of it.

Tables in, numbers out: nothing here changes a row.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from nextbest.data.prices.steps import bar_clock, in_us, step_name

HALT_BARS = 3
"""Bars without a trade in a row, from which on they are told as a halt."""
CLOSED = timedelta(days=8)
"""Longest stretch without a bar that needs no word where a market closes: a weekend and five days of holidays."""
_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100, 200, 500, 1000, 5000])
_NEAR, _LARGE, _NEAR_LARGE = 0.05, 4.0, 0.2
_OUTSTANDING = 8.0
_AROUND = 5
_MANY_REPEATED = 0.2
_STAYS = 0.2
_FIRST = 5


class Gap(BaseModel, frozen=True, extra="forbid"):
    """Bars of the clock that an asset lacks between two that it has."""

    after: datetime
    """Open of the last bar before the gap."""
    before: datetime
    """Open of the first bar after it."""
    bars: int
    """Bars missing; of a market that closes, those on which another asset has one: 0 where nobody had."""


class Halt(BaseModel, frozen=True, extra="forbid"):
    """Bars in a row with a price and no volume."""

    start: datetime
    bars: int


class SuspectedSplit(BaseModel, frozen=True, extra="forbid"):
    """A jump from one bar to the next that a split would explain; never repaired without a table of splits."""

    time: datetime
    """Open of the first bar at the new price."""
    ratio: float
    """New pieces for one old that would explain it; below 1 = a reverse split."""
    jump: float
    """The log of the new price over the old."""


class AssetReport(BaseModel, frozen=True, extra="forbid"):
    """One asset's bars."""

    asset_id: str
    rows: int
    first: datetime
    last: datetime
    """Open of the last bar."""
    n_gaps: int = 0
    n_missing: int = 0
    """Bars in all gaps."""
    first_gaps: tuple[Gap, ...] = ()
    """Five at most."""
    longest_gap: Gap | None = None
    n_halts: int = 0
    longest_halt: Halt | None = None
    n_repeated: int = 0
    """Bars whose close is that of the bar before: many of them are days that somebody filled, or a price that hardly
    trades; their returns of zero flatter every error."""
    ends_early: int = 0
    """Bars of the clock after its last one: above 0, delisted, renamed, or fetched earlier than the others."""
    suspected_splits: tuple[SuspectedSplit, ...] = ()
    """Five at most."""


class PriceReport(BaseModel, frozen=True, extra="forbid"):
    """What a reading did; always `read == stored + quarantined + left_out`."""

    read: int
    stored: int
    quarantined: int
    reasons: dict[str, int]
    """Rows in quarantine by reason, most frequent first."""
    left_out: int = 0
    """Rows of sources whose bars have another step than the one asked for."""
    step: timedelta
    zone: str
    """Zone in which times without one were read, and whose days daily bars are."""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was decided by looking: columns, times, repairs."""
    assets: tuple[AssetReport, ...] = ()

    def lines(self) -> list[str]:
        """The report for people, a line a fact."""
        said = [f"{self.stored} bars of {step_name(self.step)} of {len(self.assets)} asset(s)"]
        said.append(f"{self.read} rows read; times without a zone are {self.zone}")
        if self.quarantined:
            said.append(f"quarantine: {self.quarantined} ({_counts(self.reasons)})")
        if self.left_out:
            said.append(f"{self.left_out} rows of another step left out")
        said += self.notes
        for asset in self.assets:
            said.append(
                f"{asset.asset_id}: {asset.rows} bars, {asset.first:%Y-%m-%d %H:%M} to {_time(asset.last)}"
            )
            if gap := asset.longest_gap:
                said.append(
                    f"  {asset.n_gaps} gap(s), {asset.n_missing} bars missing;"
                    f" longest: {gap.bars} after {_time(gap.after)} until {_time(gap.before)}"
                )
            if halt := asset.longest_halt:
                said.append(
                    f"  {asset.n_halts} halt(s) without a trade; longest: {halt.bars} bars from {_time(halt.start)}"
                )
            if asset.n_repeated > _MANY_REPEATED * asset.rows:
                share = asset.n_repeated / asset.rows
                said.append(
                    f"  {share:.0%} of its closes repeat the one before: filled by the source, or hardly traded"
                )
            if asset.ends_early:
                said.append(
                    f"  ends {asset.ends_early} bars before the others: delisted, renamed or fetched earlier"
                )
            said += [
                f"  price jumps by {np.exp(split.jump):.4g} at {_time(split.time)}, as a {split.ratio:g} : 1 split would;"
                " nothing was adjusted"
                for split in asset.suspected_splits
            ]
        return said


def describe(prices: pl.DataFrame, step: timedelta) -> tuple[AssetReport, ...]:
    """One report for each asset of a table `prices` sorted by asset and time, in the order of their names."""
    if not len(prices):
        return ()
    tables = prices.partition_by("asset_id", maintain_order=True)
    times = [_times(table) for table in tables]
    clocks: dict[int, NDArray[np.int64]] = {}
    for phase in {int(time_us[0]) % in_us(step) for time_us in times}:
        together = [time_us for time_us in times if int(time_us[0]) % in_us(step) == phase]
        clocks[phase] = bar_clock(np.unique(np.concatenate(together)), step)
    return tuple(
        _describe(table, time_us, clocks[int(time_us[0]) % in_us(step)], step)
        for table, time_us in zip(tables, times, strict=True)
    )


def counted(reasons: pl.Series) -> dict[str, int]:
    """How often each reason stands in a quarantine, most frequent first."""
    table = (
        reasons.alias("reason")
        .to_frame()
        .group_by("reason")
        .len()
        .sort(["len", "reason"], descending=[True, False])
    )
    return dict(table.rows())


def _describe(
    table: pl.DataFrame, time_us: NDArray[np.int64], clock_us: NDArray[np.int64], step: timedelta
) -> AssetReport:
    gaps = _gaps(time_us, clock_us, step)
    halts = _halts(table, time_us)
    return AssetReport(
        asset_id=table["asset_id"][0],
        rows=len(table),
        first=table["time"][0],
        last=table["time"][-1],
        n_gaps=len(gaps),
        n_missing=sum(gap.bars for gap in gaps),
        first_gaps=tuple(gaps[:_FIRST]),
        longest_gap=max(gaps, key=lambda gap: (gap.bars, gap.before - gap.after), default=None),
        n_halts=len(halts),
        n_repeated=int((table["close"].diff() == 0).sum()),
        longest_halt=max(halts, key=lambda halt: halt.bars, default=None),
        ends_early=int((clock_us > time_us[-1]).sum()),
        suspected_splits=suspected_splits(table)[:_FIRST],
    )


def _gaps(time_us: NDArray[np.int64], clock_us: NDArray[np.int64], step: timedelta) -> list[Gap]:
    place = np.searchsorted(clock_us, time_us)
    missing = np.diff(place) - 1
    always_open = bool((np.diff(clock_us) == in_us(step)).all())
    closed = max(CLOSED, 2 * step)
    long = np.diff(time_us) > in_us(closed) if not always_open else np.zeros(len(missing), bool)
    return [
        Gap(after=_moment(time_us[i]), before=_moment(time_us[i + 1]), bars=int(missing[i]))
        for i in np.flatnonzero((missing > 0) | long)
    ]


def _halts(table: pl.DataFrame, time_us: NDArray[np.int64]) -> list[Halt]:
    if "volume" not in table.columns:
        return []
    edges = np.flatnonzero(
        np.diff((table["volume"].fill_null(1.0) == 0).to_numpy(), prepend=False, append=False)
    )
    return [
        Halt(start=_moment(time_us[start]), bars=int(stop - start))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
        if stop - start >= HALT_BARS
    ]


def suspected_splits(table: pl.DataFrame) -> tuple[SuspectedSplit, ...]:
    """Jumps of one asset's price, sorted by time, that look like a split.

    The jump is from close to open where opens are known (a market that never closes has none there), else from
    close to close. It lies within 5 % of a usual ratio (20 % from four to one on: trading rests for days around large
    ones, and hardly anything else jumps so far), is eight times the median move of all bars, and stays: the medians
    of the five closes before and after differ by it too, within a fifth. A crash to two thirds in one bar looks the
    same, which is why nothing is adjusted.
    """
    log_close = np.log(table["close"].to_numpy())
    if len(log_close) < 3:
        return ()
    moves = np.diff(log_close)
    jumps = moves
    if "open" in table.columns and table["open"].null_count() == 0:
        jumps = np.log(table["open"].to_numpy()[1:]) - log_close[:-1]
    far = np.abs(jumps) > max(_OUTSTANDING * float(np.median(np.abs(moves))), np.log(_RATIOS[0]) - _NEAR)
    found = []
    for i in np.flatnonzero(far):
        before, after = log_close[max(0, i - _AROUND + 1) : i + 1], log_close[i + 1 : i + 1 + _AROUND]
        stays = abs(np.median(after) - np.median(before) - jumps[i]) <= _STAYS * abs(jumps[i])
        nearest = int(np.argmin(np.abs(np.log(_RATIOS) - abs(jumps[i]))))
        near = _NEAR_LARGE if _RATIOS[nearest] >= _LARGE else _NEAR
        if stays and abs(np.log(_RATIOS[nearest]) - abs(jumps[i])) <= near:
            ratio = float(_RATIOS[nearest]) ** (-1 if jumps[i] > 0 else 1)
            found.append(SuspectedSplit(time=table["time"][int(i) + 1], ratio=ratio, jump=float(jumps[i])))
    return tuple(found)


def _times(table: pl.DataFrame) -> NDArray[np.int64]:
    time_us: NDArray[np.int64] = table["time"].to_physical().to_numpy()
    return time_us


def _moment(time_us: np.int64) -> datetime:
    moment: datetime = pl.Series([int(time_us)]).cast(pl.Datetime("us", "UTC"))[0]
    return moment


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in reasons.items())
