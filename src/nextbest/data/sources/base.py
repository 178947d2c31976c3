"""What every source promises: rows in chunks, each row with its number; and how its columns become ours."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from nextbest.tables import TimeKind

CHUNK_ROWS = 1_000_000
"""Rows that sources hand on at a time, about."""

REJECTED_SCHEMA = {"row": pl.Int64(), "reason": pl.String(), "raw": pl.String()}


@dataclass(frozen=True)
class Chunk:
    """Rows of a source as they were read, and those that couldn't even be split into columns."""

    table: pl.DataFrame
    """Columns of the source, in its own types (text, for a text file)."""
    rows: pl.Series
    """Number of each row in the source, Int64, first data row = 1."""
    rejected: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REJECTED_SCHEMA))
    """Columns `row, reason, raw`."""


class Source(Protocol):
    """Where rows come from: a file, a query, a table in memory."""

    @property
    def name(self) -> str:
        """What quarantine and reports call it; holds no secret."""
        ...

    @property
    def is_text(self) -> bool:
        """Whether all values are text, so that types must be found."""
        ...

    def columns(self) -> list[str]:
        """Column names, without reading the rows."""
        ...

    def size_hint(self) -> int | None:
        """Rows expected, roughly; None when nothing tells."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """The rows in source order."""
        ...


@dataclass(frozen=True)
class Input:
    """One source with the way its columns become those of a table of ours."""

    source: Source
    mapping: Mapping[str, str] | None = None
    """Our column -> its column; columns it doesn't name are kept under their own names."""
    derive: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    """Applied after the mapping: what a known format computes (a line's total, a time from a place)."""
    drop: tuple[str, ...] = ()
    """Source columns that are not kept as context."""
    reject: tuple[tuple[str, pl.Expr], ...] = ()
    """Reason code and condition over the columns as read: rows that this format says are not events."""
    time_kind: TimeKind = "real"


@dataclass(frozen=True)
class Job:
    """What one ingest reads."""

    journal: tuple[Input, ...]
    catalog: tuple[Input, ...] = ()
    clients: tuple[Input, ...] = ()
    time_kind: TimeKind = "real"
    cleaning: Mapping[str, Any] = field(default_factory=dict)
    """Fields of CleaningConfig that a known format settles (such as `day_first`), where the caller left them open."""
