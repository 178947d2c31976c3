"""Sales of what isn't held: the running position of every client in every asset, splits counted in.

A position is that of a day's end: what is bought and sold on one day is netted first.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

TOLERANCE = 1e-9
"""Part of all that was ever bought by which a position may be below zero: rounding of split fractions."""
_PAIR = ["client_id", "asset_id"]


def find_oversold(new: pl.DataFrame, held: pl.DataFrame, splits: pl.DataFrame) -> pl.Series:
    """Which of the new trades sell what the client doesn't hold at the end of that day.

    A sale is refused when, with it, the position of its day or of any later day would be below zero; earlier sales
    come first. Trades that the book holds already are never refused, only new ones.

    Parameters
    ----------
    new, held
        `trade_id, client_id, asset_id, day, quantity` (< 0 = sold, in pieces of its day).
    splits
        `asset_id, day, ratio` (new pieces for one old, before the day's first trade).

    Returns
    -------
    Series of Boolean, one for each row of `new`
    """
    refused = pl.repeat(value=False, n=new.height, dtype=pl.Boolean, eager=True)
    columns = ["trade_id", *_PAIR, "day", "quantity"]
    sold = new.filter(pl.col("quantity") < 0).select(_PAIR).unique()
    if not sold.height:
        return refused
    # What was there comes first, so that of sales on one day the known one stands.
    both = pl.concat(
        [
            held.select(columns).with_columns(at=pl.lit(-1, pl.Int64)),
            new.select(columns).with_columns(at=pl.int_range(pl.len(), dtype=pl.Int64)),
        ]
    ).join(sold, on=_PAIR, how="semi")
    both = _in_last_pieces(both, splits).sort(
        *_PAIR, "day", pl.col("quantity") < 0, pl.col("at") >= 0, "trade_id", maintain_order=True
    )
    position = pl.col("pieces").cum_sum().over(_PAIR)
    room = TOLERANCE * pl.col("pieces").clip(0).sum().over(_PAIR)
    short = both.filter((position < -room) | ((pl.col("pieces") < 0) & (room == 0))).select(_PAIR).unique()
    if not short.height:
        return refused
    bad: list[int] = []
    for group in both.join(short, on=_PAIR, how="semi", maintain_order="left").partition_by(_PAIR):
        bad += _refuse(group["pieces"].to_numpy(), group["at"].to_numpy())
    return refused.scatter(bad, values=True) if bad else refused


def _in_last_pieces(trades: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """`pieces`: each quantity as pieces after every split known."""
    if not splits.height:
        return trades.with_columns(pieces=pl.col("quantity"))
    later = (
        splits.sort("day")
        .with_columns(pl.col("ratio").cum_prod(reverse=True).over("asset_id").alias("factor"))
        .select("asset_id", "day", "factor")
    )
    factors = trades.sort("day").join_asof(
        later,
        on="day",
        by="asset_id",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return factors.with_columns(pieces=pl.col("quantity") * pl.col("factor").fill_null(1.0)).drop("factor")


def _refuse(pieces: npt.NDArray[np.float64], at: npt.NDArray[np.int64]) -> list[int]:
    """Places (`at`) of the new sales that have to go, of one client and asset in order of time."""
    room = TOLERANCE * pieces.clip(min=0).sum()
    kept = np.where((pieces < 0) & (at >= 0), 0.0, pieces)
    position = kept.cumsum()
    gone = []
    for i in np.flatnonzero((pieces < 0) & (at >= 0)):
        if position[i:].min() + pieces[i] < -room:
            gone.append(int(at[i]))
        else:
            position[i:] += pieces[i]
    return gone
