"""The index of peers is kept beside the book, for one state of it."""

import os
import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest

from nextbest.cli import main
from nextbest.data.holdings.book import Book
from nextbest.portfolio import documents, peer_desk
from nextbest.portfolio.peer_desk import INDEX_FOLDER, QUERIES_FOLDER, DeskKeeper, PeerDesk
from nextbest.portfolio.peers.privacy import K_FLOOR, PrivacyConfig, PrivacyGate
from nextbest.portfolio.peers.query_log import QUERIES_FILE, differing
from portfolio.investor_books import CLIENT, NOW, workspace


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


def test_a_keeper_keeps_a_desk_until_the_book_or_the_day_changes(folder, fits):
    keeper = DeskKeeper(folder)
    path, day = folder / "book.duckdb", NOW.date()

    def asked(as_of=day):
        with Book.open(folder) as book:
            return keeper.desk(book, as_of=as_of)

    first = asked()
    assert asked() is first
    assert asked(day - timedelta(days=7)) is not first
    second = asked()
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))
    assert asked() is not second
    keeper.close()


DAYS = [date(year, month, 28) for year in (2020, 2021) for month in (3, 7, 10) if (year, month) > (2020, 6)]
"""Days further apart than an answer stands: asked as if each were today, none would bind the next."""


def released(folder):
    """Sets of clients behind each answer, and the days on which questions were counted."""
    with sqlite3.connect(folder / QUERIES_FOLDER / QUERIES_FILE) as log:
        sets = [np.frombuffer(row[0], dtype="<u8") for row in log.execute("SELECT members FROM answers")]
        days = {row[0] for row in log.execute("SELECT day FROM queries")}
    log.close()
    return sets, days


def breaches(sets):
    """Pairs of answers whose difference tells of fewer clients than the floor; equal sets told anew are one too."""
    return [n for a, b in combinations(sets, 2) if (n := differing(a, b)) < K_FLOOR]


def test_asking_as_of_many_days_buys_no_second_answer_about_nearly_the_same_clients(tmp_path, capsys):
    folder = workspace(tmp_path) / "portfolio"
    before = datetime.now(UTC).date()
    for day in DAYS:
        for client in (CLIENT, "c000005"):
            assert (
                main(["portfolio", "peers", client, "--store", str(tmp_path), "--as-of", str(day), "--json"])
                == 0
            )
    capsys.readouterr()
    sets, days = released(folder)
    assert sets  # the attacker did get answers
    assert breaches(sets) == []
    assert days <= {str(before), str(datetime.now(UTC).date())}


@pytest.mark.parametrize("by_the_clock", [True, False])
def test_the_budget_and_the_memory_go_by_the_clock_and_not_by_the_day_asked_about(tmp_path, by_the_clock):
    """Without the clock the same questions are all answered, from sets that tell single clients apart."""
    folder = workspace(tmp_path) / "portfolio"
    config = PrivacyConfig(questions_a_day=2)
    told = []
    with Book.open(folder) as book:
        for day in DAYS:
            now = datetime(day.year, day.month, day.day, 23, tzinfo=UTC)
            made = PeerDesk.of_book(book, folder, as_of=day)
            desk = PeerDesk(made.peers, PrivacyGate(made.gate.log, config=config))
            asked_at = NOW if by_the_clock else None
            told += [
                documents.peers_document(book, client, desk, asker="attacker", now=now, asked_at=asked_at)
                for client in (CLIENT, "c000005", "c000009")
            ]
            made.close()
    refused = [document["refusal"]["refused"] for document in told if "refusal" in document]
    sets, days = released(folder)
    if by_the_clock:
        assert days == {"2021-10-29"}
        assert breaches(sets) == []
        assert "budget_spent" in refused
    else:
        assert len(days) == len(DAYS)
        assert breaches(sets)
