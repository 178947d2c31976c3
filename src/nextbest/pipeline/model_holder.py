"""The model folder that answers now, and the swap to a newer one without a gap.

Watches one folder, or a folder of versions (the newest by its manifest's `created` wins), by
the identity of `manifest.json`, which a finished `save` renames into place; and, where a model
answers together with a table (a panel), the identity of that table's manifest. A newer folder
that doesn't load leaves the old model where it is. Knows nothing of requests.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from nextbest.errors import ArtifactError, NextbestError

log = logging.getLogger(__name__)

Refreshed = Literal["unchanged", "swapped", "failed"]
MANIFEST = "manifest.json"


class Loaded(Protocol):
    """What a folder holds once it is read."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The folder's manifest."""


P = TypeVar("P", bound=Loaded)


@dataclass(frozen=True)
class Found:
    """A model folder on disk, identified without reading its arrays."""

    folder: Path
    """With symbolic links resolved."""
    identity: tuple[str, int, int, int]
    """Path, inode, modification time (ns) and size of its manifest."""
    companions: tuple[tuple[str, int, int, int] | None, ...] = ()
    """The same of the files that answer with it; None for one that isn't there."""


@dataclass(eq=False)
class LiveModel(Generic[P]):
    """A loaded pipeline, and how far it has read the event log."""

    pipeline: P
    found: Found
    version: str
    """First 12 hex digits of SHA-256 of the manifest: the same folder has the same version everywhere."""
    loaded_at: datetime
    """UTC."""
    manifest: dict[str, Any] = field(default_factory=dict)
    catalog_columns: dict[str, Any] = field(default_factory=dict)
    """Column of the catalogue -> its Polars type; empty without a catalogue."""
    applied_rowid: int = 0
    """Events of the log up to this row are in the pipeline."""


