"""The money gate: what must hold before anybody may speak of evidence of profit. Numbers in, lines out.

Knows no price and no strategy; the limits are those of issue and research, set before any result was seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nextbest.errors import InputError

LineName = Literal[
    "days", "next_bar", "funding", "audit", "deflated_sharpe", "overfitting", "spa", "random_entry", "break_even"
]  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Where each line of the gate stands."""

    min_days: int = 1000
    """Days with returns, at least."""
    deflated_sharpe: float = 0.95
    """The deflated Sharpe ratio must be above this."""
    overfitting: float = 0.2
    """The probability of back-test overfitting must be below this."""
    p_value: float = 0.05
    """SPA and random entry must be below this."""
    break_even_bps: float = 15.0
    """The cost a side that would eat the profit must be above this, basis points."""
    cost_bps: tuple[float, ...] = (5.0, 10.0)
    """Costs a side at which all is tested; a line passes when it does at each."""

    def __post_init__(self) -> None:
        if not self.cost_bps or any(not 0 <= bps < 10_000 for bps in self.cost_bps):
            raise InputError("cost_bps", "must be one or more costs of 0 to 10,000 basis points", value=self.cost_bps)  # fmt: skip


@dataclass(frozen=True)
class GateLine:
    """One condition: its number, its limit, and whether it holds."""

    name: LineName
    value: float | None
    """The worst over the cost levels where there are several; None = there is no such number."""
    rule: Literal["at least", "above", "below", "is"]
    limit: float
    passed: bool
    """False also where there is no number: what nobody could measure is no evidence."""


def line(name: LineName, value: float | None, rule: Literal["at least", "above", "below", "is"], limit: float) -> GateLine:  # fmt: skip
    """A line with its answer; a value of None or NaN doesn't pass.

    >>> line("spa", 0.049, "below", 0.05).passed, line("spa", None, "below", 0.05).passed
    (True, False)
    """
    if value is None or math.isnan(value):
        return GateLine(name, None, rule, limit, passed=False)
    holds = {"at least": value >= limit, "above": value > limit, "below": value < limit, "is": value == limit}
    return GateLine(name, float(value), rule, limit, passed=bool(holds[rule]))


def worst(values: Sequence[float | None], *, high_is_good: bool) -> float | None:
    """The worst of several numbers; None when any of them is missing.

    >>> worst([0.1, 0.3], high_is_good=False), worst([0.1, None], high_is_good=False)
    (0.3, None)
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known or len(known) < len(values):
        return None
    return min(known) if high_is_good else max(known)
