"""Prices of all assets as arrays, days x assets, with what lies between them: splits, dividends, rates, closed days.

Legend: `T` days with at least one price, `A` assets. Nothing is filled in: NaN is a day without a trade.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
DayArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Gap:
    """A stretch of days on which the exchange was closed, longer than a weekend with usual holidays."""

    start: date
    """Last day with prices before it."""
    end: date
    """First day with prices after it."""
    calendar_days: int
    """From `start` to `end`; 1 would be the next day."""


@dataclass(frozen=True)
class Market:
    """Closes as traded, in each asset's own currency, and all it takes to value a holding in one currency."""

    days_T: DayArray  # noqa: N815 - shape suffix
    """datetime64[D], ascending, no repeats."""
    asset_ids: tuple[str, ...]
    asset_class: tuple[str, ...]
    """Class of each asset, in the order of `asset_ids`."""
    currency_A: tuple[str, ...]  # noqa: N815 - shape suffix
    """Currency of each asset's close and dividend."""
    close_TA: FloatArray  # noqa: N815 - shape suffix
    """Not adjusted for anything; NaN = no trade that day; > 0 else."""
    fx_TA: FloatArray  # noqa: N815 - shape suffix
    """Units of `currency` for one of the asset's; carried forward over days without a rate, NaN before the first
    and where the last is too old."""
    split_TA: FloatArray  # noqa: N815 - shape suffix
    """New pieces for one old, in force before the day's first trade; 1 = none; several of one day multiplied."""
    dividend_TA: FloatArray  # noqa: N815 - shape suffix
    """Paid on one piece that was held at the end of the day before, in the asset's currency, in pieces of the day
    itself (after its split); 0 = none."""
    gaps: tuple[Gap, ...] = ()
    currency: str = ""
    """Into which `fx_TA` and `rates` convert."""
    rates: Mapping[str, FloatArray] = field(default_factory=dict)
    """Currency -> units of `currency` for one of it, shape (T,), NaN as in `fx_TA`: for cash, fees and flows."""

    @cached_property
    def asset_index(self) -> dict[str, int]:
        """Column of each asset."""
        return {asset: a for a, asset in enumerate(self.asset_ids)}

    @property
    def n_days(self) -> int:
        """T."""
        return len(self.days_T)

    @property
    def n_assets(self) -> int:
        """A."""
        return len(self.asset_ids)

    def __repr__(self) -> str:
        """Size and span."""
        span = f"{self.days_T[0]}..{self.days_T[-1]}" if self.n_days else "empty"
        return f"Market(n_days={self.n_days}, n_assets={self.n_assets}, {span}, currency={self.currency!r})"
