"""SASRec: self-attention over the order of events, in its modern form by default."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

from nextbest.models.sequence.config import LossConfig, SequenceConfig
from nextbest.models.sequence.sequence_model import SequenceModel

if TYPE_CHECKING:
    from nextbest.models.sequence.encoders.base import Encoder


class AttentionConfig(SequenceConfig, frozen=True, extra="forbid"):
    """Sizes of the blocks, for both models that attend; the rest as in every sequence model."""

    n_blocks: PositiveInt = 2
    n_heads: PositiveInt = 2
    """Must divide `embedding_dim`."""
    feed_forward: PositiveInt = 2
    """Inner size of a block's two-layer network; unit: `embedding_dim`."""
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    norm: Literal["pre", "post"] = "pre"
    """Where a block normalises: what it reads, or what it leaves (the papers' own)."""
    activation: Literal["gelu", "relu"] = "gelu"

    @model_validator(mode="after")
    def _heads_are_equal(self) -> Self:
        if self.embedding_dim % self.n_heads:
            raise ValueError(f"n_heads {self.n_heads} must divide embedding_dim {self.embedding_dim}")
        return self

    def encoder(self, *, is_causal: bool) -> "Encoder":
        """A new encoder of these sizes."""
        from nextbest.models.sequence.encoders.transformer import TransformerEncoder

        return TransformerEncoder(
            self.embedding_dim,
            max_len=self.max_len,
            is_causal=is_causal,
            n_blocks=self.n_blocks,
            n_heads=self.n_heads,
            feed_forward=self.feed_forward,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            norm=self.norm,
            activation=self.activation,
        )


class SASRecConfig(AttentionConfig, frozen=True, extra="forbid"):
    """The paper's own form: `loss={"kind": "bce", "n_negatives": 1}, norm="post", activation="relu"`."""

    loss: LossConfig = LossConfig(kind="sampled_softmax", n_negatives=512)


class SASRec(SequenceModel):
    """The item whose vector the newest place points at after attending to the places before it.

    Kang & McAuley 2018; the defaults (cross-entropy among drawn items with logQ, pre-norm, GELU) are those that
    Petrov & Macdonald 2023 and Klenitskiy & Vasilev 2023 found to make up what it lacked beside BERT4Rec.
    """

    kind: ClassVar[str] = "sasrec"
    Config: ClassVar[type[BaseModel]] = SASRecConfig
    config: SASRecConfig

    def _encoder(self) -> "Encoder":
        return self.config.encoder(is_causal=True)
