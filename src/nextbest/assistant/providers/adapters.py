"""Whether a local model's adapter was taught the short forms of `prompts/taught.py`, by the version that it carries.

An adapter that says nothing of forms is somebody else's and is asked like any model. One that was taught another version
would answer a question that nobody asked it so, and is refused.
"""

import mmap
import struct
from pathlib import Path

from nextbest.assistant.prompts.taught import VERSION
from nextbest.errors import ArtifactError
from nextbest.models.store import MANIFEST, read_manifest

KEY = "nextbest.assistant.forms"
"""Of a GGUF file's header; a folder's manifest has `metrics.assistant.forms`."""
_UINT32 = 4
"""As GGUF numbers its types."""
_HEADER = 64_000_000
"""Bytes in which keys stand: before the weights; vocabularies of 260,000 words take 12 MB."""


def is_taught(adapter: Path | None) -> bool:
    """Whether an adapter's folder or GGUF file knows the forms of this version.

    Raises
    ------
    ArtifactError
        It was taught another version, or its manifest isn't readable.
    """
    if adapter is None:
        return False
    version = _of_folder(adapter) if adapter.is_dir() else _of_gguf(adapter)
    if version is None:
        return False
    if version != VERSION:
        raise ArtifactError(
            adapter,
            f"was taught version {version} of the assistant's forms, this package asks in version {VERSION}",
            remedy="teach it anew by `nextbest assistant finetune`",
        )
    return True


def header_holds(file: Path, key: bytes) -> bool:
    """Whether a GGUF file's header holds some bytes."""
    return _found(file, key, 0) is not None


def _of_folder(adapter: Path) -> object:
    if not (adapter / MANIFEST).is_file():
        return None
    metrics = read_manifest(adapter).get("metrics")
    about = metrics.get("assistant") if isinstance(metrics, dict) else None
    return about.get("forms") if isinstance(about, dict) else None


def _of_gguf(adapter: Path) -> object:
    value = _found(adapter, KEY.encode(), 8)
    if value is None or len(value) < 8:
        return None
    kind, version = struct.unpack("<II", value)
    return version if kind == _UINT32 else "?"


def _found(file: Path, key: bytes, n_after: int) -> bytes | None:
    """The bytes behind a key; None: the header lacks it."""
    if not file.is_file() or not file.stat().st_size:
        return None
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(key, 0, min(len(data), _HEADER))
        return None if at < 0 else bytes(data[at + len(key) : at + len(key) + n_after])
