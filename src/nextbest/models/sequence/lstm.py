"""An LSTM over the order of events, with item features where there are some: the plain deep baseline."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, PositiveInt

from nextbest.models.sequence.config import SequenceConfig
from nextbest.models.sequence.sequence_model import SequenceModel

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder


class LSTMConfig(SequenceConfig, frozen=True, extra="forbid"):
    """Sizes of the recurrence; the rest as in every sequence model."""

    hidden_size: PositiveInt | None = None
    """Numbers that a state holds; None = `embedding_dim`."""
    n_layers: PositiveInt = 1


class LSTM(SequenceModel):
    """The item whose vector the state of an LSTM points at (Hochreiter & Schmidhuber 1997)."""

    kind: ClassVar[str] = "lstm"
    Config: ClassVar[type[BaseModel]] = LSTMConfig
    config: LSTMConfig

    def _encoder(self) -> "Encoder":
        from nextbest.models.sequence.encoders.lstm import LSTMEncoder

        config = self.config
        return LSTMEncoder(
            config.embedding_dim,
            hidden_size=config.hidden_size,
            n_layers=config.n_layers,
            dropout=config.dropout,
        )
