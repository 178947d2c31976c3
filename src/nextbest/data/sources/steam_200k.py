"""Steam-200k: the Kaggle file (`user,title,behavior,value,0`, no header) and the renumbered archive with ids.

There are no times: `time` is 1970-01-01 everywhere and the workspace remembers `time_kind = "none"`.
An event is a purchase; the hours played are its context column `hours`. Rows of play are not events
of their own (the same game would be train and test at once) and go to quarantine as `play_not_purchase`.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import Chunk, Input, Job, Source
from nextbest.data.sources.columnar import Frame
from nextbest.data.sources.delimited import DelimitedFile
from nextbest.errors import DataError

_KAGGLE = ("user_id", "title", "behavior", "value", "zero")
_EPOCH = pl.lit(0).cast(pl.Datetime("us", "UTC"))


def plan(paths: Sequence[Path]) -> Job:
    """The archive (packed or not) or the Kaggle file.

    Raises
    ------
    DataError
        Neither is among the files.
    """
    members = [m for path in paths for m in _members(path)]
    found = {Path(member or path.name).name: (path, member) for path, member in members}
    if "game_purchase.dat" in found:
        hours = _hours_of_archive(_tabs(*found["game_play.dat"])) if "game_play.dat" in found else None
        journal = Input(
            _tabs(*found["game_purchase.dat"]),
            {"user_id": "User_ID", "item_id": "Game_ID"},
            derive=_events(hours),
            drop=("Purchase",),
            time_kind="none",
        )
        catalog = (
            (Input(_tabs(*found["item_info.dat"]), {"item_id": "Game_ID", "title": "Game Name"}),)
            if "item_info.dat" in found
            else ()
        )
        return Job((journal,), catalog, time_kind="none")
    kaggle = [
        path for path, member in members if member is None and path.suffix.lower() in (".csv", ".gz", ".zip")
    ]
    packed = [(path, m) for path, m in members if m and m.lower().endswith(".csv")]
    if not kaggle and not packed:
        raise DataError(
            ", ".join(map(str, paths)),
            "no Steam-200k file found",
            remedy="steam-200k.csv, steam.zip or its folder",
        )
    sources = [
        DelimitedFile(path, separator=",", header=_KAGGLE, member=member)
        for path, member in [*((path, None) for path in kaggle), *packed]
    ]
    not_purchase = pl.col("behavior").str.strip_chars() != "purchase"
    return Job(
        tuple(
            Input(
                source,
                {"item_id": "title"},
                derive=_events(_hours_of_kaggle(source)),
                drop=("behavior", "value", "zero"),
                reject=(("play_not_purchase", not_purchase),),
                time_kind="none",
            )
            for source in sources
        ),
        tuple(Input(_Titles(source)) for source in sources),
        time_kind="none",
    )


def _members(path: Path) -> list[tuple[Path, str | None]]:
    if path.suffix.lower() != ".zip":
        return [(path, None)]
    try:
        with zipfile.ZipFile(path) as archive:
            return [(path, name) for name in archive.namelist() if not name.endswith("/")]
    except zipfile.BadZipFile as error:
        raise DataError(str(path), f"can't be unpacked: {error}") from error


def _tabs(path: Path, member: str | None) -> DelimitedFile:
    return DelimitedFile(path, separator="\t", quote=None, member=member)


def _events(hours: Callable[[], pl.DataFrame] | None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Purchases at the epoch, with the hours played where the format has them."""

    def derive(table: pl.DataFrame) -> pl.DataFrame:
        table = table.select(
            pl.col("user_id", "item_id").str.strip_chars(),
            _EPOCH.alias("time"),
            pl.lit("purchase").alias("kind"),
        )
        if hours is None:
            return table
        return table.join(hours(), on=["user_id", "item_id"], how="left", maintain_order="left")

    return derive


def _hours_of_archive(source: Source) -> Callable[[], pl.DataFrame]:
    return lambda: _hours(pl.concat([c.table.select("User_ID", "Game_ID", "Hours") for c in source.chunks()]))


def _hours_of_kaggle(source: Source) -> Callable[[], pl.DataFrame]:
    return lambda: _hours(
        pl.concat(
            [
                c.table.filter(pl.col("behavior").str.strip_chars() == "play").select(
                    "user_id", "title", "value"
                )
                for c in source.chunks()
            ]
        )
    )


def _hours(table: pl.DataFrame) -> pl.DataFrame:
    """Hours played by user and game, summed."""
    table = table.rename(dict(zip(table.columns, ("user_id", "item_id", "hours"), strict=True)))
    return (
        table.with_columns(
            pl.col("user_id", "item_id").str.strip_chars(), pl.col("hours").cast(pl.Float64, strict=False)
        )
        .group_by("user_id", "item_id")
        .agg(pl.col("hours").sum())
    )


class _Titles:
    """The catalog that the Kaggle file implies: the titles, which are their own ids."""

    is_text = True

    def __init__(self, source: Source) -> None:
        self._source, self.name = source, f"{source.name}#titles"

    def columns(self) -> list[str]:
        return ["item_id", "title"]

    def size_hint(self) -> int | None:
        return None

    def chunks(self) -> Iterator[Chunk]:
        titles = pl.concat([c.table["title"] for c in self._source.chunks()]).drop_nulls().unique().sort()
        yield from Frame(pl.DataFrame({"item_id": titles, "title": titles})).chunks()
