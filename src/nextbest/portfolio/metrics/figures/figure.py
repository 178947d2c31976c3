"""One figure of the catalogue: its definition and its computation, and the usual shape of such a computation."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from nextbest.portfolio.metrics.measured import Answer, Reason, Spec
from nextbest.portfolio.metrics.sample import Sample

Stated = Literal["periods_per_year", "rf", "gaps", "flow_timing", "benchmark"]


@dataclass(frozen=True)
class Figure:
    """A definition and how it is computed from a sample."""

    spec: Spec
    compute: Callable[[Sample], Answer]
    states: tuple[Stated, ...] = ()
    """Which parameters of the sample its `method` must name."""
    has_alpha: bool = False
    has_horizon: bool = False
    needs_valuation: bool = False
    """Whether it can't be had from returns alone."""


def from_returns(
    compute: Callable[[Sample], float],
    *needs: str,
    regular: bool = True,
    otherwise: Reason = "not_positive",
    details: Callable[[Sample], Mapping[str, object]] | None = None,
) -> Callable[[Sample], Answer]:
    """A computation that names the first of its `needs` that isn't met, and `otherwise` where the number isn't finite.

    `regular`: over periods that don't span a gap, or over all.
    """

    def answer(sample: Sample) -> Answer:
        n = len(sample.regular if regular else sample.returns_T)
        reason = sample.missing(*needs, regular=regular)
        if reason is not None:
            return Answer(reason=reason, n=n)
        value = compute(sample)
        if not math.isfinite(value):
            return Answer(reason=otherwise, n=n)
        return Answer(value=float(value), n=n, details=details(sample) if details else {})

    return answer


def core(
    name: str, *needs: str, regular: bool = True, otherwise: Reason = "not_positive"
) -> Callable[[Sample], Answer]:
    """The figure of that name from `fast_metrics`, so that one portfolio and ten thousand agree."""

    def value(sample: Sample) -> float:
        return (sample.core if regular else sample.core_all)[name]

    return from_returns(value, *needs, regular=regular, otherwise=otherwise)
