"""Columnar files and tables in memory: Parquet, Arrow IPC (Feather), polars frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from nextbest.data.sources.base import CHUNK_ROWS, Chunk
from nextbest.errors import DataError


class ParquetFile:
    """One Parquet file, read by row groups and never whole."""

    is_text = False

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        from pyarrow import parquet

        self.path, self.name = path, name or str(path.resolve())
        with _readable(path):
            self._metadata = parquet.read_metadata(path)
            self._names = list(self._metadata.schema.to_arrow_schema().names)
        _no_repeats(path, self._names)

    def columns(self) -> list[str]:
        """Names of the schema."""
        return list(self._names)

    def size_hint(self) -> int:
        """Exact number of rows, from the footer."""
        return int(self._metadata.num_rows)

    def chunks(self) -> Iterator[Chunk]:
        """Rows about CHUNK_ROWS at a time."""
        first = 1
        with _readable(self.path):
            whole = pl.scan_parquet(self.path, hive_partitioning=False, glob=False)
            for start in range(0, self.size_hint(), CHUNK_ROWS):
                table = whole.slice(start, CHUNK_ROWS).collect()
                yield Chunk(table, _rows(first, len(table)))
                first += len(table)


class ArrowFile:
    """One Arrow IPC file (Feather version 2), in file or stream form."""

    is_text = False

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        self.path, self.name = path, name or str(path.resolve())
        with _readable(path), self._open() as reader:
            self._names = list(reader.schema.names)
        _no_repeats(path, self._names)

    def _open(self) -> Any:
        import pyarrow as pa
        from pyarrow import ipc

        file = pa.memory_map(str(self.path))
        try:
            return ipc.open_file(file)
        except pa.ArrowInvalid:
            file.seek(0)
            return ipc.open_stream(file)

    def columns(self) -> list[str]:
        """Names of the schema."""
        return list(self._names)

    def size_hint(self) -> int | None:
        """Nothing tells without reading."""
        return None

    def chunks(self) -> Iterator[Chunk]:
        """Record batches, large ones cut."""
        first = 1
        with _readable(self.path), self._open() as reader:
            batches = (
                (reader.get_batch(i) for i in range(reader.num_record_batches))
                if hasattr(reader, "num_record_batches")
                else reader
            )
            for batch in batches:
                for table in pl.DataFrame(pl.from_arrow(batch)).iter_slices(CHUNK_ROWS):
                    yield Chunk(table, _rows(first, len(table)))
                    first += len(table)


class Frame:
    """A polars table in memory."""

    is_text = False

    def __init__(self, table: pl.DataFrame, *, name: str = "memory") -> None:
        self.table, self.name = table, name

    def columns(self) -> list[str]:
        """Names of the table."""
        return self.table.columns

    def size_hint(self) -> int:
        """Exact number of rows."""
        return len(self.table)

    def chunks(self) -> Iterator[Chunk]:
        """Slices of the table."""
        first = 1
        for table in self.table.iter_slices(CHUNK_ROWS):
            yield Chunk(table, _rows(first, len(table)))
            first += len(table)


def _rows(first: int, n: int) -> pl.Series:
    return pl.int_range(first, first + n, dtype=pl.Int64, eager=True).alias("row")


def _no_repeats(path: Path, names: list[str]) -> None:
    if repeated := sorted({c for c in names if names.count(c) > 1}):
        raise DataError(str(path), f"column name(s) {repeated} stand more than once", remedy="rename them")


class _readable:  # noqa: N801 - reads as a statement: with _readable(path)
    """Turns what readers raise about a broken file into a DataError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, GeneratorExit):
            return
        broken = (OSError, pl.exceptions.PolarsError)
        if isinstance(error, broken) or type(error).__module__.startswith("pyarrow"):
            raise DataError(
                str(self.path),
                f"can't be read: {str(error).splitlines()[0]}",
                remedy="the file is cut off or of another format; write it again",
            ) from error
