"""A workspace with a book of simulated investors, small enough to be made once a module."""

from datetime import UTC, datetime
from pathlib import Path

from nextbest.simulate.portfolios import simulate_book

NOW = datetime(2021, 10, 29, 18, 0, tzinfo=UTC)
"""Evening of the last day with prices."""
CLIENT, BENCHMARK = "c000003", "SHARES"


def workspace(folder: Path) -> Path:
    """`folder` with `portfolio/book.duckdb` in it."""
    simulate_book(folder / "portfolio", scale=120, rng=7)
    return folder
