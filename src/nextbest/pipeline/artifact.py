"""A pipeline as a folder: arrays, tables and a manifest with digests; written and replaced as a whole.

Touches files. Knows what a folder holds, not what a pipeline does with it. Never reads or writes pickle.
"""

import hashlib
import json
import platform
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.data.whole_folder import whole_folder
from nextbest.errors import ArtifactError, InputError, NextbestError
from nextbest.models import load_model
from nextbest.models.base import Recommender
from nextbest.models.store import read_manifest as read_model_manifest
from nextbest.pipeline.config import PipelineConfig, PipelineInfo, utc_iso
from nextbest.version import __version__

FORMAT = 1
"""Version of the folder's layout."""
KIND = "nextbest pipeline"
MANIFEST = "manifest.json"


@dataclass(frozen=True, eq=False)
class Parts:
    """All that a pipeline folder holds."""

    model: Recommender
    fallbacks: dict[str, Recommender]
    """Name -> model, in their order."""
    interactions: Interactions
    catalog: pl.DataFrame | None
    clients: pl.DataFrame | None
    config: PipelineConfig
    info: PipelineInfo


def describe(parts: Parts) -> dict[str, Any]:
    """The manifest of a pipeline, without digests of files."""
    interactions, info = parts.interactions, parts.info
    last = interactions.last_time_us
    newest = None if last is None else datetime.fromtimestamp(last / 1e6, UTC)
    return {
        "format": FORMAT,
        "kind": KIND,
        "name": info.name,
        "recipe": info.recipe,
        "has_moments": info.has_moments,
        "cutoff": utc_iso(info.cutoff or newest) if info.has_moments else None,
        "created": utc_iso(info.created),
        "versions": {
            "nextbest": __version__,
            "numpy": np.__version__,
            "polars": pl.__version__,
            "python": platform.python_version(),
        },
        "metrics": info.metrics,
        "n_users": interactions.n_users,
        "n_items": interactions.n_items,
        "n_events": interactions.histories.n_events,
        "model": parts.model.kind,
        "fallbacks": [{"name": name, "kind": m.kind} for name, m in parts.fallbacks.items()],
        "config": parts.config.model_dump(mode="json"),
        "ids": {"user_ids": interactions.user_ids.digest, "item_ids": interactions.item_ids.digest},
        "digests": {},
    }


