"""Where conversations are kept: in this process, in a DuckDB file, or on a Redis server.

A store keeps one document for each caller and session and forgets all of a caller's at once. Of another process that
writes the same session at the same moment the later write stands. Touches files and the network.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from nextbest.assistant.base import Caller
from nextbest.assistant.memory.past import Past
from nextbest.errors import ExternalError, InputError

if TYPE_CHECKING:
    import duckdb

KEPT_DAYS = 30
"""A conversation is forgotten that long after its last turn."""
MAX_SESSION = 100
"""Characters of a session's name."""
FILE = "conversations.duckdb"
_DAY_S = 86_400


class Memory(Protocol):
    """A store of conversations."""

    def read(self, caller: Caller, session: str) -> Past:
        """The conversation so far; an empty one where there is none."""

    def write(self, caller: Caller, session: str, past: Past) -> None:
        """Keep the conversation instead of what was kept."""

    def erase(self, caller: Caller) -> int:
        """Forget every session of this caller; how many there were."""

    def close(self) -> None:
        """Let go of files and connections."""


def check_session(session: str) -> str:
    """`session` if it can be a name of one.

    Raises
    ------
    InputError
        It is empty, too long, or holds control characters.
    """
    if not session or len(session) > MAX_SESSION or not session.isprintable():
        raise InputError(
            "session", f"must be 1 to {MAX_SESSION} printable characters", value=session[:MAX_SESSION]
        )
    return session


class ProcessMemory:
    """Kept in this process and gone with it; the sessions asked longest ago are forgotten first.

    Parameters
    ----------
    max_sessions
        Kept at most.
    """

    def __init__(self, *, max_sessions: int = 10_000) -> None:
        self._kept: OrderedDict[tuple[str, str], Past] = OrderedDict()
        self._max, self._lock = max_sessions, Lock()

    def read(self, caller: Caller, session: str) -> Past:
        """The conversation so far."""
        with self._lock:
            return self._kept.get((caller.key, check_session(session)), Past())

    def write(self, caller: Caller, session: str, past: Past) -> None:
        """Keep it."""
        with self._lock:
            self._kept[caller.key, check_session(session)] = past
            self._kept.move_to_end((caller.key, session))
            while len(self._kept) > self._max:
                self._kept.popitem(last=False)

    def erase(self, caller: Caller) -> int:
        """Forget this caller."""
        with self._lock:
            own = [key for key in self._kept if key[0] == caller.key]
            for key in own:
                del self._kept[key]
            return len(own)

    def close(self) -> None:
        """Nothing is open."""


