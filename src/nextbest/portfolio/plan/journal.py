"""The journal of recommendations: what was advised to whom, from which inputs, by which version and why. Only grows.

One JSON object a line; each carries the hash of the line before, so a line that was changed, taken out or put in later
shows. Written and on the disk before the client reads anything.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from nextbest.data.locking import new_folder, writer_lock
from nextbest.errors import DataError, ExternalError, InputError

FOLDER = "recommendations"
"""Beside a book: where its journal stands."""
FILE = "recommendations.jsonl"
_START = "0" * 64


class Journal:
    """The journal in one folder.

    Raises
    ------
    ExternalError
        The folder can't be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / FILE
        try:
            with new_folder(self.path.parent):
                pass
        except OSError as error:
            raise ExternalError("journal", f"can't make its folder: {error}", retryable=False) from error

    def rows(self) -> list[dict[str, Any]]:
        """All entries, oldest first, after a check of the whole chain.

        Raises
        ------
        DataError
            An entry was changed, taken out or put in, or is no JSON; its line is said.
        ExternalError
            The file can't be read.
        """
        if not self.path.exists():
            return []
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ExternalError("journal", f"can't be read: {error}", retryable=True) from error
        found, before = [], _START
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                said = row.pop("hash")
            except (ValueError, KeyError, AttributeError) as error:
                raise DataError(
                    "journal", "holds a line that is no entry", n_bad=1, examples=[number]
                ) from error
            if row.get("previous") != before or _digest(row) != said:
                raise DataError(
                    "journal", "entries were changed after they were written", n_bad=1, examples=[number]
                )
            before = said
            found.append({**row, "hash": said})
        return found

    @contextmanager
    def turn(self) -> Iterator["JournalTurn"]:
        """Read and write with nobody in between.

        Raises
        ------
        ExternalError
            Another process holds the journal (retryable), or the disk refuses.
        """
        with writer_lock(self.path.parent):
            yield JournalTurn(self)


class JournalTurn:
    """One writer's turn at the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows = journal.rows()

    def recommended(self) -> dict[str, float]:
        """Instrument to the sum of its weights over all recommendations so far."""
        totals: dict[str, float] = {}
        for row in self._rows:
            for asset, weight in (row["result"].get("instruments") or {}).items():
                totals[asset] = totals.get(asset, 0.0) + float(weight)
        return totals

    def append(
        self,
        *,
        at: datetime,
        client_id: str,
        inputs: Mapping[str, Any],
        version: str,
        reason: Mapping[str, str],
        result: Mapping[str, Any],
    ) -> str:
        """Write one entry and bring it to the disk; its hash.

        Raises
        ------
        InputError
            `at` has no time zone, or a value is no JSON.
        ExternalError
            The disk refused: nothing may be answered then.
        """
        if at.tzinfo is None:
            raise InputError("now", "must have a time zone", value=at)
        row: dict[str, Any] = {
            "n": len(self._rows) + 1,
            "at": at.isoformat(),
            "client_id": client_id,
            "inputs_hash": hash_of(inputs),
            "inputs": dict(inputs),
            "version": version,
            "reason": dict(reason),
            "result": dict(result),
            "previous": self._rows[-1]["hash"] if self._rows else _START,
        }
        row["hash"] = _digest(row)
        try:
            with self._journal.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ExternalError("journal", f"can't be written: {error}", retryable=True) from error
        self._rows.append(row)
        return str(row["hash"])


def hash_of(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of the inputs as JSON with sorted keys.

    Raises
    ------
    InputError
        A value is no JSON.
    """
    return _digest(inputs)


def _digest(row: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(row, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError("journal", f"entries must be JSON: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()
