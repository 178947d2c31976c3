"""What GRU and LSTM share: dropout, stacked layers, the way from the hidden size to that of item vectors."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nextbest.errors import InputError
from nextbest.models.sequence.encoders.base import Encoder, newest, zero_where_empty
from nextbest.models.sequence.encoders.dropout import Dropout

if TYPE_CHECKING:
    from nextbest.models.sequence.onnx_graph import GraphBuilder


class RecurrentEncoder(Encoder):
    """A recurrence over a whole window at once; causal by nature, so padding on the right needs no mask.

    Parameters
    ----------
    dim
        D: size of item vectors and of the states that leave.
    hidden_size
        H of each layer; None = `dim`. Another size than `dim` adds a linear map at the end.
    n_layers
        Layers on top of each other, 1 or more.
    dropout
        Share of each layer's states that is dropped.
    input_dropout
        Share of the item vectors' numbers that is dropped; None = `dropout`.

    Raises
    ------
    InputError
        A size below 1, or a dropout that isn't in [0, 1).
    """

    is_causal = True
    recurrence: nn.GRU | nn.LSTM

    def __init__(
        self,
        dim: int,
        *,
        hidden_size: int | None = None,
        n_layers: int = 1,
        dropout: float = 0.0,
        input_dropout: float | None = None,
    ) -> None:
        super().__init__()
        hidden = dim if hidden_size is None else hidden_size
        for name, value in (("dim", dim), ("hidden_size", hidden), ("n_layers", n_layers)):
            if value < 1:
                raise InputError(name, "must be 1 or more", value=value)
        self.dim, self.hidden_size, self.n_layers = dim, hidden, n_layers
        self.input_dropout = Dropout(dropout if input_dropout is None else input_dropout)
        self.dropout = Dropout(dropout)
        self.recurrence = self._recurrence()
        self.to_dim = nn.Identity() if hidden == dim else nn.Linear(hidden, dim)
        self._start()

    @abstractmethod
    def _recurrence(self) -> nn.GRU | nn.LSTM:
        """Layers from `dim` to `hidden_size`; batch second."""

    @abstractmethod
    def _states(self, x_LBD: Tensor) -> Tensor:
        """States of the top layer, shape (L, B, H), dropout between layers."""

    @abstractmethod
    def _onnx_layer(self, graph: "GraphBuilder", x: str, layer: int, lengths: str) -> tuple[str, str]:
        """Names of all states (L, B, H) and of each window's last state (B, H)."""

    @torch.no_grad()
    def _start(self) -> None:
        """Orthogonal maps of the state (Saxe et al. 2014), so that a gradient neither fades nor grows at once over
        many places; Glorot's uniform for inputs, each gate by itself; biases 0."""
        for name, weight in self.recurrence.named_parameters():
            if name.startswith("bias"):
                weight.zero_()
                continue
            for gate in weight.chunk(len(weight) // self.hidden_size):
                (nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_)(gate)

    def _read(self, x_BLD: Tensor) -> Tensor:
        """States of a window, shape (B, L, H). Item vectors start 1 long; times sqrt(D) their numbers are about 1, where
        gates begin to differ between items: otherwise the first epochs learn the vectors' length only."""
        x_LBD = (self.input_dropout(x_BLD) * math.sqrt(self.dim)).transpose(0, 1)
        return self._states(x_LBD).transpose(0, 1)

    def forward(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        h_BLH = self._read(x_BLD)
        h_BLD: Tensor = self.to_dim(self.dropout(h_BLH))
        return h_BLD

    def last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        if not x_BLD.shape[1]:
            return x_BLD.new_zeros(len(x_BLD), self.dim)
        h_BLH = self._read(x_BLD)
        return zero_where_empty(self.to_dim(self.dropout(newest(h_BLH, length_B))), length_B)

    def onnx(self) -> bytes:
        from nextbest.models.sequence.onnx_graph import GraphBuilder

        graph = GraphBuilder(self.dim)
        x = graph.op("Mul", graph.x, graph.scalar(math.sqrt(self.dim)))
        x, last = graph.op("Transpose", x, perm=[1, 0, 2]), ""
        lengths = graph.op("Cast", graph.at_least_one_event(), to=graph.INT32)
        for layer in range(self.n_layers):
            x, last = self._onnx_layer(graph, x, layer, lengths)
        if isinstance(self.to_dim, nn.Linear):
            last = graph.linear(last, self.to_dim)
        return graph.finish(graph.zero_where_empty(last))
