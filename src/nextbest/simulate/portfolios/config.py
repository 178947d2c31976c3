"""The laws of simulated investors as numbers; everything else follows from `rng`."""

from datetime import date

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt

CLASSES = ("equity", "bond", "gold", "currency", "deposit")
TARGETS = {
    1: (0.05, 0.40, 0.05, 0.05, 0.45),
    2: (0.20, 0.40, 0.10, 0.05, 0.25),
    3: (0.40, 0.30, 0.10, 0.05, 0.15),
    4: (0.65, 0.15, 0.08, 0.05, 0.07),
    5: (0.85, 0.05, 0.05, 0.03, 0.02),
}
"""Mean share of `CLASSES` at each risk tolerance; what a market lacks goes to the others in proportion."""
WEALTH = {1: (5e3, 3e4), 2: (5e3, 3e4), 3: (3e4, 8e4), 4: (8e4, 3e5), 5: (3e5, 1.2e6)}
"""Bounds of starting wealth by risk capacity, before `currency_per_euro`: the capacity bands of FAR-Trans in euros."""


class PortfolioLaws(BaseModel, frozen=True, extra="forbid"):
    """Strengths of the laws. Shares are fractions of 1."""

    start: date | None = None
    """First day on which anybody buys; None = the market's first."""
    end: date | None = None
    """Last day of the lives; None = the market's last."""
    currency_per_euro: PositiveFloat = 80.0
    """Units of the market's currency for one euro of the capacity bands."""
    noise: PositiveFloat = 12.0
    """Concentration of the Dirichlet law of a client's class shares around the mean; larger = closer to it."""
    popularity: NonNegativeFloat = 0.9
    """Exponent of Zipf's law over the assets of a class by rank; at 0.9 ten of 170 shares have 45 % of the trades in
    shares (ten assets have half of all trades in FAR-Trans, where a class is more than one or two assets)."""
    home_bias: float = Field(default=0.7, ge=0, lt=1)
    """How much less an asset of another country weighs."""
    home_country: str = "RU"
    shares_mean: NonNegativeFloat = 3.0
    """Mean number of shares held beyond the first, at the middle capacity (Poisson)."""
    contributes: float = Field(default=0.6, ge=0, le=1)
    """Share of clients who pay in every month."""
    contribution_mean: PositiveFloat = 0.012
    """Median monthly contribution as a share of starting wealth (lognormal, log standard deviation 0.6)."""
    invests_every: PositiveInt = 4
    """Months between purchases from what was paid in, at most; each client has a rhythm of 1 to this."""
    withdraws: float = Field(default=0.006, ge=0, le=1)
    """Probability a month that 5 to 30 % of the holdings are sold and taken out."""
    rebalances: float = Field(default=0.015, ge=0, le=1)
    """Probability a month that an asset is sold in part and another bought."""
    fee: NonNegativeFloat = 0.0005
    """Share of each trade's amount."""
    without_flows: float = Field(default=0.15, ge=0, le=1)
    """Share of clients whose cash isn't recorded: no deposits are known, a purchase is money coming in."""
