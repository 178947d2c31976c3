"""The event log: what was accepted is there, once, for every process, or the error says why not."""

import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from nextbest.data.event_log import Event, EventLog, to_time_us
from nextbest.errors import ExternalError, InputError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(user_id: Any = "ann", item_id: Any = "tea", n: int = 0, **rest: Any) -> Event:
    return Event(user_id, item_id, NOON + timedelta(seconds=n), **rest)


@pytest.fixture
def log(tmp_path: Path) -> Any:
    with EventLog(tmp_path / "deep" / "events.db") as opened:
        yield opened


def test_events_come_back_as_they_were_in_the_order_of_acceptance(log: EventLog) -> None:
    events = [event("ann", "чай", 5), event(7, 8, 0, weight=2.5, event_id="e1"), event("7", "8")]
    assert log.append(events) == 3
    assert [row.event for row in log.read_after()] == events
    assert [row.rowid for row in log.read_after()] == [1, 2, 3]
    assert len(log) == 3


def test_integer_and_text_ids_stay_apart(log: EventLog) -> None:
    log.append([event(7, "7")])
    assert [(r.event.user_id, r.event.item_id) for r in log.read_after()] == [(7, "7")]


def test_times_of_other_zones_are_the_same_moments(log: EventLog) -> None:
    moscow = datetime(2026, 1, 1, 15, tzinfo=timezone(timedelta(hours=3)))
    log.append([Event("ann", "tea", moscow)])
    assert log.read_after()[0].event.time == NOON


def test_an_event_id_counts_once_in_and_across_batches(log: EventLog) -> None:
    assert log.append([event(event_id="a"), event(event_id="a"), event(event_id="b")]) == 2
    assert log.append([event(item_id="milk", event_id="a"), event(event_id="c")]) == 1
    assert [r.event.event_id for r in log.read_after()] == ["a", "b", "c"]
    assert log.read_after()[0].event.item_id == "tea"


def test_reading_goes_on_after_a_row_and_stops_at_the_limit(log: EventLog) -> None:
    log.append([event(n=n) for n in range(5)])
    assert [r.rowid for r in log.read_after(2)] == [3, 4, 5]
    assert [r.rowid for r in log.read_after(0, limit=2)] == [1, 2]
    assert log.read_after(5) == []


def test_changed_is_true_at_first_then_after_own_and_others_writes(log: EventLog) -> None:
    assert log.changed()
    assert not log.changed()
    log.append([event()])
    assert log.changed()
    assert not log.changed()
    with EventLog(log.path) as other:
        other.append([event()])
    assert log.changed()
    assert not log.changed()


def test_nothing_appended_is_nothing(log: EventLog) -> None:
    assert log.append([]) == 0
    assert log.read_after() == []


def test_a_batch_with_a_wrong_event_stores_nothing(log: EventLog) -> None:
    with pytest.raises(InputError, match="must hold Event objects"):
        log.append([event(), "tea"])  # type: ignore[list-item]
    with pytest.raises(InputError, match="valid Unicode"):
        log.append([event(), event("\ud800")])
    assert len(log) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("user_id", None),
        ("user_id", True),
        ("user_id", 1.5),
        ("item_id", 2**63),
        ("time", "2026-01-01"),
        ("time", datetime(2026, 1, 1)),  # noqa: DTZ001 - a time without zone is what is refused
        ("weight", 0),
        ("weight", float("nan")),
        ("weight", float("inf")),
        ("weight", True),
        ("weight", "2"),
        ("event_id", ""),
        ("event_id", 5),
    ],
)
def test_a_wrong_field_is_told_by_its_name(field: str, value: Any) -> None:
    fields = {"user_id": "ann", "item_id": "tea", "time": NOON} | {field: value}
    with pytest.raises(InputError, match=field):
        Event(**fields)


