"""The snapshot manifest: which files are the workspace now. Replacing it is the commit."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import BaseModel, ValidationError

from nextbest.errors import ArtifactError, ExternalError, InputError

FILE = "manifest.json"
DTYPES: dict[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us", "UTC"),
}
"""The types a stored column may have, by the name the manifest gives them."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def dtype_name(dtype: pl.DataType) -> str:
    """Name of a stored type."""
    return _NAMES[dtype]


class Part(BaseModel, frozen=True, extra="forbid"):
    """One Parquet file of a snapshot, named relative to the workspace."""

    file: str
    rows: int
    bucket: int = 0
    sources: tuple[str, ...] = ()
    """Quarantine parts: whose rows they hold."""


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """Everything a reader needs to know about one snapshot."""

    format: Literal[1] = 1
    generation: int = 0
    n_buckets: int = 1
    time_kind: Literal["real", "order", "none"] | None = None
    """None until the first ingest."""
    columns: dict[str, str] = {}
    """Journal column -> type name of `DTYPES`."""
    sources: tuple[str, ...] = ()
    """Names that `_source` numbers of the parts count: one entry per source and ingest, so that a file
    overwritten every day is another source each day."""
    journal: tuple[Part, ...] = ()
    aside: tuple[Part, ...] = ()
    """Rows as first read that a history step took out or altered; they make a second run repeat the first."""
    quarantine: tuple[Part, ...] = ()
    catalog: Part | None = None
    clients: Part | None = None
    outlier_bounds: dict[str, tuple[float, float]] = {}
    """Currency -> smallest and largest usual amount, fixed by the first ingest that asked for them."""
    previous: tuple[str, ...] = ()
    """Files of the snapshot before this one: kept for readers that still hold it."""

    @property
    def n_rows(self) -> int:
        """Journal rows."""
        return sum(part.rows for part in self.journal)

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Journal columns with their types."""
        return {name: DTYPES[kind] for name, kind in self.columns.items()}

    @property
    def files(self) -> tuple[str, ...]:
        """All files of this snapshot."""
        singles = [part for part in (self.catalog, self.clients) if part]
        return tuple(part.file for part in (*self.journal, *self.aside, *self.quarantine, *singles))


def read_manifest(folder: Path) -> Manifest:
    """The committed snapshot of a workspace; an empty one where nothing was ever committed.

    Raises
    ------
    ArtifactError
        The file is there but isn't a manifest of this version.
    """
    path = folder / FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except (ValidationError, UnicodeDecodeError) as error:
        raise ArtifactError(
            path, "is not a workspace manifest of this version", remedy="ingest into another folder"
        ) from error


def commit(folder: Path, manifest: BaseModel) -> None:
    """Make `manifest` the workspace, all at once: written aside, flushed to disk, renamed."""
    path, draft = folder / FILE, folder / f"{FILE}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(manifest.model_dump(mode="json"), file, ensure_ascii=False, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # pragma: no cover - systems that can't open a folder
        return
    try:
        os.fsync(handle)
    except OSError as error:  # a few file systems refuse fsync on folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or failing disk inside the block into an ExternalError that names the folder."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError("workspace", "must be a folder, is a file", value=str(folder)) from error
    except (OSError, pl.exceptions.ComputeError) as error:
        text = str(error)
        full = getattr(error, "errno", None) in (28, 122) or "No space left" in text or "quota" in text
        if not full and isinstance(error, pl.exceptions.ComputeError):
            raise
        problem = "no space left on the disk" if full else f"could not be written: {text}"
        raise ExternalError(
            f"workspace {folder}",
            problem,
            retryable=True,
            remedy="the store is as it was before; free space and run again",
        ) from error
