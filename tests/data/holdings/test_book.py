"""The book keeps what was imported: all or nothing, once, for one writer or many readers."""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from data.holdings.conftest import WEEKDAYS, fill, investors, trades
from nextbest.data.holdings.account import ACCOUNT_FLOWS, ACCOUNT_TRADES
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.database import transaction
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError

TUESDAY, WEDNESDAY = date(2024, 1, 9), date(2024, 1, 10)
BOUGHT = trades(("t1", "ann", "ROUBLE", TUESDAY, 5.0, 100.0), ("t2", "bob", "ROUBLE", TUESDAY, 1.0, 100.0))
FLOWS = pl.DataFrame({"client_id": "ann", "day": [TUESDAY] * 2, "amount": 250.0, "currency": "RUB"})


def test_an_account_is_sorted_typed_and_purchases_of_a_day_come_first(book: Book) -> None:
    book.add(
        "trades",
        trades(
            ("a", "ann", "ROUBLE", WEDNESDAY, -2.0, 100.0),
            ("b", "ann", "ROUBLE", WEDNESDAY, 3.0, 100.0),
            ("c", "ann", "ROUBLE", TUESDAY, 1.0, 100.0),
        ),
    )
    book.add("cash_flows", FLOWS)
    account = book.account("ann")
    assert account.trades.schema == pl.Schema(ACCOUNT_TRADES)
    assert account.flows.schema == pl.Schema(ACCOUNT_FLOWS)
    assert account.trades["trade_id"].to_list() == ["c", "b", "a"]
    assert account.trades["currency"].to_list() == ["RUB"] * 3
    assert account.trades["fee"].to_list() == [0.0] * 3
    assert (account.has_flows, account.flows["amount"].to_list()) == (True, [250.0, 250.0])
    assert not book.account("bob").has_flows
    assert "ann" not in repr(account)


def test_accounts_are_the_same_one_by_one_and_all_together(book: Book) -> None:
    book.add("investors", investors("cat"))
    book.add("trades", BOUGHT)
    book.add("cash_flows", FLOWS)
    together = list(book.accounts())
    assert [a.client_id for a in together] == ["ann", "bob", "cat"]
    for account in together:
        alone = book.account(account.client_id)
        assert alone.trades.equals(account.trades)
        assert alone.flows.equals(account.flows)
        assert alone.has_flows == account.has_flows
    assert [a.client_id for a in book.accounts(["cat", "ann"])] == ["cat", "ann"]


def test_the_same_file_again_changes_nothing_and_a_longer_one_adds_its_days(
    book: Book, tmp_path: Path
) -> None:
    file = tmp_path / "trades.csv"
    BOUGHT.write_csv(file)
    assert book.add("trades", file).added == 2
    assert book.add("trades", file).added == 0
    pl.concat([BOUGHT, trades(("t3", "ann", "ROUBLE", WEDNESDAY, -5.0, 101.0))]).write_csv(file)
    again = book.add("trades", file)
    assert (again.kept, again.added) == (3, 1)
    assert book.account("ann").trades["quantity"].to_list() == [5.0, -5.0]
    book.add("cash_flows", FLOWS)
    assert book.add("cash_flows", FLOWS).added == 0
    assert book.account("ann").flows.height == 2


def test_replace_changes_rows_of_a_known_key(book: Book) -> None:
    book.add("trades", BOUGHT)
    changed = BOUGHT.with_columns(quantity=pl.lit(7.0)).head(1)
    assert book.add("trades", changed).quarantined == {"conflicting_trade_id": 1}
    report = book.add("trades", changed, replace=True)
    assert (report.kept, report.added, report.replaced) == (1, 0, 1)
    assert book.account("ann").trades["quantity"].to_list() == [7.0]
    book.add("investors", investors("ann").with_columns(knowledge=5), replace=True)
    assert book.investors()["knowledge"].to_list() == [5, 2]
    assert book.account("ann").trades.height == 1
    with pytest.raises(InputError, match="no key of their own"):
        book.add("cash_flows", FLOWS, replace=True)


def test_a_failed_import_changes_nothing(book: Book, tmp_path: Path) -> None:
    good, broken = tmp_path / "1.csv", tmp_path / "2.csv"
    BOUGHT.write_csv(good)
    broken.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="missing"):
        book.add("trades", [good, broken])
    assert book.account("ann").trades.is_empty()
    assert book.quarantine().is_empty()


