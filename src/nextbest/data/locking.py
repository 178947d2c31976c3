"""One writer at a time: an advisory lock on a file of the workspace, released when its process ends.

The file `lock` stays after a run: taking it away is what lets two writers hold two files of one name. Only a
run that fails in a folder with nothing else in it takes it away again, and whoever opened that file meanwhile
notices (`_is_at`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nextbest.errors import ExternalError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: no advisory locks, one writer is the user's promise
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make `folder` and its parents; where the block fails, those of them that it left empty are taken away again."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the first that isn't empty ends it
            for path in made:
                path.rmdir()
        raise


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold `folder/lock` while the block runs; where it fails and left nothing else there, the file goes too.

    Raises
    ------
    ExternalError
        Another process holds it; retryable.
    """
    path = folder / LOCK
    handle = _locked(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if fcntl is not None and [other.name for other in folder.iterdir()] == [LOCK]:
                path.unlink()
        raise
    finally:
        os.close(handle)


def _locked(path: Path) -> int:
    """The file, open and locked, with our process id in it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                    raise ExternalError(
                        f"workspace {path.parent}",
                        f"another process (pid {holder}) is writing to it",
                        retryable=True,
                        remedy="wait for it to finish and run again",
                    ) from None
            if _is_at(handle, path):
                os.ftruncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one of that name: a failed run may have taken it away in between."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