def write_pipeline(folder: str | Path, parts: Parts) -> dict[str, Any]:
    """Write the folder and return its manifest.

    A process killed at any point leaves the old one whole (`data.whole_folder`).

    Raises
    ------
    InputError
        `folder` is there and holds something else than a pipeline.
    ExternalError
        The disk refused (full, read-only); what stood there before still does.
    """
    folder = Path(folder)
    check_target(folder)
    moment = parts.info.created or datetime.now(UTC)
    with whole_folder(folder) as temporary:
        _write_parts(temporary, parts)
        files = sorted(p for p in temporary.rglob("*") if p.is_file())
        manifest = describe(parts) | {
            "created": utc_iso(moment),
            "digests": {p.relative_to(temporary).as_posix(): _digest(p) for p in files},
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False, default=str)
        (temporary / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def check_target(folder: Path) -> None:
    """Nothing, if a pipeline may be written there: a new or empty folder, or a pipeline's.

    Raises
    ------
    InputError
        It holds something else.
    """
    if folder.exists() and not _is_replaceable(folder):
        raise InputError(
            "folder", "is there and is no pipeline", value=str(folder), remedy="name a new or an empty folder"
        )


def _is_replaceable(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind") == KIND)
    except (OSError, ValueError, AttributeError):
        return False


def _write_parts(folder: Path, parts: Parts) -> None:
    interactions, histories = parts.interactions, parts.interactions.histories
    interactions.user_ids.save(folder / "user_ids.parquet")
    interactions.item_ids.save(folder / "item_ids.parquet")
    arrays: dict[str, Any] = {
        "indptr": histories.indptr,
        "item_idx": histories.item_idx,
        "weight": histories.weight,
        "time_us": histories.time_us,
    }
    if histories.segment is not None:
        arrays["segment"] = histories.segment
    np.savez(folder / "histories.npz", **arrays)
    if interactions.segment_ids is not None:
        interactions.segment_ids.save(folder / "segment_ids.parquet")
    if parts.catalog is not None:
        parts.catalog.write_parquet(folder / "catalog.parquet")
    if parts.clients is not None:
        parts.clients.write_parquet(folder / "clients.parquet")
    parts.model.save(folder / "model")
    for n, model in enumerate(parts.fallbacks.values()):
        model.save(folder / f"fallback_{n}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a pipeline folder.

    Raises
    ------
    ArtifactError
        There is no folder or manifest, it isn't a pipeline's, or a newer version wrote it.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(folder, "has no manifest.json: not a pipeline folder") from None
    except (OSError, ValueError) as e:
        raise ArtifactError(path, f"can't be read ({e})") from e
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise ArtifactError(folder, "isn't a pipeline folder")
    if manifest.get("format") != FORMAT:
        raise ArtifactError(folder, f"has format {manifest.get('format')!r}, this version reads {FORMAT}")
    return manifest


def read_pipeline(
    folder: str | Path,
    *,
    read_model: Callable[[Path, IdIndex], Recommender],
    verify: bool = True,
    n_tries: int = 3,
) -> tuple[Parts, dict[str, Any]]:
    """Everything in a pipeline folder, and its manifest.

    A folder that is exchanged for a newer one while it is read is read again.

    Raises
    ------
    ArtifactError
        The folder is missing, incomplete, damaged (a digest differs) or of another version.
    """
    folder = Path(folder)
    while True:
        manifest = read_manifest(folder)
        try:
            return _read_parts(folder, manifest, read_model, verify=verify), manifest
        except ArtifactError:
            n_tries -= 1
            newer: Mapping[str, Any] = {}
            with suppress(ArtifactError):
                newer = read_manifest(folder)
            if n_tries <= 0 or newer.get("digests") == manifest.get("digests"):
                raise


def _read_parts(
    folder: Path,
    manifest: dict[str, Any],
    read_model: Callable[[Path, IdIndex], Recommender],
    *,
    verify: bool,
) -> Parts:
    digests = manifest.get("digests")
    if not isinstance(digests, dict) or not digests:
        raise ArtifactError(folder, "has a manifest without digests")
    try:
        if verify:
            _verify(folder, digests)
        config = PipelineConfig.model_validate(manifest["config"])
        info = PipelineInfo.model_validate({n: manifest[n] for n in PipelineInfo.model_fields})
        item_ids = IdIndex.load(folder / "item_ids.parquet")
        segments = folder / "segment_ids.parquet"
        interactions = Interactions(
            IdIndex.load(folder / "user_ids.parquet"),
            item_ids,
            _read_histories(folder / "histories.npz"),
            IdIndex.load(segments) if segments.name in digests else None,
        )
        catalog, clients = (
            pl.read_parquet(folder / name) if name in digests else None
            for name in ("catalog.parquet", "clients.parquet")
        )
        model = read_model(folder / "model", item_ids)
        fallbacks = {
            str(step["name"]): read_model(folder / f"fallback_{n}", item_ids)
            for n, step in enumerate(manifest["fallbacks"])
        }
    except ArtifactError:
        raise
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        ValidationError,
        zipfile.BadZipFile,
        pl.exceptions.PolarsError,
        NextbestError,
    ) as e:
        raise ArtifactError(folder, f"can't be read ({type(e).__name__}: {e})") from e
    return Parts(model, fallbacks, interactions, catalog, clients, config, info)


def _verify(folder: Path, digests: Mapping[str, str]) -> None:
    missing = [name for name in digests if not (folder / name).is_file()]
    if missing:
        raise ArtifactError(folder, f"lacks {len(missing)} file(s), first: {missing[:5]}")
    changed = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    if changed:
        raise ArtifactError(folder, f"{len(changed)} file(s) differ from their digest, first: {changed[:5]}")


def _read_histories(path: Path) -> Histories:
    with np.load(path, allow_pickle=False) as arrays:
        return Histories(
            arrays["indptr"],
            arrays["item_idx"],
            arrays["weight"],
            arrays["time_us"],
            arrays.get("segment"),
        )


def model_loader(classes: Mapping[str, type[Recommender]]) -> Callable[[Path, IdIndex], Recommender]:
    """Reads a model folder, of one of these classes or of a kind of this package."""

    def load(folder: Path, item_ids: IdIndex) -> Recommender:
        own = classes.get(read_model_manifest(folder)["kind"])
        return load_model(folder, item_ids=item_ids) if own is None else own.load(folder, item_ids=item_ids)

    return load
