"""The memory of the privacy gate: who asked when, which answer was given, and over which clients it was made.

One SQLite file (several processes may write) and a secret key in a folder. Rows are only ever added: the database
itself refuses to change or delete one. No client's data: questions and clients are keyed hashes, answers are the
aggregates that left anyway.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ExternalError, InputError

Members = NDArray[np.uint64]
"""Keyed hashes of the clients behind an answer, ascending."""

QUERIES_FILE, KEY_FILE = "peer_queries.sqlite", "peer_queries.key"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    answer_id INTEGER PRIMARY KEY, released_us INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL,
    members BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS queries (
    query_id INTEGER PRIMARY KEY, who TEXT NOT NULL, at_us INTEGER NOT NULL, day TEXT NOT NULL,
    question BLOB NOT NULL, outcome TEXT NOT NULL, answer_id INTEGER REFERENCES answers, answer_hash BLOB
);
CREATE INDEX IF NOT EXISTS queries_of_a_day ON queries (who, day);
CREATE INDEX IF NOT EXISTS queries_by_question ON queries (question, answer_id);
CREATE TRIGGER IF NOT EXISTS answers_stay BEFORE UPDATE ON answers BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS answers_are_kept BEFORE DELETE ON answers BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS queries_stay BEFORE UPDATE ON queries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS queries_are_kept BEFORE DELETE ON queries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


@dataclass(frozen=True)
class Released:
    """An answer that somebody has."""

    answer_id: int
    body: str
    members: Members


def differing(a: Members, b: Members) -> int:
    """By how many clients two sets differ: the smaller non-empty side of their difference, 0 for equal sets.

    The smaller side is what an attacker could isolate, so it is what the rule counts.

    >>> differing(np.array([1, 2, 3], np.uint64), np.array([2, 3, 4, 5], np.uint64))
    1
    """
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return min((n for n in (len(a) - shared, len(b) - shared) if n), default=0)


class QueryLog:
    """The log of one folder, or of this process's memory when `folder` is None.

    Safe for threads and for processes of one machine; every `turn` is one transaction.

    Raises
    ------
    ExternalError
        The file can't be opened or is no database; the disk is full; another process holds it too long.
    """

    def __init__(self, folder: str | Path | None = None, *, timeout_s: float = 5.0) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        self._answer_ids: list[int] = []
        self._released_us: list[int] = []
        self._sets: list[Members] = []
        self._flat = np.empty(0, np.uint64)
        self._owner = np.empty(0, np.int64)
        where = ":memory:"
        if folder is None:
            self._key = secrets.token_bytes(32)
        else:
            path = Path(folder)
            try:
                path.mkdir(parents=True, exist_ok=True)
                self._key = _key(path / KEY_FILE)
            except OSError as e:
                raise ExternalError("query log", f"{path}: {e.strerror}", retryable=False) from e
            where = str(path / QUERIES_FILE)
        try:
            self._db = sqlite3.connect(
                where, timeout=timeout_s, check_same_thread=False, isolation_level=None
            )
            if folder is not None:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as e:
            raise _as_ours(e) from e

    def hashed(self, *parts: object) -> bytes:
        """A keyed hash of JSON values: 16 bytes, the same in every process that has this folder."""
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).digest()

    def members(self, client_ids: Collection[object]) -> Members:
        """Keyed hashes of clients, ascending, without repeats; 64 bits: two of a million collide once in 37 million."""
        hashes = {
            int.from_bytes(hashlib.blake2b(str(i).encode(), key=self._key, digest_size=8).digest(), "little")
            for i in client_ids
        }
        return np.array(sorted(hashes), dtype=np.uint64)

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """One question from its checks to its row, all or nothing; others wait."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield Turn(self)
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as e:
                raise _as_ours(e) from e

    def rows(self) -> list[dict[str, Any]]:
        """The whole log, oldest first: who, at_us, question, outcome, answer_hash; for audits."""
        names = ("who", "at_us", "question", "outcome", "answer_hash")
        with self._lock:
            found = self._db.execute(f"SELECT {', '.join(names)} FROM queries ORDER BY query_id").fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _catch_up(self) -> None:
        """Take in the sets of answers that were released since the last look, by any process."""
        rows = self._db.execute(
            "SELECT answer_id, released_us, members FROM answers WHERE answer_id > ? ORDER BY answer_id",
            (self._seen,),
        ).fetchall()
        if not rows:
            return
        first = len(self._sets)
        new = [np.frombuffer(members, dtype="<u8") for _, _, members in rows]
        self._answer_ids += [row[0] for row in rows]
        self._released_us += [row[1] for row in rows]
        self._sets += new
        self._flat = np.concatenate([self._flat, *new])
        lengths = [len(members) for members in new]
        self._owner = np.concatenate([self._owner, np.repeat(np.arange(first, first + len(new)), lengths)])
        self._seen = rows[-1][0]


