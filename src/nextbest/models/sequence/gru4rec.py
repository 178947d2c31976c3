"""GRU4Rec: gated recurrent units over the order of events, with the losses that make it what it is."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field, PositiveInt

from nextbest.data.interactions import Histories
from nextbest.models.base import FloatArray
from nextbest.models.sequence.config import LossConfig, SequenceConfig
from nextbest.models.sequence.gru_walk import WORTH_A_WALK, GRUWalk, tensors_of
from nextbest.models.sequence.sequence_model import SequenceModel

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder


_TABLE_CELLS = 1 << 26
"""Numbers that may be kept of what every item feeds to the gates: a quarter of a gigabyte."""


class GRU4RecConfig(SequenceConfig, frozen=True, extra="forbid"):
    """Sizes of the recurrence; the rest as in every sequence model."""

    hidden_size: PositiveInt | None = None
    """Numbers that a state holds; None = `embedding_dim`."""
    n_layers: PositiveInt = 1
    input_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of the numbers of item vectors that is dropped on the way in; None = `dropout`."""
    loss: LossConfig = LossConfig(kind="sampled_softmax", n_negatives=512)


class GRU4Rec(SequenceModel):
    """The item whose vector the state of a GRU points at, after the user's newest `max_len` events.

    Hidasi et al. 2016; losses and drawn negatives of Hidasi & Karatzoglou 2018; one table for reading and
    scoring ("constrained embedding") and cross-entropy with drawn items and logQ as the author's later code has.
    Whole windows are learned at once, so gradients reach back through a window instead of one event.
    """

    kind: ClassVar[str] = "gru4rec"
    Config: ClassVar[type[BaseModel]] = GRU4RecConfig
    config: GRU4RecConfig

    def _encoder(self) -> "Encoder":
        from nextbest.models.sequence.encoders.gru import GRUEncoder

        config = self.config
        return GRUEncoder(
            config.embedding_dim,
            hidden_size=config.hidden_size,
            n_layers=config.n_layers,
            dropout=config.dropout,
            input_dropout=config.input_dropout,
        )

    def _last_states(self, histories: Histories) -> FloatArray:
        if len(histories) < WORTH_A_WALK or (walk := self._walk()) is None:
            return super()._last_states(histories)
        return walk(histories, max_len=self.config.max_len)

    def _walk(self) -> GRUWalk | None:
        """What answers many histories at once, made at the first such question (twice at worst, by two threads);
        None where the network is another one, or the catalogue so large that its gates would fill the memory."""
        kept: tuple[bytes, GRUWalk | None] | None = getattr(self, "_kept_walk", None)
        if kept is None or kept[0] is not self.weights_:
            kept = self._kept_walk = (self.weights_, self._made_walk())
        return kept[1]

    def _made_walk(self) -> GRUWalk | None:
        n_items, dim = self.n_items, self.config.embedding_dim
        is_plain = self.config.n_layers == 1 and self.config.hidden_size in (None, dim)
        if not is_plain or not n_items or 3 * dim * n_items > _TABLE_CELLS:
            return None
        tensors = tensors_of(self.weights_)
        names = [f"encoder.recurrence.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        if not tensors.keys() >= set(names):  # weights of another version, which its graph reads
            return None
        weights = [np.ascontiguousarray(tensors[name]) for name in names]
        walk = GRUWalk(self.input_vectors_[:n_items] * np.float32(dim**0.5), *weights)
        # a graph kept by another version may read vectors otherwise, and it has the last word
        some = Histories.from_lists([list(range(min(n_items, 20))), [0]])
        states = walk(some, max_len=self.config.max_len)
        agree = np.allclose(states, super()._last_states(some), rtol=1e-4, atol=1e-5)
        return walk if agree else None
