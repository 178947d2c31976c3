"""Wealth, deepest fall and longest time below a peak of many rows of growth factors at once.

`accumulate` waits for each product before the next. Here a row is cut into blocks, one step works on the same place of all
blocks of all rows, and blocks are joined at the end. Products are then multiplied in another order: equal within rounding,
and still the same to the last bit where nothing grows.

Legend: `C` rows, `T` days, `B` blocks of a row, `L` days of a block (B L >= T), `LCB` days of a block first.
"""

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Underwater:
    """Buffers for rows of one length, used again for each chunk: fresh memory for each costs more than the arithmetic.

    Parameters
    ----------
    n_rows
        Most rows of a chunk.
    n_days
        T, 1 or more.
    """

    def __init__(self, n_rows: int, n_days: int) -> None:
        self._n_days = n_days
        length = math.isqrt(n_days)
        n_blocks = -(-n_days // length)
        self._growth_CT = np.ones((n_rows, n_blocks * length))  # what lies beyond T stays 1
        self._wealth_LCB = np.empty((length, n_rows, n_blocks))
        self._peak_LCB = np.empty((length, n_rows, n_blocks))
        self._at_peak_CT = np.empty((n_rows, n_blocks, length), bool)

    def growth_of(self, r_CT: FloatArray) -> FloatArray:
        """1 + r, in a buffer that `falls` reads. Shape (C, T)."""
        return np.add(r_CT, 1.0, out=self._growth_CT[: len(r_CT), : self._n_days])

    def falls(self, n_rows: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of the rows last given to `growth_of`: last wealth, deepest fall, longest stretch below a peak.

        Returns
        -------
        (wealth, depth, observations), each of shape (C,)
            Growth of 1; lowest wealth / peak - 1, <= 0 unless wealth is negative; the base 1 is the first peak.
        """
        length, _, n_blocks = self._wealth_LCB.shape
        wealth_LCB, peak_LCB = self._wealth_LCB[:, :n_rows], self._peak_LCB[:, :n_rows]
        wealth_LCB[:] = self._growth_CT[:n_rows].reshape(n_rows, n_blocks, length).transpose(2, 0, 1)
        _scan(wealth_LCB, np.multiply)
        last_C = wealth_LCB[-1, :, -1].copy()  # beyond T nothing grows
        peak_LCB[:] = wealth_LCB
        np.maximum(peak_LCB[0, :, 0], 1.0, out=peak_LCB[0, :, 0])  # the base is the first peak
        _scan(peak_LCB, np.maximum)
        at_peak_CT = self._at_peak_CT[:n_rows]
        np.equal(wealth_LCB, peak_LCB, out=at_peak_CT.transpose(2, 0, 1))
        depth_C = np.divide(wealth_LCB, peak_LCB, out=peak_LCB).min(axis=(0, 2)) - 1.0
        return last_C, depth_C, longest_stretch(~at_peak_CT.reshape(n_rows, -1)[:, : self._n_days])


def longest_stretch(below_CT: npt.NDArray[np.bool_]) -> FloatArray:
    """Most True in a row of each row, shape (C,)."""
    n_rows, n = below_CT.shape
    elsewhere = np.flatnonzero(~below_CT)
    rows = np.arange(n_rows)
    ends = np.searchsorted(elsewhere, (rows + 1) * n)
    places = np.insert(elsewhere, ends, (rows + 1) * n)  # a row's end closes its last stretch
    firsts = ends + rows - np.diff(ends, prepend=0)
    before = np.empty_like(places)
    before[1:] = places[:-1]
    before[firsts] = rows * n - 1
    longest_C: FloatArray = np.maximum.reduceat(places - before - 1, firsts).astype(np.float64)
    return longest_C


def _scan(x_LCB: FloatArray, operation: np.ufunc) -> None:
    """`operation.accumulate` along each row of blocks, in place."""
    for i in range(1, len(x_LCB)):
        operation(x_LCB[i - 1], x_LCB[i], out=x_LCB[i])
    before_CB = operation.accumulate(x_LCB[-1, :, :-1], axis=1)
    later_LCB = x_LCB[:, :, 1:]
    operation(later_LCB, before_CB, out=later_LCB)
