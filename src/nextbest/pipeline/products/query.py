"""What can be asked about bank products, and what is answered: plain values, no model and no web."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from nextbest.data.ids import OutsideId
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.products.profile import Profile

Purpose = Literal["predict", "offer"]
Lang = Literal["en", "ru"]


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """One client, by stored id, by a posted profile, or both."""

    customer_id: OutsideId | None = None
    """Id as the bank knows it; None: nobody in particular, the profile alone."""
    profile: Profile | None = None
    """Attributes that came with the question; they go before stored ones."""
    k: int | None = None
    """Most products of an offer, never more than the policy has places; None: as many as those. `predict` takes
    as many as pass their thresholds."""
    purpose: Purpose = "offer"
    """`predict`: what will be added, by the thresholds of the model. `offer`: what may be offered, by the
    decision layer."""
    lang: Lang = "en"
    """Language of the reasons' words."""
    channel: str | None = None
    """For which an offer is made; None: the policy's default."""
    explain: bool = True
    """False leaves the reasons empty and saves their time."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a product is likely: a stable code and its words."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class RankedProduct:
    """One product of an answer."""

    product_id: str
    rank: int
    """1 = best."""
    probability: float
    """Calibrated P(added in the month asked for)."""
    score: float = 0.0
    """Of an offer: what it is worth, in the policy's currency; 0 where nothing is weighed."""
    source: str = "model"
    """Of an offer: arbitration, exploration, mandatory or control; else `model`."""
    policy_probability: float | None = None
    """Of an offer: P(this product at this place | the places before it) under the policy, to be logged by whoever shows
    it; None of a prediction."""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Fired:
    """A filter that took a product out."""

    product_id: str
    filter: str


@dataclass(frozen=True, slots=True)
class Decided:
    """One client's place among decisions made together."""

    decisions: Decisions
    client: int


@dataclass(frozen=True, slots=True)
class ProductAnswer:
    """The answer for one client."""

    customer_id: OutsideId | None
    known: bool
    """Has stored history before the month asked for."""
    as_of: date
    """Newest month whose products the answer knows (known clients) or would know."""
    target: date
    """Month whose additions are foretold."""
    control: bool
    """In the permanent random control group, for which the model never chooses."""
    channel: str
    """For which an offer was made; empty of a prediction."""
    policy: str
    """Version of the policy whose rules hold."""
    products: tuple[RankedProduct, ...]
    fired: tuple[Fired, ...] = ()
    decided: Decided | None = field(default=None, compare=False, repr=False)
    """Of an offer: all that led to it, for the decision log; None of a prediction."""
