"""Settings of the small networks. Knows no torch."""

from typing import Literal, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

from nextbest.models.sequence.config import TrainConfig


class NeuralConfig(BaseModel, frozen=True, extra="forbid"):
    """What the network reads, how large it is, and how it learns. Lengths are counted in bars."""

    kind: Literal["patchtst", "nhits"] = "patchtst"
    window: PositiveInt = 96
    """Closes that are read."""
    patch: PositiveInt = 16
    stride: PositiveInt = 8
    """Of PatchTST: closes of a patch, and from one patch to the next."""
    rates: tuple[PositiveInt, ...] = (8, 4, 1)
    """Of N-HiTS: by how much each stack thins out what it reads."""
    dim: PositiveInt = 32
    n_blocks: PositiveInt = 2
    n_heads: PositiveInt = 4
    dropout: float = Field(default=0.2, ge=0, lt=1)
    windows_per_epoch: PositiveInt = 8192
    windows_per_batch: PositiveInt = 256
    validation_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    """Newest share of the history that is not learned but stops the training."""
    training: TrainConfig = TrainConfig(
        n_epochs=15, learning_rate=1e-3, weight_decay=0.01, schedule="cosine", patience=4
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "patchtst" and self.patch > self.window:
            raise ValueError("patch must not be longer than window")
        if self.kind == "patchtst" and self.dim % self.n_heads:
            raise ValueError("n_heads must divide dim")
        if self.kind == "nhits" and (not self.rates or max(self.rates) > self.window):
            raise ValueError("rates must be one or more, none longer than window")
        return self
