"""The book is open only while somebody reads, and an unchanged book is read once for the same question."""

import shutil
import threading

import pytest

from nextbest.assistant.tools import book_reader
from nextbest.assistant.tools.book_reader import BookReader
from nextbest.assistant.tools.tool import Nothing
from nextbest.data.holdings.book import Book
from nextbest.errors import InputError


@pytest.fixture
def folder(store, tmp_path):
    shutil.copytree(store / "portfolio", tmp_path / "book")
    return tmp_path / "book"


def n_clients(book: Book) -> dict:
    return {"n": book.investors().height}


def test_the_same_question_is_read_once_until_the_book_changes(folder) -> None:
    reader = BookReader(folder)
    assert [reader.ask(n_clients, key="n")["n"] for _ in range(3)] == [120] * 3
    assert reader.n_read == 1
    with Book.open(folder, read_only=False) as book:  # nobody holds it
        book.connection().execute("CREATE TABLE mark (x INTEGER)")
    assert reader.ask(n_clients, key="n") == {"n": 120}
    assert reader.n_read == 2


def test_a_question_without_a_key_is_read_each_time(folder) -> None:
    reader = BookReader(folder)
    for _ in range(2):
        reader.ask(n_clients, key=None)
    assert reader.n_read == 2


def test_the_least_asked_is_forgotten_first(folder, monkeypatch) -> None:
    monkeypatch.setattr(book_reader, "KEPT", 2)
    reader = BookReader(folder)
    for key in ("a", "b", "a", "c", "a", "b"):
        reader.ask(n_clients, key=key)
    assert reader.n_read == 4


def test_an_error_is_the_askers_and_closes_the_book(folder) -> None:
    reader = BookReader(folder)

    def wrong(book: Book) -> dict:
        raise InputError("x", "is wrong")

    with pytest.raises(InputError, match="is wrong"):
        reader.ask(wrong, key="wrong")
    with Book.open(folder, read_only=False):
        pass
    assert reader.ask(n_clients, key="wrong") == {"n": 120}


def test_those_who_wait_find_the_book_open(folder, monkeypatch) -> None:
    monkeypatch.setattr(book_reader, "MAX_OPEN_S", 60.0)
    reader, books, go = BookReader(folder), [], threading.Event()

    def remember(book: Book) -> dict:
        books.append(book)
        go.wait(10)
        return {}

    threads = [threading.Thread(target=reader.ask, args=(remember,), kwargs={"key": None}) for _ in range(3)]
    for thread in threads:
        thread.start()
    while reader._n_waiting < 2 or not books:
        pass
    go.set()
    for thread in threads:
        thread.join()
    assert len({id(book) for book in books}) == 1
    with Book.open(folder, read_only=False):  # and closed after the last of them
        pass


def test_without_a_book_nothing_is_said(tmp_path) -> None:
    with pytest.raises(Nothing, match="not_ready"):
        BookReader(tmp_path).ask(n_clients, key=None)