class DuckDBMemory:
    """Kept in a DuckDB file, which one process holds open: a service of several workers wants Redis.

    Parameters
    ----------
    folder
        Where `conversations.duckdb` lies; made when it is missing.
    keep_days
        After the last turn.
    now_s
        Seconds since 1970-01-01 UTC.

    Raises
    ------
    ExternalError
        Another process holds the file, or it is no such file.
    """

    def __init__(
        self, folder: str | Path, *, keep_days: int = KEPT_DAYS, now_s: Callable[[], float] = time.time
    ) -> None:
        self._path, self._keep_days, self._now_s = Path(folder) / FILE, keep_days, now_s
        self._lock = Lock()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = self._opened()
        self._ask(
            "CREATE TABLE IF NOT EXISTS conversations (caller VARCHAR, session VARCHAR, time_s DOUBLE NOT NULL, "
            "document VARCHAR NOT NULL, PRIMARY KEY (caller, session))"
        )
        self._ask("DELETE FROM conversations WHERE time_s < ?", self._oldest_s())

    def read(self, caller: Caller, session: str) -> Past:
        """The conversation so far."""
        rows = self._ask(
            "SELECT document FROM conversations WHERE caller = ? AND session = ? AND time_s >= ?",
            caller.key,
            check_session(session),
            self._oldest_s(),
        )
        return Past.from_json(rows[0][0]) if rows else Past()

    def write(self, caller: Caller, session: str, past: Past) -> None:
        """Keep it; on disk when this returns."""
        self._ask(
            "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?)",
            caller.key,
            check_session(session),
            self._now_s(),
            past.to_json().decode(),
        )

    def erase(self, caller: Caller) -> int:
        """Forget this caller; nothing of it stays in the file after the checkpoint that follows."""
        n = len(self._ask("DELETE FROM conversations WHERE caller = ? RETURNING session", caller.key))
        self._ask("CHECKPOINT")
        return n

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _oldest_s(self) -> float:
        return self._now_s() - self._keep_days * _DAY_S

    def _opened(self) -> "duckdb.DuckDBPyConnection":
        import duckdb

        try:
            return duckdb.connect(str(self._path), config={"threads": 1, "memory_limit": "64MB"})
        except duckdb.Error as error:
            raise ExternalError(
                self._path.name,
                f"can't be opened ({type(error).__name__})",
                retryable=isinstance(error, duckdb.IOException),
                remedy="stop the other process that holds it, or keep conversations in Redis",
            ) from error

    def _ask(self, question: str, *values: Any) -> list[Any]:
        import duckdb

        try:
            with self._lock:
                return self._connection.execute(question, list(values)).fetchall()
        except duckdb.Error as error:
            raise ExternalError(self._path.name, type(error).__name__, retryable=False) from error


class RedisMemory:
    """Kept on a Redis server, which forgets by itself; what several workers share.

    Parameters
    ----------
    url
        "redis://host:6379/0", "rediss://..." with TLS, "unix://...".
    keep_days
        After the last turn.
    prefix
        Of every key.

    Raises
    ------
    InputError
        The extra `redis` isn't installed, or the URL isn't one.
    ExternalError
        The server doesn't answer.
    """

    def __init__(self, url: str, *, keep_days: int = KEPT_DAYS, prefix: str = "nextbest:chat:") -> None:
        try:
            import redis
        except ImportError as error:
            raise InputError("redis", "isn't installed", remedy='pip install "nextbest[redis]"') from error
        self._error: type[Exception] = redis.RedisError
        self._keep_s, self._prefix = keep_days * _DAY_S, prefix
        try:
            self._client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        except ValueError as error:
            raise InputError("redis", "must be the URL of a server", remedy="redis://HOST:6379/0") from error
        self._ask(self._client.ping)

    def read(self, caller: Caller, session: str) -> Past:
        """The conversation so far."""
        key, field = self._key(caller), check_session(session)
        found = self._ask(lambda: self._client.hget(key, field))
        return Past() if found is None else Past.from_json(found)

    def write(self, caller: Caller, session: str, past: Past) -> None:
        """Keep it; all sessions of a caller live as long as the newest of them."""
        key, field, document = self._key(caller), check_session(session), past.to_json()

        def put() -> None:
            with self._client.pipeline(transaction=True) as both:
                both.hset(key, field, document)
                both.expire(key, self._keep_s)
                both.execute()

        self._ask(put)

    def erase(self, caller: Caller) -> int:
        """Forget this caller."""
        key = self._key(caller)

        def gone() -> int:
            with self._client.pipeline(transaction=True) as both:
                both.hlen(key)
                both.delete(key)
                return int(both.execute()[0])

        return int(self._ask(gone))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _key(self, caller: Caller) -> str:
        return f"{self._prefix}{caller.key}"

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._error as error:
            raise ExternalError(
                "redis", type(error).__name__, retryable=True, remedy="is the server up?"
            ) from error


def open_memory(where: str | Path | None) -> Memory:
    """The store that `where` names: None = this process, a Redis URL, or a folder.

    Raises
    ------
    InputError, ExternalError
        As the stores.
    """
    if where is None:
        return ProcessMemory()
    if str(where).startswith(("redis://", "rediss://", "unix://")):
        return RedisMemory(str(where))
    return DuckDBMemory(where)
