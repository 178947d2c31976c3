"""Books of a few clients over a few weeks, with everything in them that makes a day odd."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.holdings.book import Book

START = date(2024, 1, 1)
ASSETS = {"AAA": ("equity", "RUB"), "BBB": ("bonds", "RUB"), "CCC": ("equity", "USD"), "DDD": ("gold", "RUB")}


def day(n: int) -> date:
    """`n` days after the start."""
    return START + timedelta(days=n)


def investors(*clients: str, currency: str = "RUB") -> pl.DataFrame:
    """Plain profiles."""
    return pl.DataFrame({"client_id": clients}).with_columns(
        currency=pl.lit(currency),
        birth_year=1980,
        risk_tolerance=3,
        risk_capacity=3,
        knowledge=2,
        profiled_at=START,
    )


def table(names: str, *rows: tuple[object, ...]) -> pl.DataFrame:
    """A table of these columns; empty ones keep their names."""
    return pl.DataFrame(list(rows), schema=names.split(), orient="row", infer_schema_length=None)


def plain_book(folder: Path, closes: dict[str, list[float]], *clients: str) -> Book:
    """Assets of `ASSETS` with a close every day from the start, NaN = none; open for writing."""
    book = Book.create(folder, base_currency="RUB")
    book.add("fx", table("currency day rate", ("USD", START, 90.0)))
    book.add("assets", table("asset_id title asset_class currency", *((a, a, *ASSETS[a]) for a in closes)))
    rows = [(a, day(n), c) for a, prices in closes.items() for n, c in enumerate(prices) if c == c]
    book.add("asset_prices", table("asset_id day close", *rows))
    book.add("investors", investors(*clients))
    return book


def random_book(folder: Path, seed: int, *, n_days: int = 45) -> Book:
    """Five clients: silent days, weekends, a closed exchange, splits, dividends, dollars, flows, trades on closed days."""
    rng = np.random.default_rng(seed)
    book = Book.create(folder, base_currency="RUB", max_rate_age_days=40)
    book.add("fx", table("currency day rate", *(("USD", day(n), 90.0 + n) for n in range(0, n_days, 5))))
    others = [f"X{i}" for i in range(10)]  # nobody's, but they make the exchange
    kinds = [*((a, a, *k) for a, k in ASSETS.items()), *((a, a, "equity", "RUB") for a in others)]
    book.add("assets", table("asset_id title asset_class currency", *kinds))
    open_days = [n for n in range(n_days) if n % 7 < 5 and not 20 <= n <= 31]
    prices = [(asset, day(n), 50.0) for asset in others for n in open_days]
    for asset in ASSETS:
        close = 100.0
        for n in open_days:
            close *= float(np.exp(rng.normal(0, 0.03)))
            silent = asset == "BBB" and 8 <= n <= 17  # longer than a last price may stand
            if rng.random() > 0.15 and not silent:
                prices.append((asset, day(n), close))
    prices += [
        ("DDD", day(n), 100.0 + n) for n in (22, 23, 25, 28)
    ]  # trades elsewhere while the exchange is closed
    book.add("asset_prices", table("asset_id day close", *prices))
    book.add("splits", table("asset_id day ratio", ("AAA", day(9), 10.0), ("DDD", day(13), 0.5)))
    book.add(
        "dividends",
        table("asset_id day amount currency", ("AAA", day(10), 0.7, "RUB"), ("CCC", day(16), 2.0, "USD")),
    )
    book.add("investors", investors("c0", "c1", "c2", "c3"))
    book.add("investors", investors("c4", currency="USD"))
    book.add("trades", random_trades(rng, ["c0", "c1", "c2", "c3", "c4"], n_days))
    flows = []
    for client, kinds in (("c2", (None, "interest")), ("c3", (None, "dividend", "fee"))):
        flows.append((client, day(0), 50_000.0, "RUB", None))
        flows += [
            (
                client,
                day(int(rng.integers(n_days))),
                float(rng.uniform(-300, 2000)),
                str(rng.choice(["RUB", "USD"])),
                k,
            )
            for k in (*kinds, *kinds)
        ]
    book.add("cash_flows", table("client_id day amount currency kind", *flows))
    return book


def random_trades(rng: np.random.Generator, clients: list[str], n_days: int) -> pl.DataFrame:
    """Purchases, and sales of less than was bought before; of everything once in a while."""
    rows = []
    for client in clients:
        for asset, (_, currency) in ASSETS.items():
            held = 0.0
            for n in sorted(rng.choice(n_days, int(rng.integers(0, 6)), replace=False)):
                sale = held > 0 and n < 9 and rng.random() < 0.5
                quantity = -held * float(rng.choice([0.3, 1.0])) if sale else float(rng.integers(1, 50))
                held += quantity
                price, fee = float(rng.uniform(80, 120)), float(rng.uniform(0, 2))
                trade = f"{client}{asset}{n}"
                rows.append((trade, client, asset, day(int(n)), quantity, price, fee, currency))
    return table("trade_id client_id asset_id day quantity price fee currency", *rows)
