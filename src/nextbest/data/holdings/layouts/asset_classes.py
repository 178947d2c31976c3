"""Long Russian series by class: two open funds, gold, the dollar, deposits, a liquidity fund.

Files without a header: `RU000A0EQ3Q5.csv` (bond fund), `RU000A0EQ3R3.csv` (equity fund), `BBG00RPRPX12.csv` (liquidity
fund), `gold.csv` (a gram in roubles), `currency_rates_usd.csv` (roubles a dollar), `deposit_rate.csv` (per cent a year by
thirds of a month). A deposit is a piece that grows by its day's rate / 365, compounded. Roubles before 1998 are divided
by 1000 (the redenomination). Only Mondays to Fridays are kept: the central bank also publishes for Saturdays, when
nothing else is priced.
"""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.cleaning.values import read_numbers
from nextbest.data.holdings.market_tables import MarketTables
from nextbest.data.sources.delimited import DelimitedFile
from nextbest.errors import DataError

_REDENOMINATED = date(1998, 1, 1)
_FUNDS = {
    "RU000A0EQ3Q5": ("Bond fund", "bond"),
    "RU000A0EQ3R3": ("Equity fund", "equity"),
    "BBG00RPRPX12": ("Liquidity fund", "deposit"),
}
_THIRD = {"I": 1, "II": 11, "III": 21}
DEPOSIT_START = 100.0
"""Roubles that one piece of `DEPOSIT` is worth on its first day."""


def is_asset_classes(folder: Path) -> bool:
    """Whether a folder has that layout."""
    return (folder / "deposit_rate.csv").is_file() and (folder / "gold.csv").is_file()


def read_asset_classes(folder: str | Path, *, start: date | None = None) -> MarketTables:
    """Assets `RU000A0EQ3Q5, RU000A0EQ3R3, BBG00RPRPX12, GOLD, DEPOSIT` in RUB and `USD` in USD, with the dollar's rates.

    Parameters
    ----------
    start
        First day wanted; None = all.

    Raises
    ------
    DataError
        A file is missing, or a line can't be read.
    """
    folder = Path(folder)
    assets, prices = [], []
    for name, (title, asset_class) in _FUNDS.items():
        assets.append((name, title, asset_class, "RUB"))
        prices.append(_series(folder / f"{name}.csv").with_columns(asset_id=pl.lit(name)))
    assets.append(("GOLD", "Gold, one gram", "gold", "RUB"))
    prices.append(_new_roubles(_series(folder / "gold.csv")).with_columns(asset_id=pl.lit("GOLD")))
    assets.append(("DEPOSIT", "Bank deposit, 100 at the start", "deposit", "RUB"))
    prices.append(_deposit(folder / "deposit_rate.csv").with_columns(asset_id=pl.lit("DEPOSIT")))
    dollar = _new_roubles(_series(folder / "currency_rates_usd.csv"))
    assets.append(("USD", "US dollar", "currency", "USD"))
    prices.append(dollar.with_columns(asset_id=pl.lit("USD"), close=pl.lit(1.0)))
    wanted = (pl.col("day") >= (start or date.min)) & (pl.col("day").dt.weekday() <= 5)
    columns = ["asset_id", "day", "close"]
    return MarketTables(
        assets=pl.DataFrame(
            assets, schema=["asset_id", "title", "asset_class", "currency"], orient="row"
        ).with_columns(country=pl.lit("RU")),
        asset_prices=pl.concat([p.select(columns) for p in prices]).filter(wanted),
        fx=dollar.select(currency=pl.lit("USD"), day="day", rate="close").filter(wanted),
    ).checked()


def _series(path: Path) -> pl.DataFrame:
    """`day, close` of the first two columns; the last line of a day stands."""
    names = ["day", "close", "assets"] if path.stem in list(_FUNDS)[:2] else ["day", "close"]
    tables = [chunk.table for chunk in DelimitedFile(path, header=names).chunks()]
    if not tables:
        raise DataError(str(path), "holds no rows")
    table = pl.concat(tables)
    close, bad = read_numbers(table["close"], decimal="," if table["close"].str.contains(",").any() else ".")
    day = table["day"].str.to_date("%Y-%m-%d", strict=False)
    broken = bad | close.is_null() | day.is_null()
    if broken.any():
        raise DataError(
            str(path),
            "lines must be a day and a number",
            n_bad=int(broken.sum()),
            examples=table.filter(broken).head(5).rows(),
        )
    return (
        pl.DataFrame({"day": day, "close": close}).unique("day", keep="last", maintain_order=True).sort("day")
    )


def _new_roubles(series: pl.DataFrame) -> pl.DataFrame:
    old = pl.col("day") < _REDENOMINATED
    return series.with_columns(close=pl.when(old).then(pl.col("close") / 1000).otherwise(pl.col("close")))


def _deposit(path: Path) -> pl.DataFrame:
    """Value of a deposit on every day from the first third known to the end of the last."""
    tables = [chunk.table for chunk in DelimitedFile(path, header=["third", "rate"]).chunks()]
    table = pl.concat(tables)
    parts = table["third"].str.extract_groups(r"^(I{1,3})\.(\d{2})\.(\d{4})$").struct.unnest()
    rate, bad = read_numbers(table["rate"])
    broken = bad | rate.is_null() | parts["3"].is_null()
    if broken.any():
        raise DataError(
            str(path),
            "lines must be a third of a month (II.10.2024) and a rate",
            n_bad=int(broken.sum()),
            examples=table.filter(broken).head(5).rows(),
        )
    known = parts.select(
        day=pl.date(
            pl.col("3").cast(pl.Int32), pl.col("2").cast(pl.Int32), pl.col("1").replace_strict(_THIRD)
        ),
        rate=rate / 100,
    ).sort("day")
    first, last = known["day"][0], known["day"].dt.month_end()[-1]
    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    daily = days.join_asof(known, on="day")["rate"].to_numpy() / 365
    grown = DEPOSIT_START * np.concatenate([[1.0], np.cumprod(1 + daily[:-1])])
    return days.with_columns(close=pl.Series(grown))
