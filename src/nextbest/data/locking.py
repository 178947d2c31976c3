"""One writer at a time: an advisory lock on a file of the workspace, released when its process ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextbest.errors import ExternalError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: no advisory locks, one writer is the user's promise
    fcntl = None  # type: ignore[assignment]


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold `folder/lock` while the block runs.

    Raises
    ------
    ExternalError
        Another process holds it; retryable.
    """
    path = folder / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                raise ExternalError(
                    f"workspace {folder}",
                    f"another process (pid {holder}) is writing to it",
                    retryable=True,
                    remedy="wait for it to finish and run again",
                ) from None
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
