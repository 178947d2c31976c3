"""What a fine-tuned language model is shown, asked and taught, as one frozen model. Knows no torch."""

from typing import Literal, Self

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

Window = Literal["text", "tokens", "patches"]
Target = Literal["volatility", "return", "direction"]
WORDS: dict[str, dict[int, tuple[str, ...]]] = {
    "volatility": {
        2: ("low", "high"),
        3: ("low", "medium", "high"),
        4: ("calm", "low", "high", "extreme"),
        5: ("calm", "low", "medium", "high", "extreme"),
    },
    "return": {2: ("down", "up"), 3: ("down", "flat", "up"), 5: ("crash", "down", "flat", "up", "surge")},
    "direction": {2: ("down", "up")},
}
"""Class words by target and number of classes, lowest class first: short, and different from the first letter on."""


class LLMConfig(BaseModel, frozen=True, extra="forbid"):
    """Window, question and training of a language model that forecasts prices."""

    window: Window = "tokens"
    """`text`: numbers written out; `tokens`: a symbol a bar; `patches`: a learned linear map of scaled bars."""
    target: Target = "volatility"
    """Class of the next `horizon` bars: `volatility` realised, `return` over a known volatility, `direction` its sign."""
    horizon: PositiveInt = 5
    """Bars that the question is about."""
    n_classes: int = Field(default=3, ge=2, le=5)
    n_bars: int = Field(default=32, ge=4)
    """Bars shown."""
    n_bins: int = Field(default=5, ge=2, le=7)
    """Of `tokens`: bins of the return and of the range each, so that there are their product of symbols."""
    patch: PositiveInt = 4
    """Of `patches`: bars in one; `n_bars` is a multiple."""
    n_examples: PositiveInt = 4000
    """Questions taught at most, drawn from all that the past has."""
    n_calibration: PositiveInt = 400
    """Questions that the answers are calibrated by, from the newest part of the past."""
    calibration_share: float = Field(default=0.15, gt=0, lt=0.5)
    """Of the past's bars: its newest, never taught."""
    steps: NonNegativeInt = 200
    """Of training; 0: the model is asked as it is."""
    batch_size: PositiveInt = 8
    learning_rate: PositiveFloat = 4e-4
    rank: PositiveInt = 16
    """Of the adapter."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products in training."""
    validate_steps: PositiveInt = 50
    """Steps between two checkpoints."""
    n_threads: NonNegativeInt = 0
    """0: torch's own choice."""
    batch_tokens: PositiveInt = 2048
    """Of a batch of questions."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n_classes not in WORDS[self.target]:
            raise ValueError(f"n_classes of {self.target} must be one of {sorted(WORDS[self.target])}")
        if self.window == "patches" and self.n_bars % self.patch:
            raise ValueError("n_bars must be a multiple of patch")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Class words, lowest class first."""
        return WORDS[self.target][self.n_classes]
