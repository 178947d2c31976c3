"""Hand-built ONNX graphs of encoders: vectors of a window in, the state that answers out. Needs the onnx package.

A builder's methods take and give names of values; their axes are those of the encoders (B windows, L places, D dims).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nextbest.models.onnx_nodes import FLOAT, INT32, Nodes

_NEVER = -1e9
"""Log of a weight that is 0: finite, so that no runtime makes NaN of a difference of two."""


class GraphBuilder(Nodes):
    """One graph with inputs `x_BLD` and `length_B`, built up operator by operator."""

    INT32 = INT32

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.x, self.length = "x_BLD", "length_B"
        self._known: dict[str, str] = {}

    def constant(self, value: Tensor | NDArray[Any]) -> str:
        """A weight of the graph; torch's floats are stored in 32 bits."""
        return self.array(value.detach().cpu().float().numpy() if isinstance(value, Tensor) else value)

    # --- layers -----------------------------------------------------------------------------
    def linear(self, x: str, layer: nn.Linear | Tensor, bias: Tensor | None = None) -> str:
        """x W^T + b, of a layer or of a weight and a bias."""
        weight = layer.weight if isinstance(layer, nn.Linear) else layer
        added = layer.bias if isinstance(layer, nn.Linear) else bias
        product = self.op("MatMul", x, self.constant(weight.t()))
        return product if added is None else self.op("Add", product, self.constant(added))

    def layer_norm(self, x: str, layer: nn.LayerNorm) -> str:
        weights = self.constant(layer.weight), self.constant(layer.bias)
        return self.op("LayerNormalization", x, *weights, axis=-1, epsilon=layer.eps)

    def recurrence(
        self,
        kind: str,
        x_LBD: str,
        weights: Sequence[Tensor],
        *,
        lengths: str,
        gates: Sequence[int],
        hidden: int,
        **attributes: Any,
    ) -> tuple[str, str]:
        """One layer, from torch's four weights: states of all places (L, B, H) and each window's newest (B, H).

        `gates`: at each of ONNX's places the number of torch's gate.
        """
        w, r, b_w, b_r = (
            np.concatenate(
                [np.split(weight.detach().cpu().float().numpy(), len(gates))[gate] for gate in gates]
            )
            for weight in weights
        )
        inputs = [x_LBD, self.constant(w[None]), self.constant(r[None])]
        inputs += [self.constant(np.concatenate([b_w, b_r])[None]), lengths]
        all_, last = self.node(kind, inputs, ["all", "last"], hidden_size=hidden, **attributes)
        return self.op("Squeeze", all_, self.ints([1])), self.op("Squeeze", last, self.ints([0]))

    # --- windows ----------------------------------------------------------------------------
    def _n_places(self) -> str:
        """L, shape (1,)."""
        return self._once("n_places", lambda: self.op("Shape", self.x, start=1, end=2))

    def _places(self) -> str:
        """0, 1, ... L - 1."""

        def build() -> str:
            n_places = self.op("Squeeze", self._n_places(), self.ints([0]))
            start, step = (self.constant(np.array(value, np.int64)) for value in (0, 1))
            return self.op("Range", start, n_places, step)

        return self._once("places", build)

    def at_least_one_event(self) -> str:
        """`length_B`, an empty window counted as one event."""
        return self._once("at_least_one", lambda: self.op("Max", self.length, self.ints([1])))

    def first_places(self, positions: Tensor) -> str:
        """The first L of the learned positions, shape (L, D)."""
        return self.op("Slice", self.constant(positions), self.ints([0]), self._n_places(), self.ints([0]))

    def log_within(self) -> str:
        """0 at places with an event, else `_NEVER`; shape (B, 1, 1, L)."""

        def build() -> str:
            length_B111 = self.op("Unsqueeze", self.at_least_one_event(), self.ints([1, 2, 3]))
            return self._log(self.op("Less", self._places(), length_B111))

        return self._once("log_within", build)

    def log_causal(self) -> str:
        """0 at places that aren't newer, else `_NEVER`; shape (L, L)."""

        def build() -> str:
            asking_L1 = self.op("Unsqueeze", self._places(), self.ints([1]))
            return self._log(self.op("LessOrEqual", self._places(), asking_L1))

        return self._once("log_causal", build)

    def _log(self, seen: str) -> str:
        return self.op("Where", seen, self.scalar(0.0), self.scalar(_NEVER))

    def newest(self, x_BLD: str) -> str:
        """The place of each window's newest event, shape (B, 1, D)."""

        def build() -> str:
            place_B = self.op("Sub", self.at_least_one_event(), self.ints([1]))
            return self.op("Unsqueeze", place_B, self.ints([1]))

        # one index a window: GatherND with the windows as its batch axis
        found_BD = self.op("GatherND", x_BLD, self._once("newest", build), batch_dims=1)
        return self.op("Unsqueeze", found_BD, self.ints([1]))

    def zero_where_empty(self, h_BD: str) -> str:
        """Zeros for windows without events."""
        some = self.op("Greater", self.length, self.ints([0]))
        some_B1 = self.op("Unsqueeze", self.op("Cast", some, to=FLOAT), self.ints([1]))
        return self.op("Mul", h_BD, some_B1)

    def _once(self, what: str, build: Any) -> str:
        """A value that several blocks read, built for the first."""
        if what not in self._known:
            self._known[what] = build()
        return self._known[what]

    def finish(self, h_BD: str) -> bytes:
        """The graph whose output is `h_BD`, checked."""
        self.name_output(h_BD, "h_BD")
        return self.graph(
            [self.floats(self.x, ["B", "L", self.dim]), self.integers(self.length, ["B"])],
            [self.floats("h_BD", ["B", self.dim])],
        )
