"""Alerts that open at one limit and close at another, so that a portfolio on the edge doesn't flap.

Knows values and limits; neither clients nor the book.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, model_validator

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
AlertKind = Literal["drawdown", "drift", "goal_probability", "below_plan"]
ALERT_KINDS: tuple[AlertKind, ...] = get_args(AlertKind)
ALERT_TEXTS: dict[AlertKind, tuple[str, str]] = {
    "drawdown": ("The portfolio has fallen far below its peak.", "Портфель сильно упал от своего максимума."),
    "drift": ("The allocation has moved away from the plan.", "Доли отошли от плана."),
    "goal_probability": ("The goal has become less likely.", "Достижение цели стало менее вероятным."),
    "below_plan": (
        "The portfolio is worth less than in 95 of 100 courses the plan foresaw.",
        "Портфель стоит меньше, чем в 95 из 100 путей, предусмотренных планом.",
    ),
}


class Limit(BaseModel, frozen=True, extra="forbid"):
    """When an alert opens and when it closes."""

    opens_at: float
    closes_at: float
    """On the better side of `opens_at`: between the two, what is open stays open and what is closed stays closed."""

    @model_validator(mode="after")
    def _apart(self) -> "Limit":
        if self.opens_at == self.closes_at:
            raise ValueError("opens_at and closes_at must differ, or the alert flaps")
        return self

    @property
    def high_is_bad(self) -> bool:
        """Whether values above `opens_at` open it; else values below."""
        return self.opens_at > self.closes_at


class AlertLimits(BaseModel, frozen=True, extra="forbid"):
    """One limit for each kind of alert."""

    drawdown: Limit = Limit(opens_at=0.20, closes_at=0.15)
    """Present fall from the peak, fraction, positive."""
    drift: Limit = Limit(opens_at=0.05, closes_at=0.03)
    """Largest distance of a class from the plan, fraction of the portfolio."""
    goal_probability: Limit = Limit(opens_at=0.50, closes_at=0.55)
    below_plan: Limit = Limit(opens_at=1.00, closes_at=1.05)
    """Worth over the plan's 5 % quantile of the day."""

    @model_validator(mode="after")
    def _right_way(self) -> "AlertLimits":
        for kind, bad in (
            ("drawdown", True),
            ("drift", True),
            ("goal_probability", False),
            ("below_plan", False),
        ):
            if getattr(self, kind).high_is_bad != bad:
                raise ValueError(f"{kind} must close {'below' if bad else 'above'} where it opens")
        return self

    def of(self, kind: AlertKind) -> Limit:
        """The limit of one kind."""
        limit: Limit = getattr(self, kind)
        return limit


def next_state(open_P: Bools, value_P: Floats, limit: Limit) -> Bools:
    """Which alerts are open after today's values, shape (P,).

    Parameters
    ----------
    open_P
        Open before.
    value_P
        Today's values; NaN = not known today, the alert stays as it is.

    >>> limit = Limit(opens_at=0.20, closes_at=0.15)
    >>> state = np.array([False])
    >>> for value in (0.19, 0.21, 0.18, 0.14, 0.18, np.nan):
    ...     state = next_state(state, np.array([value]), limit)
    ...     print(value, state[0])
    0.19 False
    0.21 True
    0.18 True
    0.14 False
    0.18 False
    nan False
    """
    sign = 1.0 if limit.high_is_bad else -1.0
    opens = sign * value_P > sign * limit.opens_at
    closes = sign * value_P < sign * limit.closes_at
    state: Bools = (open_P | opens) & ~closes
    return state
