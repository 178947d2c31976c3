"""The four panels of the market reference: which assets, which bars, which origins. One place; every market benchmark reads it.

The newest origin is the last bar whose outcome 24 bars on is known; the others lie `every` bars before one another.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.prices.panel import PricePanel
from nextbest.market.bench.origins import HORIZONS, Origins, origins_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class Panel:
    """One panel of the reference and its test period."""

    read: Callable[[Path], PricePanel]
    every: int
    """Bars between two origins."""
    n_origins: int
    start: date | None = None
    """Of the test; None: the newest fifth."""

    def load(self, data: Path) -> tuple[PricePanel, Origins]:
        """Bars and origins from the folder of data sets."""
        panel = self.read(data)
        origins = origins_of(panel, horizons=HORIZONS, start=self.start, every=self.every)
        if len(origins) != self.n_origins:
            raise SystemExit(f"the reference has {self.n_origins} origins, these data give {len(origins)}")
        return panel, origins


def _perpetuals(data: Path, coins: str) -> pl.DataFrame:
    tables = []
    for coin in coins.split():
        table = pl.read_parquet(data / "binance_perp_hourly" / f"{coin}USDT_1h.parquet")
        time = pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
        tables.append(table.select(pl.lit(f"{coin}USDT").alias("asset_id"), time.alias("time"), *_OHLCV))
    return pl.concat(tables)


_OHLCV = [pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")]


def _crypto_daily(data: Path) -> PricePanel:
    hourly = PricePanel.of(_perpetuals(data, "ADA BCH BNB BTC DOGE DOT ETH LINK LTC SOL TRX XRP"), step=HOUR)
    return hourly.resample(DAY)


def _crypto_hourly(data: Path) -> PricePanel:
    return PricePanel.of(_perpetuals(data, "ADA BNB BTC ETH SOL XRP"), step=HOUR)


def _closes(wide: pl.DataFrame, start: date) -> PricePanel:
    """A panel of closes from a table of days x assets."""
    day = pl.col("Date").str.to_date().cast(pl.Datetime("us", "UTC"))
    table = (
        wide.with_columns(day)
        .filter(pl.col("Date") >= pl.lit(start).cast(pl.Datetime("us", "UTC")))
        .unpivot(index="Date", variable_name="asset_id", value_name="close")
        .select("asset_id", time="Date", close=pl.col("close").cast(pl.Float64))
        .drop_nulls()
    )
    nothing = [pl.lit(None, pl.Float64).alias(name) for name in ("open", "high", "low", "volume")]
    return PricePanel.of(table.with_columns(nothing), step=DAY)


def _fx_daily(data: Path) -> PricePanel:
    with zipfile.ZipFile(data / "ecb_fx" / "eurofxref-hist.zip") as archive:
        text = archive.read(archive.namelist()[0])
    wide = pl.read_csv(io.BytesIO(text), null_values=["N/A", ""], infer_schema_length=None)
    return _closes(wide.select("Date", "USD", "JPY", "GBP", "CHF", "AUD", "CAD"), date(2015, 1, 1))


def _stocks_daily(data: Path) -> PricePanel:
    folder = data / "skfolio-bundled"
    shares = pl.read_csv(folder / "sp500_dataset.csv.gz")
    wide = shares.join(pl.read_csv(folder / "sp500_index.csv.gz"), on="Date")
    return _closes(wide.select("Date", "AAPL", "JPM", "MSFT", "WMT", "XOM", "SP500"), date(2013, 1, 1))


PANELS = {
    "crypto_daily": Panel(_crypto_daily, every=1, n_origins=212, start=date(2025, 8, 1)),
    "crypto_hourly": Panel(_crypto_hourly, every=23, n_origins=246),
    "fx_daily": Panel(_fx_daily, every=5, n_origins=117),
    "stocks_daily": Panel(_stocks_daily, every=5, n_origins=96),
}


def frozen(
    panel: PricePanel, origins: Origins, *, n_origins: int = 24, n_assets: int = 3
) -> tuple[PricePanel, Origins]:
    """The small subset: the first assets, origins evenly spread over the test."""
    few = panel.select(panel.asset_ids[:n_assets])
    kept = np.unique(np.linspace(0, len(origins) - 1, min(n_origins, len(origins))).round().astype(int))
    return few, Origins(origins.stops[kept], origins.horizons, refit_every=max(1, len(kept) // 2))
