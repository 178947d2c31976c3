"""Columns that are missing together: found from how often each set of them is missing in one row."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

_N_BITS = 63
_USUAL = 0.5
_TOGETHER = 0.95


class JointGap(BaseModel, frozen=True, extra="forbid"):
    """Columns that are missing in the same rows."""

    columns: tuple[str, ...]
    rows: int
    """Rows in which all of them are missing."""


class MissingSets:
    """Counts the sets of columns that are missing in a row, over all rows of an ingest."""

    def __init__(self) -> None:
        self._bit: dict[str, int] = {}
        self._rows: Counter[int] = Counter()
        self.n_rows = 0

    def see(self, missing: dict[str, NDArray[np.bool_]], n_rows: int) -> None:
        """Take `n_rows` rows: for each column which of them are missing. Columns never missing may be left out."""
        self.n_rows += n_rows
        key = np.zeros(n_rows, dtype=np.uint64)
        for column, is_missing in missing.items():
            if is_missing.any() and (column in self._bit or len(self._bit) < _N_BITS):
                bit = self._bit.setdefault(column, len(self._bit))
                key |= is_missing.astype(np.uint64) << np.uint64(bit)
        for found, n in zip(*np.unique(key, return_counts=True), strict=True):
            self._rows[int(found)] += int(n)

    def gaps(self) -> tuple[JointGap, ...]:
        """Groups of two or more columns that miss together, most rows first.

        Two columns belong together if of the rows where one is missing the other is missing in 95 % too
        (Jaccard index). Columns missing in more than half of all rows are left out: emptiness is their way.
        """
        columns = sorted(self._bit, key=self._bit.__getitem__)
        keys = [key for key in self._rows if key]
        if not keys:
            return ()
        n_K = np.array([self._rows[key] for key in keys], dtype=float)
        miss_KC = np.array([[key >> c & 1 for c in range(len(columns))] for key in keys], dtype=float)
        both_CC = miss_KC.T @ (miss_KC * n_K[:, None])
        n_C = np.diag(both_CC)
        jaccard_CC = both_CC / np.maximum(n_C[:, None] + n_C[None, :] - both_CC, 1)
        together_CC = (jaccard_CC >= _TOGETHER) & (n_C <= self.n_rows * _USUAL)[None, :]
        found: list[JointGap] = []
        taken: set[int] = set()
        for c in range(len(columns)):
            group = [d for d in np.flatnonzero(together_CC[c]).tolist() if d not in taken]
            if c in taken or c not in group or len(group) < 2:
                continue
            taken.update(group)
            rows = int(n_K[miss_KC[:, group].all(axis=1)].sum())
            found.append(JointGap(columns=tuple(columns[d] for d in group), rows=rows))
        return tuple(sorted(found, key=lambda gap: (-gap.rows, gap.columns)))
