"""What the client's own money did: flows count with their days and amounts. Needs a valuation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from nextbest.portfolio.metrics.allocation import average_investment, return_on_average_investment
from nextbest.portfolio.metrics.figures.figure import Figure
from nextbest.portfolio.metrics.measured import Answer, Spec
from nextbest.portfolio.metrics.money_weighted import Rate, xirr
from nextbest.portfolio.metrics.returns import is_a_year, modified_dietz
from nextbest.portfolio.metrics.sample import Sample

_BETWEEN = "the value at the end of the first day is the first money in, the last day's value comes back"


@dataclass(frozen=True)
class MoneyPath:
    """A client's money between the first and the last valuation."""

    begin: float
    """Value at the end of the first day; that day's flow is in it."""
    end: float
    days: tuple[date, ...]
    """First day, days with an external flow, last day."""
    flows: tuple[float, ...]
    """External flow of each of the days between; > 0 came in."""
    flow_timing: str

    @property
    def gain(self) -> float:
        """end - begin - flows."""
        return self.end - self.begin - math.fsum(self.flows)

    @property
    def has_a_year(self) -> bool:
        """Whether the days span a year."""
        return is_a_year(np.datetime64(self.days[0]), np.datetime64(self.days[-1]))


def money_path(sample: Sample) -> MoneyPath | None:
    """The valuation's first and last value with the flows between; None with fewer than two values."""
    valuation = sample.valuation
    if valuation is None:
        return None
    valued = np.flatnonzero(np.isfinite(valuation.nav_T))
    if len(valued) < 2:
        return None
    first, last = int(valued[0]), int(valued[-1])
    flow_T = valuation.flow_T[first + 1 : last + 1]
    between = np.flatnonzero(flow_T != 0) + first + 1
    days = [valuation.days_T[t].astype("datetime64[D]").astype(date) for t in (first, *between, last)]
    return MoneyPath(
        begin=float(valuation.nav_T[first]),
        end=float(valuation.nav_T[last]),
        days=tuple(days),
        flows=tuple(valuation.flow_T[between].tolist()),
        flow_timing=valuation.flow_timing,
    )


def _of_money(compute: Callable[[MoneyPath], Answer]) -> Callable[[Sample], Answer]:
    """A figure of the path, null where there is none."""

    def answer(sample: Sample) -> Answer:
        path = money_path(sample)
        return Answer(reason="no_data") if path is None else compute(path)

    return answer


@lru_cache(maxsize=4)
def _rate(path: MoneyPath) -> Rate:
    """Rate of the path's flows from the investor's side; several figures of one client ask for it."""
    amounts = [-path.begin, *(-flow for flow in path.flows), path.end]
    return xirr(path.days, amounts)


def _rate_details(rate: Rate) -> dict[str, object]:
    """All roots, whether they are several, and the day count."""
    return {"roots": list(rate.roots), "several_roots": len(rate.roots) > 1, "day_count": rate.day_count}


def _xirr(path: MoneyPath) -> Answer:
    """Annual rate, not under a year."""
    n = len(path.flows) + 2
    if not path.has_a_year:
        return Answer(reason="under_a_year", n=n)
    rate = _rate(path)
    if rate.rate is None:
        return Answer(reason="no_root", n=n, details=_rate_details(rate))
    return Answer(value=rate.rate, n=n, details=_rate_details(rate))


def _mwr(path: MoneyPath) -> Answer:
    """The same rate over the period, for any length."""
    n = len(path.flows) + 2
    rate = _rate(path)
    over = rate.over_period
    if over is None or not math.isfinite(over):
        return Answer(reason="no_root", n=n, details=_rate_details(rate))
    return Answer(value=over, n=n, details=_rate_details(rate))


