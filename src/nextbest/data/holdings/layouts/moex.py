"""Daily prices of Moscow shares: `moex_close_*.csv.gz`, `moex_dividends.csv`, `moex_splits.csv`, `MCFTRR.csv`, `tickers.json`.

Prices are as traded. Two things are worked out here:

Ex-days. The files give the day on which the register closes. Shares settled two trading days after the trade until
2023-07-28 and one after since, so a holder of that day bought before the trading day before it (until then) or before
the day itself (since): that is the ex-day. Rows whose day is already an ex-day (`yahoo_ex_div`) keep it.

Two dividends of one share on one day. Different amounts are two payments and add up; amounts within 5 % of each other
are one payment told by two sources, and the first source's stands.

Split days. A split counts from the day its closes show it: where no close jumps by about the ratio on the day given but
one does within a few trading days of it, that day is taken.
"""

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.holdings.market_tables import MarketTables
from nextbest.errors import DataError

T_PLUS_1_FROM = date(2023, 7, 31)
"""First trading day with settlement on the next."""
_SAME_PAYMENT = 1.05
_SHOWS = 0.4
"""Log of what a close may be off the ratio and still show the split: limits of a day, and days of suspension."""
_NEAR_DAYS = 5
_PRICES = "moex_close_*.csv*"


def is_moex(folder: Path) -> bool:
    """Whether a folder has that layout."""
    return bool(_price_files(folder))


def _price_files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.glob(_PRICES)) if "wide" not in p.name]


def read_moex(folder: str | Path, *, start: date | None = None) -> MarketTables:
    """Shares (class `equity`, in RUB), with dividends by ex-day, splits, and MCFTRR as the benchmark.

    Parameters
    ----------
    start
        First day wanted; None = all.

    Raises
    ------
    DataError
        A file is missing or lacks a column.
    """
    folder = Path(folder)
    files = _price_files(folder)
    if not files:
        raise DataError(
            str(folder), f"holds no {_PRICES}", remedy="name the folder with the exchange's closes"
        )
    first = start or date.min
    raw = pl.concat([_read(p, ["date", "ticker", "close", "value"]) for p in files])
    prices = raw.select(
        pl.col("ticker").alias("asset_id"),
        pl.col("date").alias("day"),
        "close",
        pl.col("value").cast(pl.Float64).alias("volume"),
    ).filter(pl.col("day") >= first)
    titles = _titles(folder / "tickers.json")
    assets = prices.select(pl.col("asset_id").unique().sort()).select(
        "asset_id",
        title=pl.col("asset_id").replace_strict(titles, default=pl.col("asset_id")),
        asset_class=pl.lit("equity"),
        currency=pl.lit("RUB"),
        sector=pl.lit(None, pl.String),
        country=pl.lit("RU"),
    )
    ours = pl.col("asset_id").is_in(assets["asset_id"].implode())
    splits = (
        _read(folder / "moex_splits.csv", ["date", "before", "after", "ticker"])
        .select(
            asset_id="ticker",
            day="date",
            ratio=pl.col("after").cast(pl.Float64) / pl.col("before").cast(pl.Float64),
        )
        .filter(ours, pl.col("day") >= first)
    )
    splits = _dated_by_closes(splits, prices)
    trading_days = raw["date"].unique().sort()
    dividends = _dividends(folder / "moex_dividends.csv", trading_days).filter(ours, pl.col("day") >= first)
    index = _read(folder / "MCFTRR.csv", ["date", "close"]).select(
        benchmark_id=pl.lit("MCFTRR"), day="date", close="close"
    )
    return MarketTables(
        assets=assets,
        asset_prices=prices,
        splits=splits,
        dividends=dividends,
        benchmarks=index.filter(pl.col("day") >= first),
    ).checked()


def _read(path: Path, columns: list[str]) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, try_parse_dates=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(str(path), f"can't be read: {str(error).splitlines()[0]}") from error
    if missing := [c for c in columns if c not in table.columns]:
        raise DataError(str(path), f"column(s) {missing} missing", remedy=f"it has {table.columns}")
    return table


def _titles(path: Path) -> dict[str, str]:
    """Ticker -> name, empty where the file isn't there."""
    if not path.is_file():
        return {}
    return {ticker: str(told["canonical"]) for ticker, told in json.loads(path.read_text("utf-8")).items()}


def _dated_by_closes(splits: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Splits moved to the close that shows them."""
    days = []
    for asset, day, ratio in splits.select("asset_id", "day", "ratio").iter_rows():
        closes = prices.filter(pl.col("asset_id") == asset).sort("day")
        steps = closes.select(
            "day",
            off=(pl.col("close") / pl.col("close").shift(1) * ratio).log().abs(),
            n=pl.int_range(pl.len()),
        ).drop_nulls()
        on = steps.filter(pl.col("day") >= day).head(1)
        if on.height and on["off"][0] > _SHOWS:
            near = steps.filter((pl.col("n") - on["n"][0]).abs() <= _NEAR_DAYS, pl.col("off") <= _SHOWS).sort(
                "off"
            )
            day = near["day"][0] if near.height else day  # noqa: PLW2901 - the better day
        days.append(day)
    return splits.with_columns(day=pl.Series(days, dtype=pl.Date))


def _dividends(path: Path, trading_days: pl.Series) -> pl.DataFrame:
    table = _read(path, ["registry_close", "amount", "currency", "registry_close_source", "ticker"])
    closes = table["registry_close"].to_numpy().astype("datetime64[D]")
    days = trading_days.to_numpy().astype("datetime64[D]")
    # The trading day before the register closes; outside the calendar known, the day itself.
    before = np.searchsorted(days, closes) - 1
    shifted = np.where((before >= 0) & (closes <= days[-1]), days[np.maximum(before, 0)], closes)
    is_ex = (table["registry_close_source"] == "yahoo_ex_div").fill_null(value=False).to_numpy()
    ex_days = np.where(is_ex | (closes >= np.datetime64(T_PLUS_1_FROM)), closes, shifted)
    rows = table.select(
        asset_id="ticker", day=pl.Series(ex_days), amount="amount", currency="currency"
    ).filter(pl.col("amount") > 0)
    rows = rows.with_columns(nth=pl.int_range(pl.len()).over("asset_id", "day", "currency"))
    first = pl.col("amount").first().over("asset_id", "day", "currency")
    ratio = pl.max_horizontal("amount", first) / pl.min_horizontal("amount", first)
    rows = rows.filter((pl.col("nth") == 0) | (ratio > _SAME_PAYMENT))
    # A share that pays in two currencies on one day does not occur; the larger would hide the smaller.
    return (
        rows.group_by("asset_id", "day", "currency", maintain_order=True)
        .agg(pl.col("amount").sum())
        .select("asset_id", "day", "amount", "currency")
    )
