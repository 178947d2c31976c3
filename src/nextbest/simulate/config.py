"""How strong each law of the simulated shop is; everything else follows from `rng`."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, Field, NonNegativeFloat, PositiveFloat


class ShopConfig(BaseModel, frozen=True, extra="forbid"):
    """Strengths of the laws; 0 switches one off. Numbers without a unit are factors."""

    start: AwareDatetime = datetime(2025, 1, 1, tzinfo=UTC)
    """First day."""
    taste: NonNegativeFloat = 1.0
    """How much clients differ in what they like: standard deviation of a client's log weight for a shelf is
    about 1.6 times this, for an item within its shelf about 0.9 times."""
    popularity: NonNegativeFloat = 1.0
    """Exponent of Zipf's law over the items of a shelf."""
    season: NonNegativeFloat = 1.0
    """Factor on the yearly and weekly swings of the categories."""
    trend: float = Field(default=0.3, ge=0, le=1)
    """Share of items that are born, rise or fade within the time simulated."""
    repeat: NonNegativeFloat = 0.6
    """Weight of an item that runs out today, against 1 for everything else together."""
    follow: NonNegativeFloat = 1.0
    """Factor on the pull of what was just bought."""
    follow_days: PositiveFloat = 21.0
    """Days that this pull lasts."""
    session: float = Field(default=0.35, ge=0, lt=1)
    """Probability that a purchase is followed by another within minutes."""
    newcomers: float = Field(default=0.35, ge=0, le=1)
    """Share of clients who come after the first day."""
    activity_sd: NonNegativeFloat = 0.7
    """Standard deviation of the log number of purchases of a client."""
    dimensions: int = Field(default=12, ge=1)
    """Length of the taste and item vectors."""
