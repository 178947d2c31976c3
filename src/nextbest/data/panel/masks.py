"""Products held as bits of a uint32: packing, unpacking, counting. Knows nothing of months or clients."""

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

UInt32Array = NDArray[np.uint32]
BoolArray = NDArray[np.bool_]


def pack_masks(held_NP: BoolArray) -> UInt32Array:
    """One mask a row: bit `p` of row `n` is set where `held_NP[n, p]`.

    Parameters
    ----------
    held_NP
        Products held. Shape (n_rows, n_products), at most 32 products.

    Returns
    -------
    ndarray of shape (n_rows,), uint32

    >>> pack_masks(np.array([[True, False, True], [False, False, False]])).tolist()
    [5, 0]
    """
    n_products = held_NP.shape[1]
    if n_products > 32:
        raise InputError("held_NP", "must have at most 32 columns", value=n_products)
    masks = np.zeros(len(held_NP), dtype=np.uint32)
    for product in range(n_products):
        masks |= held_NP[:, product].astype(np.uint32) << np.uint32(product)
    return masks


def unpack_masks(held_N: UInt32Array, *, n_products: int) -> BoolArray:
    """Products of each row as booleans, shape (n_rows, n_products); the inverse of `pack_masks`.

    >>> unpack_masks(np.array([5], dtype=np.uint32), n_products=3).tolist()
    [[True, False, True]]
    """
    octets = np.ascontiguousarray(held_N, dtype="<u4").view(np.uint8).reshape(len(held_N), 4)
    bits: BoolArray = np.unpackbits(octets, axis=1, bitorder="little").astype(bool)
    return bits[:, :n_products]


def _ones_of_16_bits() -> NDArray[np.uint8]:
    octets = np.arange(1 << 16, dtype="<u2").view(np.uint8).reshape(-1, 2)
    ones: NDArray[np.uint8] = np.unpackbits(octets, axis=1).sum(axis=1, dtype=np.uint8)
    return ones


_ONES = _ones_of_16_bits()


def count_products(held: UInt32Array) -> NDArray[np.uint8]:
    """Number of products in each mask, in the shape of `held`.

    >>> count_products(np.array([0, 5, 2**31], dtype=np.uint32)).tolist()
    [0, 2, 1]
    """
    counts: NDArray[np.uint8] = _ONES[held & np.uint32(0xFFFF)] + _ONES[held >> np.uint32(16)]
    return counts


def count_holders(held_N: UInt32Array, *, n_products: int) -> NDArray[np.int64]:
    """Rows that hold each product, shape (n_products,).

    >>> count_holders(np.array([5, 1], dtype=np.uint32), n_products=3).tolist()
    [2, 0, 1]
    """
    one = np.uint32(1)
    return np.array(
        [np.count_nonzero(held_N & (one << np.uint32(product))) for product in range(n_products)],
        dtype=np.int64,
    )
