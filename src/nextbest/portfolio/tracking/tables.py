"""Tracking's own tables in the book: the state to go on from, the history, alerts, plans, and what has been taken in.

Each day of the market is one transaction; a day that isn't whole isn't there. `tracking_seen_*` hold digests of the
trades, flows and prices that were taken in, so that a late correction is found wherever it happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import numpy as np
import polars as pl

from nextbest.data.holdings import database
from nextbest.data.holdings.book import Book
from nextbest.errors import InputError

RUNNING = (
    "n",
    "mean",
    "m2",
    "m3",
    "m4",
    "log_mean",
    "log_m2",
    "losses",
    "downside",
    "n_up",
    "best",
    "worst",
    "wealth",
    "peak",
    "max_drawdown",
    "below",
    "longest_below",
)
"""Arrays of `metrics.running.Running`, kept as columns `running_*`."""
CLIENT_COLUMNS: dict[str, str] = {
    "client_idx": "INTEGER PRIMARY KEY",
    "currency": "VARCHAR NOT NULL",
    "has_flows": "BOOLEAN NOT NULL",
    "own_dividends": "BOOLEAN NOT NULL",
    "started": "BOOLEAN NOT NULL",
    "cash": "DOUBLE NOT NULL",
    "nav": "DOUBLE",
    "net": "DOUBLE NOT NULL",
    "observed": "DATE",
    "first_day": "DATE",
    "growth": "DOUBLE NOT NULL",
    "peak": "DOUBLE NOT NULL",
    "max_drawdown": "DOUBLE NOT NULL",
    "probability": "DOUBLE",
    "probability_month": "INTEGER",
    **{f"running_{name}": "DOUBLE NOT NULL" for name in RUNNING},
}
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS tracking_days (day DATE PRIMARY KEY, n_clients INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracking_clients ({", ".join(f"{name} {kind}" for name, kind in CLIENT_COLUMNS.items())});
CREATE TABLE IF NOT EXISTS tracking_holdings (
    client_idx INTEGER NOT NULL, asset_idx INTEGER NOT NULL, pieces DOUBLE NOT NULL, moved DOUBLE NOT NULL,
    price DOUBLE, age INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracking_history (
    client_idx INTEGER NOT NULL, day DATE NOT NULL, nav DOUBLE NOT NULL, flow DOUBLE NOT NULL, "return" DOUBLE,
    regular BOOLEAN NOT NULL, twr DOUBLE NOT NULL, drawdown DOUBLE NOT NULL, drift DOUBLE, probability DOUBLE);
CREATE TABLE IF NOT EXISTS tracking_alerts (
    client_idx INTEGER NOT NULL, kind VARCHAR NOT NULL, opened DATE NOT NULL, closed DATE, opened_value DOUBLE NOT NULL,
    worst_value DOUBLE NOT NULL);
CREATE TABLE IF NOT EXISTS tracking_plans (
    client_idx INTEGER, created DATE, body VARCHAR NOT NULL, PRIMARY KEY (client_idx, created));
CREATE TABLE IF NOT EXISTS tracking_seen_events (client_idx INTEGER NOT NULL, day DATE NOT NULL, digest HUGEINT NOT NULL);
CREATE TABLE IF NOT EXISTS tracking_gaps (first DATE PRIMARY KEY, reopened DATE NOT NULL);
CREATE TABLE IF NOT EXISTS tracking_seen_prices (day DATE NOT NULL, digest HUGEINT NOT NULL);
"""
_EVENTS = """
SELECT client_idx, day, sum(h)::HUGEINT AS digest FROM (
    SELECT client_idx, day, hash(trade_id, asset_idx, quantity, price, fee, currency) AS h FROM trades
    UNION ALL
    SELECT client_idx, day, hash(amount, currency, kind, nth) AS h FROM cash_flows
) WHERE day > ? AND day <= ? GROUP BY client_idx, day
"""
_PRICES = """
SELECT day, sum(h)::HUGEINT AS digest FROM (
    SELECT day, hash('price', asset_idx, close) AS h FROM asset_prices
    UNION ALL SELECT day, hash('split', asset_idx, ratio) FROM splits
    UNION ALL SELECT day, hash('dividend', asset_idx, amount, currency) FROM dividends
    UNION ALL SELECT day, hash('fx', currency, rate) FROM fx
) WHERE day > ? AND day <= ? GROUP BY day
"""


