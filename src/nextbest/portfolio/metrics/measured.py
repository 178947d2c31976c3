"""What a figure is called and how it is defined (`Spec`), and what it came to (`Measured`).

Words and one record; computes nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nextbest.portfolio.russian import both_languages

Reason = Literal[
    "no_data",
    "one_point",
    "constant",
    "no_losses",
    "under_a_year",
    "no_root",
    "no_benchmark",
    "no_overlap",
    "not_positive",
    "out_of_domain",
]
"""Why a figure has no value."""
REASON_WORDS: Mapping[Reason, tuple[str, str]] = {
    "no_data": ("nothing to compute it from", "нет данных для расчёта"),
    "one_point": ("one observation is not enough", "одного наблюдения недостаточно"),
    "constant": ("returns don't vary", "доходность не меняется"),
    "no_losses": ("there were no losses", "убытков не было"),
    "under_a_year": ("less than a year of history", "история короче года"),
    "no_root": ("no rate settles these cash flows", "для этих потоков ставки не существует"),
    "no_benchmark": ("no benchmark was given", "эталон не задан"),
    "no_overlap": ("no common days with the benchmark", "нет общих дней с эталоном"),
    "not_positive": ("what it is divided by is not above zero", "знаменатель не больше нуля"),
    "out_of_domain": (
        "the formula doesn't hold for such skewness and kurtosis",
        "формула неприменима при такой асимметрии и эксцессе",
    ),
}
"""Each reason in English and Russian, for clients."""


@dataclass(frozen=True)
class Spec:
    """Name and definition of a figure."""

    name: str
    title_en: str
    title_ru: str
    unit: str
    """`fraction` (0.1 = 10 %), `fraction a year`, `ratio`, `days`, `observations`, `count`, or `money` (in the portfolio's currency)."""
    formula: str
    convention: str
    """Which of the variants that share the name this is: over what, annualised how, sign."""
    source: str


@dataclass(frozen=True)
class Answer:
    """What a figure's computation came to, before it is put into words. Either a value or a reason."""

    value: float | None = None
    reason: Reason | None = None
    n: int = 0
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """One figure of one portfolio: a value, or null with the reason."""

    spec: Spec
    value: float | None
    """In `unit`; never inf or NaN."""
    unit: str
    method: str
    """The convention with the numbers it was used with, in English."""
    n: int
    """Observations (periods, flows or holdings) that counted."""
    reason: Reason | None = None
    """Why `value` is None."""
    alpha: float | None = None
    """Tail probability, for VaR and its like."""
    horizon: str | None = None
    """How far ahead the figure looks, as `1 day`."""
    details: Mapping[str, object] = field(default_factory=dict)
    """What else belongs to it: dates of a fall, all roots of a rate, shares of an allocation; JSON-ready."""

    def __post_init__(self) -> None:
        """A figure has a finite value or a reason, never both and never neither."""
        assert (self.value is None) != (self.reason is None), f"{self.spec.name}: a value or a reason"
        assert self.value is None or math.isfinite(self.value), f"{self.spec.name} is not finite"

    @property
    def name(self) -> str:
        """Of the figure, as in the catalogue."""
        return self.spec.name

    def json(self) -> dict[str, object]:
        """Plain types for a JSON document; `method_text` is the method for clients; `reason` only beside a null, `details` only if there are any."""
        made: dict[str, object] = {
            "value": self.value,
            "unit": self.unit,
            "method": self.method,
            "method_text": both_languages(self.method),
            "n": self.n,
            "alpha": self.alpha,
            "horizon": self.horizon,
            "title": {"en": self.spec.title_en, "ru": self.spec.title_ru},
            "formula": self.spec.formula,
        }
        if self.horizon is not None:
            made["horizon_text"] = both_languages(self.horizon)
        if self.reason is not None:
            en, ru = REASON_WORDS[self.reason]
            made["reason"] = self.reason
            made["reason_text"] = {"en": en, "ru": ru}
        if self.details:
            made["details"] = dict(self.details)
        return made
