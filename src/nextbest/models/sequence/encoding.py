"""Encoders that answer: arrays in, arrays out, by ONNX Runtime or by torch; neither is imported before it is asked for.

Axes: B windows, L places, D dims.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError, InputError
from nextbest.models.topk import FloatArray

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder

Encode = Callable[[FloatArray, NDArray[np.int64]], FloatArray]
"""Item vectors x_BLD float32, padded on the right, and length_B int64 -> the states that answer, h_BD float32; zeros
for a window of length 0. May be called from several threads."""


class OnnxEncoder:
    """An `Encode` that needs ONNX Runtime only.

    Parameters
    ----------
    graph
        What `Encoder.onnx` wrote.
    n_threads
        Threads for one call, 1 or more; 0 = all cores. Calls from several threads run side by side.

    Raises
    ------
    InputError
        ONNX Runtime isn't installed, or `n_threads` < 0.
    ArtifactError
        `graph` isn't one that ONNX Runtime can run, or not an encoder's.
    """

    def __init__(self, graph: bytes, *, n_threads: int = 1) -> None:
        if n_threads < 0:
            raise InputError("n_threads", "must be 0 or more", value=n_threads)
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise InputError(
                "onnxruntime", "encoding by ONNX Runtime needs it", remedy="install nextbest[onnx]"
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
        # waiting threads would else burn a core each, which a service pays for
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class of their own
            raise ArtifactError("encoder", f"ONNX Runtime can't read the graph ({error})") from error
        names = [value.name for value in self._session.get_inputs()]
        if names != ["x_BLD", "length_B"]:
            raise ArtifactError("encoder", f"is no encoder's graph: it takes {names}")
        self._dim = int(self._session.get_outputs()[0].shape[1])

    def __call__(self, x_BLD: FloatArray, length_B: NDArray[np.int64]) -> FloatArray:
        _check(x_BLD, length_B, dim=self._dim)
        if not x_BLD.shape[0] or not x_BLD.shape[1]:
            return np.zeros((len(x_BLD), self._dim), np.float32)
        inputs = {"x_BLD": np.asarray(x_BLD, np.float32), "length_B": np.asarray(length_B, np.int64)}
        h_BD: FloatArray = self._session.run(None, inputs)[0]
        return h_BD


class TorchEncoder:
    """An `Encode` by torch, from a copy of `network` as it is now; on the device that it is on."""

    def __init__(self, network: "Encoder") -> None:
        from copy import deepcopy

        # a copy: training that goes on must neither change answers nor switch dropout on in them
        self._network = deepcopy(network).eval()
        self._device = next(self._network.parameters()).device

    def __call__(self, x_BLD: FloatArray, length_B: NDArray[np.int64]) -> FloatArray:
        import torch

        _check(x_BLD, length_B, dim=self._network.dim)
        if not len(x_BLD):
            return np.zeros((0, self._network.dim), np.float32)
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(x_BLD, np.float32)).to(self._device)
            length = torch.from_numpy(np.ascontiguousarray(length_B, np.int64)).to(self._device)
            h_BD: FloatArray = self._network.last(x, length).cpu().numpy()
        return h_BD


def _check(x_BLD: FloatArray, length_B: NDArray[np.int64], *, dim: int) -> None:
    if x_BLD.ndim != 3 or x_BLD.shape[2] != dim:
        raise InputError("x_BLD", f"must have shape (B, L, {dim})", value=x_BLD.shape)
    if length_B.shape != (len(x_BLD),):
        raise InputError("length_B", f"must have shape ({len(x_BLD)},)", value=length_B.shape)
    bad = (length_B < 0) | (length_B > x_BLD.shape[1])
    if bad.any():
        examples = length_B[bad][:5].tolist()
        raise InputError(
            "length_B", f"must be 0 to {x_BLD.shape[1]}; {bad.sum()} row(s) break it", value=examples
        )
