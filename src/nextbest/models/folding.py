"""Fold-in of ALS: the exact vector of any history, given the item vectors, for many histories at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextbest.models.topk import FloatArray

_CELLS_AT_ONCE = 1 << 20


def precision_matrix(item_vectors: FloatArray, regularization: float) -> NDArray[np.float64]:
    """Part of the normal equations that all users share: Y'Y + regularization I, shape (F, F)."""
    Y_IF = item_vectors.astype(np.float64)
    return np.asarray(Y_IF.T @ Y_IF + regularization * np.eye(Y_IF.shape[1]))


def fold_in(
    weights: csr_array,
    item_vectors: FloatArray,
    *,
    precision: NDArray[np.float64],
    covariance: NDArray[np.float64],
    alpha: float,
) -> FloatArray:
    """Vectors that solve (Y'Y + reg + Y' diag(alpha w) Y) x = Y'(1 + alpha w) for each history.

    Parameters
    ----------
    weights
        Shape (B, n_items); summed event weights > 0 of the items in each history.
    item_vectors
        Y, shape (n_items, F).
    precision
        `precision_matrix` of the same item vectors, shape (F, F).
    covariance
        Its inverse, shape (F, F): known beforehand, so that a single question needn't compute it.
    alpha
        Confidence per unit of weight.

    Returns
    -------
    ndarray of shape (B, F)
        0 for an empty history.

    Notes
    -----
    Histories of like length L are solved together. With M = (Y'Y + reg)^-1, the `covariance`, the matrix
    inversion lemma turns a solve of size F into one of size L: x = M Y_L' (c - S (1 + S K S)^-1 S K c)
    with K = Y_L M Y_L', S**2 = alpha w and c = 1 + alpha w. Longer histories than F take the direct road.
    """
    n_users, dim = weights.shape[0], item_vectors.shape[1]
    vectors = np.zeros((n_users, dim), np.float32)
    lengths = np.diff(weights.indptr)
    order = np.argsort(lengths, kind="stable")
    if weights.nnz < len(item_vectors):  # few histories: only their own items matter
        used, inverse = np.unique(weights.indices, return_inverse=True)
        weights = csr_array((weights.data, inverse, weights.indptr), shape=(n_users, len(used)))
        item_vectors = item_vectors[used]
    projected_IF = item_vectors @ covariance.astype(np.float32)
    first = int(np.searchsorted(lengths[order], 1))
    while first < n_users:
        width = int(lengths[order[first]])
        widest = max(width + 1, width * 5 // 4)
        limit = max(1, _CELLS_AT_ONCE // (widest * (dim + widest)))
        last = min(first + limit, int(np.searchsorted(lengths[order], widest, side="right")))
        users = order[first : max(last, first + 1)]
        items_BL, weight_BL = _padded(weights, users, lengths)
        if items_BL.shape[1] <= dim:
            solved = _solve_small(items_BL, weight_BL * alpha, item_vectors, projected_IF)
        else:
            solved = _solve_direct(items_BL, weight_BL * alpha, item_vectors, precision)
        vectors[users] = solved
        first += len(users)
    return vectors


def toward_items(
    own: FloatArray,
    wanted: FloatArray,
    *,
    extra: NDArray[np.float64],
    precision: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Y_L (P + Y_L' diag(extra) Y_L)^-1 V': what a unit of each own item adds to each wanted item's score.

    Parameters
    ----------
    own
        Y_L, shape (L, F): vectors of the different items of one history.
    wanted
        V, shape (K, F).
    extra
        Shape (L,); confidence - 1 of the own items, > 0.
    precision, covariance
        P = Y'Y + reg and its inverse, shape (F, F).

    Returns
    -------
    ndarray of shape (L, K)

    Notes
    -----
    With S = sqrt(extra), K = Y_L P^-1 Y_L' and A = Y_L P^-1 V', the inversion lemma makes it
    S^-1 (1 + S K S)^-1 S A: a solve of size L, used where that is smaller than F.
    """
    Y_LF = own.astype(np.float64)
    if len(own) > own.shape[1]:
        normal_FF = precision + Y_LF.T @ (extra[:, None] * Y_LF)
        return np.asarray(Y_LF @ np.linalg.solve(normal_FF, wanted.T.astype(np.float64)))
    projected_LF = Y_LF @ covariance
    S_L1 = np.sqrt(extra)[:, None]
    system_LL = S_L1 * (projected_LF @ Y_LF.T) * S_L1.T
    system_LL.flat[:: len(own) + 1] += 1
    target_LK = S_L1 * (projected_LF @ wanted.T)
    return np.asarray(np.linalg.solve(system_LL, target_LK) / S_L1)


def _padded(
    weights: csr_array, users: NDArray[np.integer], lengths: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Items and weights of some rows, shape (B, L); places past the end hold item 0 and weight 0."""
    width = int(lengths[users].max())
    place_L = np.arange(width)
    filled_BL = place_L < lengths[users][:, None]
    pick_BL = np.where(filled_BL, weights.indptr[users][:, None] + place_L, 0)
    items = np.where(filled_BL, weights.indices[pick_BL], 0).astype(np.int64)
    return items, np.where(filled_BL, weights.data[pick_BL], 0).astype(np.float64)


def _solve_small(
    items_BL: NDArray[np.int64], extra_BL: NDArray[np.float64], Y_IF: FloatArray, Z_IF: FloatArray
) -> FloatArray:
    """One solve of size L a user, by the matrix inversion lemma; `extra_BL` is confidence - 1, 0 = padding."""
    Z_BLF = Z_IF[items_BL]
    K_BLL = (Z_BLF @ Y_IF[items_BL].transpose(0, 2, 1)).astype(np.float64)
    c_BL = np.where(extra_BL > 0, 1 + extra_BL, 0.0)
    S_BL = np.sqrt(extra_BL)
    system_BLL = S_BL[:, :, None] * K_BLL * S_BL[:, None, :]
    diagonal = np.arange(items_BL.shape[1])
    system_BLL[:, diagonal, diagonal] += 1
    target_BL = S_BL * (K_BLL @ c_BL[:, :, None])[:, :, 0]
    v_BL = c_BL - S_BL * np.linalg.solve(system_BLL, target_BL[:, :, None])[:, :, 0]
    return np.asarray((v_BL.astype(np.float32)[:, None, :] @ Z_BLF)[:, 0, :], dtype=np.float32)


def _solve_direct(
    items_BL: NDArray[np.int64],
    extra_BL: NDArray[np.float64],
    Y_IF: FloatArray,
    precision_FF: NDArray[np.float64],
) -> FloatArray:
    """One solve of size F a user."""
    Y_BLF = Y_IF[items_BL]
    scaled_BLF = extra_BL.astype(np.float32)[:, :, None] * Y_BLF
    normal_BFF = precision_FF + (Y_BLF.transpose(0, 2, 1) @ scaled_BLF).astype(np.float64)
    c_BL = np.where(extra_BL > 0, 1 + extra_BL, 0.0).astype(np.float32)
    target_BF = (c_BL[:, None, :] @ Y_BLF)[:, 0, :].astype(np.float64)
    return np.asarray(np.linalg.solve(normal_BFF, target_BF[:, :, None])[:, :, 0], dtype=np.float32)
