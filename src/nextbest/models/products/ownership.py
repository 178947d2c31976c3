"""What each client will hold next month: who has a product keeps it or drops it, who hasn't may add it.

The second half of the question; the first is the estimators of additions. Axes: N rows, P products.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import unpack_masks
from nextbest.errors import InputError
from nextbest.models.products.base import FloatArray


def own_next_month(p_add_NP: NDArray[Any], p_drop_NP: NDArray[Any], held_N: NDArray[np.uint32]) -> FloatArray:
    """P(own in the target month): 1 - P(drop) for holders, P(add) for the others. Shape (N, P), float32.

    Parameters
    ----------
    p_add_NP
        P(add) of who doesn't hold the product; not looked at elsewhere.
    p_drop_NP
        P(drop) of who holds it; not looked at elsewhere.
    held_N
        Packed products held in the month before the target.

    Raises
    ------
    InputError
        Shapes differ.
    """
    if p_add_NP.shape != p_drop_NP.shape or len(held_N) != len(p_add_NP):
        raise InputError("p_drop_NP", f"must have shape {p_add_NP.shape}", value=p_drop_NP.shape)
    held_NP = unpack_masks(held_N, n_products=p_add_NP.shape[1])
    return np.where(held_NP, 1 - p_drop_NP, p_add_NP).astype(np.float32)