def test_times_before_1970_and_microseconds_are_exact() -> None:
    assert to_time_us("time", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert event(n=0).time_us == to_time_us("time", NOON)


CHILD = """
import sys
from datetime import UTC, datetime
from nextbest.data.event_log import Event, EventLog
with EventLog(sys.argv[1], fsync="checkpoint") as log:
    for n in range(50):
        log.append([Event(sys.argv[2], str(n), datetime.now(UTC), event_id=f"{sys.argv[2]}-{n}"),
                    Event("both", str(n), datetime.now(UTC), event_id=f"both-{n}")])
"""


def test_processes_write_at_the_same_time_and_nothing_is_lost_or_doubled(log: EventLog) -> None:
    children = [subprocess.Popen([sys.executable, "-c", CHILD, str(log.path), name]) for name in ("p", "q")]
    assert [child.wait() for child in children] == [0, 0]
    users = [r.event.user_id for r in log.read_after()]
    assert {name: users.count(name) for name in ("p", "q", "both")} == {"p": 50, "q": 50, "both": 50}


def test_threads_write_at_the_same_time(log: EventLog) -> None:
    def write(name: str) -> None:
        for n in range(20):
            log.append([event(name, n=n)])

    threads = [threading.Thread(target=write, args=(f"t{t}",)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = log.read_after()
    assert [r.rowid for r in rows] == list(range(1, 81))


FORKS = """
import os, sys
from datetime import UTC, datetime
from nextbest.data.event_log import Event, EventLog
log = EventLog(sys.argv[1])
log.append([Event("parent", 1, datetime.now(UTC))])
child = os.fork()
if child == 0:
    log.append([Event("child", 1, datetime.now(UTC))])
    assert log.changed() and len(log) == 2
    log.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert [r.event.user_id for r in log.read_after()] == ["parent", "child"]
log.close()
"""


def test_a_forked_child_gets_connections_of_its_own(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKS, str(tmp_path / "e.db")], check=True)


def test_what_was_accepted_survives_the_close(log: EventLog) -> None:
    log.append([event()])
    log.close()
    with EventLog(log.path) as again:
        assert len(again) == 1


def test_a_file_that_is_no_database_is_an_external_error(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"certainly not SQLite" * 100)
    with pytest.raises(ExternalError, match="move the file away") as e:
        EventLog(path)
    assert not e.value.retryable


def test_a_damaged_file_is_an_external_error(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with EventLog(path) as log:
        log.append([event(n=n, item_id="x" * 200) for n in range(200)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(ExternalError, match="malformed") as e, EventLog(path) as log:
        log.read_after()
    assert not e.value.retryable


def test_a_locked_log_is_worth_another_try(log: EventLog) -> None:
    with EventLog(log.path, timeout_s=0.01) as impatient:
        blocker = sqlite3.connect(log.path)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(ExternalError, match="locked; try again") as e:
            impatient.append([event()])
        assert e.value.retryable
        assert impatient.read_after() == []
        blocker.rollback()
        blocker.close()
        assert impatient.append([event()]) == 1


def test_a_full_disk_stores_nothing_and_is_worth_another_try(log: EventLog) -> None:
    log.append([event()])
    log._writer.execute("PRAGMA max_page_count = 5")
    with pytest.raises(ExternalError, match="full; nothing was stored; free disk space") as e:
        log.append([event(item_id="x" * 500, n=n) for n in range(500)])
    assert e.value.retryable
    assert len(log) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExternalError, match="event log"):
        EventLog(tmp_path / "file" / "events.db")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="unable to open"):
        EventLog(tmp_path)


def test_an_unknown_fsync_policy_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fsync"):
        EventLog(tmp_path / "e.db", fsync="never")  # type: ignore[arg-type]


@pytest.mark.parametrize(("fsync", "level"), [("commit", 2), ("checkpoint", 1)])
def test_the_fsync_policy_reaches_sqlite(tmp_path: Path, fsync: Any, level: int) -> None:
    with EventLog(tmp_path / "e.db", fsync=fsync) as log:
        assert log._writer.execute("PRAGMA synchronous").fetchone() == (level,)
        assert log._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