def ensure_tables(book: Book) -> None:
    """Make the tables where they are missing.

    Raises
    ------
    InputError
        The book is open for reading only.
    """
    if book.read_only:
        raise InputError("book", "is open for reading only", remedy="Book.open(folder, read_only=False)")
    with transaction(book):
        book.connection().execute(_SCHEMA)


@contextmanager
def transaction(book: Book) -> Iterator[None]:
    """All of the block or nothing."""
    with database.transaction(book.connection(), str(book.path)):
        yield


def has_tables(book: Book) -> bool:
    """Whether this book was ever tracked."""
    found = book.connection().execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'tracking_days'"
    )
    return bool(found.fetchall()[0][0])


def frame(book: Book, sql: str, parameters: list[object] | None = None) -> pl.DataFrame:
    """A query's rows."""
    return database.frame(book.connection(), sql, parameters)


def insert(book: Book, table: str, rows: pl.DataFrame) -> None:
    """Add rows, columns by name."""
    if rows.height:
        connection = book.connection()
        connection.register("tracking_incoming", rows.to_arrow())
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM tracking_incoming")
        connection.unregister("tracking_incoming")


def last_day(book: Book) -> date | None:
    """The last day that was taken in whole."""
    day: date | None = book.connection().execute("SELECT max(day) FROM tracking_days").fetchall()[0][0]
    return day


def changed_since(book: Book, last: date) -> tuple[dict[int, date], date | None]:
    """What was corrected on days already taken in.

    Returns
    -------
    dict of int to date
        Client (`client_idx`) -> first day whose trades or flows aren't those that were taken in.
    date or None
        First day whose prices, splits, dividends or rates aren't.
    """
    differs = "IS DISTINCT FROM"
    clients = book.connection().execute(
        f"SELECT coalesce(n.client_idx, o.client_idx) AS c, min(coalesce(n.day, o.day)) FROM ({_EVENTS}) n"
        " FULL JOIN tracking_seen_events o ON n.client_idx = o.client_idx AND n.day = o.day"
        f" WHERE n.digest {differs} o.digest GROUP BY c ORDER BY c",
        [date.min, last],
    )
    changed = dict(clients.fetchall())
    prices = book.connection().execute(
        f"SELECT min(coalesce(n.day, o.day)) FROM ({_PRICES}) n FULL JOIN tracking_seen_prices o ON n.day = o.day"
        f" WHERE n.digest {differs} o.digest",
        [date.min, last],
    )
    first: date | None = prices.fetchall()[0][0]
    return changed, first


def remember_seen(book: Book, after: date | None, last: date) -> None:
    """Keep digests of what was taken in after one day (None = all) up to another, in the running transaction."""
    for table, query in (("tracking_seen_events", _EVENTS), ("tracking_seen_prices", _PRICES)):
        if after is None:
            book.connection().execute(f"DELETE FROM {table}")
        book.connection().execute(f"INSERT INTO {table} BY NAME {query}", [after or date.min, last])


def known_closed(book: Book) -> frozenset[tuple[date, date]]:
    """Closed stretches that were known when the last day was taken in."""
    return frozenset(book.connection().execute("SELECT first, reopened FROM tracking_gaps").fetchall())


def remember_closed(book: Book, gaps: frozenset[tuple[date, date]]) -> None:
    """Keep the closed stretches known now, in the running transaction."""
    if gaps != known_closed(book):
        book.connection().execute("DELETE FROM tracking_gaps")
        for gap in sorted(gaps):
            book.connection().execute("INSERT INTO tracking_gaps VALUES (?, ?)", list(gap))


def day_number(day: date) -> int:
    """Days since 1970."""
    return int(np.datetime64(day, "D").astype(np.int64))