class ModelHolder(Generic[P]):
    """Holds the live model; `refresh` looks for a newer one.

    Parameters
    ----------
    folder
        A model folder, a link to one, or a folder of them.
    load
        Reads a pipeline from a folder.
    prepare
        Called with a newly loaded model before it goes live (replays events, warms up).
    now
        Tells the time, UTC.
    broken_retry_s
        Pause before an unchanged folder that failed is tried again, seconds.
    companions
        Files that `load` reads besides the folder; when one of them changes, the folder is loaded anew.
    remedy
        What to do when there is no model folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        load: Callable[[Path], P],
        prepare: Callable[[LiveModel[P]], None],
        now: Callable[[], datetime],
        broken_retry_s: float,
        companions: Sequence[Path] = (),
        remedy: str = "write one with `nextbest train --out`",
    ) -> None:
        self.folder = folder
        self._load, self._prepare, self._now = load, prepare, now
        self._broken_retry_s, self._remedy = broken_retry_s, remedy
        self._companions = tuple(companions)
        self._live: LiveModel[P] | None = None
        self._broken: dict[Found, float] = {}
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.error: NextbestError | None = None
        """Why the newest folder isn't live; None while it is."""

    @property
    def live(self) -> LiveModel[P]:
        """The model that answers.

        Raises
        ------
        ArtifactError
            None could be loaded yet.
        """
        if self._live is not None:
            return self._live
        name, error = self.folder.name, self.error
        if isinstance(error, ArtifactError):  # its own remedy, said once
            what = error.rule if error.path == name else f"{error.path}: {error.rule}"
            raise ArtifactError(name, f"no model is loaded: {what}", remedy=error.remedy)
        raise ArtifactError(name, f"no model is loaded: {error or 'not looked for yet'}", remedy=self._remedy)

    @property
    def is_loaded(self) -> bool:
        """True once any model answers."""
        return self._live is not None

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Look for a newer folder and take it. Blocking: call it on a thread that may wait.

        Parameters
        ----------
        force
            Also try a folder again that failed a moment ago.

        Returns
        -------
        "unchanged", "swapped" (the newest is live now) or "failed" (it isn't, see `error`).
        """
        with self._lock:
            try:
                candidates = self.find()
            except OSError as error:
                candidates = []
                self.error = ArtifactError(self.folder.name, f"can't be read: {error.strerror}")
            if not candidates:
                self.error = self.error or ArtifactError(
                    self.folder.name, f"holds no {MANIFEST}", remedy=self._remedy
                )
                self._tell(self.folder.name, self.error)
                return "unchanged" if self._live is not None else "failed"
            if self._live is not None:
                if candidates[0] == self._live.found:
                    self.error = None
                    return "unchanged"
                candidates = candidates[:1]  # an older one than the live one is no choice
            result: Refreshed = "unchanged"
            for found in candidates:
                tried = self._broken.get(found)
                if tried is not None and not force and time.monotonic() - tried < self._broken_retry_s:
                    continue
                result = self._take(found)
                if result == "swapped":
                    self.error = self.error if found != candidates[0] else None
                    break
            return result

    def find(self) -> list[Found]:
        """Model folders there are, newest first; one when `folder` is a model folder itself."""
        companions = tuple(_identity(path) if path.is_file() else None for path in self._companions)
        if (self.folder / MANIFEST).is_file():
            return [_identify(self.folder, companions)]
        if not self.folder.is_dir():
            return []
        dated = []
        for child in self.folder.iterdir():
            if child.name.startswith((".", "_")) or not (child / MANIFEST).is_file():
                continue
            found = _identify(child, companions)
            dated.append((_created(child), found.identity[2], child.name, found))
        return [found for *_, found in sorted(dated, key=lambda d: d[:3], reverse=True)]

    def _take(self, found: Found) -> Refreshed:
        """Load `found` and make it live."""
        start = time.monotonic()
        try:
            digest = hashlib.sha256((found.folder / MANIFEST).read_bytes()).hexdigest()[:12]
            pipeline = self._load(found.folder)
            columns = _catalog_columns(found.folder)
            model = LiveModel(pipeline, found, digest, self._now(), dict(pipeline.manifest), columns)
            self._prepare(model)
        except Exception as error:  # a broken folder may break anywhere; the old model must go on
            self._broken = {found: time.monotonic()} if len(self._broken) > 100 else self._broken
            self._broken[found] = time.monotonic()
            words = f"{type(error).__name__}: {error}"
            self.error = (
                error if isinstance(error, NextbestError) else ArtifactError(found.folder.name, words)
            )
            self._tell(found.folder.name, error)
            return "failed"
        self._broken.pop(found, None)
        self._told.clear()
        self._live = model
        log.info(
            "model live",
            extra={"version": digest, "folder": found.folder.name, "seconds": time.monotonic() - start},
        )
        return "swapped"

    def _tell(self, folder: str, error: Exception) -> None:
        """Log what is wrong with a folder: once, however often it is tried again.

        What this package says of a folder is a line; only what nobody foresaw needs a traceback.
        """
        told = (folder, f"{type(error).__name__}: {error}")
        if told in self._told:
            return
        self._told = {told} if len(self._told) > 100 else {*self._told, told}
        is_foreseen = isinstance(error, NextbestError)
        log.warning(
            "model refused",
            extra={"folder": folder, "error": type(error).__name__, "why": str(error)},
            exc_info=None if is_foreseen else error,
        )


def _identify(folder: Path, companions: tuple[tuple[str, int, int, int] | None, ...]) -> Found:
    real = folder.resolve()
    return Found(real, (str(real), *_identity(real / MANIFEST)[1:]), companions)


def _identity(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size


def _catalog_columns(folder: Path) -> dict[str, Any]:
    import polars as pl

    path = folder / "catalog.parquet"
    return dict(pl.read_parquet_schema(path)) if path.is_file() else {}


def _created(folder: Path) -> str:
    """`created` of a manifest (ISO 8601, UTC), or the time of the file where it says nothing readable."""
    try:
        created = json.loads((folder / MANIFEST).read_bytes())["created"]
        return datetime.fromisoformat(created).astimezone(UTC).isoformat()
    except (OSError, ValueError, TypeError, KeyError):
        return datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC).isoformat()
