"""Products of masks, and additions, the slow and plain way."""

import numpy as np
from numpy.typing import NDArray

from nextbest.simulate.panel import SimulatedPanel

N_PRODUCTS = 24


def unpack(masks: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """(N,) masks -> (N, 24)."""
    return np.array([[bool(int(mask) >> p & 1) for p in range(N_PRODUCTS)] for mask in masks.tolist()])


def bits(masks: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """The same, fast; `unpack` is its oracle."""
    return ((masks[..., None] >> np.arange(N_PRODUCTS, dtype=np.uint32)) & 1).astype(bool)


def present(panel: SimulatedPanel) -> NDArray[np.bool_]:
    """(M, C): who has a row when."""
    return np.array([panel.present(month) for month in panel.months_])


def additions(panel: SimulatedPanel, m: int) -> NDArray[np.bool_]:
    """(C, 24): added in month `m`; False for whoever is absent then or the month before."""
    there = present(panel)
    taken = panel.held_MC[m] & ~panel.held_MC[m - 1]
    return bits(np.where(there[m] & there[m - 1], taken, 0).astype(np.uint32))
