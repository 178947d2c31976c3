"""Suitability as a hard filter: what a client of a risk class may hold, and what an allocation breaks.

Nothing here weighs one thing against another: an allocation that breaks one rule is not proposed.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.bounds import Bounds
from nextbest.portfolio.plan.questionnaire import Grade, RiskProfile, Words

Share = Annotated[float, Field(ge=0, le=1)]
Group = Literal["defensive", "equity", "alternative"]
Rule = Literal[
    "max_equity", "max_alternative", "max_foreign", "max_asset", "max_issuer", "complexity", "liquidity"
]
_ROUNDING = 1e-6
"""A limit missed by less is met; a fraction of the portfolio."""


class ClassLimits(BaseModel, frozen=True, extra="forbid"):
    """What one risk class may hold; fractions of the portfolio."""

    max_equity: Share
    max_alternative: Share
    max_foreign: Share
    """Not in the client's own currency."""
    max_asset: Share
    """One instrument, cash apart."""
    max_issuer: Share


class AssetClass(Words, frozen=True):
    """What an asset class is, for suitability."""

    group: Group
    complexity: Grade
    """Least knowledge of who holds it."""
    liquid: bool
    """Can be sold within days without a loss to speak of."""
    foreign: Share
    """Share that is not in the client's own currency, where currencies aren't given."""


class SuitabilityLimits(BaseModel, frozen=True, extra="forbid"):
    """Limits of all risk classes, and the asset classes they speak of."""

    name: str
    max_age_days: Annotated[int, Field(ge=1, le=365)]
    """A profile older than this is no ground for advice; never over a year."""
    risk_class: Mapping[Grade, ClassLimits]
    asset_class: Annotated[Mapping[str, AssetClass], Field(min_length=1)]

    @model_validator(mode="after")
    def _rise_with_the_class(self) -> "SuitabilityLimits":
        if sorted(self.risk_class) != [1, 2, 3, 4, 5]:
            raise ValueError("limits must be given for risk classes 1 to 5")
        for low, high in ((c, c + 1) for c in range(1, 5)):
            a, b = self.risk_class[low].model_dump(), self.risk_class[high].model_dump()
            if any(a[k] > b[k] for k in a):
                raise ValueError(f"risk class {low} must not allow more than {high}")
        return self

    def of_class(self, asset_class: str) -> AssetClass:
        """What is known of an asset class.

        Raises
        ------
        InputError
            Nothing: an unknown class is never taken for a safe one.
        """
        if asset_class not in self.asset_class:
            raise InputError(
                "asset_class",
                f"is none of {sorted(self.asset_class)}",
                value=asset_class,
                remedy="describe it in the limits",
            )
        return self.asset_class[asset_class]


@dataclass(frozen=True)
class Allocation:
    """How a portfolio is split; all weights are fractions of it."""

    classes: Mapping[str, float]
    """By asset class, sum 1."""
    assets: Mapping[str, float] = field(default_factory=dict)
    """By instrument, where instruments are known; cash apart."""
    issuers: Mapping[str, float] = field(default_factory=dict)
    """By issuer, where known."""
    currencies: Mapping[str, float] | None = None
    """By currency, where known; else the asset classes' own shares count."""

    def __post_init__(self) -> None:
        for name in ("classes", "assets", "issuers", "currencies"):
            weights = getattr(self, name) or {}
            if bad := [k for k, w in weights.items() if not -_ROUNDING <= w <= 1 + _ROUNDING]:
                raise InputError(name, "weights must lie in 0-1", value={k: weights[k] for k in bad[:5]})
        for name in ("classes", "currencies"):
            weights = getattr(self, name)
            if weights is not None and abs(sum(weights.values()) - 1) > _ROUNDING:
                raise InputError(name, "weights must sum to 1", value=sum(weights.values()))


@dataclass(frozen=True)
class Violation:
    """One rule that an allocation breaks."""

    rule: Rule
    what: str
    """The class, instrument, issuer or currency it is about; empty for a sum."""
    value: float
    """What it is: a fraction, or a grade for `complexity`."""
    limit: float
    """What it may be at most."""


