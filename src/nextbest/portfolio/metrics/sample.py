"""What all figures of one portfolio are computed from: its observed returns, prepared once.

Legend: `T` observations, without the missing ones. Knows no figure by name but those of `fast_metrics`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nextbest.portfolio.metrics.fast import fast_metrics
from nextbest.portfolio.metrics.measured import Reason
from nextbest.portfolio.metrics.returns import DayArray, annual_growth, is_a_year
from nextbest.portfolio.metrics.sums import CONSTANT_SPREAD, FloatArray

if TYPE_CHECKING:
    from nextbest.portfolio.valuation import Valuation

DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Sample:
    """Observed returns with their days, what they are compared with, and the parameters of all figures."""

    returns_T: FloatArray  # noqa: N815 - shape suffix
    """Simple returns, no NaN."""
    regular_T: npt.NDArray[np.bool_]  # noqa: N815 - shape suffix
    """False for a return over a gap of the calendar: it counts in growth and falls, not in volatility and tails."""
    periods_per_year: float
    rf_ann: float = 0.0
    """Risk-free return a year, compounded, fraction."""
    alpha: float = 0.05
    start: np.datetime64 | None = None
    """Day at whose end the first return begins; None = the calendar isn't known."""
    days_T: DayArray | None = None  # noqa: N815 - shape suffix
    """Last day of each return."""
    benchmark_T: FloatArray | None = None  # noqa: N815 - shape suffix
    """Benchmark's return over the same periods; NaN where it has none; None = not given."""
    period: str = "day"
    """What one return spans, in words."""
    valuation: "Valuation | None" = None

    @cached_property
    def rf(self) -> float:
        """Risk-free return of one period."""
        return float((1.0 + self.rf_ann) ** (1.0 / self.periods_per_year) - 1.0)

    @cached_property
    def regular(self) -> FloatArray:
        """Returns that don't span a gap."""
        return self.returns_T[self.regular_T]

    @cached_property
    def regular_benchmark(self) -> FloatArray | None:
        """The benchmark's over the same periods as `regular`."""
        return None if self.benchmark_T is None else self.benchmark_T[self.regular_T]

    @cached_property
    def core(self) -> dict[str, float]:
        """`fast_metrics` of the regular returns."""
        return self._fast(self.regular, self.regular_benchmark)

    @cached_property
    def core_all(self) -> dict[str, float]:
        """`fast_metrics` of all returns."""
        return self._fast(self.returns_T, self.benchmark_T)

    def _fast(self, returns_T: FloatArray, benchmark_T: FloatArray | None) -> dict[str, float]:
        """One row through the core."""
        made = fast_metrics(
            returns_T[None, :],
            periods_per_year=self.periods_per_year,
            alpha=self.alpha,
            rf=self.rf,
            benchmark_T=benchmark_T,
        )
        return {name: float(values[0]) for name, values in made.items()}

    @cached_property
    def years(self) -> float:
        """From the first return's start to the last one's end; by the number of observations without a calendar."""
        if self.start is None or self.days_T is None or not len(self.days_T):
            return len(self.returns_T) / self.periods_per_year
        return float((self.days_T[-1] - self.start).astype("timedelta64[D]").astype(int)) / DAYS_A_YEAR

    @cached_property
    def has_a_year(self) -> bool:
        """Whether the history is at least a year long."""
        if self.start is None or self.days_T is None or not len(self.days_T):
            return self.years >= 1.0
        return is_a_year(self.start, self.days_T[-1])

    @cached_property
    def cagr(self) -> float:
        """Growth a year of all returns, gaps included; NaN under a year or after a loss of all."""
        if not self.has_a_year or self.returns_T.min() <= -1:
            return float("nan")
        return annual_growth(self.core_all["twr"], years=self.years, min_years=0)

    @cached_property
    def benchmark_cagr(self) -> float:
        """The benchmark's growth a year over the same periods; NaN under a year or if it lacks a period."""
        if self.benchmark_T is None or not self.has_a_year or not len(self.benchmark_T):
            return float("nan")
        if np.isnan(self.benchmark_T).any() or self.benchmark_T.min() <= -1:
            return float("nan")
        return annual_growth(float(np.prod(1.0 + self.benchmark_T) - 1.0), years=self.years, min_years=0)

    def missing(self, *needs: str, regular: bool = True) -> Reason | None:
        """The first need that the returns don't meet, as the reason of a null.

        `needs` of `two` observations, `spread`, `above_minus_one`, `year`, `losses` (a return below the risk-free),
        `fall` (a drawdown), `benchmark` (two periods of it).
        """
        returns_T = self.regular if regular else self.returns_T
        if not len(returns_T):
            return "no_data"
        if len(returns_T) < 2 and {"two", "spread"} & set(needs):
            return "one_point"
        if "spread" in needs and np.ptp(returns_T) <= CONSTANT_SPREAD:
            return "constant"
        if "above_minus_one" in needs and returns_T.min() <= -1:
            return "not_positive"
        if "year" in needs and not self.has_a_year:
            return "under_a_year"
        if "losses" in needs and returns_T.min() >= self.rf:
            return "no_losses"
        if "fall" in needs and not self.core_all["max_drawdown"] < 0:
            return "no_losses"
        if "benchmark" in needs:
            bench_T = self.regular_benchmark if regular else self.benchmark_T
            if bench_T is None:
                return "no_benchmark"
            n_both = int(np.count_nonzero(~np.isnan(bench_T)))
            if n_both < 2:
                return "one_point" if n_both else "no_overlap"
        return None
