"""Which features are made: blocks, lags, statistics and policies, as one frozen config."""

from typing import Literal

from pydantic import BaseModel, Field, PositiveInt, field_validator

from nextbest.data.panel.panel import AttributesKnown
from nextbest.models.products.features.words import MAX_MONTHS

Block = Literal["holding", "history", "breadth", "profile", "changes", "household", "season"]
"""A switchable part of the features:

- `holding`: each product held the month before, and how many of each family;
- `history`: lags and statistics of the products with most additions (see `FeatureConfig.n_detailed`);
- `breadth`: number of products by month, recent additions and drops of any product, months in the bank;
- `profile`: the attributes;
- `changes`: months of activity, and attributes that changed against a month earlier;
- `household`: clients of equal income in the same region;
- `season`: the calendar month of the target.
"""
Statistic = Literal[
    "since_add", "since_add2", "since_drop", "since_drop2", "n_adds", "n_drops", "share", "run", "pattern"
]
"""What is said of a product's months, months counted back from the target (1 = the month before):

- `since_add`, `since_drop`: months since the last flank up or down, NaN if none is known; `...2` the one before it;
- `n_adds`, `n_drops`: number of flanks known; NaN without history;
- `share`: months held / months present;
- `run`: months that the present state has lasted;
- `pattern`: all months as one binary fraction, the newest first (`words.as_fraction`).
"""
OutlierPolicy = Literal["drop", "keep"]
"""Training rows with an income, age or seniority outside the fitted fences: left out or kept. Rows that are scored
are never touched, so that a row that stays in training has the very features that scoring gives it."""
PROFILE_BLOCKS: tuple[Block, ...] = ("profile",)
"""For clients without stored history: nothing that looks back."""


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """What a `FeatureSteps` makes; the defaults are what paid off on a simulated panel."""

    attributes: AttributesKnown = "month_end"
    """Newest attributes that may be used: of the month before the target, or of the target itself."""
    blocks: tuple[Block, ...] = ("holding", "history", "breadth", "profile", "changes", "household")
    """Parts that are made, in this order."""
    max_months: int = Field(default=MAX_MONTHS, ge=1, le=MAX_MONTHS)
    """Months back that are looked at."""
    n_detailed: PositiveInt = 16
    """Products with lags past 1 and statistics: those with most additions in the training months."""
    lags: tuple[int, ...] = ()
    """Months back at which detailed products are looked at singly, for example (2, 3, 4, 5, 6, 12). None by
    default: `pattern` holds them all in one number, and trees did no better with the columns beside it. The month
    before (1) is in `holding`."""
    statistics: tuple[Statistic, ...] = (
        "since_add", "since_drop", "since_drop2", "n_adds", "n_drops", "share", "pattern",
    )  # fmt: skip
    """Of each detailed product."""
    breadth_lags: tuple[int, ...] = (1, 2, 3, 6, 12)
    """Months back at which products are counted."""
    turnover_lags: tuple[int, ...] = (1, 2, 3)
    """Months back at which additions and drops of any product are counted."""
    season: Literal["month", "cycle"] = "month"
    """The target's calendar month as a number 1-12, or as sine and cosine."""
    use_protected: bool = False
    """Whether protected attributes (sex, nationality, residence) become features, of group `protected`."""
    min_count: PositiveInt = 100
    """Client-months a value of an open category needs for a code of its own; rarer ones share a code."""
    outliers: OutlierPolicy = "drop"
    """What happens to training rows outside the fences."""
    fence: float = Field(default=4.0, gt=0)
    """Fences lie this many interquartile ranges beyond the quartiles, income on a log scale (Tukey 1977)."""

    @field_validator("blocks", "lags", "statistics", "breadth_lags", "turnover_lags")
    @classmethod
    def _each_once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) != len(values):
            raise ValueError("must name each once")
        return values

    @field_validator("lags")
    @classmethod
    def _past_one(cls, lags: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 2 <= lag <= MAX_MONTHS for lag in lags):
            raise ValueError(f"must lie in 2..{MAX_MONTHS}; the month before is in the block `holding`")
        return lags

    @field_validator("breadth_lags", "turnover_lags")
    @classmethod
    def _from_one(cls, lags: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= lag <= MAX_MONTHS for lag in lags):
            raise ValueError(f"must lie in 1..{MAX_MONTHS}")
        return lags

    @field_validator("blocks")
    @classmethod
    def _not_empty(cls, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        if not blocks:
            raise ValueError("must name at least one block")
        return blocks
