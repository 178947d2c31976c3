"""The book's DuckDB file: tables, keys, one transaction a change, and what its errors mean.

Rows refer to clients and assets by small whole numbers (`client_idx`, `asset_idx`), so that the rows of one client
lie together and are found without reading the rest. DuckDB lets one process write or several read, never both.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from nextbest.data.holdings.kinds import Kind
from nextbest.errors import DataError, ExternalError

if TYPE_CHECKING:
    import duckdb

FORMAT = "1"
FILE = "book.duckdb"
WRITER_WAITS_S = 6.0
"""How long whoever wants to write waits for readers to let go of the file, seconds: three turns of `sharing`."""
_LOOKS_EVERY_S = 0.005
_TABLES = """
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
CREATE TABLE assets (
    asset_idx INTEGER PRIMARY KEY, asset_id VARCHAR NOT NULL UNIQUE, title VARCHAR NOT NULL,
    asset_class VARCHAR NOT NULL, currency VARCHAR NOT NULL, sector VARCHAR, country VARCHAR);
CREATE TABLE fx (
    currency VARCHAR, day DATE, rate DOUBLE NOT NULL CHECK (rate > 0), PRIMARY KEY (currency, day));
CREATE TABLE asset_prices (
    asset_idx INTEGER, day DATE, close DOUBLE NOT NULL CHECK (close > 0), volume DOUBLE,
    PRIMARY KEY (asset_idx, day));
CREATE TABLE splits (
    asset_idx INTEGER, day DATE, ratio DOUBLE NOT NULL CHECK (ratio > 0), PRIMARY KEY (asset_idx, day));
CREATE TABLE dividends (
    asset_idx INTEGER, day DATE, amount DOUBLE NOT NULL CHECK (amount > 0), currency VARCHAR NOT NULL,
    PRIMARY KEY (asset_idx, day));
CREATE TABLE benchmarks (
    benchmark_id VARCHAR, day DATE, close DOUBLE NOT NULL CHECK (close > 0), PRIMARY KEY (benchmark_id, day));
CREATE TABLE investors (
    client_idx INTEGER PRIMARY KEY, client_id VARCHAR NOT NULL UNIQUE, currency VARCHAR NOT NULL,
    birth_year INTEGER NOT NULL,
    risk_tolerance INTEGER NOT NULL CHECK (risk_tolerance BETWEEN 1 AND 5),
    risk_capacity INTEGER NOT NULL CHECK (risk_capacity BETWEEN 1 AND 5),
    knowledge INTEGER NOT NULL CHECK (knowledge BETWEEN 1 AND 5),
    profiled_at DATE NOT NULL, income DOUBLE, monthly_contribution DOUBLE, liquidity_need DOUBLE);
CREATE TABLE goals (
    client_idx INTEGER, goal_id VARCHAR, goal_type VARCHAR NOT NULL,
    target_amount DOUBLE NOT NULL CHECK (target_amount > 0), currency VARCHAR NOT NULL,
    horizon_years DOUBLE NOT NULL CHECK (horizon_years > 0), monthly_contribution DOUBLE,
    PRIMARY KEY (client_idx, goal_id));
CREATE TABLE trades (
    trade_id VARCHAR PRIMARY KEY, client_idx INTEGER NOT NULL, asset_idx INTEGER NOT NULL, day DATE NOT NULL,
    quantity DOUBLE NOT NULL CHECK (quantity <> 0), price DOUBLE NOT NULL CHECK (price > 0),
    fee DOUBLE NOT NULL CHECK (fee >= 0), currency VARCHAR NOT NULL);
CREATE TABLE cash_flows (
    client_idx INTEGER NOT NULL, day DATE NOT NULL, amount DOUBLE NOT NULL CHECK (amount <> 0),
    currency VARCHAR NOT NULL, kind VARCHAR, nth INTEGER NOT NULL);
CREATE TABLE quarantine (
    kind VARCHAR NOT NULL, source VARCHAR NOT NULL, "row" BIGINT NOT NULL, reason VARCHAR NOT NULL,
    raw VARCHAR NOT NULL);
"""
_IDX = {"client_id": ("client_idx", "investors"), "asset_id": ("asset_idx", "assets")}
_OWN = {"investors": "client_idx", "assets": "asset_idx"}


def connect(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    """A connection to the file; a new file where there is none and it may be written.

    A writer waits up to `WRITER_WAITS_S` for its turn, because a service that reads lets go of the file every so often.

    Raises
    ------
    ExternalError
        Another process holds the file: it writes, or it reads and this one wants to write; retryable.
    DataError
        It is no DuckDB file, or broken.
    """
    last_s = time.monotonic() + (0 if read_only else WRITER_WAITS_S)
    while True:
        try:
            return _connect(path, read_only=read_only)
        except ExternalError:
            if time.monotonic() >= last_s:
                raise
            time.sleep(_LOOKS_EVERY_S)


def _connect(path: Path, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    """One try."""
    import duckdb

    try:
        return duckdb.connect(str(path), read_only=read_only)
    except (duckdb.IOException, duckdb.ConnectionException) as error:
        first = str(error).splitlines()[0]
        if "lock" in first.lower() or "different configuration" in first:
            doing = "is writing to it" if read_only else "is reading or writing it"
            raise ExternalError(
                str(path),
                f"another process or connection {doing}",
                retryable=True,
                remedy="one may write or several may read: close the other, or wait for it, and try again",
            ) from error
        raise DataError(str(path), f"is no readable book: {first}") from error
    except duckdb.Error as error:
        raise DataError(str(path), f"is no readable book: {str(error).splitlines()[0]}") from error


def create_tables(connection: "duckdb.DuckDBPyConnection", meta: dict[str, str]) -> None:
    """Empty tables and the settings that hold for the book's life."""
    with transaction(connection, "book"):
        connection.execute(_TABLES)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list({"format": FORMAT, **meta}.items()))


