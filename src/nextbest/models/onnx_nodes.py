"""ONNX graphs built operator by operator: the parts that all our encoders share. Needs the onnx package, and no torch.

Operators of opset 17, which ONNX Runtime has run since 1.12 and other runtimes do too. Methods take and give names of values;
their axes are those of encoders (B windows, L places, D dims, H heads, E dims of a head).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ModuleNotFoundError as error:
    raise InputError(
        "onnx", "writing an encoder's graph needs it", remedy="install nextbest[deep]"
    ) from error

OPSET = 17
FLOAT, INT32 = int(TensorProto.FLOAT), int(TensorProto.INT32)
"""Types that a cast names."""
_IR_VERSION = 8
"""Of opset 17's own time, so that runtimes of that time read it."""


class Nodes:
    """Operators and weights of one graph, in the order in which they were added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output; "" is an input left out."""
        return self.node(kind, inputs, ["y"], **attributes)[0]

    def node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> list[str]:
        """Add an operator; the names of its outputs, "" for one left out."""
        number = len(self._nodes)
        names = [f"{kind}_{number}_{output}" if output else "" for output in outputs]
        self._nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{number}", **attributes))
        return names

    def array(self, value: NDArray[Any]) -> str:
        """A weight of the graph, of the array's own type."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def scalar(self, value: float) -> str:
        return self.array(np.array(value, np.float32))

    def ints(self, values: Sequence[int]) -> str:
        return self.array(np.array(values, np.int64))

    def gelu(self, x: str) -> str:
        """x / 2 (1 + erf(x / sqrt 2)); an operator of its own comes with a later opset."""
        erf = self.op("Erf", self.op("Div", x, self.scalar(2**0.5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.scalar(1.0))), self.scalar(0.5))

    def heads(self, x_BLD: str, n_heads: int) -> str:
        """(B, L, D) -> (B, H, L, E)."""
        return self.op(
            "Transpose", self.op("Reshape", x_BLD, self.ints([0, 0, n_heads, -1])), perm=[0, 2, 1, 3]
        )

    def from_heads(self, x_BHLE: str, dim: int) -> str:
        """(B, H, L, E) -> (B, L, D)."""
        return self.op("Reshape", self.op("Transpose", x_BHLE, perm=[0, 2, 1, 3]), self.ints([0, 0, dim]))

    def attention(self, q: str, k: str, v: str, *, dim: int, log_seen: str | None = None) -> str:
        """Softmax(q k^T / sqrt(dim) + log_seen) v; without `log_seen` every place sees all."""
        product = self.op(
            "MatMul", self.op("Mul", q, self.scalar(dim**-0.5)), self.op("Transpose", k, perm=[0, 1, 3, 2])
        )
        scores = product if log_seen is None else self.op("Add", product, log_seen)
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), v)

    def name_output(self, value: str, name: str) -> None:
        """Give a value the name by which an output is known."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def graph(
        self, inputs: "Sequence[onnx.ValueInfoProto]", outputs: "Sequence[onnx.ValueInfoProto]"
    ) -> bytes:
        """The graph, checked."""
        graph = helper.make_graph(
            self._nodes, "encoder", list(inputs), list(outputs), initializer=self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="nextbest",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    @staticmethod
    def floats(name: str, shape: Sequence[str | int]) -> "onnx.ValueInfoProto":
        """An input or output of 32-bit floats."""
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    @staticmethod
    def integers(name: str, shape: Sequence[str | int]) -> "onnx.ValueInfoProto":
        """An input or output of 64-bit integers."""
        return helper.make_tensor_value_info(name, TensorProto.INT64, list(shape))
