"""One folder of shards on disk: its manifest, and its Parquet files of histories, one row a user.

Every page is compared with its checksum and every file with the manifest. Knows no shares and no epochs.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ValidationError

from nextbest.data.interactions import Histories
from nextbest.errors import ArtifactError

MANIFEST = "manifest.json"
REMEDY = "write the shards again with write_shards"
_COLUMNS = ("item_idx", "weight", "time_us")


class Shard(BaseModel, frozen=True, extra="forbid"):
    """One file of a folder."""

    file: str
    n_users: int
    n_events: int


class ShardsManifest(BaseModel, frozen=True, extra="forbid"):
    """What a folder of shards says of itself."""

    format: Literal[1] = 1
    kind: Literal["shards"] = "shards"
    n_items: int
    n_users: int
    n_events: int
    item_counts: tuple[int, ...]
    """Events of each item."""
    item_ids_digest: str | None
    """`IdIndex.digest` of the items; None where the writer wasn't told."""
    shards: tuple[Shard, ...]


def read_manifest(folder: Path) -> ShardsManifest:
    """The manifest of a folder.

    Raises
    ------
    ArtifactError
        It is missing, malformed, or names a file outside its folder.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(folder, f"holds no shards: {MANIFEST} is missing", remedy=REMEDY)
    try:
        manifest = ShardsManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(path, "is not a manifest of shards of this version", remedy=REMEDY) from error
    if outside := [s.file for s in manifest.shards if Path(s.file).name != s.file]:
        raise ArtifactError(path, f"names file(s) outside its folder: {outside[:5]}", remedy=REMEDY)
    if len(manifest.item_counts) != manifest.n_items:
        rule = f"counts {len(manifest.item_counts)} items, says it has {manifest.n_items}"
        raise ArtifactError(path, rule, remedy=REMEDY)
    return manifest


def read_shard(path: Path) -> Histories:
    """The rows of a file as histories.

    Raises
    ------
    ArtifactError
        The file is missing, damaged, or of another making.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=list(_COLUMNS), use_threads=False)
        lists = [table.column(name).combine_chunks() for name in _COLUMNS]
    except FileNotFoundError as error:
        raise ArtifactError(path, "is missing", remedy=REMEDY) from error
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(path, f"is not a readable shard ({error})", remedy=REMEDY) from error
    for name, rows in zip(_COLUMNS, lists, strict=True):
        if not pa.types.is_list(rows.type) or rows.type.value_type != _value_types()[name]:
            raise ArtifactError(path, f"column {name!r} is {rows.type}", remedy=REMEDY)
        if rows.null_count or rows.values.null_count:
            raise ArtifactError(path, f"column {name!r} holds nulls", remedy=REMEDY)
    starts = [rows.offsets.to_numpy().astype(np.int64) for rows in lists]
    if any(not np.array_equal(starts[0] - starts[0][0], other - other[0]) for other in starts[1:]):
        raise ArtifactError(path, "has columns of unlike length for a user", remedy=REMEDY)
    item_idx, weight, time_us = (
        rows.values.to_numpy()[start[0] : start[-1]] for rows, start in zip(lists, starts, strict=True)
    )
    return Histories(starts[0] - starts[0][0], item_idx, weight, time_us)


def _value_types() -> dict[str, Any]:
    import pyarrow as pa

    return {"item_idx": pa.int32(), "weight": pa.float32(), "time_us": pa.int64()}


def schema() -> Any:
    """Arrow schema of a file."""
    import pyarrow as pa

    return pa.schema([(name, pa.list_(kind)) for name, kind in _value_types().items()])


def to_table(histories: Histories) -> Any:
    """One row a user, as an Arrow table without copies."""
    import pyarrow as pa

    offsets = pa.array(histories.indptr.astype(np.int32))
    columns = [
        pa.ListArray.from_arrays(offsets, pa.array(getattr(histories, field.name)), type=field.type)
        for field in schema()
    ]
    return pa.Table.from_arrays(columns, schema=schema())
