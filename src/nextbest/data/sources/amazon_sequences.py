"""Sequences without times: `user item` lines, or `user item item ...`, one user a line (SASRec, S3-Rec files).

Only the order is known: `time` is 1970-01-01 plus the place in the user's sequence in seconds, and the
workspace remembers `time_kind = "order"`.
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import REJECTED_SCHEMA, Chunk, Input, Job
from nextbest.data.sources.delimited import find_encoding, open_bytes
from nextbest.errors import DataError

_CHARACTERS = 1 << 24
"""Text read at a time."""


class SequenceFile:
    """Events in file order; a row is one event, numbered through the file."""

    is_text = True

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path.resolve())
        self.encoding = find_encoding(path)

    def columns(self) -> list[str]:
        """The three things that a sequence says."""
        return ["user_id", "item_id", "position"]

    def size_hint(self) -> int:
        """By 6 bytes an event."""
        return self.path.stat().st_size // (2 if self.path.suffix == ".gz" else 6) + 1

    def chunks(self) -> Iterator[Chunk]:
        """Events; a line with a user and no item is ragged."""
        first = 1
        seen = pl.DataFrame(schema={"user_id": pl.String, "_before": pl.Int64})
        with io.TextIOWrapper(open_bytes(self.path), encoding=self.encoding) as file:
            while lines := file.readlines(_CHARACTERS):
                words = pl.Series(lines).str.strip_chars().str.replace_all(r"\s+", " ")
                words = words.filter(words != "").str.split(" ")
                table = pl.DataFrame({"user_id": words.list.first(), "item_id": words.list.slice(1)}).explode(
                    "item_id", empty_as_null=True, keep_nulls=True
                )
                table = (
                    table.join(seen, on="user_id", how="left", maintain_order="left")
                    .with_columns(
                        position=pl.col("item_id").is_not_null().cast(pl.Int64).cum_sum().over("user_id")
                        - 1
                        + pl.col("_before").fill_null(0)
                    )
                    .drop("_before")
                )
                now = table.group_by("user_id").agg(_before=pl.col("position").max() + 1)
                seen = pl.concat([seen, now]).group_by("user_id").agg(pl.col("_before").max())
                rows = pl.int_range(first, first + len(table), dtype=pl.Int64, eager=True)
                first += len(table)
                lone = table["item_id"].is_null()
                raw = table.filter(lone).select(pl.struct("user_id").struct.json_encode()).to_series()
                rejected = pl.DataFrame(
                    {"row": rows.filter(lone), "reason": ["ragged_row"] * len(raw), "raw": raw},
                    schema=REJECTED_SCHEMA,
                )
                yield Chunk(table.filter(~lone), rows.filter(~lone), rejected)


def plan(paths: Sequence[Path]) -> Job:
    """Every file as sequences.

    Raises
    ------
    DataError
        A file doesn't hold whitespace-parted ids.
    """
    for path in paths:
        with io.TextIOWrapper(open_bytes(path), encoding="utf-8", errors="replace") as file:
            head = [line.split() for line in islice(file, 20)]
        if not any(len(words) >= 2 for words in head):
            raise DataError(str(path), "holds no lines of `user item` or `user item item ...`")
    items = (Input(SequenceFile(path), derive=_times, time_kind="order") for path in paths)
    return Job(tuple(items), time_kind="order")


def _times(table: pl.DataFrame) -> pl.DataFrame:
    """The place in the sequence as seconds after 1970."""
    moment = (pl.col("position").cast(pl.Int64) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return table.select("user_id", "item_id", moment.alias("time"))
