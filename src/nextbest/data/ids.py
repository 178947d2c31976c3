"""Ids as the outside knows them against row numbers: the only place where one becomes the other.

An `IdIndex` travels with every model and every encoded log, so that row numbers of one can
never be read with the ids of another.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.outside_id import OutsideId
from nextbest.errors import DataError, InputError

__all__ = ["UNKNOWN", "IdIndex", "OutsideId"]
UNKNOWN = -1
"""Row number given to an id that the index doesn't hold."""


class IdIndex:
    """Bijection between outside ids (all integers or all strings) and row numbers 0..n-1.

    >>> index = IdIndex.from_values(pl.Series(["b", "a", "b"]))
    >>> index.encode(["a", "zzz"]).tolist(), index.decode([1]).to_list()
    ([0, -1], ['b'])
    """

    def __init__(self, ids: pl.Series) -> None:
        """Take unique `ids` in row-number order; `from_values` sorts and de-duplicates for you."""
        if ids.dtype not in (pl.Int64, pl.String):
            raise DataError("ids", f"must be Int64 or String, are {ids.dtype}")
        if ids.null_count():
            raise DataError("ids", "must not be null", n_bad=ids.null_count())
        if ids.n_unique() != len(ids):
            raise DataError("ids", "must be unique", n_bad=len(ids) - ids.n_unique())
        self.ids = ids.alias("id").rechunk()

    @classmethod
    def from_values(cls, values: pl.Series) -> "IdIndex":
        """Index over the sorted unique `values`; integers of any width become Int64, the rest String."""
        if values.dtype.is_integer():
            values = values.cast(pl.Int64)
        return cls(values.unique().sort())

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"IdIndex({len(self)} {self.ids.dtype} ids)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdIndex) and (self is other or self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over ids and their order: equal digests mean equal row numbers."""
        h = hashlib.sha256(str(self.ids.dtype).encode())
        if self.ids.dtype == pl.Int64:
            h.update(self.ids.to_numpy().tobytes())
        else:
            for start in range(0, len(self.ids), 100_000):
                h.update("\x00".join(self.ids[start : start + 100_000].to_list()).encode())
                h.update(b"\x01")
        return h.hexdigest()

    @cached_property
    def _lookup(self) -> dict[OutsideId, int]:
        return {value: i for i, value in enumerate(self.ids.to_list())}

    def coerce(self, value: object) -> OutsideId | None:
        """`value` in this index's own type ("12" -> 12 where ids are integers), None if it can't be one."""
        if self.ids.dtype == pl.String:
            return value if isinstance(value, str) else str(value)
        if isinstance(value, bool):
            return None
        if isinstance(value, int | np.integer):
            return int(value)
        try:
            number = int(str(value))
        except ValueError:
            return None
        return number if str(number) == str(value) else None

    def find(self, value: object) -> int:
        """Row number of one id, UNKNOWN (-1) when it isn't here. For single requests."""
        key = self.coerce(value)
        return UNKNOWN if key is None else self._lookup.get(key, UNKNOWN)

    def encode(self, values: pl.Series | Iterable[OutsideId]) -> NDArray[np.int32]:
        """Row numbers of `values`, shape (n,), -1 for an unknown or null id."""
        if not isinstance(values, pl.Series):
            return np.fromiter((self.find(v) for v in values), dtype=np.int32)
        if values.dtype.is_integer() and self.ids.dtype == pl.Int64:
            values = values.cast(pl.Int64)
        if values.dtype != self.ids.dtype:
            return np.fromiter((self.find(v) for v in values.to_list()), dtype=np.int32, count=len(values))
        table = pl.DataFrame({"id": self.ids, "idx": pl.int_range(len(self), dtype=pl.Int32, eager=True)})
        joined = values.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
        return joined["idx"].fill_null(UNKNOWN).to_numpy().astype(np.int32, copy=False)

    def decode(self, idx: NDArray[np.integer] | Iterable[int]) -> pl.Series:
        """Ids at row numbers `idx`, length n; null where the row number is UNKNOWN (-1).

        Raises
        ------
        InputError
            A row number is below -1 or past the end.
        """
        numbers = np.asarray(idx if isinstance(idx, np.ndarray) else list(idx), dtype=np.int64)
        if len(numbers) and (numbers.min() < UNKNOWN or numbers.max() >= len(self)):
            raise InputError("idx", f"must lie in -1..{len(self) - 1}", value=int(numbers.max()))
        return self.ids.gather(pl.Series(np.where(numbers < 0, len(self), numbers)), null_on_oob=True)

    def mask(
        self, *, allowed: pl.Series | None = None, denied: pl.Series | None = None
    ) -> NDArray[np.bool_] | None:
        """Which row numbers are allowed and not denied, shape (n,); None when neither list is given.

        Ids that the index doesn't hold are passed over.
        """
        if allowed is None and denied is None:
            return None
        mask = np.full(len(self), allowed is None)
        for ids, value in ((allowed, True), (denied, False)):
            if ids is not None:
                rows = self.encode(ids)
                mask[rows[rows != UNKNOWN]] = value
        return mask

    def save(self, path: Path) -> None:
        """Write the ids, in row-number order, as a one-column Parquet file."""
        self.ids.to_frame("id").write_parquet(path)

    @classmethod
    def load(cls, path: Path) -> "IdIndex":
        """Read what `save` wrote."""
        return cls(pl.read_parquet(path)["id"])
