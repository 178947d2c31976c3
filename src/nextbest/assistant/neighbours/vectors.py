"""Items as unit vectors of their texts, and the items at the smallest angles to each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.tables import ITEM_ID
from nextbest.text.encoder import Encoder

Floats = NDArray[np.float32]
VECTORS, IDS = "vectors.npy", "items.parquet"
LONGEST = 400
"""Characters of an item's text that are embedded: its title, category and the beginning of its text."""
_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Vectors of a catalogue's items."""

    item_ids: IdIndex
    vectors: Floats
    """Shape (n_items, dim), rows of length 1, in the order of `item_ids`."""
    encoder: str

    def neighbours(self, *, k: int) -> pl.DataFrame:
        """The `k` nearest items of each, itself left out: `item_id, neighbour_id, rank, cosine`, sorted.

        Raises
        ------
        InputError
            `k` < 1.
        """
        if k < 1:
            raise InputError("k", "must be 1 or more", value=k)
        n = len(self.item_ids)
        k = min(k, n - 1)
        found = []
        for start in range(0, n if k else 0, _AT_ONCE):
            cosines = self.vectors[start : start + _AT_ONCE] @ self.vectors.T
            rows = np.arange(len(cosines))
            cosines[rows, rows + start] = -np.inf
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :k] if k * 4 > n else _best(cosines, k)
            found.append(
                pl.DataFrame(
                    {
                        ITEM_ID: self.item_ids.decode(np.repeat(rows + start, k)),
                        "neighbour_id": self.item_ids.decode(order.ravel()),
                        "rank": np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows)),
                        "cosine": np.clip(np.take_along_axis(cosines, order, axis=1).ravel(), -1, 1),
                    }
                )
            )
        ids = pl.Series(ITEM_ID, [], dtype=self.item_ids.ids.dtype)
        empty = {
            ITEM_ID: ids,
            "neighbour_id": ids,
            "rank": pl.Series([], dtype=pl.Int32),
            "cosine": pl.Series([], dtype=pl.Float32),
        }
        return pl.concat(found) if found else pl.DataFrame(empty)

    def save(self, folder: Path) -> None:
        """Write the vectors and their ids."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / VECTORS, self.vectors)
        self.item_ids.save(folder / IDS)
        (folder / "encoder.txt").write_text(self.encoder, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ItemVectors":
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            A file is missing, or vectors and ids differ in number.
        """
        remedy = "make it again with `nextbest assistant embed`"
        try:
            vectors = np.load(folder / VECTORS, allow_pickle=False)
            ids = IdIndex.load(folder / IDS)
            encoder = (folder / "encoder.txt").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ArtifactError(folder, f"holds no vectors of items ({error})", remedy=remedy) from error
        if len(vectors) != len(ids):
            raise ArtifactError(folder, f"has {len(vectors)} vectors of {len(ids)} items", remedy=remedy)
        return cls(ids, vectors, encoder)


def _best(cosines: Floats, k: int) -> NDArray[np.int64]:
    """Columns of the `k` greatest of each row, best first."""
    part = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(cosines, part, axis=1), axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1)


def embed_items(catalog: pl.DataFrame, *, encoder: Encoder) -> ItemVectors:
    """Vectors of a catalogue's items: title, category and text as one text, 400 characters of it.

    Raises
    ------
    DataError
        The catalogue is empty or an item stands in it twice.
    """
    if catalog.is_empty():
        raise DataError("catalogue", "holds no item")
    ids = IdIndex(
        catalog[ITEM_ID].cast(pl.Int64) if catalog[ITEM_ID].dtype.is_integer() else catalog[ITEM_ID]
    )
    said = [name for name in ("title", "category", "text") if name in catalog.columns]
    texts = catalog.select(
        pl.concat_str([pl.col(name).fill_null("") for name in said], separator=". ").str.slice(0, LONGEST)
    ).to_series()
    return ItemVectors(
        ids, np.ascontiguousarray(encoder.encode(texts.to_list()), dtype=np.float32), encoder.name
    )
