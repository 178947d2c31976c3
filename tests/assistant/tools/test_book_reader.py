"""An unchanged book is read once for the same question, and a kept answer waits for nobody."""

import shutil
import threading
import zlib

import orjson
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
    packed = len(zlib.compress(orjson.dumps({"n": 120}), 1))
    monkeypatch.setattr(book_reader, "KEPT_BYTES", 2 * packed)
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


def test_a_kept_answer_waits_for_nobody(folder) -> None:
    reader, begun, go = BookReader(folder), threading.Event(), threading.Event()
    reader.ask(n_clients, key="n")

    def slow(book: Book) -> dict:
        begun.set()
        assert go.wait(60)
        return {}

    thread = threading.Thread(target=reader.ask, args=(slow,), kwargs={"key": "slow"})
    thread.start()
    assert begun.wait(60)
    assert reader.ask(n_clients, key="n") == {"n": 120}  # while the book is another's
    go.set()
    thread.join()
    reader.close()


def test_what_is_kept_is_the_document_itself(folder) -> None:
    document = {"text": "ёлка", "none": None, "rows": [{"x": 0.1 + 0.2, "n": 10**12}], "flag": True}
    reader = BookReader(folder)
    assert [reader.ask(lambda _: document, key="d") for _ in range(2)] == [document] * 2
    assert reader.n_read == 1


def test_without_a_book_nothing_is_said(tmp_path) -> None:
    with pytest.raises(Nothing, match="not_ready"):
        BookReader(tmp_path).ask(n_clients, key=None)
