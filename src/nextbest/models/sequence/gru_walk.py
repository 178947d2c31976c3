"""Last states of a one-layer GRU for many histories at once, by numpy: half the products of a graph that reads vectors.

What an item feeds to the gates is worked out once per item, not once per event; a place of a history then costs a row
of that table and the product with the old state. Histories run side by side, longest first, and drop out as they end,
so nothing is padded. For a few histories a graph is faster: here every place costs a dozen calls.

Axes: I items, D dims of their vectors, H hidden, B histories.
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm

from nextbest.data.interactions import Histories
from nextbest.models.threads import single_threaded_blas
from nextbest.models.topk import FloatArray

WORTH_A_WALK = 64
"""Histories from which on it is faster than a graph."""
_AT_ONCE = 256
"""Histories side by side; their gates stay near the processor."""


class GRUWalk:
    """Gates of every item, made once, and the weights of the state.

    Parameters
    ----------
    vectors_ID
        What the recurrence reads of each item; a history's row numbers are rows of it.
    w_ih, w_hh, b_ih, b_hh
        As `nn.GRU` names and shapes them: (3H, D), (3H, H), (3H,), (3H,), gates r, z, n.

    Notes
    -----
    sigmoid(a) = (1 + tanh(a / 2)) / 2: everything before r and z is halved in advance.
    """

    def __init__(
        self, vectors_ID: FloatArray, w_ih: FloatArray, w_hh: FloatArray, b_ih: FloatArray, b_hh: FloatArray
    ) -> None:
        bias_r, bias_z, bias_n = b_ih.reshape(3, -1)
        state_r, state_z, state_n = b_hh.reshape(3, -1)
        half = np.float32(0.5)
        read_r, read_z, read_n = w_ih.reshape(3, len(bias_r), -1)
        self._r_IH = (vectors_ID @ read_r.T + (bias_r + state_r)) * half
        self._z_IH = (vectors_ID @ read_z.T + (bias_z + state_z)) * half
        self._n_IH = vectors_ID @ read_n.T + bias_n
        self._bias_n = state_n * half
        # halved for n, too: it is multiplied by 1 + tanh, which is 2 r
        self._w_r, self._w_z, self._w_n = (
            np.asfortranarray(w * half) for w in w_hh.reshape(3, len(bias_r), -1)
        )

    def __call__(self, histories: Histories, *, max_len: int) -> FloatArray:
        """State after the newest `max_len` events of each history, shape (B, H); 0 after none."""
        length_B = np.minimum(histories.lengths, max_len)
        order = np.argsort(-length_B, kind="stable")
        h_BH = np.zeros((len(order), len(self._bias_n)), np.float32)
        with single_threaded_blas():  # the products are small
            for start in range(0, len(order), _AT_ONCE):
                rows = order[start : start + _AT_ONCE]
                first = histories.indptr[rows + 1] - length_B[rows]
                h_BH[rows] = self._walk(histories.item_idx, first, length_B[rows])
        return h_BH

    def _walk(
        self, items: NDArray[np.int32], first_B: NDArray[np.int64], length_B: NDArray[np.int64]
    ) -> FloatArray:
        h_BH = np.zeros((len(first_B), len(self._bias_n)), np.float32)
        bias_BH = np.tile(self._bias_n, (len(first_B), 1))
        spare = np.empty((4, *h_BH.shape), np.float32)
        n_left_L = np.searchsorted(-length_B, -np.arange(int(length_B[0])))  # with an event at this place
        for place, n_left in enumerate(n_left_L.tolist()):
            h = h_BH[:n_left]
            r, z, n, s = spare[:, :n_left]
            item = items[first_B[:n_left] + place]
            # clip: row numbers are checked before, and every other mode takes a copy
            self._r_IH.take(item, axis=0, out=r, mode="clip")
            self._z_IH.take(item, axis=0, out=z, mode="clip")
            self._n_IH.take(item, axis=0, out=n, mode="clip")
            np.copyto(s, bias_BH[:n_left])
            r, z, s = _plus(r, h, self._w_r), _plus(z, h, self._w_z), _plus(s, h, self._w_n)
            np.tanh(r, out=r)
            np.tanh(z, out=z)
            r += 1
            r *= s
            n += r
            np.tanh(n, out=n)
            # h = n + z (h - n)
            h -= n
            h *= 0.5
            z += 1
            h *= z
            h += n
        return h_BH


def _plus(sum_BH: FloatArray, h_BH: FloatArray, w_HH: FloatArray) -> FloatArray:
    """sum + h W^T, in the memory of `sum_BH` (BLAS counts by columns, so all is turned over)."""
    added: FloatArray = sgemm(1.0, w_HH, h_BH.T, beta=1.0, c=sum_BH.T, overwrite_c=True).T
    return added


def tensors_of(weights: bytes) -> dict[str, NDArray[Any]]:
    """The float32 arrays of a safetensors file, as views of it; who only answers needs no library for that.

    Raises
    ------
    ValueError
        The bytes end too early.
    """
    n_head = int.from_bytes(weights[:8], "little")
    if len(weights) < 8 + n_head:
        raise ValueError("weights are cut off")
    head = json.loads(weights[8 : 8 + n_head])
    found = {}
    for name, told in head.items():
        if name == "__metadata__" or told["dtype"] != "F32":
            continue
        start, stop = (8 + n_head + at for at in told["data_offsets"])
        if stop > len(weights):
            raise ValueError(f"weights are cut off in {name}")
        found[name] = np.frombuffer(weights[start:stop], "<f4").reshape(told["shape"])
    return found
