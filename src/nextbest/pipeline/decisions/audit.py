"""An append-only log in which every record carries the hash of the one before.

One JSON object a line. A changed, removed, added or moved record breaks the chain and `verify` names it.
Cutting records off the end breaks nothing that the file itself could show: keep the `Head` elsewhere and
give it to `verify`. Whoever can write the file can also write a whole new chain: with a `key` they can't.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from nextbest.data.manifest import disk_errors
from nextbest.errors import DataError, InputError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: no advisory locks, one writer is the user's promise
    fcntl = None  # type: ignore[assignment]

GENESIS = "0" * 64
_TAIL = 1 << 16


class Head(NamedTuple):
    """The end of a chain: how many records, and the hash of the last."""

    n_records: int
    digest: str


class AuditLog:
    """Records of one file.

    Line: `{"seq":N,"prev":"...","hash":"...","body":{...}}` with the body's keys sorted; `hash` is the SHA-256
    (with a key: HMAC-SHA-256) of `prev`, a newline, `seq`, a newline and the body's bytes as they stand.

    Parameters
    ----------
    path
        The file; it and its folder are made with the first record.
    key
        Secret that a forger would need; kept outside of the machine that writes, where that is possible.
    """

    def __init__(self, path: str | Path, *, key: bytes | None = None) -> None:
        self.path = Path(path)
        self._key = key

    def append(self, bodies: Sequence[Mapping[str, Any]]) -> Head:
        """Add records, all or none, flushed to the disk; several processes may do so at a time.

        What a killed process left half-written is cut off, and a record says so.

        Raises
        ------
        InputError
            A body can't be written as JSON.
        DataError
            The last record is not one of this log.
        ExternalError
            The disk refused.
        """
        with disk_errors(self.path.parent), self._opened() as file:
            head, n_torn = self._end(file)
            start = file.seek(0, os.SEEK_END) - n_torn
            if n_torn:
                bodies = [{"event": "torn_tail", "n_bytes": n_torn}, *bodies]
                file.truncate(start)
            lines = []
            for body in bodies:
                line, head = self._line(body, head)
                lines.append(line)
            try:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(start)
                raise
        return head

    def head(self) -> Head:
        """The end of the chain, read from the last record alone."""
        if not self.path.is_file():
            return Head(0, GENESIS)
        with self.path.open("rb") as file:
            return self._end(file)[0]

    def read(self) -> Iterator[dict[str, Any]]:
        """Bodies, oldest first; checks the chain as it goes.

        Raises
        ------
        DataError
            A record breaks the chain.
        """
        for body, _ in self._records():
            yield body

    def verify(self, *, head: Head | None = None) -> Head:
        """Walk the whole chain and give its end.

        Parameters
        ----------
        head
            An end noted earlier and kept elsewhere: the chain must still pass through it.

        Raises
        ------
        DataError
            A record was changed, removed, added or moved, the last one is incomplete, or `head` is not passed.
        """
        end = Head(0, GENESIS)
        passed = head is None or head == end
        for _, end in self._records():
            passed = passed or end == head
        if not passed:
            assert head is not None
            raise DataError(
                "audit log",
                f"must pass through record {head.n_records} as it was noted; it has {end.n_records}",
                remedy="records were cut off or written anew; compare with a copy",
            )
        return end

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file for one writer at a time; others wait. Closing it lets go."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _records(self) -> Iterator[tuple[dict[str, Any], Head]]:
        head = Head(0, GENESIS)
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    raise DataError(
                        "audit log",
                        f"record {head.n_records + 1} is incomplete",
                        remedy="the next append cuts it off and notes that",
                    )
                try:
                    body = orjson.loads(line)["body"]
                    again, head_now = self._line(body, head)
                except (ValueError, KeyError, TypeError):
                    again, head_now = b"", head
                if again != line:
                    raise DataError("audit log", f"record {head.n_records + 1} breaks the chain")
                head = head_now
                yield body, head

    def _line(self, body: Mapping[str, Any], head: Head) -> tuple[bytes, Head]:
        try:
            text = orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS)
        except TypeError as error:
            raise InputError("body", f"can't be written as JSON: {error}") from error
        seq = head.n_records + 1
        message = f"{head.digest}\n{seq}\n".encode() + text
        digest = (
            hashlib.sha256(message).hexdigest()
            if self._key is None
            else hmac.new(self._key, message, "sha256").hexdigest()
        )
        start = f'{{"seq":{seq},"prev":"{head.digest}","hash":"{digest}","body":'
        return start.encode() + text + b"}\n", Head(seq, digest)

    def _end(self, file: BinaryIO) -> tuple[Head, int]:
        """The end of the chain, and how many bytes of a half-written record follow it."""
        size = file.seek(0, os.SEEK_END)
        tail, start = b"", size
        while start > 0 and tail.count(b"\n") < 2:
            step = min(_TAIL, start)
            start -= step
            file.seek(start)
            tail = file.read(step) + tail
        whole, _, torn = tail.rpartition(b"\n")
        if not whole:
            return Head(0, GENESIS), len(torn)
        try:
            record = orjson.loads(whole.rpartition(b"\n")[2])
            return Head(int(record["seq"]), str(record["hash"])), len(torn)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                "audit log",
                f"the last record of {self.path} is not one of this log",
                remedy="verify it first",
            ) from error
