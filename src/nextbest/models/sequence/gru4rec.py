"""GRU4Rec: gated recurrent units over the order of events, with the losses that make it what it is."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field, PositiveInt

from nextbest.models.sequence.config import LossConfig, SequenceConfig
from nextbest.models.sequence.sequence_model import SequenceModel

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder


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
