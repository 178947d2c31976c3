"""The plain baseline: long short-term memory over a window of events."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nextbest.models.sequence.encoders.recurrent import RecurrentEncoder

if TYPE_CHECKING:
    from nextbest.models.sequence.onnx_graph import GraphBuilder

_ONNX_GATES = (0, 3, 1, 2)
"""ONNX orders gates input, output, forget, cell; torch and cuDNN input, forget, cell, output."""


class LSTMEncoder(RecurrentEncoder):
    """Stacked LSTM layers (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000)."""

    def _recurrence(self) -> nn.LSTM:
        # torch takes a dropout between layers only where there are two
        between = self.dropout.p if self.n_layers > 1 else 0.0
        return nn.LSTM(self.dim, self.hidden_size, self.n_layers, dropout=between)

    @torch.no_grad()
    def _start(self) -> None:
        super()._start()
        for name, bias in self.recurrence.named_parameters():
            if name.startswith(
                "bias_ih"
            ):  # an open forget gate: the memory lasts from the start (Gers et al.)
                bias[self.hidden_size : 2 * self.hidden_size] = 1

    def _states(self, x_LBD: Tensor) -> Tensor:
        states: Tensor = self.recurrence(x_LBD)[0]
        return states

    def _onnx_layer(self, graph: "GraphBuilder", x: str, layer: int, lengths: str) -> tuple[str, str]:
        weights = self.recurrence.all_weights[layer]
        return graph.recurrence(
            "LSTM", x, weights, lengths=lengths, gates=_ONNX_GATES, hidden=self.hidden_size
        )
