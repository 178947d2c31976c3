"""Rows of a database by URL: DuckDB files, PostgreSQL, ClickHouse; streamed, never whole in memory.

::

    duckdb:///shop.duckdb?table=purchases          (a path after three slashes is relative, after four absolute)
    postgresql://user:password@host/db?query=SELECT ...
    clickhouse://user:password@host:8123/db?table=purchases

Without ORDER BY a database promises no order: row numbers are those of arrival. Passwords never
appear in names, errors or logs.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import polars as pl

from nextbest.data.sources.base import CHUNK_ROWS, Chunk
from nextbest.errors import DataError, ExternalError, InputError

_FETCH_ROWS = 100_000
_SCHEMES = {"duckdb": "duckdb", "postgresql": "postgresql", "postgres": "postgresql"}
_SCHEMES |= {"clickhouse": "clickhouse", "clickhouses": "clickhouse"}
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*){0,2}")


@dataclass(frozen=True)
class Query:
    """A database URL taken apart."""

    kind: str
    connection: str
    """URL (PostgreSQL, ClickHouse) or path (DuckDB), without `table` and `query`; may hold a password."""
    sql: str
    name: str
    """What quarantine and reports say: no user, no password, no options."""

    def __repr__(self) -> str:
        return f"Query({self.name!r})"


class SqlSource:
    """The rows of one query."""

    is_text = False

    def __init__(self, query: Query) -> None:
        self.query, self.name = query, query.name
        self._names: list[str] | None = None

    def __repr__(self) -> str:
        return f"SqlSource({self.name!r})"

    def columns(self) -> list[str]:
        """Names of the result; asks the database for no row."""
        if self._names is None:
            empty = Query(
                self.query.kind,
                self.query.connection,
                f"SELECT * FROM ({self.query.sql}) AS q LIMIT 0",
                self.name,
            )
            answer = _READERS[self.query.kind](empty)
            answer.close()
            self._names = answer.names
        if repeated := sorted({c for c in self._names if self._names.count(c) > 1}):
            raise DataError(
                self.name, f"column name(s) {repeated} stand more than once", remedy="give them aliases"
            )
        return list(self._names)

    def size_hint(self) -> int | None:
        """Counting would cost as much as reading."""
        return None

    def chunks(self) -> Iterator[Chunk]:
        """Rows as they arrive, about CHUNK_ROWS at a time."""
        first, waiting, n_waiting = 1, [], 0
        answer = _READERS[self.query.kind](self.query)
        try:
            for table in answer.tables:
                waiting.append(table)
                n_waiting += len(table)
                if n_waiting >= CHUNK_ROWS:
                    yield _chunk(waiting, first)
                    first, waiting, n_waiting = first + n_waiting, [], 0
            if n_waiting:
                yield _chunk(waiting, first)
        finally:
            answer.close()


def _chunk(tables: list[pl.DataFrame], first: int) -> Chunk:
    table = pl.concat(tables, how="vertical_relaxed")
    return Chunk(table, pl.int_range(first, first + len(table), dtype=pl.Int64, eager=True).alias("row"))


def open_url(url: str) -> SqlSource:
    """The source that a database URL names; nothing is asked of the database yet.

    Raises
    ------
    InputError
        The scheme isn't known, or not exactly one of `table` and `query` is given.
    """
    parts = urlsplit(url)
    kind = _SCHEMES.get(parts.scheme.split("+")[0])
    if kind is None:
        raise InputError("URL", f"must begin with one of {sorted(_SCHEMES)}", value=parts.scheme)
    options = _options(parts.query + (f"#{parts.fragment}" if parts.fragment else ""))
    table, sql = options.pop("table", None), options.pop("query", None)
    host = parts.hostname or ""
    place = f"{kind}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"
    if (table is None) == (sql is None):
        raise InputError(f"URL {place}", "must name either ?table=NAME or ?query=SELECT ...")
    if table is not None:
        if not _NAME.fullmatch(table):
            raise InputError(f"URL {place}", "table must be a plain name, schema.name at most", value=table)
        mark = "`" if kind == "clickhouse" else '"'
        sql = "SELECT * FROM " + ".".join(f"{mark}{part}{mark}" for part in table.split("."))
    sql = str(sql).strip().rstrip(";")
    connection = urlunsplit(
        (parts.scheme, parts.netloc, parts.path, "&".join(f"{k}={quote(v)}" for k, v in options.items()), "")
    )
    if kind == "duckdb":
        connection = unquote(parts.path).removeprefix("/")
        if host or not connection:
            raise InputError(f"URL {place}", "must be duckdb:///FILE?table=NAME")
    return SqlSource(
        Query(kind, connection, sql, f"{place}?table={table}" if table else f"{place}?query={sql}")
    )


def _options(text: str) -> dict[str, str]:
    """`name=value&...` with percent signs undone; a plus stays one, because SQL adds with it."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}


@dataclass(frozen=True)
class _Answer:
    names: list[str]
    tables: Iterator[pl.DataFrame]
    close: Callable[[], None]