def test_a_killed_import_leaves_the_old_book(tmp_path: Path) -> None:
    folder = tmp_path / "portfolio"
    with fill(Book.create(folder, base_currency="RUB")) as book:
        book.add("trades", BOUGHT)
    script = f"""
        import os
        from nextbest.data.holdings import importing
        from nextbest.data.holdings.book import Book
        importing._keep_quarantine = lambda *_: os._exit(9)  # all rows are written, nothing is committed
        import polars as pl
        rows = pl.DataFrame({{"client_id": "ann", "asset_id": "ROUBLE", "day": "2024-01-10", "quantity": 1.0, "price": 9.0}})
        Book.open({str(folder)!r}, read_only=False).add("trades", rows)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert killed.returncode == 9
    with Book.open(folder) as book:
        assert book.account("ann").trades["trade_id"].to_list() == ["t1"]


def test_one_writes_or_several_read(tmp_path: Path) -> None:
    folder = tmp_path / "portfolio"
    with fill(Book.create(folder, base_currency="RUB")):
        with _another_process(folder) as opened:
            assert "another process" in opened("reading")
            assert "another process" in opened("writing")
        with pytest.raises(ExternalError) as caught:
            Book.open(folder)
        assert caught.value.retryable
    with _another_process(folder) as opened:
        with Book.open(folder), Book.open(folder):
            assert opened("reading") == "2 investors"
            assert "another process" in opened("writing")
        assert opened("writing") == "2 investors"


@contextmanager
def _another_process(folder: Path) -> Iterator[Callable[[str], str]]:
    """What another process gets when it opens the book for one or the other."""
    script = f"""
        import sys
        from nextbest.data.holdings import database
        from nextbest.data.holdings.book import Book
        from nextbest.errors import ExternalError
        database.WRITER_WAITS_S = 0.0
        for line in sys.stdin:
            try:
                with Book.open({str(folder)!r}, read_only=line.strip() == "reading") as book:
                    print(book.investors().height, "investors", flush=True)
            except ExternalError as error:
                print(error, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout

    def opened(how: str) -> str:
        process.stdin.write(f"{how}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    try:
        yield opened
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_a_book_for_reading_takes_no_rows(tmp_path: Path) -> None:
    fill(Book.create(tmp_path, base_currency="RUB")).close()
    with Book.open(tmp_path) as book, pytest.raises(InputError, match="reading only"):
        book.add("trades", BOUGHT)


def test_what_is_no_book_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no book"):
        Book.open(tmp_path)
    (tmp_path / "book.duckdb").write_bytes(b"not a database, far from it" * 500)
    with pytest.raises(DataError, match="no readable book"):
        Book.open(tmp_path)
    with pytest.raises(InputError, match="holds a book already"):
        Book.create(tmp_path, base_currency="RUB")
    with pytest.raises(InputError, match="three capital letters"):
        Book.create(tmp_path / "new", base_currency="rub")


def test_an_unknown_client_asset_or_benchmark_is_an_input_error(book: Book) -> None:
    for ask in (lambda: book.account("eve"), lambda: book.goals("eve"), lambda: book.market(["GOLD"])):
        with pytest.raises(InputError):
            ask()
    book.add("benchmarks", pl.DataFrame({"date": WEEKDAYS, "INDEX": 1000.0}))
    with pytest.raises(InputError, match=r"must be one of \['INDEX'\]"):
        book.benchmark("OTHER")
    days, close = book.benchmark("INDEX")
    assert days.dtype == np.dtype("datetime64[D]")
    assert close.tolist() == [1000.0] * len(WEEKDAYS)


def test_goals_are_of_one_client_or_all(book: Book) -> None:
    goal = {"goal_type": "home", "target_amount": 1e6, "currency": "RUB", "horizon_years": 5.0}
    book.add("goals", pl.DataFrame([{"client_id": c, "goal_id": "g1", **goal} for c in ("ann", "bob")]))
    assert book.goals("bob")["client_id"].to_list() == ["bob"]
    assert book.goals().height == 2
    assert book.goals().schema["monthly_contribution"] == pl.Float64


@pytest.mark.parametrize(
    ("asked", "rule"),
    [({"exchange_zone": "Moscow/Kremlin"}, "IANA zone"), ({"max_rate_age_days": -1}, "0 or more")],
)
def test_a_books_settings_are_checked(tmp_path: Path, asked: dict[str, object], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        Book.create(tmp_path, base_currency="RUB", **asked)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_book_of_another_format_is_refused(book: Book) -> None:
    book.connection().execute("UPDATE meta SET value = '0' WHERE key = 'format'")
    folder = book.path.parent
    book.close()
    with pytest.raises(ArtifactError, match="format 0"):
        Book.open(folder)


def test_a_full_disk_undoes_the_change_and_says_so(book: Book) -> None:
    connection = book.connection()
    with pytest.raises(ExternalError, match="as it was: No space left"):
        _delete_onto_a_full_disk(connection)
    assert book.investors().height == 2


def _delete_onto_a_full_disk(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection, "book"):
        connection.execute("DELETE FROM investors")
        raise duckdb.IOException("No space left")


def test_ones_own_tables_live_beside_the_books(book: Book) -> None:
    book.connection().execute("CREATE TABLE tracked (day DATE)")
    folder = book.path.parent
    book.close()
    with Book.open(folder) as again:
        assert again.connection().execute("SELECT count(*) FROM tracked").fetchall() == [(0,)]
