"""BERT4Rec: attention both ways, learned by guessing hidden events."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from nextbest.models.sequence.config import TrainConfig
from nextbest.models.sequence.sasrec import AttentionConfig
from nextbest.models.sequence.sequence_model import SequenceModel

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder


class BERT4RecConfig(AttentionConfig, frozen=True, extra="forbid"):
    """How much is hidden, and for how long it is learned."""

    mask_share: float = Field(default=0.3, gt=0, le=1)
    """Chance of an event to be hidden in training."""
    training: TrainConfig = TrainConfig(n_epochs=400, patience=10, validate_every=5)
    """Long: a window teaches a few hidden events at a time, so the budgets of SASRec stop far too early (Petrov &
    Macdonald 2022 trained up to 30 times longer than the original code's default)."""


class BERT4Rec(SequenceModel):
    """The item that belongs at a hidden place after the user's newest `max_len` - 1 events.

    Sun et al. 2019. Asked, a mask stands behind the newest event; trained, a tenth of the windows look like that.
    """

    kind: ClassVar[str] = "bert4rec"
    Config: ClassVar[type[BaseModel]] = BERT4RecConfig
    config: BERT4RecConfig

    @property
    def _mask_share(self) -> float:
        return self.config.mask_share

    def _encoder(self) -> "Encoder":
        return self.config.encoder(is_causal=False)
