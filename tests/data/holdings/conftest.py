"""One small book: a rouble share, a dollar share, two clients, twenty weekdays of January 2024."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.holdings.book import Book

DAYS = pl.date_range(date(2024, 1, 8), date(2024, 2, 2), "1d", eager=True)
WEEKDAYS = DAYS.filter(DAYS.dt.weekday() <= 5)


def investors(*clients: str) -> pl.DataFrame:
    """Plain profiles."""
    return pl.DataFrame({"client_id": clients}).with_columns(
        currency=pl.lit("RUB"),
        birth_year=1980,
        risk_tolerance=3,
        risk_capacity=3,
        knowledge=2,
        profiled_at=date(2024, 1, 1),
    )


def fill(book: Book) -> Book:
    """Market and clients, no trades."""
    book.add("fx", pl.DataFrame({"currency": "USD", "day": WEEKDAYS.head(5), "rate": 90.0}))
    book.add(
        "assets",
        pl.DataFrame(
            {
                "asset_id": ["ROUBLE", "DOLLAR", "SILENT"],
                "title": ["A", "B", "C"],
                "asset_class": ["equity", "equity", "bond"],
                "currency": ["RUB", "USD", "RUB"],
            }
        ),
    )
    for asset, close in (("ROUBLE", 100.0), ("DOLLAR", 10.0)):
        book.add("asset_prices", pl.DataFrame({"asset_id": asset, "day": WEEKDAYS, "close": close}))
    book.add("investors", investors("ann", "bob"))
    return book


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a filled book, to be copied."""
    folder = tmp_path_factory.mktemp("filled")
    fill(Book.create(folder, base_currency="RUB")).close()
    return folder / "book.duckdb"


@pytest.fixture
def book(tmp_path: Path, filled: Path) -> Iterator[Book]:
    """One's own filled book, open for writing."""
    folder = tmp_path / "portfolio"
    folder.mkdir()
    shutil.copy(filled, folder)
    with Book.open(folder, read_only=False) as opened:
        yield opened


def trades(*rows: tuple[str, str, str, date, float, float]) -> pl.DataFrame:
    """`trade_id, client_id, asset_id, day, quantity, price`."""
    return pl.DataFrame(
        rows,
        schema={
            "trade_id": pl.String,
            "client_id": pl.String,
            "asset_id": pl.String,
            "day": pl.Date,
            "quantity": pl.Float64,
            "price": pl.Float64,
        },
        orient="row",
    )
