"""What a portfolio returned: by time, by money, per year, in its best and worst days and months."""

from collections.abc import Callable

import numpy as np

from nextbest.portfolio.metrics.figures.figure import Figure, core, from_returns
from nextbest.portfolio.metrics.measured import Answer, Spec
from nextbest.portfolio.metrics.returns import FloatArray, calendar_returns
from nextbest.portfolio.metrics.sample import Sample


def _months(sample: Sample) -> FloatArray:
    """Linked returns of calendar months; empty without a calendar."""
    if sample.days_T is None:
        return np.empty(0)
    return calendar_returns(sample.days_T, sample.returns_T)[1]


def _of_months(compute: Callable[[FloatArray], float]) -> Callable[[Sample], Answer]:
    """A figure of the months' returns."""

    def answer(sample: Sample) -> Answer:
        months = _months(sample)
        if not len(months):
            return Answer(reason="no_data")
        return Answer(value=float(compute(months)), n=len(months))

    return answer


def _period(sample: Sample) -> dict[str, object]:
    """First and last day, where the calendar is known."""
    if sample.start is None or sample.days_T is None:
        return {}
    return {"from": str(sample.start), "to": str(sample.days_T[-1])}


RETURN_FIGURES = (
    Figure(
        Spec(
            "twr",
            "Time-weighted return (TWR)",
            "Взвешенная по времени доходность (TWR)",
            "fraction",
            "prod(1 + r) - 1",
            "linked returns between valuations, gaps included; of the whole period, not annualised",
            "GIPS 2020",
        ),
        from_returns(lambda s: s.core_all["twr"], regular=False, details=_period),
        ("flow_timing",),
    ),
    Figure(
        Spec(
            "cagr",
            "Annual growth (CAGR)",
            "Среднегодовой рост (CAGR)",
            "fraction a year",
            "(1 + TWR)^(1 / years) - 1",
            "years are calendar days / 365.25 (periods / periods a year without a calendar); never under a year",
            "GIPS 2020",
        ),
        from_returns(lambda s: s.cagr, "above_minus_one", "year", regular=False),
        ("flow_timing",),
    ),
    Figure(
        Spec(
            "mean_return_ann",
            "Mean return",
            "Средняя доходность",
            "fraction a year",
            "mean(r) * periods a year",
            "arithmetic, not compounded: the numerator of Sharpe, above the growth by half the variance",
            "Bacon 2008",
        ),
        from_returns(lambda s: float(s.regular.mean()) * s.periods_per_year),
        ("periods_per_year", "gaps"),
    ),
    Figure(
        Spec(
            "hit_rate",
            "Share of winning periods",
            "Доля прибыльных периодов",
            "fraction",
            "share of r > 0",
            "zero is no win",
            "by definition",
        ),
        core("hit_rate"),
        ("gaps",),
    ),
    Figure(
        Spec(
            "best_day",
            "Best period",
            "Лучший период",
            "fraction",
            "max(r)",
            "one period of the series (a day)",
            "by definition",
        ),
        core("best"),
        ("gaps",),
    ),
    Figure(
        Spec(
            "worst_day",
            "Worst period",
            "Худший период",
            "fraction",
            "min(r)",
            "one period of the series (a day)",
            "by definition",
        ),
        core("worst"),
        ("gaps",),
    ),
    Figure(
        Spec(
            "best_month",
            "Best month",
            "Лучший месяц",
            "fraction",
            "max of linked monthly returns",
            "calendar months, gaps included; the first and last may be incomplete",
            "by definition",
        ),
        _of_months(np.max),
    ),
    Figure(
        Spec(
            "worst_month",
            "Worst month",
            "Худший месяц",
            "fraction",
            "min of linked monthly returns",
            "calendar months, gaps included; the first and last may be incomplete",
            "by definition",
        ),
        _of_months(np.min),
    ),
    Figure(
        Spec(
            "hit_rate_months",
            "Share of winning months",
            "Доля прибыльных месяцев",
            "fraction",
            "share of monthly returns > 0",
            "calendar months, gaps included; the first and last may be incomplete",
            "by definition",
        ),
        _of_months(lambda months: float(np.mean(months > 0))),
    ),
)
