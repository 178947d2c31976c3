"""Fold-in of ALS: the exact vector of any history, given the item vectors, for many histories at once."""

from collections.abc import Iterator

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
    covariance: FloatArray,
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
    if weights.nnz < len(item_vectors):  # few histories: only their own items matter
        used, inverse = np.unique(weights.indices, return_inverse=True)
        weights = csr_array((weights.data, inverse, weights.indptr), shape=(n_users, len(used)))
        item_vectors = item_vectors[used]
    projected_IF = item_vectors @ covariance
    for users in _alike(lengths, dim=dim):
        pick_BL, filled_BL = _places(weights.indptr, users)
        items_BL = np.where(filled_BL, weights.indices[pick_BL], 0)
        extra_BL = np.where(filled_BL, weights.data[pick_BL] * np.float64(alpha), 0)
        if items_BL.shape[1] <= dim:
            solved = _solve_small(items_BL, extra_BL, item_vectors, projected_IF)
        else:
            solved = _solve_direct(items_BL, extra_BL, item_vectors, precision)
        vectors[users] = solved
    return vectors


def toward_items(
    own: NDArray[np.integer],
    weight: NDArray[np.float64],
    indptr: NDArray[np.integer],
    wanted: NDArray[np.integer],
    item_vectors: FloatArray,
    *,
    precision: NDArray[np.float64],
    covariance: FloatArray,
    alpha: float,
) -> FloatArray:
    """Y_L (P + Y_L' diag(alpha w) Y_L)^-1 V': what a unit of each own item adds to each wanted item's score.

    Parameters
    ----------
    own, weight
        Different items of each history and their summed event weights > 0, shape (N,).
    indptr
        Where each history starts and ends in them, shape (B + 1,).
    wanted
        Row numbers of the items with the vectors V of each history, shape (B, K).
    item_vectors
        Shape (n_items, F); Y_L are those of one history.
    precision, covariance
        P = Y'Y + reg and its inverse, shape (F, F).
    alpha
        Confidence per unit of weight.

    Returns
    -------
    ndarray of shape (N, K)
        Rows stand as in `own`.

    Notes
    -----
    Solved together and by the smaller side, as in `fold_in`. With S**2 = alpha w, K = Y_L P^-1 Y_L' and
    A = Y_L P^-1 V', the inversion lemma makes it S^-1 (1 + S K S)^-1 S A: a solve of size L.
    """
    toward_NK = np.empty((len(own), wanted.shape[1]), np.float32)
    dim = item_vectors.shape[1]
    for users in _alike(indptr[1:] - indptr[:-1], dim=dim, n_more=wanted.shape[1]):
        pick_BL, filled_BL = _places(indptr, users)
        extra_BL = np.where(filled_BL, alpha * weight[pick_BL], 0)
        Y_BLF, V_BFK = item_vectors[own[pick_BL]], item_vectors[wanted[users]].transpose(0, 2, 1)
        if pick_BL.shape[1] <= dim:
            S_BL1 = np.sqrt(extra_BL)[:, :, None]
            Z_BLF = Y_BLF @ covariance
            system_BLL = _small_system(Z_BLF @ Y_BLF.transpose(0, 2, 1), S_BL1)
            solved_BLK = np.linalg.solve(system_BLL, S_BL1 * (Z_BLF @ V_BFK))
            toward_BLK = solved_BLK / np.where(filled_BL[:, :, None], S_BL1, 1)
        else:
            normal_BFF = _normal_matrix(Y_BLF, extra_BL, precision)
            toward_BLK = Y_BLF @ np.linalg.solve(normal_BFF, V_BFK.astype(np.float64))
        toward_NK[pick_BL[filled_BL]] = toward_BLK[filled_BL]
    return toward_NK


def _alike(lengths: NDArray[np.integer], *, dim: int, n_more: int = 0) -> Iterator[NDArray[np.int64]]:
    """Users of like length > 0, few enough to solve for together with `n_more` vectors for each."""
    order = np.argsort(lengths, kind="stable")
    lengths = lengths[order]
    first = int(np.searchsorted(lengths, 1))
    while first < len(lengths):
        width = int(lengths[first])
        widest = max(width + 1, width * 5 // 4)
        limit = max(1, _CELLS_AT_ONCE // ((widest + n_more) * (dim + widest)))
        last = min(first + limit, int(np.searchsorted(lengths, widest, side="right")))
        yield order[first : max(last, first + 1)]
        first = max(last, first + 1)


def _places(
    indptr: NDArray[np.integer], users: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the items of some users stand, shape (B, L), 0 past the end of a row; and which aren't past it."""
    starts, ends = indptr[users][:, None], indptr[users + 1][:, None]
    place_BL = starts + np.arange((ends - starts).max())
    filled_BL = place_BL < ends
    return np.where(filled_BL, place_BL, 0), filled_BL


def _solve_small(
    items_BL: NDArray[np.int64], extra_BL: NDArray[np.float64], Y_IF: FloatArray, Z_IF: FloatArray
) -> FloatArray:
    """One solve of size L a user, by the matrix inversion lemma; `extra_BL` is confidence - 1, 0 = padding."""
    Z_BLF = Z_IF[items_BL]
    K_BLL = (Z_BLF @ Y_IF[items_BL].transpose(0, 2, 1)).astype(np.float64)
    c_BL = np.where(extra_BL > 0, 1 + extra_BL, 0.0)
    S_BL = np.sqrt(extra_BL)
    system_BLL = _small_system(K_BLL, S_BL[:, :, None])
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
    normal_BFF = _normal_matrix(Y_BLF, extra_BL, precision_FF)
    c_BL = np.where(extra_BL > 0, 1 + extra_BL, 0.0).astype(np.float32)
    target_BF = (c_BL[:, None, :] @ Y_BLF)[:, 0, :].astype(np.float64)
    return np.asarray(np.linalg.solve(normal_BFF, target_BF[:, :, None])[:, :, 0], dtype=np.float32)


def _small_system(K_BLL: NDArray[np.floating], S_BL1: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 + S K S, shape (B, L, L)."""
    system_BLL = S_BL1 * K_BLL * S_BL1.transpose(0, 2, 1)
    diagonal = np.arange(K_BLL.shape[1])
    system_BLL[:, diagonal, diagonal] += 1
    return system_BLL


def _normal_matrix(
    Y_BLF: FloatArray, extra_BL: NDArray[np.float64], precision_FF: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P + Y' diag(extra) Y, shape (B, F, F)."""
    scaled_BLF = extra_BL.astype(np.float32)[:, :, None] * Y_BLF
    return np.asarray(precision_FF + (Y_BLF.transpose(0, 2, 1) @ scaled_BLF).astype(np.float64))
