"""What a folder of weights that this package wrote says of itself: `origin.json` beside the weights.

A folder in transformers' format doesn't say what it was made of, until when its makers read, or under whose terms
it stands. Ours do, and say which weights they mean by checksum. Knows no torch.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from nextbest.data.whole_folder import whole_folder
from nextbest.errors import ArtifactError, InputError
from nextbest.version import __version__

ORIGIN = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Where weights come from."""

    digest: str
    """Of the weights: of the GGUF file's content, or of the folder's weights (`weights_digest`)."""
    source: str
    seen_until: date | None
    """Last day that the training data may hold; `date.max` = not known; None = never trained."""
    notice: str | None = None
    """What must be passed on with the weights, in the licensor's words."""


def weights_digest(folder: Path) -> str:
    """SHA-256 over names and contents of a folder's safetensors files."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        total.update(f"{path.name} {file_digest(path)}\n".encode())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_origin(folder: Path) -> Origin:
    """What is known of a folder; without a record: the digest of its weights, and `date.max`.

    Raises
    ------
    ArtifactError
        There is a record, and it isn't readable or vouches for other weights than lie beside it.
    """
    digest, path = weights_digest(folder), folder / ORIGIN
    if not path.is_file():
        return Origin(digest=digest, source=str(folder), seen_until=date.max)
    remedy = f"remove {ORIGIN} if the weights were changed on purpose, or make the folder anew"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        told = record["seen_until"]
        origin = Origin(
            digest=str(record["digest"]),
            source=str(record["source"]),
            seen_until=None if told is None else date.fromisoformat(told),
            notice=record["notice"],
        )
        vouched = record["weights"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(path, f"is not a readable record ({error!r})", remedy=remedy) from error
    if vouched != digest:
        raise ArtifactError(folder, f"holds other weights than its {ORIGIN} says", remedy=remedy)
    return origin


def write_weights(
    folder: Path, save: Callable[[Path], None], origin: Origin | None = None, **said: object
) -> Path:
    """Have `save` fill a temporary folder beside `folder`, add the record, rename it into place; gives `folder`.

    `origin` None: digest and source are those of the new weights, with `said` = seen_until and notice.

    Raises
    ------
    InputError
        `folder` is there and isn't empty: it is left alone.
    ExternalError
        The disk refused; nothing stands at `folder`.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "folder", "is there and isn't empty", value=str(folder), remedy="choose a new folder"
        )
    with whole_folder(folder) as temporary:
        save(temporary)
        weights = weights_digest(temporary)
        known = origin or Origin(digest=weights, source=str(folder), **said)  # type: ignore[arg-type]
        record = {
            "digest": known.digest,
            "source": known.source,
            "seen_until": None if known.seen_until is None else known.seen_until.isoformat(),
            "notice": known.notice,
            "weights": weights,
            "versions": {"nextbest": __version__},
        }
        (temporary / ORIGIN).write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
        if known.notice:
            (temporary / "NOTICE").write_text(known.notice, encoding="utf-8")
    return folder
