"""Rules of candles that need more than one row: one step, days by name, clock changes, off-step times, duplicates.

Tables have the columns of a candle and `_source` (number of its source), `_at` (place among all rows read). A row
that breaks a rule gets its reason in `reason`; nothing is dropped here, and no value but the time changes.
"""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from nextbest.data.prices.candles import SCHEMA
from nextbest.data.prices.steps import HOUR, in_us, step_name
from nextbest.errors import DataError

_MONTH = timedelta(days=28)
"""What monthly bars are called: their months are at least that long apart."""
_LONGEST_MONTH = timedelta(days=31)
_FEW = 0.1
"""Share of bars at an odd time of the day that may be single slips."""


def steps_of(table: pl.DataFrame) -> pl.DataFrame:
    """Commonest distance of two bars of an asset in each source: `_source, step, rows`; null where no asset has two.

    A source has one step: an asset of it that seldom trades has gaps, not another step.
    """
    key = ("_source", "asset_id")
    good = table.filter(pl.col("reason").is_null()).select(*key, "time").unique().sort(*key, "time")
    commonest = (
        good.with_columns(length=pl.col("time").diff().over(key))
        .drop_nulls("length")
        .group_by("_source", "length")
        .len()
        .sort(["_source", "len", "length"], descending=[False, True, False])
        .group_by("_source", maintain_order=True)
        .agg(step=pl.col("length").first())
    )
    month = pl.col("step").is_between(_MONTH, _LONGEST_MONTH)
    return (
        good.group_by("_source")
        .agg(rows=pl.len())
        .join(commonest, on="_source", how="left")
        .with_columns(step=pl.when(month).then(pl.lit(_MONTH)).otherwise(pl.col("step")))
        .sort("_source")
    )


def choose_step(steps: pl.DataFrame, names: Sequence[str], asked: timedelta | None) -> timedelta:
    """The step asked for, or the one that all sources have.

    Raises
    ------
    DataError
        They have several, or none has two bars of an asset, and none was asked for.
    """
    if asked is not None:
        return asked
    known = steps.drop_nulls("step").sort("rows", descending=True)
    different = known["step"].unique(maintain_order=True).to_list()
    if not different:
        raise DataError("prices", "no asset has two bars, so their step can't be told", remedy="state step=")
    if len(different) > 1:
        examples = [
            f"{step_name(step)} in {names[source]}"
            for source, step in known.unique("step", maintain_order=True)
            .select("_source", "step")
            .iter_rows()
        ]
        raise DataError(
            "prices",
            f"bars of {len(different)} steps",
            examples=examples,
            remedy="state step= to read those of one, the rest is left out",
        )
    step: timedelta = different[0]
    return step


def label_days(table: pl.DataFrame, *, zone: str) -> pl.DataFrame:
    """Daily and longer bars opened at 00:00 UTC of their day in `zone`; `reason` off_step where the clock is another.

    Most of an asset's bars say one time of the day, or two an hour apart (winter and summer time elsewhere).

    Raises
    ------
    DataError
        The zone is UTC and bars open in its afternoon: midnight of a zone to the east, whose day is the next one.
        Labelled by the day before they would be known a day too early.
    """
    local = pl.col("time").dt.convert_time_zone(zone)
    table = table.with_columns(_clock=local.dt.time().cast(pl.Duration("us")))
    late = table.filter(pl.col("reason").is_null() & (pl.col("_clock") >= pl.duration(hours=12)))
    if zone == "UTC" and len(late) > _FEW * len(table):
        raise DataError(
            "prices",
            "daily bars open in the afternoon of UTC, so that their day can't be told",
            n_bad=len(late),
            examples=[f"{asset} {time}" for asset, time in late.select("asset_id", "time").head(5).rows()],
            remedy="state zone= whose days they are, such as Europe/Moscow",
        )
    usual = pl.col("_clock").filter(pl.col("reason").is_null()).mode().min().over("asset_id")
    off = (pl.col("_clock") - usual).abs() > HOUR
    day = local.dt.date().cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return table.with_columns(
        time=day,
        reason=pl.coalesce("reason", pl.when(off.fill_null(value=False)).then(pl.lit("off_step"))),
    ).drop("_clock")


def settle_clock_changes(table: pl.DataFrame, *, zone: str) -> tuple[pl.DataFrame, int]:
    """The hour that a zone has twice: of two bars at its first pass the second in the file's order is the second pass.

    Times without a zone are read as the earlier of the two; files in descending order have the later one first.
    Returns the table and how many bars were moved.
    """
    if zone == "UTC" or not len(table):
        return table, 0
    wall = pl.col("time").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    later = (pl.col("time") + pl.duration(hours=1)).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    key = ["_source", "asset_id", "time"]
    table = table.sort("_at").with_columns(
        _twice=(wall == later) & (pl.len().over(key) == 2) & pl.col("reason").is_null(),
        _nth=pl.int_range(pl.len()).over(key),
        _down=(pl.col("time").to_physical().diff().sign().sum() < 0).over(["_source", "asset_id"]),
    )
    taken = table.select("asset_id", time=pl.col("time") - pl.duration(hours=1)).unique()
    second = pl.col("_twice") & (pl.col("_nth") == pl.when("_down").then(0).otherwise(1))
    free = (
        table.filter(second)
        .select("asset_id", "time", "_at")
        .join(taken, on=["asset_id", "time"], how="anti")
    )
    moved = pl.col("_at").is_in(free["_at"].implode())
    table = table.with_columns(
        time=pl.when(moved).then(pl.col("time") + pl.duration(hours=1)).otherwise(pl.col("time"))
    )
    return table.drop("_twice", "_nth", "_down"), len(free)


def mark_off_step(table: pl.DataFrame, *, step: timedelta) -> pl.DataFrame:
    """`reason` off_step for bars whose time isn't whole steps away from most of their asset's bars; no rule for months."""
    if step == _MONTH:
        return table
    phase = pl.col("time").to_physical() % in_us(step)
    usual = phase.filter(pl.col("reason").is_null()).mode().min().over("asset_id")
    return table.with_columns(reason=pl.coalesce("reason", pl.when(phase != usual).then(pl.lit("off_step"))))


def mark_duplicates(table: pl.DataFrame) -> pl.DataFrame:
    """`reason` for bars of an asset at one time: all but the first of equal ones, and all of different ones.

    Which of two different candles is the true one can't be told from here.
    """
    key, values = ["asset_id", "time"], [c for c in SCHEMA if c not in ("asset_id", "time")]
    good = table.filter(pl.col("reason").is_null()).sort("_at")
    n_different = pl.struct(values).n_unique().over(key)
    nth = pl.int_range(pl.len()).over(key)
    found = good.select(
        "_at",
        _found=pl.when(n_different > 1)
        .then(pl.lit("duplicate_conflict"))
        .when(nth > 0)
        .then(pl.lit("duplicate_same")),
    ).drop_nulls("_found")
    return (
        table.join(found, on="_at", how="left", maintain_order="left")
        .with_columns(reason=pl.coalesce("reason", "_found"))
        .drop("_found")
    )
