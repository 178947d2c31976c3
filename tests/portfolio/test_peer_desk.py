"""The index of peers is kept beside the book, for one state of it."""

import os
import shutil

import pytest

from nextbest.data.holdings.book import Book
from nextbest.portfolio import peer_desk
from nextbest.portfolio.peer_desk import INDEX_FOLDER, PeerDesk
from portfolio.investor_books import NOW, workspace


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return workspace(tmp_path_factory.mktemp("store")) / "portfolio"


@pytest.fixture
def fits(monkeypatch):
    """How often clients were valued for an index."""
    counted, real = [], peer_desk.peer_tables

    def watched(book, *, as_of):
        counted.append(as_of)
        return real(book, as_of=as_of)

    monkeypatch.setattr(peer_desk, "peer_tables", watched)
    return counted


def opened(folder):
    with Book.open(folder) as book:
        desk = PeerDesk.of_book(book, folder, as_of=NOW.date())
    desk.close()
    return desk.peers


def test_an_unchanged_book_is_valued_once(folder, fits):
    shutil.rmtree(folder / INDEX_FOLDER, ignore_errors=True)  # of a test that ran before this one
    first = opened(folder)
    again = opened(folder)
    assert len(fits) == 1
    assert (again.as_of, again.k, again.categories) == (first.as_of, first.k, first.categories)


def test_another_state_of_the_book_is_valued_anew_and_the_old_index_goes(folder, fits):
    opened(folder)
    book, before = folder / "book.duckdb", len(fits)
    os.utime(book, ns=(0, book.stat().st_mtime_ns + 1_000_000))
    opened(folder)
    assert len(fits) == before + 1
    assert len(list((folder / INDEX_FOLDER).iterdir())) == 1


def test_a_damaged_index_is_made_anew(folder, fits):
    opened(folder)
    (kept,) = (folder / INDEX_FOLDER).iterdir()
    (kept / "manifest.json").write_text("{")
    before = len(fits)
    opened(folder)
    assert len(fits) == before + 1
    opened(folder)
    assert len(fits) == before + 1
