"""A large table that isn't changed, read from a file: only rows in use take memory, and all processes share them."""

import logging
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[Any]
log = logging.getLogger(__name__)


def mapped(table: Table, folder: Path) -> Table:
    """The same numbers, read-only, from a file of `folder`; the table itself where the disk won't keep one.

    The file is named by its content, which is checked before it is used: a damaged one is written again.
    """
    kept = folder / f"{blake2b(np.ascontiguousarray(table).data, digest_size=12).hexdigest()}.npy"
    try:
        if not _holds(kept, table):
            _write(kept, table)
        found: Table = np.load(kept, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        log.warning("a table stays in memory: %s", error)
        return table
    return found


def _holds(file: Path, table: Table) -> bool:
    """Whether the file is whole; what was read for it is let go of."""
    if not file.is_file():
        return False
    try:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return False
    return found.dtype == table.dtype and np.array_equal(found, table)


def _write(file: Path, table: Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, suffix=".new", delete=False) as draft:
        try:
            np.save(draft, table, allow_pickle=False)
            draft.flush()
            Path(draft.name).replace(file)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
