"""Exact selection of the best k of many scores, with ties decided once and for all.

Better score first, then the lower row number. Knows nothing of models or ids.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextbest.data.ids import UNKNOWN

FloatArray = NDArray[np.float32]

BLOCK_CELLS = 1 << 20
"""Scores that are held at once (users of a block x items); small enough to stay near the processor."""
_MIN_GROUPS, _GROUPS_PER_K, _MIN_WIDTH = 512, 16, 4
_LOWEST = np.float32(np.finfo(np.float32).min)
_EMPTY = np.iinfo(np.uint64).max
_SIGN = np.uint32(0x8000_0000)


@dataclass(frozen=True)
class TopK:
    """The best k items of B users, best first; short rows end in item_idx -1 and score -inf."""

    item_idx: NDArray[np.int32]
    """Shape (B, k)."""
    score: FloatArray
    """Shape (B, k); no unit; comparable inside one row only."""


def no_evidence(n_users: int, n_items: int) -> FloatArray:
    """A new block of scores that recommends nothing: all -inf, shape (n_users, n_items)."""
    return np.full((n_users, n_items), -np.inf, np.float32)


def block_size(n_items: int) -> int:
    """Rows that are scored together, 1 or more: a block holds about `BLOCK_CELLS` scores."""
    return max(1, BLOCK_CELLS // max(1, n_items))


def select_top_k(scores: FloatArray, *, k: int, floor: float = -np.inf) -> TopK:
    """The `k` best columns of every row: higher score first, ties by the lower column.

    Parameters
    ----------
    scores
        Shape (B, n_items), float32; -inf = never chosen; NaN and +inf are not allowed.
    k
        Places to fill, 1 or more; it may exceed n_items.
    floor
        Scores below are never chosen either.

    Returns
    -------
    TopK
        Shape (B, k); places that no column may take hold -1 and -inf.

    Notes
    -----
    Exact. The k-th best maximum over groups of columns bounds the k-th best score from below, so
    only the few scores above that bound are sorted, as 64-bit keys of (score, column).
    """
    n_rows, n_items = scores.shape
    if n_rows == 0 or n_items == 0:
        return TopK(np.full((n_rows, k), UNKNOWN, np.int32), np.full((n_rows, k), -np.inf, np.float32))
    bound = np.maximum(kth_lower_bound(scores, min(k, n_items)), np.float32(floor))
    flat = np.flatnonzero(scores >= bound[:, None])
    rows, columns = np.divmod(flat, n_items)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))])
    return _sorted_rows(indptr, columns, scores.ravel()[flat], k=k)


def select_top_k_sparse(scores: csr_array, *, k: int) -> TopK:
    """`select_top_k` over stored, positive scores only; what isn't stored, or is 0 or less, is never chosen.

    Memory beside the result is bounded by `BLOCK_CELLS` or by the fullest row, whichever is more.
    """
    n_rows = scores.shape[0]
    counts = np.diff(scores.indptr)
    item_idx = np.full((n_rows, k), UNKNOWN, np.int32)
    score = np.full((n_rows, k), -np.inf, np.float32)
    by_count = np.argsort(counts, kind="stable")
    first = int(np.searchsorted(counts[by_count], 1))
    while first < n_rows:
        # rows of like fullness share a block, so that little of the rectangle is empty
        width = int(counts[by_count[min(first + 64, n_rows) - 1]])
        limit = max(1, BLOCK_CELLS // max(width, 1))
        last = min(first + limit, int(np.searchsorted(counts[by_count], max(2 * width, 16), side="right")))
        rows = by_count[first : max(last, first + 1)]
        indptr = np.concatenate([[0], np.cumsum(counts[rows])])
        picks = np.repeat(scores.indptr[rows] - indptr[:-1], counts[rows]) + np.arange(indptr[-1])
        best = _sorted_rows(indptr, scores.indices[picks], scores.data[picks], k=k)
        item_idx[rows], score[rows] = best.item_idx, best.score
        first += len(rows)
    none = score <= 0
    item_idx[none], score[none] = UNKNOWN, -np.inf
    return TopK(item_idx, score)


def keep_best(matrix: csr_array, *, n: int) -> csr_array:
    """The `n` largest positive values of every row, ties by the lower column; the rest is not stored."""
    if not matrix.nnz or (n >= np.diff(matrix.indptr).max() and matrix.data.min() > 0):
        return matrix
    best = select_top_k_sparse(matrix, k=n)
    kept = best.item_idx != UNKNOWN
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return csr_array((best.score[kept], best.item_idx[kept], indptr), shape=matrix.shape)


class BestSoFar:
    """The k best of B rows, while scores arrive in parts."""

    def __init__(self, n_rows: int, k: int) -> None:
        self._keys = np.full((n_rows, k), _EMPTY, np.uint64)

    def kth_score(self, rows: NDArray[np.integer]) -> FloatArray:
        """Score in the last place of these rows, -inf while it is empty."""
        return _decode(self._keys[rows, -1]).score

    def add(
        self,
        rows: NDArray[np.integer],
        scores: FloatArray,
        *,
        at_least: FloatArray,
        item_idx: NDArray[np.integer],
    ) -> None:
        """Take in `scores`, shape (len(rows), len(item_idx)); below `at_least` of its row, none can matter."""
        flat = np.flatnonzero(scores >= np.maximum(at_least, _LOWEST)[:, None])
        if not len(flat):
            return
        row, column = np.divmod(flat, len(item_idx))
        k = self._keys.shape[1]
        counts = np.bincount(row, minlength=len(rows))
        starts = np.cumsum(counts) - counts
        keys = np.full((len(rows), k + int(counts.max())), _EMPTY, np.uint64)
        keys[:, :k] = self._keys[rows]
        keys[row, k + np.arange(len(flat)) - starts[row]] = _keys(scores.ravel()[flat], item_idx[column])
        self._keys[rows] = _smallest(keys, k)

    def result(self) -> TopK:
        """What has been found."""
        return _decode(self._keys)


def _sorted_rows(
    indptr: NDArray[np.integer], columns: NDArray[np.integer], values: FloatArray, *, k: int
) -> TopK:
    """The k best of each packed row, in order; every value is > -inf."""
    counts = np.diff(indptr)
    keys = np.full((len(counts), max(k, int(counts.max(initial=0)))), _EMPTY, np.uint64)
    rows = np.repeat(np.arange(len(counts)), counts)
    keys[rows, np.arange(len(columns)) - np.repeat(indptr[:-1], counts)] = _keys(values, columns)
    return _decode(_smallest(keys, k))


def _smallest(keys: NDArray[np.uint64], k: int) -> NDArray[np.uint64]:
    """The k smallest of each row in order; `keys` may be reordered."""
    if keys.shape[1] > 4 * k:
        keys = np.partition(keys, k - 1, axis=1)[:, :k]
    keys.sort(axis=1)
    return keys[:, :k]


def kth_lower_bound(scores: FloatArray, k: int) -> FloatArray:
    """At least k scores of each row are at or above this (or are -inf, which nothing chooses). Shape (B,)."""
    n_rows, n_items = scores.shape
    width = n_items // max(_MIN_GROUPS, _GROUPS_PER_K * k)
    if width < _MIN_WIDTH:
        kth = np.partition(scores, n_items - k, axis=1)[:, n_items - k] if k < n_items else scores.min(axis=1)
    else:
        # groups are strided columns: the maximum then runs over contiguous memory, a vector at a time
        n_groups = n_items // width
        best = scores[:, : n_groups * width].reshape(n_rows, width, n_groups).max(axis=1)
        kth = np.partition(best, n_groups - k, axis=1)[:, n_groups - k]
    return np.maximum(kth, _LOWEST)


def _keys(values: FloatArray, columns: NDArray[np.integer]) -> NDArray[np.uint64]:
    """64-bit numbers that sort as (score descending, column ascending)."""
    bits = (values + np.float32(0)).view(np.uint32)  # + 0 makes -0.0 and 0.0 one tie
    descending = np.where(bits & _SIGN, bits, ~(bits | _SIGN))
    return (descending.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64)


def _decode(keys: NDArray[np.uint64]) -> TopK:
    """Columns and scores back from `_keys`; the largest number is an empty place."""
    empty = keys == _EMPTY
    descending = (keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(descending & _SIGN, descending, ~descending & ~_SIGN)
    score = bits.astype(np.uint32).view(np.float32)
    item_idx = (keys & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    return TopK(
        np.where(empty, UNKNOWN, item_idx).astype(np.int32),
        np.where(empty, -np.inf, score).astype(np.float32),
    )
