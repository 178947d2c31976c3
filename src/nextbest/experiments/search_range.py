"""One range of a recipe's `search` table: what a setting may be. Knows no model and no search."""

import math
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, model_validator
from pydantic_core import to_jsonable_python


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Number = Annotated[int | float, BeforeValidator(_number)]
Choices = Annotated[list[Any], BeforeValidator(to_jsonable_python)]
"""In JSON's kinds, as they come back from a file."""


class SearchRange(BaseModel, frozen=True, extra="forbid"):
    """Values between two ends, or one of a list.

    >>> SearchRange(low=16, high=64, step=16).values()
    [16, 32, 48, 64]
    >>> SearchRange(low=0.0, high=0.5).n_values
    inf
    """

    low: Number | None = None
    """Smallest value. `low` and `high` both whole (`16`, not `16.0`): whole numbers are drawn, else real ones."""
    high: Number | None = None
    """Largest value, included; with a `step` that doesn't meet it, the last value that it meets."""
    step: Number | None = None
    """Distance of neighbouring values; None: 1 for whole numbers, any value for real ones."""
    log: bool = False
    """Draw evenly by order of magnitude, as learning rates and penalties want."""
    choices: Choices | None = None
    """Instead of two ends: the values themselves, numbers, words, lists or tables; no order between them is assumed."""

    @model_validator(mode="after")
    def _is_one_range(self) -> "SearchRange":
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("choices stand alone, without low, high, step and log")
            if not self.choices:
                raise ValueError("choices hold no value")
            if None in self.choices:
                raise ValueError("choices must not hold None: TOML can't say it")
            if twice := [v for i, v in enumerate(self.choices) if v in self.choices[:i]]:
                raise ValueError(f"choices {twice[:5]} appear twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low} must be above 0 where log is true")
        if self.step is not None:
            if self.log:
                raise ValueError("step and log don't go together")
            if self.step <= 0 or _exact(self.step) > _exact(self.high) - _exact(self.low):
                raise ValueError(f"step {self.step} must be above 0 and at most high - low")
            if isinstance(self.low, int) and isinstance(self.high, int) and not isinstance(self.step, int):
                raise ValueError(
                    f"step {self.step} must be whole between whole ends; write low = {self.low}.0"
                )
        return self

    @cached_property
    def is_whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @cached_property
    def n_values(self) -> float:
        """Different values it holds; infinite for real numbers without a step."""
        if self.choices is not None:
            return len(self.choices)
        if self.step is None and not self.is_whole:
            return math.inf
        return int((_exact(self.high) - _exact(self.low)) // _exact(self.step or 1)) + 1

    def values(self) -> list[Any]:
        """Every value, from the lowest or in the order of `choices`; only where `n_values` is finite."""
        if self.choices is not None:
            return list(self.choices)
        return [self.value_at(i) for i in range(int(self.n_values))]

    def value_at(self, i: int) -> Any:
        """The value `i` steps above `low`, exactly as it would be written: 0.1 + 0.2 is 0.3."""
        exact = _exact(self.low) + i * _exact(self.step or 1)
        return int(exact) if self.is_whole else float(exact)

    @property
    def top(self) -> Any:
        """The largest value that is drawn."""
        return self.high if math.isinf(self.n_values) else self.value_at(int(self.n_values) - 1)

    def holds(self, value: object) -> bool:
        """Whether `value` is one that may be drawn."""
        if self.choices is not None:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.is_whole and not isinstance(value, int):
            return False
        assert self.low is not None
        if not self.low <= value <= self.top:
            return False
        return self.step is None or (_exact(value) - _exact(self.low)) % _exact(self.step) == 0


def _exact(number: float | None) -> Decimal:
    """The number as it is written, so that steps of 0.1 add up."""
    return Decimal(str(number))