class Turn:
    """What one question may read and add, inside its transaction."""

    def __init__(self, log: QueryLog) -> None:
        self._log = log

    def questions_of(self, who: str, day: str) -> set[bytes]:
        """Different questions that `who` asked that day and that were not refused for the budget."""
        rows = self._log._db.execute(
            "SELECT DISTINCT question FROM queries WHERE who = ? AND day = ? AND outcome <> 'budget_spent'",
            (who, day),
        )
        return {row[0] for row in rows}

    def answer_to(self, question: bytes, *, since_us: int) -> Released | None:
        """The answer this question was given, unless it was released before `since_us`."""
        row = self._log._db.execute(
            "SELECT a.answer_id, a.body, a.members FROM queries q JOIN answers a USING (answer_id)"
            " WHERE q.question = ? AND a.released_us >= ? ORDER BY q.query_id DESC LIMIT 1",
            (question, since_us),
        ).fetchone()
        return row and Released(row[0], row[1], np.frombuffer(row[2], dtype="<u8"))

    def nearest_released(self, members: Members, *, below: int, since_us: int) -> Released | None:
        """The released answer whose clients differ least from `members`, if by fewer than `below`; equal sets too."""
        self._log._catch_up()
        log = self._log
        shared = np.bincount(log._owner[np.isin(log._flat, members)], minlength=len(log._sets))
        best: tuple[int, int] | None = None
        for place in np.flatnonzero(shared):
            if log._released_us[place] >= since_us:
                n = differing(log._sets[place], members)
                if n < below and (best is None or n < best[0]):
                    best = (n, int(place))
        if best is None:
            return None
        answer_id = log._answer_ids[best[1]]
        body = log._db.execute("SELECT body FROM answers WHERE answer_id = ?", (answer_id,)).fetchone()[0]
        return Released(answer_id, body, log._sets[best[1]])

    def release(self, body: str, members: Members, *, at_us: int) -> Released:
        """Keep a new answer with its clients' hashes."""
        digest = hashlib.blake2b(body.encode(), digest_size=16).digest()
        cursor = self._log._db.execute(
            "INSERT INTO answers (released_us, body, hash, members) VALUES (?, ?, ?, ?)",
            (at_us, body, digest, members.astype("<u8").tobytes()),
        )
        if cursor.lastrowid is None:
            raise ExternalError("query log", "the answer was not stored", retryable=True)
        return Released(cursor.lastrowid, body, members)

    def write(
        self, *, who: str, at_us: int, day: str, question: bytes, outcome: str, answer: Released | None
    ) -> None:
        """One row: who, when, which question (hash), what came of it, which answer (hash)."""
        self._log._db.execute(
            "INSERT INTO queries (who, at_us, day, question, outcome, answer_id, answer_hash) VALUES (?, ?, ?, ?, ?, ?,"
            " (SELECT hash FROM answers WHERE answer_id = ?))",
            (who, at_us, day, question, outcome, answer and answer.answer_id, answer and answer.answer_id),
        )


def moment(now: datetime) -> tuple[int, str]:
    """Microseconds since 1970 and the day, both UTC.

    Raises
    ------
    InputError
        `now` has no time zone.
    """
    if now.tzinfo is None:
        raise InputError("now", "must carry a time zone", value=now, remedy="for UTC: tzinfo=datetime.UTC")
    seconds = now.timestamp()
    return int(seconds * 1_000_000), str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))


def _key(path: Path) -> bytes:
    """The folder's secret, made with the first log; readable by its owner only."""
    if not path.exists():
        # written whole under another name, then linked: a second process sees no half of a key
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    key = path.read_bytes()
    if len(key) != 32:
        raise ExternalError(
            "query log",
            f"{path} is not a key of 32 bytes",
            retryable=False,
            remedy="restore it from a backup",
        )
    return key


def _as_ours(error: sqlite3.Error) -> ExternalError:
    busy = (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return ExternalError("query log", str(error), retryable=busy)