@contextmanager
def transaction(connection: "duckdb.DuckDBPyConnection", name: str) -> Iterator[None]:
    """All that the block does, or nothing; the same when the process is killed half-way.

    Raises
    ------
    ExternalError
        The disk is full or fails; the book is as it was.
    """
    import duckdb

    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        with suppress(duckdb.Error):  # a COMMIT that failed has rolled back already
            connection.execute("ROLLBACK")
        if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
            first = str(error).splitlines()[0]
            raise ExternalError(
                name, f"can't be written, it is as it was: {first}", retryable=False
            ) from error
        raise


def frame(
    connection: "duckdb.DuckDBPyConnection", sql: str, parameters: list[Any] | None = None
) -> pl.DataFrame:
    """A query's rows."""
    return pl.DataFrame(_Rows(connection.sql(sql, params=parameters or None)))


class _Rows:
    """A relation as a stream of Arrow batches and nothing else.

    It needs no pyarrow (30 MB); and polars, given the relation itself, looks for data frames in it, after which DuckDB
    reports leaks when the process ends.
    """

    def __init__(self, relation: "duckdb.DuckDBPyRelation") -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def all_rows(kind: Kind, *, where: str = "") -> str:
    """SQL for rows of a kind as the outside knows them: ids, not numbers; and `nth` where it is part of the key."""
    joins, columns = "", []
    for column in [*kind.columns, *(["nth"] if "nth" in kind.key else [])]:
        idx, table = _IDX.get(column, ("", ""))
        if idx and table != kind.name:
            joins += f" JOIN {table} ON {table}.{idx} = t.{idx}"
            columns.append(f"{table}.{column}")
        else:
            columns.append(f"t.{column}")
    return f"SELECT {', '.join(columns)} FROM {kind.name} t{joins}{where}"


def like_keys(connection: "duckdb.DuckDBPyConnection", kind: Kind, keys: pl.DataFrame) -> pl.DataFrame:
    """The book's rows that have one of these keys."""
    if not keys.height:
        return pl.DataFrame(schema={**kind.columns, **({"nth": pl.Int32()} if "nth" in kind.key else {})})
    connection.register("asked", keys.unique().to_arrow())
    same = " AND ".join(f"k.{c} IS NOT DISTINCT FROM asked.{c}" for c in keys.columns)
    found = frame(
        connection,
        f"SELECT k.* FROM ({all_rows(kind)}) k WHERE EXISTS (FROM asked WHERE {same})",
    )
    connection.unregister("asked")
    return found


def insert(connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: pl.DataFrame) -> None:
    """Rows whose keys are new."""
    _write(connection, kind, rows, verb="INSERT INTO")


def replace(connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: pl.DataFrame) -> None:
    """Rows whose keys are there already: they take the old ones' place; idx of clients and assets stay."""
    if kind.name not in _OWN:
        _write(connection, kind, rows, verb="INSERT OR REPLACE INTO")
        return
    if rows.height:
        connection.register("incoming", rows.to_arrow())
        key = kind.key[0]
        changes = ", ".join(f"{c} = incoming.{c}" for c in kind.columns if c != key)
        connection.execute(
            f"UPDATE {kind.name} SET {changes} FROM incoming WHERE {kind.name}.{key} = incoming.{key}"
        )
        connection.unregister("incoming")


def _write(connection: "duckdb.DuckDBPyConnection", kind: Kind, rows: pl.DataFrame, *, verb: str) -> None:
    if not rows.height:
        return
    connection.register("incoming", rows.to_arrow())
    names, values, joins = [], [], ""
    if own := _OWN.get(kind.name):
        names.append(own)
        values.append(
            f"(SELECT coalesce(max({own}), -1) FROM {kind.name}) + row_number() OVER (ORDER BY {kind.key[0]})"
        )
    for column in [*kind.columns, *(["nth"] if "nth" in kind.key else [])]:
        idx, table = _IDX.get(column, ("", ""))
        if idx and table != kind.name:
            names.append(idx)
            values.append(f"{table}.{idx}")
            joins += f" JOIN {table} ON {table}.{column} = incoming.{column}"
        else:
            names.append(column)
            values.append(f"incoming.{column}")
    order = [c for c in ("client_idx", "asset_idx", "day") if c in names and c != own]
    by = f" ORDER BY {', '.join(order)}" if order else ""
    connection.execute(
        f"{verb} {kind.name} ({', '.join(names)}) SELECT {', '.join(values)} FROM incoming{joins}{by}"
    )
    connection.unregister("incoming")
