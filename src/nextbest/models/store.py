"""Model folders on disk: `arrays.npz`, the ids, other files, and a `manifest.json` that vouches for them.

Nothing here is ever pickled: a folder from a stranger can be wrong, it can't run code.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex
from nextbest.data.whole_folder import whole_folder
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.version import __version__

FORMAT = 1
"""Layout of the folder; a reader refuses any other."""
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"


def write_folder(
    folder: Path,
    *,
    kind: str,
    config: dict[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    ids: Mapping[str, IdIndex],
    files: Mapping[str, bytes | Path] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write a model folder under a temporary name beside `folder`, then rename it into place.

    `files` are further files by plain name: their content (boosters as text), or where to copy them from; `about` are further fields of the manifest
    (when and from what it was made), in JSON's own types.

    Raises
    ------
    InputError
        `folder` is there and isn't a model folder: it is left alone.
    ExternalError
        The disk refused; what stood at `folder` before still does.
    """
    folder = Path(folder)
    check_free(folder)
    with whole_folder(folder) as temporary:
        np.savez(
            temporary / ARRAYS, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()}
        )
        for name, index in ids.items():
            index.save(temporary / f"{name}.parquet")
        for name, content in (files or {}).items():
            if isinstance(content, Path):
                shutil.copyfile(content, temporary / name)
            else:
                (temporary / name).write_bytes(content)
        written = [ARRAYS, *(f"{name}.parquet" for name in ids), *(files or {})]
        manifest = {
            **(about or {}),
            "format": FORMAT,
            "kind": kind,
            "config": config,
            "versions": {"nextbest": __version__, "numpy": np.__version__},
            "ids": {name: {"n": len(index), "digest": index.digest} for name, index in ids.items()},
            "files": {name: _sha256(temporary / name) for name in written},
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")


def check_free(folder: Path) -> None:
    """Nothing, if a model may be written there: a new or empty folder, or a model's.

    Raises
    ------
    InputError
        Something else is there.
    """
    if folder.exists() and not (_is_model(folder) or _is_empty_folder(folder)):
        raise InputError(
            "folder", "is there and holds no model", value=str(folder), remedy="choose a new folder"
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder, checked for layout.

    Raises
    ------
    ArtifactError
        It is missing, unreadable, or of another layout.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ArtifactError(folder, f"holds no model: {MANIFEST} is missing")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(path, f"is not readable JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ArtifactError(path, f"has layout {found!r}, this version reads {FORMAT}")
    wanted = {"kind": str, "config": dict, "ids": dict, "files": dict}
    if broken := [name for name, kind in wanted.items() if not isinstance(manifest.get(name), kind)]:
        raise ArtifactError(path, f"field(s) {broken} missing or malformed")
    return manifest


def read_arrays(folder: Path, manifest: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The named arrays of a model folder, after their checksum was compared.

    Raises
    ------
    ArtifactError
        The file is missing, changed since it was written, or holds pickled objects.
    """
    path = _checked(Path(folder), ARRAYS, manifest)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(path, f"is not a readable array file ({error})") from error


def read_files(folder: Path, manifest: dict[str, Any]) -> dict[str, bytes]:
    """Content of every file of a model folder that is neither arrays nor ids, after its checksum was compared.

    Raises
    ------
    ArtifactError
        A file is missing or changed since it was written, or the manifest names one outside the folder.
    """
    if outside := [name for name in manifest["files"] if Path(name).name != name]:
        raise ArtifactError(folder, f"names file(s) outside itself: {outside[:5]}")
    own = {ARRAYS, *(f"{name}.parquet" for name in manifest["ids"])}
    return {
        name: _checked(Path(folder), name, manifest).read_bytes()
        for name in manifest["files"]
        if name not in own
    }


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Nothing, if every file of a model folder is as it was written; for those that somebody else's library reads.

    Raises
    ------
    ArtifactError
        As `read_files`.
    """
    if outside := [name for name in manifest["files"] if Path(name).name != name]:
        raise ArtifactError(folder, f"names file(s) outside itself: {outside[:5]}")
    for name in manifest["files"]:
        _checked(Path(folder), name, manifest)


def read_ids(folder: Path, name: str, manifest: dict[str, Any], *, known: IdIndex | None = None) -> IdIndex:
    """The ids saved under `name`; `known` is used instead of a second copy when it is the same.

    Raises
    ------
    ArtifactError
        The file is missing or changed, or the ids don't have the digest of the manifest.
    """
    path = _checked(Path(folder), f"{name}.parquet", manifest)
    digest = manifest["ids"].get(name, {}).get("digest")
    if known is not None and known.digest == digest:
        return known
    try:
        index = IdIndex.load(path)
    except (OSError, pl.exceptions.PolarsError, DataError) as error:
        raise ArtifactError(path, f"is not a readable id file ({error})") from error
    if index.digest != digest:
        raise ArtifactError(path, "holds other ids than the manifest says")
    return index


def _checked(folder: Path, name: str, manifest: dict[str, Any]) -> Path:
    path = folder / name
    if not path.is_file():
        raise ArtifactError(path, "is missing")
    if _sha256(path) != manifest["files"].get(name):
        raise ArtifactError(path, "was changed or cut off since it was written")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_model(folder: Path) -> bool:
    """Whether its manifest is a model's; a panel or a store has a `manifest.json` too, and must not be lost."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and {"format", "kind", "config", "files"} <= manifest.keys()


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and next(folder.iterdir(), None) is None
