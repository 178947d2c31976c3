"""Delimited text: separator and encoding found out, ragged rows handed over instead of failing, gz."""

import codecs
import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from nextbest.data.sources.base import CHUNK_ROWS, REJECTED_SCHEMA, Chunk
from nextbest.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
NULLS = ("", "NULL", "null", "NaN", "nan", "NA", "N/A", "\\N")
"""Unquoted words that stand for a missing value."""
_BLOCK = 1 << 24
_LOOKED_AT = 100_000
"""Characters of a line that are looked at for its separator; the csv module takes fields up to 131,072."""
_SEPARATOR_LINE = re.compile(r"sep=(.)[^\S\n]*\r?\n")
"""What spreadsheets write above the header so that others know the separator."""
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class DelimitedFile:
    """A CSV-like file. What isn't told (`separator`, `encoding`) is found by looking.

    `header=None` takes the first line as the names; a list gives the names of a file without them. `skip_lines` are
    lines above it that say where the file comes from.
    """

    is_text = True

    def __init__(
        self,
        path: Path,
        *,
        separator: str | None = None,
        encoding: str | None = None,
        header: Sequence[str] | None = None,
        quote: str | None = '"',
        member: str | None = None,
        skip_lines: int = 0,
    ) -> None:
        self.path, self.quote, self.member = path, quote, member
        self.categorical: frozenset[str] = frozenset()
        """Columns handed over as Categorical: for those of few distinct values, which are then looked at once each."""
        self.name = str(path.resolve()) + (f"#{member}" if member else "")
        self.encoding = encoding or find_encoding(path, member=member)
        sample = "".join(self.head().splitlines(keepends=True)[skip_lines:])
        told = _SEPARATOR_LINE.match(sample) if header is None else None
        self._n_before = skip_lines + (1 if told else 0)
        sample = sample[told.end() :] if told else sample
        if not sample.strip():
            raise DataError(str(path), "is empty: no header and no rows")
        self.separator = separator or (told[1] if told else find_separator(sample))
        lines = io.StringIO(sample, newline=None)
        try:
            first = next(csv.reader(lines, delimiter=self.separator, quotechar=self.quote or '"'), [])
        except csv.Error as error:
            raise DataError(str(path), f"its header can't be read: {error}") from error
        self._header = list(header) if header is not None else None
        self._names = list(header) if header is not None else [c.strip() for c in first]
        if repeated := [c for c, n in Counter(self._names).items() if n > 1]:
            raise DataError(
                str(path),
                f"column name(s) {repeated} stand more than once in the header",
                remedy="rename them",
            )

    def columns(self) -> list[str]:
        """Names of the header."""
        return list(self._names)

    def size_hint(self) -> int:
        """Bytes of the file by the mean length of the sample's lines."""
        sample = self.head()
        mean = max(len(sample.encode()) / max(sample.count("\n"), 1), 1)
        grown = 4 if self.path.suffix == ".gz" else 1
        return int(self.path.stat().st_size * grown / mean) + 1

    def _open(self) -> BinaryIO:
        return open_bytes(self.path, member=self.member)

    def head(self) -> str:
        """The first 256 KiB as text, to the end of a line."""
        with self._open() as file:
            head = file.read(1 << 18)
        text = codecs.getincrementaldecoder(self.encoding)(errors="replace").decode(head)
        text = text.removeprefix("\ufeff")
        cut = text.rfind("\n")
        return text if cut < 0 or len(head) < 1 << 18 else text[: cut + 1]

    def chunks(self) -> Iterator[Chunk]:
        """Rows as text, about CHUNK_ROWS at a time; a row with another number of fields is rejected."""
        import pyarrow as pa
        from pyarrow import csv as pacsv

        ragged: list[tuple[int, str, str]] = []
        types = {c: pa.string() for c in self._names}
        types |= {c: pa.dictionary(pa.int32(), pa.string()) for c in self._names if c in self.categorical}
        shift = 1 if self._header is None else 0
        above = shift + self._n_before

        def hand_over(row: Any) -> str:
            raw = {"line": row.text, "fields": row.actual_columns, "expected": row.expected_columns}
            ragged.append((row.number - above, "ragged_row", pl.Series([raw]).struct.json_encode()[0]))
            return "skip"

        reader = None
        try:
            with self._open() as file:
                reader = pacsv.open_csv(
                    file,
                    read_options=pacsv.ReadOptions(
                        use_threads=False,
                        block_size=_BLOCK,
                        encoding=self.encoding,
                        column_names=self._names,
                        skip_rows=self._n_before,
                        skip_rows_after_names=shift,
                    ),
                    parse_options=pacsv.ParseOptions(
                        delimiter=self.separator,
                        quote_char=self.quote or False,
                        newlines_in_values=self.quote is not None,
                        invalid_row_handler=hand_over,
                    ),
                    convert_options=pacsv.ConvertOptions(
                        column_types=types,
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=False,
                        null_values=list(NULLS),
                    ),
                )
                yield from _numbered(reader, ragged)
        except (pa.ArrowInvalid, UnicodeError, EOFError, gzip.BadGzipFile) as error:
            if "Empty CSV" in str(error):
                return
            raise DataError(
                str(self.path),
                f"can't be read as text with separator {self.separator!r} and encoding {self.encoding}: {error}",
                remedy="name the separator or the encoding, or repair the file",
            ) from error
        finally:
            if reader is not None:
                reader.close()


