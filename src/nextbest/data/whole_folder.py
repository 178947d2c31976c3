"""A folder that stands whole under its name or not at all, whatever happens while it is written."""

import ctypes
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from nextbest.data.manifest import sync_folder
from nextbest.errors import ExternalError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to fill; it takes that name when the block ends, and is gone where it fails.

    What is in it reaches the disk before it is renamed. A folder that was there is exchanged for it and removed, so that a
    process killed at any point leaves the old one whole; whether it may be replaced is the caller's to say before.

    Raises
    ------
    ExternalError
        The disk refused (full, read-only); what stood there before still does.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in [*temporary.rglob("*"), temporary]:
            _sync(path)
        _take_name(temporary, folder)
        _sync(folder.parent)
    except (OSError, pl.exceptions.PolarsError) as error:
        code = getattr(error, "errno", None)
        raise ExternalError(
            "disk",
            f"could not write {folder}: {getattr(error, 'strerror', None) or error}",
            retryable=code == errno.ENOSPC,
            remedy="nothing was changed",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_name(temporary: Path, folder: Path) -> None:
    """Give `temporary` the name `folder`; where both exist they change names in one step if the system can."""
    if not folder.exists():
        temporary.rename(folder)
        return
    if _exchange(temporary, folder):
        return
    aside = temporary.with_name(f"{temporary.name}-old")
    folder.rename(aside)
    try:
        temporary.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Linux's renameat2(RENAME_EXCHANGE); False where the system or the file system lacks it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done: int = renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE)
    return done == 0


def _sync(path: Path) -> None:
    if path.is_dir():
        sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())
