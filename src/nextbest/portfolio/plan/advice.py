"""Advice mode: from classes to instruments of a house list, so that no client and no crowd holds too much of one.

Off unless configured. The only module of the plan that names an instrument.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError, model_validator

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.questionnaire import RiskProfile
from nextbest.portfolio.plan.suitability import Allocation, SuitabilityLimits, suitable

CASH_CLASSES = ("cash",)
"""Classes that need no instrument."""


class Instrument(BaseModel, frozen=True, extra="forbid"):
    """One instrument that the house may recommend."""

    asset_id: str
    title: str
    asset_class: str
    issuer: str
    currency: str


class AdviceConfig(BaseModel, frozen=True, extra="forbid"):
    """Switches advice on: what may be recommended, and how much of one."""

    instruments: Annotated[tuple[Instrument, ...], Field(min_length=1)]
    """The house list, by preference."""
    max_share_of_all: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Most of one instrument in the sum of all recommendations, its own class's cash apart; against flocking."""
    start_weight: Annotated[float, Field(ge=0)] = 20.0
    """Sum of recommended weights (clients) from which on `max_share_of_all` holds; before, shares mean little."""

    @model_validator(mode="after")
    def _ids_differ(self) -> "AdviceConfig":
        ids = [i.asset_id for i in self.instruments]
        if len(set(ids)) != len(ids):
            raise ValueError("instruments must have different ids")
        return self


def load_advice(file: str | Path) -> AdviceConfig:
    """What switches advice on, from TOML: `[[instruments]]` and, if wanted, `max_share_of_all` and `start_weight`.

    Raises
    ------
    InputError
        The file can't be read.
    DataError
        No TOML, or it breaks the rules of `AdviceConfig`; the first five are said.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "advice", "can't be read", value=str(file), remedy="name a TOML file with the house's instruments"
        ) from error
    try:
        return AdviceConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataError("advice", f"is no TOML: {error}") from error
    except ValidationError as error:
        said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise DataError(
            "advice", "breaks the rules of a house list", n_bad=len(said), examples=said[:5]
        ) from error


def choose_instruments(
    classes: Mapping[str, float],
    profile: RiskProfile,
    *,
    config: AdviceConfig,
    limits: SuitabilityLimits,
    recommended: Mapping[str, float],
    home_currency: str,
) -> dict[str, float] | None:
    """Weights of instruments that make up the class weights, or None if the house list doesn't suffice.

    Parameters
    ----------
    classes
        Weights by asset class, sum 1; classes in `CASH_CLASSES` stay as they are.
    profile, limits
        Largest weight of one instrument and of one issuer by the client's risk class; the outcome passes the suitability
        filter as a whole, currencies included.
    recommended
        Instrument to the sum of its weights over all recommendations so far; those recommended least come first,
        then the house's order.
    home_currency
        The client's.

    Returns
    -------
    dict or None
        Asset id to weight, above 0; None where limits leave some weight without an instrument.
    """
    allowed = limits.risk_class[profile.risk_class]
    total = sum(recommended.values()) + sum(w for c, w in classes.items() if c not in CASH_CLASSES)
    found: dict[str, float] = {}
    issuers: dict[str, float] = {}
    for name, weight in classes.items():
        if name in CASH_CLASSES or weight <= 0:
            continue
        left = weight
        for instrument in _least_recommended(config.instruments, name, recommended):
            room = min(allowed.max_asset, allowed.max_issuer - issuers.get(instrument.issuer, 0.0))
            if total >= config.start_weight:
                room = min(room, config.max_share_of_all * total - recommended.get(instrument.asset_id, 0.0))
            taken = min(room, left)
            if taken <= 1e-9:
                continue
            found[instrument.asset_id] = taken
            issuers[instrument.issuer] = issuers.get(instrument.issuer, 0.0) + taken
            left -= taken
            if left <= 1e-9:
                break
        if left > 1e-9:
            return None
    currency_of = {i.asset_id: i.currency for i in config.instruments}
    currencies = {home_currency: max(0.0, 1.0 - sum(found.values()))}
    for asset, weight in found.items():
        currencies[currency_of[asset]] = currencies.get(currency_of[asset], 0.0) + weight
    whole = Allocation(dict(classes), found, issuers, currencies)
    return None if suitable(whole, profile, limits, home_currency=home_currency) else found


def _least_recommended(
    instruments: Sequence[Instrument], asset_class: str, recommended: Mapping[str, float]
) -> list[Instrument]:
    """Instruments of a class, least recommended first."""
    mine = [i for i in instruments if i.asset_class == asset_class]
    return sorted(mine, key=lambda i: recommended.get(i.asset_id, 0.0))
