"""MovieLens: 1M (`ratings.dat` with `::`), 100K (`u.data`), and the atomic files (`.inter`) made from either.

A rating is an event; its stars are the context column `rating`. Times are real (Unix seconds).
"""

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import REJECTED_SCHEMA, Chunk, Input, Job, Source
from nextbest.data.sources.delimited import DelimitedFile, find_encoding, open_bytes
from nextbest.errors import DataError

_RATINGS = ("user_id", "item_id", "rating", "time")
_GENRES_100K = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
]  # fmt: skip
_LINES = 200_000


class DoubleColonFile:
    """Lines of fields parted by `::`; a line with another number of them is ragged."""

    is_text = True

    def __init__(self, path: Path, *, header: Sequence[str]) -> None:
        self.path, self.name, self._names = path, str(path.resolve()), list(header)
        self.encoding = find_encoding(path)

    def columns(self) -> list[str]:
        """The names given: the files have none."""
        return list(self._names)

    def size_hint(self) -> int:
        """By 20 bytes a line, a short rating."""
        return self.path.stat().st_size // 20 + 1

    def chunks(self) -> Iterator[Chunk]:
        """Rows as text."""
        first, width = 1, len(self._names)
        with io.TextIOWrapper(open_bytes(self.path), encoding=self.encoding, newline="") as file:
            while lines := list(islice(file, _LINES)):
                text = pl.Series([line.rstrip("\r\n") for line in lines])
                rows = pl.int_range(first, first + len(text), dtype=pl.Int64, eager=True)
                first += len(text)
                good = text.str.count_matches("::", literal=True) == width - 1
                fields = text.filter(good).str.splitn("::", width).struct.rename_fields(self._names)
                bad = text.filter(~good)
                raw = bad.alias("line").to_frame().select(pl.struct("line").struct.json_encode()).to_series()
                rejected = pl.DataFrame(
                    {"row": rows.filter(~good), "reason": ["ragged_row"] * len(bad), "raw": raw},
                    schema=REJECTED_SCHEMA,
                )
                yield Chunk(fields.struct.unnest(), rows.filter(good), rejected)


def plan(paths: Sequence[Path]) -> Job:
    """The ratings, movies and users found among the files.

    Raises
    ------
    DataError
        No file of ratings is among them.
    """
    journal, catalog, clients = [], [], []
    for path in paths:
        name = path.name.lower().removesuffix(".gz")
        if name == "ratings.dat":
            journal.append(Input(DoubleColonFile(path, header=_RATINGS)))
        elif name == "movies.dat":
            catalog.append(Input(DoubleColonFile(path, header=("item_id", "title", "category"))))
        elif name == "users.dat":
            header = ("user_id", "gender", "age", "occupation", "zip_code")
            clients.append(Input(DoubleColonFile(path, header=header)))
        elif name == "u.data":
            journal.append(Input(_bare(path, "\t", _RATINGS)))
        elif name == "u.item":
            columns = ("item_id", "title", "release_date", "video_date", "url", *_GENRES_100K)
            catalog.append(Input(_bare(path, "|", columns), derive=_genres))
        elif name == "u.user":
            clients.append(Input(_bare(path, "|", ("user_id", "age", "gender", "occupation", "zip_code"))))
        elif name.endswith(".inter"):
            journal.append(_atomic(path))
        elif name.endswith(".item"):
            catalog.append(_atomic(path))
        elif name.endswith(".user"):
            clients.append(_atomic(path))
    if not journal:
        raise DataError(
            ", ".join(map(str, paths)),
            "no MovieLens ratings found",
            remedy="name the folder with ratings.dat, u.data or a .inter file",
        )
    return Job(tuple(journal), tuple(catalog), tuple(clients))


def _bare(path: Path, separator: str, header: Sequence[str]) -> Source:
    return DelimitedFile(path, separator=separator, header=header, quote=None)


def _atomic(path: Path) -> Input:
    """A file whose header says `name:type`."""
    source = DelimitedFile(path, separator="\t", quote=None)
    ours = {"timestamp": "time", "movie_title": "title", "class": "category", "genre": "category"}
    mapping = {ours.get(bare := c.split(":")[0], bare): c for c in source.columns()}
    return Input(source, mapping)


def _genres(table: pl.DataFrame) -> pl.DataFrame:
    """The 19 genre flags as one text, like that of the 1M set."""
    flags = [pl.when(pl.col(g) == "1").then(pl.lit(g)) for g in _GENRES_100K]
    return table.with_columns(pl.concat_str(flags, separator="|", ignore_nulls=True).alias("category")).drop(
        _GENRES_100K
    )
