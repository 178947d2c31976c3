"""GRU4Rec's encoder: gated recurrent units over a window of events."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from nextbest.models.sequence.encoders.gru_layer import gru_layer
from nextbest.models.sequence.encoders.recurrent import RecurrentEncoder

if TYPE_CHECKING:
    from nextbest.models.sequence.onnx_graph import GraphBuilder

_ONNX_GATES = (1, 0, 2)
"""ONNX orders gates z, r, n; torch and cuDNN r, z, n."""


class GRUEncoder(RecurrentEncoder):
    """Stacked GRU layers; on a GPU cuDNN's, on a CPU `gru_layer`, with the same weights.

    Notes
    -----
    Hidasi et al. 2016 (GRU4Rec) and Hidasi & Karatzoglou 2018 for dropout on inputs and states; run over whole
    windows instead of event by event over parallel sessions.
    """

    def _recurrence(self) -> nn.GRU:
        # torch takes a dropout between layers only where there are two
        return nn.GRU(self.dim, self.hidden_size, self.n_layers, dropout=self._between_layers())

    def _between_layers(self) -> float:
        return self.dropout.p if self.n_layers > 1 else 0.0

    def _states(self, x_LBD: Tensor) -> Tensor:
        if x_LBD.device.type != "cpu":
            states: Tensor = self.recurrence(x_LBD)[0]
            return states
        for layer, weights in enumerate(self.recurrence.all_weights):
            x_LBD = gru_layer(x_LBD if layer == 0 else self.dropout(x_LBD), *weights)
        return x_LBD

    def _onnx_layer(self, graph: "GraphBuilder", x: str, layer: int, lengths: str) -> tuple[str, str]:
        weights = self.recurrence.all_weights[layer]
        return graph.recurrence(
            "GRU",
            x,
            weights,
            lengths=lengths,
            gates=_ONNX_GATES,
            hidden=self.hidden_size,
            linear_before_reset=1,
        )