def suitable(
    allocation: Allocation,
    profile: RiskProfile,
    limits: SuitabilityLimits | None = None,
    *,
    home_currency: str = "",
) -> list[Violation]:
    """Every rule that the allocation breaks for this client; empty means suitable.

    Parameters
    ----------
    allocation
        Weights by class, and by instrument, issuer and currency where known.
    profile
        Its risk class picks the limits, its knowledge the complexity, its need of ready money the illiquid share.
    limits
        A house's own, or those of the package.
    home_currency
        The client's; needed where the allocation has currencies.

    Raises
    ------
    InputError
        An asset class is unknown, or currencies are given without the client's.
    """
    limits = limits or load_limits()
    allowed = limits.risk_class[profile.risk_class]
    found: list[Violation] = []
    sums = {"equity": 0.0, "alternative": 0.0, "defensive": 0.0}
    foreign = illiquid = 0.0
    for name, weight in allocation.classes.items():
        kind = limits.of_class(name)
        if weight <= _ROUNDING:
            continue
        sums[kind.group] += weight
        foreign += weight * kind.foreign
        illiquid += 0.0 if kind.liquid else weight
        if kind.complexity > profile.knowledge:
            found.append(Violation("complexity", name, kind.complexity, profile.knowledge))
    if allocation.currencies is not None:
        if not home_currency:
            raise InputError("home_currency", "is required where currencies are given")
        foreign = 1.0 - allocation.currencies.get(home_currency, 0.0)
    checks: list[tuple[Rule, str, float, float]] = [
        ("max_equity", "", sums["equity"], allowed.max_equity),
        ("max_alternative", "", sums["alternative"], allowed.max_alternative),
        ("max_foreign", "", foreign, allowed.max_foreign),
        ("liquidity", "", illiquid, 1.0 - profile.liquidity_need),
    ]
    checks += [("max_asset", asset, w, allowed.max_asset) for asset, w in allocation.assets.items()]
    checks += [("max_issuer", issuer, w, allowed.max_issuer) for issuer, w in allocation.issuers.items()]
    found += [
        Violation(rule, what, value, most) for rule, what, value, most in checks if value > most + _ROUNDING
    ]
    return found


def suitable_bounds(
    profile: RiskProfile, asset_classes: tuple[str, ...], limits: SuitabilityLimits | None = None
) -> Bounds:
    """The same rules as bounds on class weights, for an optimiser: what it finds is suitable from the start.

    A class's foreign and illiquid shares count in full; groups `equity` and `alternative` have the class's limits.

    Raises
    ------
    InputError
        An asset class is unknown.
    """
    limits = limits or load_limits()
    allowed = limits.risk_class[profile.risk_class]
    group_limit = {"equity": allowed.max_equity, "alternative": allowed.max_alternative}
    upper, class_of = {}, {}
    for name in asset_classes:
        kind = limits.of_class(name)
        most = 1.0 if kind.complexity <= profile.knowledge else 0.0
        if kind.foreign:
            most = min(most, allowed.max_foreign)
        if not kind.liquid:
            most = min(most, 1.0 - profile.liquidity_need)
        upper[name] = most
        if kind.group in group_limit:
            class_of[name] = kind.group
    return Bounds(0.0, upper, {g: (0.0, group_limit[g]) for g in sorted(set(class_of.values()))}, class_of)


@cache
def load_limits() -> SuitabilityLimits:
    """The limits that ship with the package: a start, stated in the file as an assumption."""
    text = (files("nextbest.portfolio.plan") / "forms" / "limits.toml").read_text(encoding="utf-8")
    return read_limits(text)


def read_limits(text: str, *, name: str = "limits") -> SuitabilityLimits:
    """Limits from TOML, a house's own.

    Raises
    ------
    DataError
        No TOML, or it breaks the rules of limits; the first five are said.
    """
    try:
        return SuitabilityLimits.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataError(name, f"is no TOML: {error}") from error
    except ValidationError as error:
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise DataError(name, "breaks the rules of limits", examples=said) from error