def _numbered(batches: Any, ragged: list[tuple[int, str, str]]) -> Iterator[Chunk]:
    """Chunks with row numbers: rows that came through take the numbers which rejected rows left free.

    The reader works ahead, so `ragged` may already hold rows that stand after the current chunk.
    """
    first, waiting, n_waiting = 1, [], 0
    for batch in batches:
        waiting.append(pl.DataFrame(pl.from_arrow(batch)))
        n_waiting += len(batch)
        if n_waiting >= CHUNK_ROWS:
            chunk = _chunk(waiting, first, ragged)
            first, waiting, n_waiting = int(chunk.rows[-1]) + 1, [], 0
            yield chunk
    if n_waiting:
        chunk = _chunk(waiting, first, ragged)
        yield chunk
    if ragged:
        yield Chunk(
            pl.DataFrame(),
            pl.Series("row", [], pl.Int64),
            pl.DataFrame(ragged, schema=REJECTED_SCHEMA, orient="row"),
        )


def _chunk(tables: list[pl.DataFrame], first: int, ragged: list[tuple[int, str, str]]) -> Chunk:
    """Tables as one chunk, numbered from `first` past the ragged rows among them, which leave the list."""
    table = pl.concat(tables)
    numbers = pl.int_range(first, first + len(table) + len(ragged), dtype=pl.Int64, eager=True)
    if ragged:
        gone = pl.Series([number for number, *_ in ragged], dtype=pl.Int64)
        numbers = numbers.filter(~numbers.is_in(gone.implode()))
    numbers = numbers.head(len(table))
    mine = [row for row in ragged if row[0] < numbers[-1]]
    ragged[:] = ragged[len(mine) :]
    return Chunk(table, numbers.alias("row"), pl.DataFrame(mine, schema=REJECTED_SCHEMA, orient="row"))


def open_bytes(path: Path, *, member: str | None = None) -> BinaryIO:
    """The file's bytes, unpacked where it is gz; of a zip archive those of `member`.

    Raises
    ------
    DataError
        It isn't there or can't be opened.
    """
    try:
        if member is not None:
            with zipfile.ZipFile(path) as archive:
                return archive.open(member)  # type: ignore[return-value]
        file: BinaryIO = path.open("rb")
    except OSError as error:
        raise DataError(str(path), f"can't be opened: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(str(path), f"holds no readable member {member!r}: {error}") from error
    if file.peek(2)[:2] == b"\x1f\x8b":  # type: ignore[attr-defined]
        file.close()
        return gzip.open(path)  # type: ignore[return-value]
    return file


def find_encoding(path: Path, *, member: str | None = None) -> str:
    """Encoding of a text file: by its byte-order mark, else UTF-8 if all of it is, else by its letters.

    Runs of two and more high letters are words in Windows-1251; lone ones are the accents of
    Windows-1252. The whole file is looked at, because one line far down is enough to fail a read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    high, in_runs = 0, 0
    is_utf8, first = True, True
    with open_bytes(path, member=member) as file:
        try:
            while block := file.read(_BLOCK):
                if first:
                    for bom, name in _BOMS:
                        if block.startswith(bom):
                            return name
                    first = False
                if block.isascii():
                    if is_utf8 and decoder.getstate()[0]:
                        is_utf8 = False
                    continue
                if is_utf8:
                    try:
                        decoder.decode(block)
                    except UnicodeDecodeError:
                        is_utf8 = False
                for run in re.findall(rb"[\x80-\xff]+", block[: 1 << 20]):
                    high += len(run)
                    in_runs += len(run) if len(run) > 1 else 0
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise DataError(
                str(path), f"can't be unpacked: {error}", remedy="repair or download it again"
            ) from error
    if is_utf8:
        return "utf-8"
    return "cp1251" if in_runs * 2 > high else "cp1252"


def find_separator(sample: str) -> str:
    """The separator that splits the most lines of `sample` into the same number (2+) of fields; else a comma."""
    best, best_score = ",", (0.0, 0)
    lines = [line[:_LOOKED_AT] for line in sample.splitlines()[:200] if line.strip()]
    for separator in SEPARATORS:
        try:
            counts = Counter(len(fields) for fields in csv.reader(lines, delimiter=separator) if fields)
        except csv.Error:  # an open quote swallowed more than the csv module takes
            continue
        (width, n), *_ = counts.most_common(1)
        if width > 1 and (score := (n / max(sum(counts.values()), 1), width)) > best_score:
            best, best_score = separator, score
    return best
