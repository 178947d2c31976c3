"""Running product and running maximum along rows, faster than `accumulate`, which waits for each result in turn.

A row is cut into blocks; one step works on the same place of all blocks of all rows, and the blocks are joined at the
end. For the same reason a product is multiplied in another order than one by one: equal within rounding.

Legend: `C` rows, `T` places, `B` blocks of a row, `L` places of a block.
"""

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_LEAST_FOR_BLOCKS = 64
"""Shorter rows are one block: plain `accumulate`."""


def running_product(x_CT: FloatArray) -> FloatArray:
    """Product of each row up to and with each place; shape of the input."""
    return _scan(x_CT, np.multiply, 1.0)


def running_maximum(x_CT: FloatArray) -> FloatArray:
    """Maximum of each row up to and with each place; shape of the input."""
    return _scan(x_CT, np.maximum, -np.inf)


def _scan(x_CT: FloatArray, operation: np.ufunc, neutral: float) -> FloatArray:
    """`operation.accumulate(x_CT, axis=1)`."""
    n_rows, n = x_CT.shape
    if n < _LEAST_FOR_BLOCKS:
        short_CT: FloatArray = operation.accumulate(x_CT, axis=1)
        return short_CT
    length = math.isqrt(n)
    n_blocks = -(-n // length)
    padded_CT = x_CT
    if n_blocks * length != n:
        padded_CT = np.full((n_rows, n_blocks * length), neutral)
        padded_CT[:, :n] = x_CT
    step_LCB = np.ascontiguousarray(padded_CT.reshape(n_rows, n_blocks, length).transpose(2, 0, 1))
    for i in range(1, length):
        operation(step_LCB[i - 1], step_LCB[i], out=step_LCB[i])
    before_CB = np.full((n_rows, n_blocks), neutral)
    before_CB[:, 1:] = operation.accumulate(step_LCB[-1, :, :-1], axis=1)
    operation(step_LCB, before_CB, out=step_LCB)
    return np.ascontiguousarray(step_LCB.transpose(1, 2, 0)).reshape(n_rows, -1)[:, :n]
