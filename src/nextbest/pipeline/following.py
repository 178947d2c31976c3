"""An event log that a pipeline follows: what any process stored there gets into its live histories, once."""

import threading
from collections.abc import Sequence

from nextbest.data.event_log import Event, EventLog
from nextbest.pipeline.live import LiveHistories

_READ_EVENTS = 10_000


class LogFollower:
    """Live histories behind an event log, or without one. Any number of threads may ask at once."""

    def __init__(self, live: LiveHistories) -> None:
        self._live = live
        self._log: EventLog | None = None
        self._read_rowid, self._is_behind = 0, False
        self._lock = threading.Lock()

    def add(self, events: Sequence[Event]) -> int:
        """Events into the histories, by way of the log where there is one; the number that is new."""
        if self._log is None:
            return self._live.add(events)
        self._log.append(events)
        return self.sync()

    def attach(self, event_log: EventLog, *, after: int = 0) -> int:
        """Follow this log from row number `after` on; the number it held that was new."""
        with self._lock:
            self._log, self._read_rowid = event_log, after
            return self._pull(event_log)

    def sync(self) -> int:
        """Take over what was stored since the last call; costs microseconds if nothing."""
        if self._log is None:
            return 0
        with self._lock:
            self._is_behind |= self._log.changed()  # stays set where reading fails
            return self._pull(self._log) if self._is_behind else 0

    def _pull(self, event_log: EventLog) -> int:
        n_added = 0
        while rows := event_log.read_after(self._read_rowid, limit=_READ_EVENTS):
            n_added += self._live.add(row.event for row in rows)
            self._read_rowid = rows[-1].rowid
        self._is_behind = False
        return n_added
