"""Settings of the candle transformer. Knows no torch."""

from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveInt, field_validator

from nextbest.models.sequence.config import TrainConfig

Scaling = Literal["har", "level", "none"]
Head = Literal["quantile", "student"]
Location = Literal["constant", "learned"]


class CandlesConfig(BaseModel, frozen=True, extra="forbid"):
    """What the transformer reads, how large it is, and how it learns. Lengths are counted in bars of the panel."""

    patch: PositiveInt = 24
    """Bars of one place (token)."""
    n_patches: PositiveInt = 16
    """Places of a window."""
    volatility_scales: tuple[PositiveInt, ...] = (6, 24, 72, 168, 720)
    """Windows over which the variance is averaged, shortest first (Corsi 2009 has 1, 5 and 22 days). The default is
    for hourly bars: a quarter of a day, a day, three days, a week, a month. The last but one is the level by which
    everything in a window is divided."""
    scaling: Scaling = "har"
    """By what a return is divided before it is learned: `har`: a ridge regression on the logs of all scales, of their
    means over assets and on the calendar; `level`: the volatility of the last but one scale; `none`: one number for
    everything, so that the network must find the scale itself."""
    head: Head = "quantile"
    """`quantile`: a median and steps upwards and downwards from it; `student`: width and degrees of freedom of a
    Student t."""
    location: Location = "constant"
    """`constant`: one median for all, learned; `learned`: the network moves it too, which claims to know directions."""
    cross_asset: bool = False
    """A block of attention over the assets at each place."""
    market_inputs: bool = True
    """The mean over assets of each scale, as an input."""
    calendar: bool = True
    """Hour and weekday of the bars that are forecast, as inputs."""
    bar_inputs: bool = True
    """Return, log variance and volume of every bar of a patch; False: a place is its volatility scales only."""
    trend_inputs: bool = True
    """The return over each scale in units of its volatility: width follows falls more than rises."""
    dim: PositiveInt = 32
    n_blocks: PositiveInt = 2
    n_heads: PositiveInt = 4
    feed_forward: PositiveInt = 2
    """Inner size of a block's two-layer network; unit: `dim`."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    variance_weight: NonNegativeFloat = 0.1
    """Of the QLIKE loss of the realised variance, beside the pinball loss; 0: the variance stays that of the scaling."""
    horizon_weights: tuple[NonNegativeFloat, ...] | None = None
    """Of each horizon's loss, in order; None: all alike."""
    money_weight: float = Field(default=0.0, ge=0, le=1)
    """0: each standardised return counts alike; 1: in proportion to its scale, as in the mean CRPS of returns."""
    align: PositiveInt = 1
    """Windows end at bars that are a multiple of this away from the newest: 24 learns from midnights only."""
    windows_per_epoch: PositiveInt = 128
    """Drawn anew each epoch; each holds all assets."""
    windows_per_batch: PositiveInt = 8
    validation_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    """Newest share of the history that is not learned but stops the training; labels that reach into it are not
    learned either."""
    calibrate: bool = True
    """After the training, widen or narrow each horizon by one factor, that which fits the held-out part best."""
    n_members: PositiveInt = 1
    """Networks that differ by their seed alone; their quantiles are averaged."""
    training: TrainConfig = TrainConfig(
        n_epochs=8,
        learning_rate=5e-4,
        weight_decay=0.05,
        warmup_steps=10,
        schedule="cosine",
        patience=5,
        device="auto",
    )
    """`n_epochs`, rate, optimiser, patience, budget. What is said there of validation and batches has no meaning here."""

    @field_validator("volatility_scales")
    @classmethod
    def _rising(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        if len(scales) < 2 or list(scales) != sorted(set(scales)):
            raise ValueError("must be two or more, each longer than the one before")
        return scales

    @property
    def window(self) -> int:
        """Bars of a window."""
        return self.patch * self.n_patches

    @property
    def context_length(self) -> int:
        """Bars that a forecast reads: a window, before its first bar the longest scale, and one close before that."""
        return self.window + self.volatility_scales[-1] + 1

    @property
    def level(self) -> int:
        """Which of the scales is the level."""
        return len(self.volatility_scales) - 2
