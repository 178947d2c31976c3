"""A shared book stays open between questions, is closed at turns of the clock, and lets writers in."""

import shutil
import subprocess
import sys
import threading
import time

import pytest

from nextbest.data.holdings import database, sharing
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.sharing import SharedBook
from nextbest.errors import DataError, ExternalError, InputError

WRITE = """
import sys
from nextbest.data.holdings.book import Book
with Book.open(sys.argv[1], read_only=False) as book:
    book.connection().execute("CREATE TABLE mark AS SELECT 1 AS x")
"""


@pytest.fixture
def folder(tmp_path):
    with Book.create(tmp_path / "book", base_currency="RUB"):
        pass
    return tmp_path / "book"


def marks(shared: SharedBook) -> int:
    with shared.lent() as book:
        found = book.connection().execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'mark'")
        return found.fetchall()[0][0]


def test_the_book_stays_open_between_questions(folder, monkeypatch) -> None:
    monkeypatch.setattr(sharing, "PERIOD_S", 1e9)
    shared = SharedBook(folder)
    with shared.lent() as first:
        pass
    with shared.lent() as second:
        pass
    assert second is first
    shared.close()
    with shared.lent() as third:
        assert third is not first
    shared.close()


def test_an_idle_book_is_closed_at_the_next_turn(folder, monkeypatch) -> None:
    monkeypatch.setattr(sharing, "PERIOD_S", 0.2)
    shared = SharedBook(folder)
    with shared.lent():
        pass
    closing = shared._closing
    assert closing is not None
    closing.join(60)
    with Book.open(folder, read_only=False):  # in this process: refused while any reader is open
        pass


def test_a_writer_of_another_process_gets_in_between_readers_that_never_pause(folder, monkeypatch) -> None:
    monkeypatch.setattr(sharing, "PERIOD_S", 0.5)
    monkeypatch.setattr(sharing, "GAP_S", 0.1)
    readers, stop = [SharedBook(folder) for _ in range(2)], threading.Event()

    def read(shared: SharedBook) -> None:
        while not stop.is_set():
            try:
                marks(shared)
            except ExternalError:  # the writer's turn
                time.sleep(0.01)

    threads = [threading.Thread(target=read, args=(shared,)) for shared in readers]
    for thread in threads:
        thread.start()
    try:
        command = [sys.executable, "-c", WRITE, str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [marks(shared) for shared in readers] == [1, 1]
    for shared in readers:
        shared.close()


def test_a_book_that_took_the_old_ones_place_is_read(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sharing, "PERIOD_S", 1e9)
    shared = SharedBook(folder)
    assert marks(shared) == 0
    shutil.copytree(folder, tmp_path / "restored")
    with Book.open(tmp_path / "restored", read_only=False) as book:
        book.connection().execute("CREATE TABLE mark AS SELECT 1 AS x")
    (tmp_path / "restored" / database.FILE).replace(folder / database.FILE)
    assert marks(shared) == 1
    (folder / database.FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match="no readable book"):
        marks(shared)
    (folder / database.FILE).unlink()
    with pytest.raises(InputError, match="holds no book"):
        marks(shared)


def test_an_error_of_a_question_leaves_the_book_usable(folder) -> None:
    shared = SharedBook(folder)
    with pytest.raises(ZeroDivisionError), shared.lent():
        _ = 1 / 0
    assert marks(shared) == 0
    shared.close()


def test_a_process_that_ends_with_the_book_open_says_nothing(folder) -> None:
    script = """
import sys
from pathlib import Path
from nextbest.data.holdings.sharing import SharedBook
def ask() -> None:
    with SharedBook(Path(sys.argv[1])).lent() as book:
        print(book.investors().height)
ask()
"""
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("0\n", "")
