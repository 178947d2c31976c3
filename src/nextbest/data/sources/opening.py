"""From what the caller names - files, folders, globs, URLs, tables - to sources."""

import glob
import zipfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import Source
from nextbest.data.sources.columnar import ArrowFile, Frame, ParquetFile
from nextbest.data.sources.delimited import DelimitedFile
from nextbest.errors import DataError, InputError

Readable = str | Path | pl.DataFrame
"""A path (file, folder, glob), a database URL, or a table in memory."""

PARQUET = {".parquet", ".pq"}
ARROW = {".arrow", ".feather", ".ipc"}
TEXT = {".csv", ".tsv", ".txt", ".dat", ".tab", ".data", ".inter", ".item", ".user"}


def find_files(path: str | Path) -> list[Path]:
    """Files that a path names: itself, those of a folder (all levels), or those of a glob; sorted.

    Raises
    ------
    DataError
        There is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(
            f for f in path.rglob("*") if f.is_file() and not f.name.startswith((".", "_")) and _format(f)
        )
        if not found:
            raise DataError(str(path), "the folder holds no Parquet, Arrow or delimited text file")
        return found
    if glob.has_magic(str(path)) and (hits := sorted(glob.glob(str(path), recursive=True))):  # noqa: PTH207 - absolute patterns
        return [Path(hit) for hit in hits if Path(hit).is_file()]
    raise DataError(str(path), "no such file or folder", remedy=f"looked from {Path.cwd()}")


def open_sources(inputs: Readable | Sequence[Readable], *, encoding: str | None = None) -> list[Source]:
    """One source per file, query or table, in the order given.

    Raises
    ------
    InputError
        Nothing is given, or a file's kind isn't known.
    DataError
        A file is missing, empty or broken.
    """
    items = [inputs] if isinstance(inputs, str | Path | pl.DataFrame) else list(inputs)
    if not items:
        raise InputError("inputs", "must name at least one file, folder, URL or table")
    sources: list[Source] = []
    for item in items:
        if isinstance(item, pl.DataFrame):
            sources.append(Frame(item, name="memory" if len(items) == 1 else f"memory[{len(sources)}]"))
        elif "://" in str(item):
            from nextbest.data.sources.sql import open_url

            sources.append(open_url(str(item)))
        else:
            sources.extend(open_file(path, encoding=encoding) for path in find_files(item))
    return sources


def open_file(path: Path, *, encoding: str | None = None, header: Sequence[str] | None = None) -> Source:
    """A file as a source, by its suffix (`.gz` aside), else by its first bytes; `header` names a text file's columns."""
    kind = _format(path)
    if kind == "parquet":
        return ParquetFile(path)
    if kind == "arrow":
        return ArrowFile(path)
    if kind == "zip":
        return DelimitedFile(path, encoding=encoding, header=header, member=_only_member(path))
    if kind is None:
        raise InputError(
            str(path),
            "is of no kind that ingest reads",
            remedy="Parquet, Arrow/Feather, CSV or TSV (also .gz)",
        )
    return DelimitedFile(path, encoding=encoding, header=header)


def _only_member(path: Path) -> str:
    """The one text file of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            if "[Content_Types].xml" in archive.namelist():
                raise DataError(str(path), "is a spreadsheet", remedy="save the sheet as CSV")
            members = [n for n in archive.namelist() if Path(n).suffix.lower() in TEXT]
    except zipfile.BadZipFile as error:
        raise DataError(str(path), f"can't be unpacked: {error}") from error
    if len(members) != 1:
        raise DataError(
            str(path), "an archive must hold one delimited text file", examples=members, remedy="unpack it"
        )
    return members[0]


def _format(path: Path) -> str | None:
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix in PARQUET:
        return "parquet"
    if suffix in ARROW:
        return "arrow"
    if suffix in TEXT:
        return "text"
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return None
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"ARROW1"):
        return "arrow"
    if not suffix and b"\x00" not in head:
        return "text"
    return None