def _modified_dietz(path: MoneyPath) -> Answer:
    """One division, flows weighted by days, at the valuation's flow timing."""
    total = (path.days[-1] - path.days[0]).days
    n = len(path.flows) + 2
    if total <= 0:
        return Answer(reason="one_point", n=n)
    early = 1 if path.flow_timing == "start" else 0
    weights = [(total - (day - path.days[0]).days + early) / total for day in path.days[1:-1]]
    value = modified_dietz(path.begin, path.end, flows=path.flows, weights=weights)
    return Answer(value=value, n=n) if math.isfinite(value) else Answer(reason="not_positive", n=n)


def _average_return(path: MoneyPath) -> Answer:
    """Gain over the capital at work, averaged over days."""
    start = path.days[0].toordinal()
    days = [day.toordinal() - start for day in path.days]
    capital = [path.begin + math.fsum(path.flows[:i]) for i in range(len(days) - 1)]
    value = return_on_average_investment(path.gain, average_investment(days, capital))
    n = len(path.flows) + 2
    return Answer(value=value, n=n) if math.isfinite(value) else Answer(reason="not_positive", n=n)


def _income_yield(sample: Sample) -> Answer:
    """Dividends of the last 365 days over the average value on those days."""
    path, valuation = money_path(sample), sample.valuation
    if path is None or valuation is None:
        return Answer(reason="no_data")
    if not path.has_a_year:
        return Answer(reason="under_a_year")
    last = np.datetime64(path.days[-1])
    recent = (valuation.days_T <= last) & (valuation.days_T > last - np.timedelta64(365, "D"))
    values = valuation.nav_T[recent & np.isfinite(valuation.nav_T)]
    income = float(np.nansum(valuation.income_T[recent]))
    average = float(values.mean()) if len(values) else 0.0
    if not average > 0:
        return Answer(reason="not_positive", n=len(values))
    return Answer(value=income / average, n=len(values), details={"income": income})


MONEY_FIGURES = (
    Figure(
        Spec(
            "gain",
            "Gain",
            "Прибыль",
            "money",
            "last value - first value - sum of external flows",
            _BETWEEN,
            "GIPS 2020",
        ),
        _of_money(lambda path: Answer(value=path.gain, n=len(path.flows) + 2)),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "modified_dietz",
            "Modified Dietz return",
            "Доходность по модифицированному Дитцу",
            "fraction",
            "(V1 - V0 - sum F) / (V0 + sum w F)",
            "flows weighted by the share of days they were invested; not annualised; " + _BETWEEN,
            "GIPS 2020",
        ),
        _of_money(_modified_dietz),
        ("flow_timing",),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "mwr",
            "Money-weighted return (MWR)",
            "Взвешенная по деньгам доходность (MWR)",
            "fraction",
            "(1 + XIRR)^years - 1",
            "over the whole period, not annualised; ACT/365F; of several roots the one where the present value falls, nearest to zero in ln(1 + rate); "
            + _BETWEEN,
            "GIPS 2020",
        ),
        _of_money(_mwr),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "xirr",
            "Money-weighted return a year (XIRR)",
            "Взвешенная по деньгам доходность, годовая (XIRR)",
            "fraction a year",
            "rate with sum(F / (1 + rate)^years) = 0",
            "ACT/365F from the first flow; all roots are told, the primary one is where the present value falls, nearest to zero in ln(1 + rate); never under a year; "
            + _BETWEEN,
            "GIPS 2020",
        ),
        _of_money(_xirr),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "return_on_average_investment",
            "Return on average investment",
            "Доходность на среднее вложение",
            "fraction",
            "gain / average capital at work",
            "capital is net money paid in, averaged over days on which it is above zero; not annualised",
            "Ghostfolio (ROAI)",
        ),
        _of_money(_average_return),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "income_yield",
            "Income yield",
            "Доходность от дивидендов и купонов",
            "fraction a year",
            "income of the last 365 days / mean value on those days",
            "before tax; never under a year",
            "Bacon 2008",
        ),
        _income_yield,
        needs_valuation=True,
    ),
)
