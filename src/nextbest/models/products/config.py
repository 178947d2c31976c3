"""Settings of a whole product model: months, rows, members, calibration, priors, lists. JSON in, JSON out."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from nextbest.errors import InputError
from nextbest.models.products.base import AdditionModel, Frozen
from nextbest.models.products.baselines import MaskedPopularity, Persistence, Popularity, SegmentRates
from nextbest.models.products.blend import BlendConfig
from nextbest.models.products.calibration import CalibrationConfig
from nextbest.models.products.features.config import PROFILE_BLOCKS, FeatureConfig
from nextbest.models.products.multiclass import Multiclass
from nextbest.models.products.multilogloss import CatBoostMultiLogloss
from nextbest.models.products.per_product import PerProduct, PerProductConfig
from nextbest.models.products.priors import PriorConfig
from nextbest.models.products.rerank import RerankConfig
from nextbest.models.products.two_stage import TwoStage

ESTIMATORS: Mapping[str, type[AdditionModel]] = MappingProxyType(
    {
        cls.kind: cls
        for cls in (
            Persistence,
            Popularity,
            MaskedPopularity,
            SegmentRates,
            PerProduct,
            Multiclass,
            TwoStage,
            CatBoostMultiLogloss,
        )
    }
)
"""Kind -> class of every estimator of additions."""
HISTORY_GROUPS = ("history", "turnover", "breadth", "presence")
"""Reason groups (before their `:`) of what looks further back than the month before the target."""
MemberKind = Literal["per_product", "two_stage", "catboost_multilogloss", "segment_rates"]


def make_estimator(
    kind: str, config: Mapping[str, Any] | None = None, *, n_threads: int = 1
) -> AdditionModel:
    """An estimator that isn't fitted yet, from its kind and the fields of its config.

    >>> make_estimator("per_product", {"negatives": 5}).config.negatives
    5.0

    Raises
    ------
    InputError
        No such kind, or a field that its config doesn't have or allow; the message lists each.
    """
    if kind not in ESTIMATORS:
        raise InputError("kind", f"must be one of {sorted(ESTIMATORS)}", value=kind)
    cls = ESTIMATORS[kind]
    try:
        return cls(cls.Config.model_validate(dict(config or {})), n_threads=n_threads)
    except ValidationError as error:
        raise InputError(f"config of {kind}", _wrong(error), remedy=_fields(cls.Config, error)) from error


def without_lags(kind: str = "per_product", *, n_threads: int = 1) -> AdditionModel:
    """The same estimator without anything that looks further back than last month: a baseline."""
    return make_estimator(kind, {"without_groups": HISTORY_GROUPS}, n_threads=n_threads)


class MemberConfig(Frozen):
    """One estimator of the blend."""

    kind: MemberKind
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of that estimator."""

    @model_validator(mode="after")
    def _known(self) -> "MemberConfig":
        ESTIMATORS[self.kind].Config.model_validate(self.config)
        return self


class ProductConfig(Frozen):
    """Everything that decides what a `ProductModel` is, beside the panel and the random numbers.

    Raises
    ------
    InputError
        From `ProductConfig.of`, when a field is unknown or out of range; the message lists each.
    """

    features: FeatureConfig = FeatureConfig()
    months: PositiveInt = 12
    """Newest target months with known additions that are learned from, the validation month not counted."""
    half_life_months: PositiveFloat | None = 12.0
    """Age at which a training month counts half; None: all count the same."""
    last_year_weight: PositiveFloat = 2.0
    """How much more the same calendar month of last year counts than its age says."""
    unchanged_rows: PositiveInt = 40_000
    """Clients who changed nothing drawn of each training month."""
    valid_rows: PositiveInt = 200_000
    """The same of the validation month, where calibration and blend are learned."""
    members: tuple[MemberConfig, ...] = Field(
        default=(MemberConfig(kind="per_product"), MemberConfig(kind="two_stage")), min_length=1
    )
    """Estimators that are blended."""
    calibration: CalibrationConfig = CalibrationConfig()
    priors: PriorConfig | None = PriorConfig()
    """How many additions to expect; None: as many as the members say."""
    population_rows: PositiveInt = 150_000
    """Clients of the target month on whom the priors' shifts are worked out."""
    blend: BlendConfig = BlendConfig()
    rerank: RerankConfig | None = RerankConfig()
    """Lists ordered by expected average precision with co-additions; None: by probability."""
    refit: bool = True
    """Fit the members once more with the validation month among their rows, everything else kept."""
    ownership: PerProductConfig | None = PerProductConfig(max_positives=30_000)
    """Boosters of drops for P(own next month); None: no answer to that."""
    profile: PerProductConfig | None = PerProductConfig(known_products=False, max_positives=30_000)
    """Boosters on attributes alone for clients without stored history; None: the members answer for them too."""
    profile_features: FeatureConfig = FeatureConfig(blocks=PROFILE_BLOCKS)
    profile_months: PositiveInt = 4
    """Newest target months that the profile boosters learn from."""

    @model_validator(mode="after")
    def _fits(self) -> "ProductConfig":
        if self.profile is not None and self.profile.known_products:
            raise ValueError("profile must have known_products=False: what such clients hold isn't known")
        if self.ownership is not None and not self.ownership.known_products:
            raise ValueError("ownership must have known_products=True: only holders can drop")
        return self

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "ProductConfig":
        """A config of plain JSON fields; see the class for errors."""
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            raise InputError("config", _wrong(error), remedy=_fields(cls, error)) from error


def month_weights(months: tuple[date, ...], target: date, config: ProductConfig) -> NDArray[np.float64]:
    """How much each training month counts for a target month; the newest has 1 or less. Shape (M,)."""
    ages = np.array([(target.year - m.year) * 12 + target.month - m.month for m in months])
    weights = np.ones(len(months))
    if config.half_life_months is not None:
        weights = 0.5 ** ((ages - 1) / config.half_life_months)
    return np.where(ages % 12 == 0, config.last_year_weight * weights, weights)


def months_learned(
    usable: tuple[date, ...], target: date, config: ProductConfig
) -> tuple[tuple[date, ...], date]:
    """Target months to train on, oldest first, and the validation month after them.

    The validation month is the newest of `usable` (months with known additions, all before the target); the
    training months are the `config.months` before it and the target's own calendar month of last year.

    Raises
    ------
    InputError
        Fewer than two usable months.
    """
    if len(usable) < 2:
        raise InputError(
            "target",
            "needs two months with known additions before it",
            value=str(target),
            remedy=f"a later target: three neighbouring months of products are the least; usable: {usable}",
        )
    *earlier, valid = usable
    newest = earlier[-config.months :]
    last_year = [m for m in earlier if (m.year + 1, m.month) == (target.year, target.month)]
    return tuple(sorted({*newest, *last_year})), valid


def _wrong(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {_rule(e)}" for e in error.errors())


def _rule(wrong: Any) -> str:
    """The rule that a field breaks; that of an unknown one in plain words."""
    return "is unknown" if wrong["type"] == "extra_forbidden" else str(wrong["msg"])


def _fields(config: type[Frozen], error: ValidationError) -> str:
    """Fields of the config, or of the part in which one is unknown."""
    unknown = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
    part: object = config()
    for name in unknown[0][:-1] if unknown else ():
        part = getattr(part, str(name), None)
    found: type[BaseModel] = type(part) if isinstance(part, BaseModel) else config
    return f"fields of {found.__name__}: {sorted(found.model_fields)}"
