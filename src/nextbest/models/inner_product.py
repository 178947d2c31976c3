"""Exact top k by inner product that doesn't look at every item: long vectors first, stop when none can win."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN
from nextbest.models.topk import BLOCK_CELLS, BestSoFar, FloatArray, TopK, kth_lower_bound

ITEMS_AT_ONCE = 4096
"""Items of the widest step for many users; the first one is a quarter of it."""
_ROUNDING = np.float32(1 + 1e-4)
"""Room for the rounding of a product of single precision vectors of any usual length."""


@dataclass(frozen=True, eq=False)
class NormOrder:
    """Item vectors by falling length, those without evidence left out."""

    source: FloatArray
    """The vectors in their own order; who holds another array needs another `NormOrder`."""
    vectors: FloatArray
    """Shape (M, F), longest first."""
    norms: FloatArray
    """Shape (M,); length of each."""
    item_idx: NDArray[np.int32]
    """Shape (M,); whose vector it is."""
    place: NDArray[np.int32]
    """Shape (n_items,); place of each item in this order, -1 = left out."""

    @classmethod
    def of(cls, item_vectors: FloatArray, known_items: NDArray[np.bool_]) -> "NormOrder":
        """Order the items of the mask `known_items`."""
        norm_I = np.linalg.norm(item_vectors, axis=1)
        known = np.flatnonzero(known_items)
        order = known[np.argsort(-norm_I[known], kind="stable")].astype(np.int32)
        place = np.full(len(item_vectors), UNKNOWN, np.int32)
        place[order] = np.arange(len(order))
        return cls(item_vectors, item_vectors[order], norm_I[order], order, place)


def top_k_by_norm(
    users_BF: FloatArray,
    items: NormOrder,
    *,
    k: int,
    excluded: tuple[NDArray[np.integer], NDArray[np.integer]],
    allowed: NDArray[np.bool_] | None,
) -> TopK:
    """The `k` items with the largest product for each user vector; ties by the lower row number.

    Parameters
    ----------
    users_BF
        Shape (B, F).
    items
        What may be chosen.
    k
        Places, 1 or more.
    excluded
        Rows of users and row numbers of items, pair by pair, that are never chosen.
    allowed
        Shape (n_items,) or (B, n_items); None = all.

    Notes
    -----
    Exact: a product is at most the product of the lengths, so a user is done as soon as the k-th best
    score exceeds own length x length of the next item (LEMP's length bound, Teflioudi et al. 2015).
    In factorisations of long-tailed logs most vectors are short, and few items are ever looked at.
    """
    n_users, n_items = len(users_BF), len(items.norms)
    best = BestSoFar(n_users, k)
    reach_B = np.linalg.norm(users_BF, axis=1) * _ROUNDING
    place = items.place[excluded[1]]
    # 16 bits are sorted by radix, many times faster
    by_place = np.argsort(place.astype(np.int16) if n_items < 2**15 else place, kind="stable")
    place, user = place[by_place], excluded[0][by_place]
    active = np.arange(n_users)
    start, width = 0, max(1, ITEMS_AT_ONCE // 4)
    while start < n_items and len(active):
        stop = min(start + width, n_items)
        scores_AM = users_BF[active] @ items.vectors[start:stop].T
        item_idx = items.item_idx[start:stop]
        here = slice(*np.searchsorted(place, [start, stop]))
        if here.stop > here.start:
            rows, columns = user[here], place[here] - start
            if len(active) < n_users:
                row_B = np.full(n_users, UNKNOWN)
                row_B[active] = np.arange(len(active))
                rows, columns = row_B[rows], columns[row_B[rows] != UNKNOWN]
                rows = rows[rows != UNKNOWN]
            scores_AM[rows, columns] = -np.inf
        if allowed is not None:
            mask = allowed[item_idx] if allowed.ndim == 1 else allowed[active[:, None], item_idx]
            np.copyto(scores_AM, -np.inf, where=~mask)
        kth_A = best.kth_score(active)
        if np.isneginf(kth_A).any():
            kth_A = np.maximum(kth_A, kth_lower_bound(scores_AM, min(k, stop - start)))
        best.add(active, scores_AM, at_least=kth_A, item_idx=item_idx)
        if stop < n_items:
            active = active[best.kth_score(active) <= reach_B[active] * items.norms[stop]]
        widest = max(ITEMS_AT_ONCE, BLOCK_CELLS // max(1, len(active)))
        start, width = stop, min(2 * width, widest)
    return best.result()
