"""Checks of what a caller passes to a model: the message names the rule, the value and a remedy."""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN
from nextbest.errors import InputError


def check_k(k: int) -> None:
    """InputError unless `k` is 1 or more."""
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)


def check_items(name: str, items: NDArray[np.integer], *, n_items: int) -> None:
    """InputError unless every row number in `items` is one of `n_items`."""
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        raise InputError(
            name,
            f"item row numbers must lie in 0..{n_items - 1}",
            value=items[(items < 0) | (items >= n_items)][:5].tolist(),
            remedy="encode the journal with the model's own item_ids_, or pass Interactions to recommend()",
        )


def checked_mask(name: str, mask: object, *, shapes: list[tuple[int, ...]]) -> NDArray[np.bool_]:
    """`mask` as an array; InputError unless it is boolean and of one of these shapes."""
    array = np.asarray(mask)
    if array.dtype != np.bool_ or array.shape not in shapes:
        rule = f"must be bool of shape {' or '.join(map(str, shapes))}"
        raise InputError(name, rule, value=f"{array.dtype} {array.shape}")
    return array


def checked_rows(name: str, item_idx: NDArray[np.integer], *, n_rows: int, n_items: int) -> NDArray[np.int32]:
    """`item_idx` as an array; InputError unless it is `n_rows` rows of items, UNKNOWN = none."""
    rows = np.asarray(item_idx)
    if rows.ndim != 2 or len(rows) != n_rows:
        raise InputError(name, f"must hold a row of items for each of {n_rows} histories", value=rows.shape)
    if rows.size and (rows.min() < 0 or rows.max() >= n_items):
        check_items(name, rows[rows != UNKNOWN], n_items=n_items)
    return rows.astype(np.int32, copy=False)
