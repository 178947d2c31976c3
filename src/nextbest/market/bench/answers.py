"""Is what a model said an answer? Shapes, numbers, rising quantiles; and the same when nobody stands behind it.

Axes: O origins, A assets, H horizons, Q levels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_CROSSING = 1e-12
"""Quantiles may fall by that much: rounding."""
_ALONE = 1e-3
"""An answer may differ by that share of its spread when it is asked alone: sums in another order, float32."""


def checked(said: Any, shape: tuple[int, ...], alive_OA: NDArray[np.bool_]) -> tuple[FloatArray, str | None]:
    """The cells that are answers, NaN elsewhere, shape (O, A, H, Q); and what is wrong, if anything.

    Parameters
    ----------
    said
        Whatever the model returned.
    shape
        What it had to be.
    alive_OA
        Assets with a close at the cutoff: only those must be answered.
    """
    nothing = np.full(shape, np.nan)
    try:
        answer = np.array(said, np.float64)
    except (TypeError, ValueError) as error:
        return nothing, f"answered no numbers: {error}"
    if answer.shape != shape:
        return nothing, f"answered shape {answer.shape}, asked was {shape}"
    faults = []
    gone = np.asarray(~np.isfinite(answer).all(-1))
    answer[gone] = np.nan
    wanted = np.broadcast_to(alive_OA[:, :, None], gone.shape)
    missing = gone & wanted
    if missing.any():
        faults.append(f"no number in {_cells(missing, wanted)}")
    crossing = np.asarray((np.diff(answer, axis=-1) < -_CROSSING).any(-1))
    answer[crossing] = np.nan
    if crossing.any():
        faults.append(f"quantiles cross in {_cells(crossing, wanted)}")
    return answer, "; ".join(faults) or None


def same_alone(together: FloatArray, alone: FloatArray) -> bool:
    """Whether an origin's answer, (A, H, Q), is the same with and without later origins in the call."""
    if together.shape != alone.shape or (np.isnan(together) != np.isnan(alone)).any():
        return False
    spread = np.nanmax(np.abs(together), axis=-1, keepdims=True, initial=0.0) + 1e-12
    return bool((np.nan_to_num(np.abs(together - alone)) <= _ALONE * spread).all())


def _cells(bad: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> str:
    first = [tuple(int(n) for n in cell) for cell in np.argwhere(bad)[:5]]
    return f"{int(bad.sum())} of {int(wanted.sum())} cells, first (origin, asset, horizon): {first}"
