"""Rules that need what the book holds already: known ids, rates on the day, a price by then, unlikely jumps.

Each puts rows to quarantine under a stable code or counts a warning; none changes the book.
"""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from nextbest.data.holdings.kinds import Kind
from nextbest.data.holdings.reading import Rows

JUMP = 2.0
"""Factor between neighbouring closes, after known splits, from which a split may be missing: the smallest usual
split is 2 for 1."""


@dataclass(frozen=True)
class Reference:
    """What the book knows, as the rules need it."""

    base_currency: str
    max_rate_age_days: int
    """Calendar days that a rate holds when no newer one is known."""
    assets: pl.DataFrame
    """`asset_id, asset_currency`."""
    clients: pl.DataFrame
    """`client_id`."""
    rates: pl.DataFrame
    """`currency, day`, sorted by day."""
    first_prices: pl.DataFrame
    """`asset_id, first_day` of the assets that have a price."""
    splits: pl.DataFrame
    """`asset_id, day, ratio`."""


def check_references(kind: Kind, rows: Rows, reference: Reference) -> None:
    """Move rows that don't fit to what the book knows out of `rows`, and put right what can be."""
    table = rows.table
    if "asset_id" in kind.columns and kind.name != "assets":
        rows.reject_where("unknown_asset", ~_known(table, reference.assets, "asset_id"))
    if "client_id" in kind.columns and kind.name != "investors":
        rows.reject_where("unknown_client", ~_known(rows.table, reference.clients, "client_id"))
    if kind.name == "trades":
        _fill_trades(rows, reference)
    if "currency" in kind.columns and kind.name != "fx":
        _check_currencies(kind, rows, reference)
    if kind.name == "trades":
        first = rows.table.select("asset_id", "day").join(
            reference.first_prices, on="asset_id", how="left", maintain_order="left"
        )
        reason = (
            pl.when(pl.col("first_day").is_null())
            .then(pl.lit("unpriced_asset"))
            .when(pl.col("day") < pl.col("first_day"))
            .then(pl.lit("before_first_price"))
        )
        rows.reject(first.select(reason).to_series())


def _known(table: pl.DataFrame, there: pl.DataFrame, column: str) -> pl.Series:
    return table[column].is_in(there[column].implode())


def _fill_trades(rows: Rows, reference: Reference) -> None:
    """A currency where none is given (the asset's), a fee of 0, an id made of what the trade says."""
    table = rows.table.join(reference.assets, on="asset_id", how="left", maintain_order="left")
    if n := table["currency"].null_count():
        rows.repaired["asset_currency"] += n
    table = table.with_columns(
        pl.col("currency").fill_null(pl.col("asset_currency")), pl.col("fee").fill_null(0.0)
    )
    if n := table["trade_id"].null_count():
        rows.repaired["made_trade_id"] += n
        said = ["client_id", "asset_id", "day", "quantity", "price"]
        nth = pl.int_range(pl.len()).over(said)
        table = table.with_columns(
            pl.col("trade_id").fill_null(pl.concat_str([*(pl.col(c) for c in said), nth], separator="|"))
        )
    rows.table = table.drop("asset_currency")


def _check_currencies(kind: Kind, rows: Rows, reference: Reference) -> None:
    """`unknown_currency`: the book has no rate of it at all; `missing_rate`: none on that day or shortly before."""
    known = {reference.base_currency, *reference.rates["currency"].unique()}
    if kind.name in ("assets", "investors", "goals"):
        if n := int((~rows.table["currency"].is_in(known)).sum()):
            rows.warnings["currency_without_rates"] += n
        return
    table = rows.table.select("currency", "day", *(["asset_id"] if "asset_id" in kind.columns else []))
    needed = [table.select("currency", "day")]
    if kind.name == "trades":  # its value is told in the asset's currency
        of_asset = table.join(reference.assets, on="asset_id", how="left", maintain_order="left")
        needed.append(of_asset.select(pl.col("asset_currency").alias("currency"), "day"))
    reasons = [_rate_reason(part, known, reference) for part in needed]
    rows.reject(pl.select(pl.coalesce(*reasons)).to_series())


def _rate_reason(needed: pl.DataFrame, known: set[str], reference: Reference) -> pl.Series:
    foreign = needed["currency"] != reference.base_currency
    reason = needed.select(
        pl.when(~pl.col("currency").is_in(known)).then(pl.lit("unknown_currency")).alias("reason")
    ).to_series()
    if not foreign.any():
        return reason
    asked = needed.with_columns(at=pl.int_range(pl.len())).filter(foreign & reason.is_null()).sort("day")
    found = asked.join_asof(
        reference.rates.sort("day").with_columns(rate_day=pl.col("day")),
        on="day",
        by="currency",
        strategy="backward",
        tolerance=timedelta(days=reference.max_rate_age_days),
        check_sortedness=False,
    )
    missing = found.filter(pl.col("rate_day").is_null())["at"]
    return reason.scatter(missing, "missing_rate")


def count_jumps(prices: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Closes that are `JUMP` times their neighbour or more, or that part of it, after known splits.

    `prices` has `asset_id, day, close`; the answer those of the later of the two days, with `factor`.
    """
    ordered = prices.sort("asset_id", "day")
    before = pl.col("day").shift(1).over("asset_id")
    steps = ordered.with_columns(
        day_before=before, factor=pl.col("close") / pl.col("close").shift(1).over("asset_id")
    ).drop_nulls("factor")
    odd = steps.filter((pl.col("factor") >= JUMP) | (pl.col("factor") <= 1 / JUMP))
    if odd.height and splits.height:
        between = (
            odd.select("asset_id", "day", "day_before")
            .join(splits.rename({"day": "split_day"}), on="asset_id")
            .filter((pl.col("split_day") <= pl.col("day")) & (pl.col("split_day") > pl.col("day_before")))
            .group_by("asset_id", "day")
            .agg(pl.col("ratio").product())
        )
        odd = odd.join(between, on=["asset_id", "day"], how="left").with_columns(
            factor=pl.col("factor") * pl.col("ratio").fill_null(1.0)
        )
        odd = odd.filter((pl.col("factor") >= JUMP) | (pl.col("factor") <= 1 / JUMP))
    return odd.select("asset_id", "day", "close", "factor").sort("asset_id", "day")
