"""The encoder as an ONNX graph whose matrices have eight bits: one text's vectors in, the states of its places out.

Weights have a scale a column, what they are multiplied with a scale a text, both from the numbers themselves: nothing is
calibrated. A quarter of the time and memory of 32 bits. Axes: L places, D dims.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nextbest.models.language.e5.packed import Packed
from nextbest.models.onnx_nodes import FLOAT, Nodes

MATRICES = {"q": "q.w", "k": "k.w", "v": "v.w", "ao": "ao.w", "fi": "fi.w", "fo": "fo.w"}
"""Of a layer: what projects queries, keys, values, their mixture, into and out of the inner layer."""
_STEPS = 63
"""Of a weight: seven bits, because two products of eight pass sixteen on processors without VNNI."""
Floats = NDArray[np.float32]


def adapted(packed: Packed, layer: int, matrix: str, adapter: Mapping[str, NDArray[np.floating]]) -> Floats:
    """A matrix, shape (n_in, n_out), with what an adapter adds: B A of shapes (n_out, r) and (r, n_in), under `l0.q.b` and `l0.q.a`."""
    n_in = packed.sizes.inner if matrix == "fo" else packed.sizes.dim
    weight = packed.matrix(f"l{layer}.{MATRICES[matrix]}", n_in)
    name = f"l{layer}.{matrix}"
    if f"{name}.a" in adapter:
        weight = weight + adapter[f"{name}.b"].astype(np.float32) @ adapter[f"{name}.a"].astype(np.float32)
    return np.ascontiguousarray(weight.T)


def encoder_graph(packed: Packed, adapter: Mapping[str, NDArray[np.floating]]) -> bytes:
    """The graph, with an adapter's matrices merged into the weights.

    Raises
    ------
    InputError
        The onnx package isn't installed.
    ArtifactError
        The file lacks a tensor.
    """
    graph, sizes = Nodes(), packed.sizes
    n_heads = sizes.n_heads

    def norm(x: str, name: str) -> str:
        weights = graph.array(packed.vector(f"{name}.w")), graph.array(packed.vector(f"{name}.b"))
        return graph.op("LayerNormalization", x, *weights, axis=-1, epsilon=sizes.epsilon)

    def linear(x: str, layer: int, *matrices: str) -> str:
        """x W + b; several matrices side by side are one product."""
        weight_IO = np.hstack([adapted(packed, layer, matrix, adapter) for matrix in matrices])
        scale_O = np.maximum(np.abs(weight_IO).max(axis=0), 1e-12) / _STEPS
        steps_IO = np.round(weight_IO / scale_O).astype(np.int8)
        steps, scale, zero = graph.node("DynamicQuantizeLinear", [x], ["y", "scale", "zero"])
        product = graph.op(
            "MatMulInteger", steps, graph.array(steps_IO), zero, graph.array(np.zeros((), np.int8))
        )
        scales = graph.op("Mul", scale, graph.array(scale_O.astype(np.float32)))
        floats = graph.op("Mul", graph.op("Cast", product, to=FLOAT), scales)
        names = [f"l{layer}.{MATRICES[matrix].removesuffix('.w')}.b" for matrix in matrices]
        return graph.op("Add", floats, graph.array(np.hstack([packed.vector(name) for name in names])))

    x = norm("x_BLD", "emb.ln")
    for layer in range(sizes.n_layers):
        side_1LX = graph.op("Reshape", linear(x, layer, "q", "k", "v"), graph.ints([0, 0, 3, n_heads, -1]))
        side_31HLE = graph.op("Transpose", side_1LX, perm=[2, 0, 3, 1, 4])
        q, k, v = (graph.op("Gather", side_31HLE, graph.array(np.array(n)), axis=0) for n in range(3))
        mixed = graph.from_heads(graph.attention(q, k, v, dim=sizes.dim // n_heads), sizes.dim)
        x = norm(graph.op("Add", x, linear(mixed, layer, "ao")), f"l{layer}.aln")
        inner = graph.gelu(linear(x, layer, "fi"))
        x = norm(graph.op("Add", x, linear(inner, layer, "fo")), f"l{layer}.oln")
    graph.name_output(graph.op("ReduceMean", x, axes=[1], keepdims=0), "h_BD")
    return graph.graph([graph.floats("x_BLD", [1, "L", sizes.dim])], [graph.floats("h_BD", [1, sizes.dim])])
