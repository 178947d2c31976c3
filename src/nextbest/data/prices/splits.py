"""Prices and volumes in the pieces of today, by a table of splits that somebody vouches for."""

import math
from datetime import date

import polars as pl

from nextbest.errors import DataError
from nextbest.tables import PRICES, SPLITS

_NEAR_BARS = 5


def adjust_for_splits(prices: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The table with prices before each split divided by its ratio and volumes multiplied.

    Parameters
    ----------
    prices
        As `tables.PRICES`: as traded.
    splits
        As `tables.SPLITS`; a split of an asset that the prices don't have is passed over, one on a day without a bar
        counts from the next.

    Returns
    -------
    DataFrame
        The same rows in the same order. It looks back from the table's end: what one day knew is the table as it was.

    Raises
    ------
    DataError
        A table breaks its contract, a ratio isn't above zero, an asset has two splits on a day, or its closes don't
        jump by about the ratio on the day: adjusting would make a jump where there was none.
    """
    PRICES.check(prices)
    SPLITS.check(splits)
    bad = splits.filter(~((pl.col("ratio") > 0) & pl.col("ratio").is_finite()))
    if len(bad):
        raise DataError(
            "splits", "ratio must be above zero", n_bad=len(bad), examples=bad["ratio"].head(5).to_list()
        )
    twice = splits.filter(pl.struct("asset_id", "day").is_duplicated())
    if len(twice):
        examples = [f"{asset} {day}" for asset, day in twice.select("asset_id", "day").head(5).rows()]
        raise DataError("splits", "an asset has two splits on a day", n_bad=len(twice), examples=examples)
    unseen = [
        text
        for asset, day, ratio in splits.select("asset_id", "day", "ratio").iter_rows()
        if (text := _not_shown(prices, asset, day, ratio))
    ]
    if unseen:
        raise DataError(
            "splits",
            "the closes don't show it on its day",
            n_bad=len(unseen),
            examples=unseen,
            remedy="correct the day, or leave out what the prices are adjusted for already",
        )
    to_come = splits.sort("day", descending=True).select(
        "asset_id", "day", _factor=pl.col("ratio").cum_prod().over("asset_id")
    )
    table = (
        prices.with_columns(_day=pl.col("time").dt.date(), _place=pl.int_range(pl.len()))
        .sort("_day")
        .join_asof(
            to_come.sort("day"),
            left_on="_day",
            right_on="day",
            by="asset_id",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,  # both are sorted above
        )
        .sort("_place")
    )
    factor = pl.col("_factor").fill_null(1.0)
    scaled = [pl.col(c) / factor for c in ("open", "high", "low", "close") if c in prices.columns]
    if "volume" in prices.columns:
        scaled.append(pl.col("volume") * factor)
    return table.with_columns(scaled).select(prices.columns)


def _not_shown(prices: pl.DataFrame, asset_id: str, day: date, ratio: float) -> str | None:
    """The split in words, where the first close of its day or later isn't nearer to it than to no split at all."""
    closes = prices.filter(pl.col("asset_id") == asset_id).sort("time").select("time", "close")
    place = int((closes["time"].dt.date() < day).sum())
    if place in (0, len(closes)):
        return None  # before the first bar or after the last: there is no jump to see
    jumps = (closes["close"].log().diff() + math.log(ratio)).abs().to_list()
    if jumps[place] <= abs(math.log(ratio)) / 2:
        return None
    near = min(
        range(max(1, place - _NEAR_BARS), min(len(closes), place + _NEAR_BARS + 1)), key=jumps.__getitem__
    )
    hint = f", {closes['time'][near]:%Y-%m-%d} does" if jumps[near] <= abs(math.log(ratio)) / 2 else ""
    return f"{asset_id} {day} {ratio:g} : 1{hint}"
