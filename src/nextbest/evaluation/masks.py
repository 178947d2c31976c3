"""Product masks as truth and as prediction: constants, persistence, ownership a month later, and checks.

A mask is a uint32 a client; bit `p` is product `p` of the schema. Packing and counting are
`data.panel.masks`. Knows no product's name.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError

Masks = NDArray[np.uint32]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
MAX_PRODUCTS = 32
_BITS = (np.arange(256)[:, None] >> np.arange(8)) & 1
"""Bits of each byte, lowest first. Shape (256, 8)."""


def mask_sums(mask_N: Masks, value_P: Floats) -> Floats:
    """Sum of `value_P` over the products in each client's mask. Shape (n_clients,)."""
    checked_masks("mask_N", mask_N, n_products=len(value_P))
    padded = np.zeros(MAX_PRODUCTS)
    padded[: len(value_P)] = value_P
    sums = np.zeros(len(mask_N))
    for i, byte in enumerate(_bytes(mask_N)):
        table = _BITS @ padded[8 * i : 8 * i + 8]
        if table.any():
            sums += table[byte]
    return sums


def has_product(mask_N: Masks, product: int) -> NDArray[np.bool_]:
    """Whether each client's mask has this bit. Shape (n_clients,)."""
    has: NDArray[np.bool_] = (mask_N & np.uint32(1 << product)) != 0
    return has


def constant_masks(n_clients: int, *, products: Sequence[int]) -> Masks:
    """The same products for everyone: "each has a current account and nothing else". Shape (n_clients,).

    Examples
    --------
    >>> constant_masks(2, products=[2]).tolist()
    [4, 4]
    """
    if bad := [p for p in products if not 0 <= p < MAX_PRODUCTS]:
        raise InputError("products", f"must lie in 0..{MAX_PRODUCTS - 1}", value=bad)
    return np.full(n_clients, sum(1 << p for p in set(products)), np.uint32)


def owned_after(held_N: Masks, *, added_N: Masks | None = None, dropped_N: Masks | None = None) -> Masks:
    """Ownership a month later: held, less what is dropped, and what is added. Shape (n_clients,).

    Without both it is *persistence*, "the same as last month". Give true masks for the truth and predicted
    ones for a prediction of ownership.

    Raises
    ------
    DataError
        A product is added that is held, or dropped that isn't.
    """
    owned_N = held_N.copy()
    if dropped_N is not None:
        _refuse("dropped_N", "only what is held can be dropped", dropped_N & ~held_N)
        owned_N &= ~dropped_N
    if added_N is not None:
        check_not_held(added_N, held_N)
        owned_N |= added_N
    return owned_N


def check_not_held(added_N: Masks, held_N: Masks, *, name: str = "added_N") -> None:
    """Refuse additions of products that the client held already, because then `held_N` is of another month."""
    if len(added_N) != len(held_N):
        raise InputError(name, f"must have a mask for each of {len(held_N)} clients", value=len(added_N))
    _refuse(name, "a product that is held can't be added", added_N & held_N)


def checked_masks(name: str, mask_N: Masks, *, n_products: int, n_clients: int | None = None) -> Masks:
    """The masks, if they are uint32, of the right length and without bits past the products.

    Raises
    ------
    InputError
        Wrong type, shape or length, or `n_products` outside 1..32.
    DataError
        A bit past the last product.
    """
    if not 1 <= n_products <= MAX_PRODUCTS:
        raise InputError("n_products", f"must lie in 1..{MAX_PRODUCTS}", value=n_products)
    if mask_N.dtype != np.uint32 or mask_N.ndim != 1:
        raise InputError(name, "must be uint32 with one axis", value=(str(mask_N.dtype), mask_N.shape))
    if n_clients is not None and len(mask_N) != n_clients:
        raise InputError(name, f"must have a mask for each of {n_clients} clients", value=len(mask_N))
    if n_products < MAX_PRODUCTS:
        _refuse(name, f"has a bit past the {n_products} products", mask_N >> np.uint32(n_products))
    return mask_N


def _refuse(name: str, rule: str, wrong_N: Masks) -> None:
    if wrong_N.any():
        rows = np.flatnonzero(wrong_N)
        raise DataError(name, rule, n_bad=len(rows), examples=rows[:5].tolist())


def _bytes(mask_N: Masks) -> list[NDArray[np.uint8]]:
    """The four bytes of each mask, lowest first, on any machine."""
    as_bytes = np.ascontiguousarray(mask_N.astype("<u4", copy=False)).view(np.uint8).reshape(-1, 4)
    return [as_bytes[:, i] for i in range(4)]
