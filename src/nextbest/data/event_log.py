"""Events posted after the journal was read: one SQLite file that several processes write and read.

Holds what happened (`Event`) and in which order it was accepted (the row number); knows nothing of
models, histories or the web. Each `append` is one transaction: all of its events are stored, or none.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, Self

from nextbest.data.ids import OutsideId
from nextbest.errors import ExternalError, InputError

Fsync = Literal["commit", "checkpoint"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INT64_MAX = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT UNIQUE,
    user_id BLOB NOT NULL,
    item_id BLOB NOT NULL,
    time_us INTEGER NOT NULL,
    weight REAL NOT NULL
)
"""
_INSERT = """
INSERT INTO events (event_id, user_id, item_id, time_us, weight) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (event_id) DO NOTHING
"""

EVENTS_FILE = "events.sqlite"
"""Name of a workspace's event log."""


def check_id(name: str, value: object) -> OutsideId:
    """`value` if it can be an id: a non-empty string or an integer of at most 64 bits, not a bool.

    Raises
    ------
    InputError
        It can't.
    """
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INT64_MAX:
        return value
    raise InputError(name, "must be a non-empty string or a 64-bit integer", value=value)


def to_time_us(name: str, value: object) -> int:
    """Microseconds since 1970-01-01 UTC of a datetime that carries its time zone.

    Raises
    ------
    InputError
        It is no datetime, or has no time zone (guessing one is how splits leak).

    >>> to_time_us("time", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    if not isinstance(value, datetime):
        raise InputError(name, "must be a datetime with a time zone", value=value)
    if value.tzinfo is None:
        raise InputError(name, "must carry a time zone", value=value, remedy="for UTC: tzinfo=datetime.UTC")
    return (value - EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Event:
    """One user took one item at one moment.

    An event without an `event_id` is the same as another one when user, item and time are the same.
    """

    user_id: OutsideId
    item_id: OutsideId
    time: datetime
    """With its time zone."""
    weight: float = 1.0
    """> 0, no unit; what the journal's weight means (pieces, hours)."""
    event_id: str | None = None
    """The sender's own name of the event; the same one again is ignored."""

    def __post_init__(self) -> None:
        check_id("user_id", self.user_id)
        check_id("item_id", self.item_id)
        to_time_us("time", self.time)
        if (
            isinstance(self.weight, bool)
            or not isinstance(self.weight, int | float)
            or not (0 < self.weight < float("inf"))
        ):
            raise InputError("weight", "must be a positive finite number", value=self.weight)
        if self.event_id is not None and (not isinstance(self.event_id, str) or not self.event_id):
            raise InputError("event_id", "must be a non-empty string or None", value=self.event_id)

    @property
    def time_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return (self.time - EPOCH) // MICROSECOND


class LoggedEvent(NamedTuple):
    """An event with its place in the log."""

    rowid: int
    """Grows with every accepted event; the argument of the next `read_after`."""
    event: Event


class EventLog:
    """Append-only log of events in one SQLite file in WAL mode.

    Safe for threads (locks inside) and for processes on one machine (SQLite's locks; a network file
    system is not enough). A process that forks gets connections of its own. Order of `rowid` is order
    of commit, so a reader that goes on after the last row it saw misses nothing.

    Parameters
    ----------
    path
        The file; made with its folder when missing.
    fsync
        "commit": an accepted event survives a power cut (one fsync for each `append`: append in
        batches). "checkpoint": it survives a killed process, a power cut may take the last seconds.
    timeout_s
        How long to wait for another process's write, seconds.

    Raises
    ------
    ExternalError
        The file can't be opened, isn't a database, is damaged, locked for longer than `timeout_s`, or
        the disk is full. `retryable` where waiting or freeing space helps.
    """

    def __init__(self, path: str | Path, *, fsync: Fsync = "commit", timeout_s: float = 5.0) -> None:
        if fsync not in ("commit", "checkpoint"):
            raise InputError("fsync", "must be 'commit' or 'checkpoint'", value=fsync)
        self.path = Path(path)
        self._fsync: Fsync = fsync
        self._timeout_s = timeout_s
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
        self._pid = -1
        self._open()

    def _open(self) -> None:
        with self._words():
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as e:
                raise ExternalError("event log", f"{self.path.parent}: {e.strerror}", retryable=False) from e
            self._writer = self._connect()
            self._writer.execute(_SCHEMA)
            self._writer.commit()
            self._reader = self._connect()
            self._seen_version = -1
            self._pid = os.getpid()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._timeout_s, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._fsync == 'commit' else 'NORMAL'}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _here(self) -> None:
        """After a fork: new connections and locks, the parent's belong to the parent."""
        if self._pid != os.getpid():
            self._write_lock, self._read_lock = threading.Lock(), threading.Lock()
            self._inherited = (
                self._writer,
                self._reader,
            )  # never closed here: SQLite forbids it after a fork
            self._open()

    @contextmanager
    def _words(self) -> Iterator[None]:
        """SQLite's errors as ours."""
        try:
            yield
        except sqlite3.Error as e:
            code = getattr(e, "sqlite_errorcode", 0) & 0xFF
            problem = f"{self.path}: {e}"
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise ExternalError("event log", problem, retryable=True, remedy="try again") from e
            if code == sqlite3.SQLITE_FULL:
                raise ExternalError(
                    "event log", problem, retryable=True, remedy="nothing was stored; free disk space"
                ) from e
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise ExternalError(
                    "event log",
                    problem,
                    retryable=False,
                    remedy="move the file away; a new one is made, the journal is not touched",
                ) from e
            raise ExternalError("event log", problem, retryable=False) from e

    def append(self, events: Sequence[Event]) -> int:
        """Store `events` in one transaction; the number that is new (an `event_id` counts once).

        Events without an `event_id` are always stored.
        """
        for e in events:
            if not isinstance(e, Event):
                raise InputError("events", "must hold Event objects", value=e)
        self._here()
        rows = [(e.event_id, e.user_id, e.item_id, e.time_us, float(e.weight)) for e in events]
        with self._write_lock, self._words():
            before = self._writer.total_changes
            try:
                with self._writer:
                    self._writer.executemany(_INSERT, rows)
            except UnicodeEncodeError as e:
                raise InputError("events", "ids must be valid Unicode text", value=e.object) from e
            return self._writer.total_changes - before

    def read_after(self, rowid: int = 0, *, limit: int = 10_000) -> list[LoggedEvent]:
        """The first `limit` events after `rowid`, in the order of their acceptance; [] when there are none."""
        self._here()
        with self._read_lock, self._words():
            rows = self._reader.execute(
                "SELECT rowid, user_id, item_id, time_us, weight, event_id FROM events"
                " WHERE rowid > ? ORDER BY rowid LIMIT ?",
                (rowid, limit),
            ).fetchall()
        return [
            LoggedEvent(r, Event(u, i, EPOCH + timedelta(microseconds=t), w, e)) for r, u, i, t, w, e in rows
        ]

    def changed(self) -> bool:
        """True if anybody, this object included, stored something since the last call; True at first.

        Costs microseconds: it asks for SQLite's data version, not for rows.
        """
        self._here()
        with self._read_lock, self._words():
            version = int(self._reader.execute("PRAGMA data_version").fetchone()[0])
            changed, self._seen_version = version != self._seen_version, version
        return changed

    def __len__(self) -> int:
        self._here()
        with self._read_lock, self._words():
            return int(self._reader.execute("SELECT count(*) FROM events").fetchone()[0])

    def close(self) -> None:
        """Give the file back; the object can't be used afterwards."""
        self._here()
        with self._write_lock, self._read_lock:
            self._writer.close()
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
