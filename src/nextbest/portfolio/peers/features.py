"""What makes two clients alike: the features, their weights, and the levels a question is rounded to.

No distance is computed here and no client is kept. A profile is a mapping of feature name to value; what isn't
known is left out or None, and is then no part of any distance.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat, model_validator

from nextbest.errors import DataError, InputError, refuse

FeatureKind = Literal["number", "category"]
Profile = Mapping[str, float | int | str | None]
"""Feature name -> value. Names that no feature has are ignored, so a wider row may be passed as it is."""

OTHER = "other"
"""The category that rare ones are merged into."""


class Feature(BaseModel, frozen=True, extra="forbid"):
    """One thing that makes clients alike."""

    name: str
    title_en: str
    title_ru: str
    kind: FeatureKind = "number"
    weight: PositiveFloat = 1.0
    """Its part of the distance, relative to the others; no unit."""
    levels: tuple[float, ...] = ()
    """Numbers: a question is rounded to the nearest of these, and their first and last are the range, in the
    feature's own unit; ascending, two or more."""
    log: bool = False
    """Numbers: differences are of logarithms, so that 1 to 2 is as far as 10 to 20; values must be positive."""

    @model_validator(mode="after")
    def _levels_fit(self) -> "Feature":
        if self.kind == "category" and (self.levels or self.log):
            raise ValueError(f"{self.name}: a category has neither levels nor a logarithm")
        if self.kind == "number":
            if len(self.levels) < 2 or list(self.levels) != sorted(set(self.levels)):
                raise ValueError(f"{self.name}: levels must be two or more, ascending")
            if self.log and self.levels[0] <= 0:
                raise ValueError(f"{self.name}: levels of a logarithm must be positive")
        return self

    def on_scale(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """`values` on the scale differences are taken on; NaN stays, and what has no logarithm becomes NaN."""
        if not self.log:
            return values
        return np.log(np.where(values > 0, values, np.nan))

    @property
    def span(self) -> float:
        """Range of the levels, on the scale."""
        low, high = self.on_scale(np.array([self.levels[0], self.levels[-1]]))
        return float(high - low)

    def level(self, value: float) -> float:
        """The level nearest to `value` on the scale; of two as near, the lower; beyond the ends, the end."""
        if self.log and value <= 0:
            return self.levels[0]
        scale = self.on_scale(np.array([*self.levels, value], dtype=np.float64))
        return self.levels[int(np.abs(scale[:-1] - scale[-1]).argmin())]


_GRADES = (1.0, 2.0, 3.0, 4.0, 5.0)
_MONEY = (1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8)
FEATURES = (
    Feature(name="goal_type", title_en="goal", title_ru="цель", kind="category", weight=1.0),
    Feature(
        name="horizon_years",
        title_en="years to the goal",
        title_ru="лет до цели",
        weight=1.5,
        levels=(0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30),
        log=True,
    ),
    Feature(
        name="target_ratio",
        title_en="target to current wealth",
        title_ru="цель к накопленному",
        levels=(0.5, 1, 1.5, 2, 3, 5, 10, 30, 100),
        log=True,
    ),
    Feature(
        name="contribution_rate",
        title_en="contributions to income",
        title_ru="взносы к доходу",
        levels=(0, 0.05, 0.1, 0.2, 0.3, 0.5),
    ),
    Feature(
        name="risk_capacity",
        title_en="capacity for loss",
        title_ru="способность нести убытки",
        weight=2.0,
        levels=_GRADES,
    ),
    Feature(
        name="risk_tolerance",
        title_en="risk tolerance",
        title_ru="готовность к риску",
        weight=2.0,
        levels=_GRADES,
    ),
    Feature(
        name="age_years", title_en="age", title_ru="возраст", levels=(22.5, 30, 40, 50, 60, 72.5), weight=1.0
    ),
    Feature(name="currency", title_en="currency", title_ru="валюта", kind="category", weight=1.0),
    Feature(
        name="liquidity_need",
        title_en="need of ready money",
        title_ru="потребность в ликвидности",
        levels=(0, 0.25, 0.5, 0.75, 1),
    ),
    Feature(
        name="knowledge",
        title_en="knowledge of markets",
        title_ru="знание рынков",
        levels=_GRADES,
        weight=0.5,
    ),
    Feature(name="income", title_en="income", title_ru="доход", levels=_MONEY, log=True, weight=0.5),
    Feature(name="wealth", title_en="invested", title_ru="вложено", levels=_MONEY, log=True, weight=0.5),
)
"""The twelve of the default: what suitability asks for weighs most, money least."""


class PeerConfig(BaseModel, frozen=True, extra="forbid"):
    """How peers are found and weighed. What may be told of them is `PrivacyConfig`'s."""

    features: tuple[Feature, ...] = FEATURES
    distance: Literal["gower", "standardised"] = "gower"
    """"gower": weighted mean of |difference| / range (1 at most), categories 0 or 1; Gower 1971 with the range of the
    levels in place of the sample's, so that one extreme client doesn't bring all others together.
    "standardised": root of the weighted mean of squared differences in standard deviations of the fitted clients, with
    two different categories one weighted unit of two deviations apart."""
    n_neighbours: Annotated[int, Field(ge=20, le=1000)] = 50
    """Nearest clients taken, at most."""
    max_distance: PositiveFloat | None = None
    """Farther clients are no peers; None = 0.25 (gower) or 1.5 (standardised)."""
    min_known: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Two clients are compared if the features known of both carry this share of all weights."""
    max_share: Annotated[float, Field(gt=0, le=0.25)] = 0.1
    """No peer has more than this share of the weight in the proposal."""
    result_strength: Annotated[float, Field(ge=0, le=2)] = 1.0
    """How much better shrunken results raise a peer's weight: exp(strength * difference); 0 = not at all."""

    @model_validator(mode="after")
    def _names_differ(self) -> "PeerConfig":
        names = [f.name for f in self.features]
        if not names or len(names) != len(set(names)):
            raise ValueError("features must be one or more, of different names")
        if self.max_share * 21 < 1:
            raise ValueError("max_share must let 21 peers have it all: 1/21 or more")
        return self

    @property
    def limit(self) -> float:
        """`max_distance` or its default."""
        return self.max_distance or (0.25 if self.distance == "gower" else 1.5)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights that add up to one, shape (F,)."""
        weights = np.array([f.weight for f in self.features], dtype=np.float64)
        weights /= weights.sum()
        return weights


def canonical(profile: Profile, *, config: PeerConfig, categories: Mapping[str, tuple[str, ...]]) -> Profile:
    """The question that stands for `profile` and all near it: numbers at levels, unknown categories as "other".

    Parameters
    ----------
    profile
        Values in the features' own units; missing, None and NaN are not known.
    categories
        The categories that may be asked for, feature by feature; one that isn't there is "other" where that is
        among them, else not known.

    Raises
    ------
    InputError
        A number is no finite number; several at once as `CombinedInputError`.
    """
    asked: dict[str, float | str | None] = {}
    wrong: list[InputError] = []
    for feature in config.features:
        value = profile.get(feature.name)
        if value is None or (isinstance(value, float) and np.isnan(value)):
            asked[feature.name] = None
        elif feature.kind == "category":
            known = categories.get(feature.name, ())
            name = str(value)
            asked[feature.name] = name if name in known else OTHER if OTHER in known else None
        elif isinstance(value, bool | str) or not np.isfinite(value):
            wrong.append(InputError(feature.name, "must be a finite number", value=value))
        else:
            asked[feature.name] = feature.level(float(value))
    refuse(wrong)
    return asked


def encode_question(
    question: Profile, *, config: PeerConfig, categories: Mapping[str, tuple[str, ...]]
) -> NDArray[np.float64]:
    """A canonical question as numbers, shape (F,): on each feature's scale, categories as codes, NaN = not known."""
    numbers = np.full(len(config.features), np.nan)
    for f, feature in enumerate(config.features):
        value = question[feature.name]
        if value is None:
            continue
        if feature.kind == "category":
            numbers[f] = categories[feature.name].index(str(value))
        else:
            numbers[f] = feature.on_scale(np.array([float(value)]))[0]
    return numbers


def encode_clients(
    profiles: pl.DataFrame, *, config: PeerConfig, categories: Mapping[str, tuple[str, ...]]
) -> NDArray[np.float64]:
    """All clients as numbers, shape (F, N); a category outside `categories` is "other" or not known.

    Raises
    ------
    DataError
        A feature's column has the wrong type or holds infinities.
    """
    block = np.full((len(config.features), profiles.height), np.nan)
    for f, feature in enumerate(config.features):
        if feature.name not in profiles.columns:
            continue
        column = profiles[feature.name]
        if feature.kind == "category":
            codes = {name: code for code, name in enumerate(categories[feature.name])}
            numbers = column.cast(pl.String).replace_strict(
                codes, default=codes.get(OTHER), return_dtype=pl.Float64
            )
            numbers = pl.select(pl.when(column.is_null()).then(None).otherwise(numbers)).to_series()
        elif column.dtype.is_numeric() or column.dtype == pl.Null:
            numbers = column.cast(pl.Float64)
        else:
            raise DataError("profiles", f"column {feature.name!r} must be a number, is {column.dtype}")
        values = numbers.fill_null(np.nan).to_numpy()
        if n_bad := int(np.isinf(values).sum()):
            rows = np.flatnonzero(np.isinf(values))[:5].tolist()
            raise DataError("profiles", f"{feature.name} must be finite", n_bad=n_bad, examples=rows)
        block[f] = feature.on_scale(values) if feature.kind == "number" else values
    return block
