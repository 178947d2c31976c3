"""Which column of a file of candles is which: the usual names, and the layouts of archives that have none.

Reads the head of a file, never its rows.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from nextbest.data.sources.base import Source
from nextbest.data.sources.delimited import DelimitedFile
from nextbest.data.sources.opening import Readable, find_files, open_file, open_sources
from nextbest.errors import DataError, InputError


@dataclass(frozen=True)
class Layout:
    """What a known archive leaves unsaid."""

    title: str
    header: tuple[str, ...] = ()
    """Column names of files that have none; a file that does have a header is read by it."""
    prefix: str = ""
    """Stands before the column names of a table of days x assets: `EUR` and `USD` are EURUSD."""
    label: Literal["open", "close"] = "open"
    """Whether a row's time is the bar's open, or the moment of its price, one bar later."""


LAYOUTS: dict[str, Layout] = {
    "binance": Layout(
        "klines of data.binance.vision or the REST API, with or without header",
        header=(
            "open_time",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "close_time",
            "quote_volume",
            "trades",
            "taker_volume",
            "taker_quote_volume",
            "ignore",
        ),
    ),
    "coingecko": Layout(
        "snapped_at, price, market_cap, total_volume: prices at midnight, in turnover", label="close"
    ),
    "ecb": Layout(
        "euro reference rates: eurofxref-hist.zip or its CSV; asset EURUSD and so on", prefix="EUR"
    ),
    "kraken": Layout(
        "OHLCVT archive without header",
        header=("time", "open", "high", "low", "close", "volume", "trades"),
    ),
}
"""Known archives by the name that `read_prices(source=...)` takes."""

_ALIASES: dict[str, tuple[str, ...]] = {
    "time": (
        *("open_time", "timestamp", "unix_timestamp", "unix_time", "unix", "time", "datetime", "date_time"),
        *("snapped_at", "begin", "start", "date", "day", "tradedate", "trade_date", "ts", "t"),
    ),
    "asset_id": ("asset_id", "symbol", "ticker", "asset", "pair", "instrument", "secid", "coin", "code"),
    "open": ("open", "open_price", "o"),
    "high": ("high", "high_price", "h"),
    "low": ("low", "low_price", "l"),
    "close": ("close", "close_price", "price", "last", "rate", "c", "adj_close", "adjusted_close"),
    "volume": ("volume", "vol", "base_volume", "volume_base", "v"),
    "turnover": ("turnover", "quote_volume", "quote_asset_volume", "total_volume", "value", "valtoday"),
}
_PREAMBLE_LINES = 3
_FILE_STEP = re.compile(
    r"[-_ .](\d+(s|m|min|h|d|w|mo)?|s|m|h|d|w|daily|hourly|weekly|minute|max|full|klines)(?=[-_ .]|$).*", re.I
)
_SUFFIXES = re.compile(r"(\.(csv|tsv|txt|dat|parquet|pq|feather|arrow|ipc|gz|zip))+$", re.I)


def plain(name: str) -> str:
    """A column name without case, brackets and spaces.

    >>> plain(" <Open Time>")
    'open_time'
    """
    return re.sub(r"[\s]+", "_", name.strip().strip("<>").strip().casefold())


def match_columns(there: Sequence[str]) -> dict[str, str]:
    """Our column -> the source's, by the usual names; the first column called `volume SOMETHING` is the volume."""
    by_name = {plain(name): name for name in reversed(there)}
    found: dict[str, str] = {}
    for ours, names in _ALIASES.items():
        if hit := next((by_name[name] for name in names if name in by_name), None):
            found[ours] = hit
    if "volume" not in found and (spelt := [n for n in there if re.match(r"(volume|vol\.)_", plain(n))]):
        found["volume"] = spelt[0]
    if "close" not in found and plain(found.get("turnover", "")) == "value":
        found["close"] = found.pop("turnover")  # a series of time and value
    if {"date", "time"} <= set(by_name) and found.get("time") == by_name["time"]:
        found["date"] = by_name["date"]
    return found


def asset_of_file(name: str) -> str:
    """The asset that a file's name begins with: what stands before the step, the days, the suffix.

    >>> [asset_of_file(n) for n in ("BTC_USDT-1h.feather", "XBTUSD_60.csv", "btc-usd-max.csv", "BTC-USD.csv")]
    ['BTC_USDT', 'XBTUSD', 'btc-usd', 'BTC-USD']
    """
    stem = _SUFFIXES.sub("", Path(name).name)
    return _FILE_STEP.sub("", stem) or stem


def open_candles(inputs: Readable | Sequence[Readable], layout: Layout | None) -> list[Source]:
    """One source for each file, query or table; files without a header get the layout's, lines above one are passed.

    Raises
    ------
    InputError
        Nothing is given, or a file's kind isn't known.
    DataError
        A file is missing, empty or broken, has no header and no layout is named, or not the layout's columns.
    """
    items = [inputs] if isinstance(inputs, str | Path | pl.DataFrame) else list(inputs)
    if not items:
        raise InputError("sources", "must name at least one file, folder, URL or table")
    sources: list[Source] = []
    for item in items:
        if isinstance(item, pl.DataFrame) or "://" in str(item):
            sources.extend(open_sources(item))
        else:
            sources.extend(_open_file(path, layout) for path in find_files(item))
    return sources


def _open_file(path: Path, layout: Layout | None) -> Source:
    source = open_file(path, header=("line",))  # the first line may be anything: it is looked at below
    if not isinstance(source, DelimitedFile):
        return source
    separator, member = source.separator, source.member
    lines = [
        next(csv.reader([line], delimiter=separator), [])
        for line in source.head().splitlines()[: 1 + _PREAMBLE_LINES]
    ]
    if lines[0] and _is_number(lines[0][0]):
        if layout is None or not layout.header:
            raise DataError(
                source.name,
                "has no header",
                examples=[separator.join(lines[0])],
                remedy=f"name its layout, source= one of {sorted(n for n, a in LAYOUTS.items() if a.header)}",
            )
        if len(lines[0]) != len(layout.header):
            rule = f"has {len(lines[0])} columns, the layout {len(layout.header)}: {', '.join(layout.header)}"
            raise DataError(source.name, rule)
        return DelimitedFile(path, header=layout.header, separator=separator, member=member)
    found = [n for n, line in enumerate(lines) if "time" in match_columns(line)]
    return DelimitedFile(path, skip_lines=found[0] if found else 0, separator=separator, member=member)


def find_layout(source: str | None) -> Layout | None:
    """The layout of that name; an unknown one is an `InputError`."""
    if source is None:
        return None
    if source not in LAYOUTS:
        raise InputError("source", f"must be one of {sorted(LAYOUTS)}", value=source)
    return LAYOUTS[source]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", text.strip()) is not None