def _duckdb(query: Query) -> _Answer:
    import duckdb

    if not Path(query.connection).is_file():
        raise DataError(query.name, "no such database file", remedy=f"looked from {Path.cwd()}")
    try:
        connection = duckdb.connect(query.connection, read_only=True)
    except duckdb.IOException as error:
        busy = "lock" in str(error).lower()
        if busy:
            raise ExternalError(query.name, "another process is writing to it", retryable=True) from error
        raise DataError(query.name, f"is no readable DuckDB file: {_first_line(error)}") from error
    try:
        reader = connection.sql(query.sql).to_arrow_reader(_FETCH_ROWS)
    except duckdb.Error as error:
        connection.close()
        raise InputError(query.name, f"the query fails: {_first_line(error)}") from error

    def tables() -> Iterator[pl.DataFrame]:
        try:
            for batch in reader:
                yield pl.DataFrame(pl.from_arrow(batch))
        except (duckdb.Error, OSError) as error:
            raise DataError(query.name, f"the query fails half-way: {_first_line(error)}") from error

    return _Answer(list(reader.schema.names), tables(), connection.close)


_PG_TYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    20: pl.Int64(),
    21: pl.Int64(),
    23: pl.Int64(),
    26: pl.Int64(),
    700: pl.Float64(),
    701: pl.Float64(),
    1700: pl.Float64(),
    1082: pl.Date(),
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
"""PostgreSQL type oid -> ours; every other type is read as text."""


def _postgresql(query: Query) -> _Answer:
    try:
        import psycopg
    except ImportError as error:
        raise _extra_missing("PostgreSQL") from error
    url = re.sub(r"^[a-z+]+://", "postgresql://", query.connection)
    try:
        connection = psycopg.connect(url, connect_timeout=15, options="-c timezone=UTC")
    except psycopg.Error as error:
        raise _unreachable(query, error) from None
    cursor = connection.cursor(name="nextbest_ingest")
    cursor.itersize = _FETCH_ROWS
    try:
        cursor.execute(query.sql.encode())
        described = [(column.name, column.type_code) for column in cursor.description or []]
    except psycopg.Error as error:
        cursor.close()
        connection.close()
        raise InputError(query.name, f"the query fails: {_first_line(error)}") from None

    def tables() -> Iterator[pl.DataFrame]:
        try:
            while rows := cursor.fetchmany(_FETCH_ROWS):
                columns = zip(*rows, strict=True)
                yield pl.DataFrame(
                    [_pg_column(n, oid, v) for (n, oid), v in zip(described, columns, strict=True)]
                )
        except psycopg.Error as error:
            raise ExternalError(
                query.name, f"broke off half-way: {_first_line(error)}", retryable=True
            ) from None

    def close() -> None:
        if not connection.broken:
            cursor.close()
        connection.close()

    return _Answer([name for name, _ in described], tables(), close)


def _pg_column(name: str, oid: int, values: tuple[Any, ...]) -> pl.Series:
    dtype = _PG_TYPES.get(oid, pl.String())
    if oid == 1700:
        values = tuple(None if v is None else float(v) for v in values)
    elif dtype == pl.String:
        values = tuple(_pg_text(v) for v in values)
    return pl.Series(name, values, dtype=dtype)


def _pg_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _clickhouse(query: Query) -> _Answer:
    try:
        import clickhouse_connect
        from clickhouse_connect.driver import exceptions
    except ImportError as error:
        raise _extra_missing("ClickHouse") from error
    parts = urlsplit(query.connection)
    options = _options(parts.query)
    secure = parts.scheme == "clickhouses" or options.get("secure", "").lower() in ("1", "true")
    try:
        client = clickhouse_connect.get_client(
            host=parts.hostname or "localhost",
            port=parts.port or (8443 if secure else 8123),
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "default",
            secure=secure,
            connect_timeout=15,
        )
    except (exceptions.Error, OSError) as error:
        raise _unreachable(query, error) from None
    try:
        names = [str(c) for c in client.query_arrow(f"SELECT * FROM ({query.sql}) AS q LIMIT 0").schema.names]
        stream = client.query_arrow_stream(query.sql)
    except exceptions.Error as error:
        client.close()
        raise InputError(query.name, f"the query fails: {_hidden(query, error)}") from None

    def tables() -> Iterator[pl.DataFrame]:
        try:
            with stream:
                for batch in stream:
                    # Asking the server for text would change a setting, which read-only accounts may not.
                    yield pl.DataFrame(pl.from_arrow(batch)).with_columns(
                        pl.col(pl.Binary).cast(pl.String, strict=False)
                    )
        except (exceptions.Error, OSError) as error:
            raise ExternalError(
                query.name, f"broke off half-way: {_hidden(query, error)}", retryable=True
            ) from None

    return _Answer(names, tables(), client.close)


_READERS: dict[str, Callable[[Query], _Answer]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
    "clickhouse": _clickhouse,
}


def _extra_missing(what: str) -> InputError:
    return InputError("inputs", f"reading {what} needs its client", remedy='pip install "nextbest[sql]"')


def _unreachable(query: Query, error: Exception) -> ExternalError:
    return ExternalError(query.name, f"can't be reached: {_hidden(query, error)}", retryable=True)


def _hidden(query: Query, error: Exception) -> str:
    """An error's first line without user and password of the URL; a user named `u` costs no other word its u."""
    text = _first_line(error)
    parts = urlsplit(query.connection)
    if parts.password:
        text = text.replace(unquote(parts.password), "***").replace(parts.password, "***")
    for name in {unquote(parts.username), parts.username} if parts.username else ():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "***", text)
    return text


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
