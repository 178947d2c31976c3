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

_OWN_FLOWS = "the client's own flows from the first on, fees in, and the last day's value back"


@dataclass(frozen=True)
class MoneyPath:
    """A client's money from the first flow to the last valuation."""

    days: tuple[date, ...]
    """Days with an external flow, ascending."""
    flows: tuple[float, ...]
    """External flow of each; > 0 came in."""
    first_day: date
    first_value: float
    """Worth at the end of the first valued day, where the TWR starts."""
    last_day: date
    last_value: float
    flow_timing: str

    @property
    def gain(self) -> float:
        """Last value less all flows."""
        return self.last_value - math.fsum(self.flows)

    @property
    def has_a_year(self) -> bool:
        """Whether the days span a year."""
        return is_a_year(np.datetime64(self.first_day), np.datetime64(self.last_day))


def money_path(sample: Sample) -> MoneyPath | None:
    """The valuation's flows and values; None with fewer than two valued days."""
    valuation = sample.valuation
    if valuation is None or len(valuation.days_T) < 2:
        return None
    days_T = valuation.days_T.astype("datetime64[D]").astype(date)
    moved = np.flatnonzero(valuation.flow_T != 0)
    return MoneyPath(
        days=tuple(days_T[moved].tolist()),
        flows=tuple(valuation.flow_T[moved].tolist()),
        first_day=days_T[0],
        first_value=float(valuation.nav_T[0]),
        last_day=days_T[-1],
        last_value=float(valuation.nav_T[-1]),
        flow_timing=valuation.flow_timing,
    )


def _of_money(compute: Callable[[MoneyPath], Answer]) -> Callable[[Sample], Answer]:
    """A figure of the path, null where there is none."""

    def answer(sample: Sample) -> Answer:
        path = money_path(sample)
        if path is not None:
            return compute(path)
        valued = sample.valuation is not None and len(sample.valuation.days_T) > 0
        return Answer(reason="one_point" if valued else "no_data")

    return answer


@lru_cache(maxsize=4)
def _rate(path: MoneyPath) -> Rate:
    """Rate of the path's flows from the investor's side; several figures of one client ask for it."""
    amounts = [*(-flow for flow in path.flows), path.last_value]
    return xirr([*path.days, path.last_day], amounts)


def _rate_details(rate: Rate) -> dict[str, object]:
    """All roots, whether they are several, and the day count."""
    return {"roots": list(rate.roots), "several_roots": len(rate.roots) > 1, "day_count": rate.day_count}


def _xirr(path: MoneyPath) -> Answer:
    """Annual rate, not under a year."""
    n = len(path.flows) + 1
    if not path.has_a_year:
        return Answer(reason="under_a_year", n=n)
    rate = _rate(path)
    if rate.rate is None:
        return Answer(reason="no_root", n=n, details=_rate_details(rate))
    return Answer(value=rate.rate, n=n, details=_rate_details(rate))


def _mwr(path: MoneyPath) -> Answer:
    """The same rate over the period, for any length."""
    n = len(path.flows) + 1
    rate = _rate(path)
    over = rate.over_period
    if over is None or not math.isfinite(over):
        return Answer(reason="no_root", n=n, details=_rate_details(rate))
    return Answer(value=over, n=n, details=_rate_details(rate))


def _modified_dietz(path: MoneyPath) -> Answer:
    """One division, flows after the first day weighted by days, at the valuation's flow timing."""
    total = (path.last_day - path.first_day).days
    early = 1 if path.flow_timing == "start" else 0
    later = [(day, flow) for day, flow in zip(path.days, path.flows, strict=True) if day > path.first_day]
    value = modified_dietz(
        path.first_value,
        path.last_value,
        flows=[flow for _, flow in later],
        weights=[(total - (day - path.first_day).days + early) / total for day, _ in later],
    )
    n = len(later) + 2
    return Answer(value=value, n=n) if math.isfinite(value) else Answer(reason="not_positive", n=n)


def _average_return(path: MoneyPath) -> Answer:
    """Gain over the capital at work, averaged over days."""
    days = [day.toordinal() for day in (*path.days, path.last_day)]
    capital = np.cumsum(path.flows).tolist()
    value = return_on_average_investment(path.gain, average_investment(days, capital))
    n = len(path.flows) + 1
    return Answer(value=value, n=n) if math.isfinite(value) else Answer(reason="not_positive", n=n)


def _income_yield(sample: Sample) -> Answer:
    """Income of the last 365 days over the average value on those days."""
    path, valuation = money_path(sample), sample.valuation
    if path is None or valuation is None:
        return Answer(reason="no_data")
    if not path.has_a_year:
        return Answer(reason="under_a_year")
    recent = valuation.days_T > valuation.days_T[-1] - np.timedelta64(365, "D")
    income, average = float(valuation.income_T[recent].sum()), float(valuation.nav_T[recent].mean())
    n = int(recent.sum())
    if not average > 0:
        return Answer(reason="not_positive", n=n)
    return Answer(value=income / average, n=n, details={"income": income})


MONEY_FIGURES = (
    Figure(
        Spec(
            "gain",
            "Gain",
            "Прибыль",
            "money",
            "last value - sum of external flows",
            _OWN_FLOWS,
            "by definition",
        ),
        _of_money(lambda path: Answer(value=path.gain, n=len(path.flows) + 1)),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "modified_dietz",
            "Modified Dietz return",
            "Доходность по модифицированному Дитцу",
            "fraction",
            "(V1 - V0 - sum F) / (V0 + sum w F)",
            "from the end of the first day as TWR, flows weighted by the share of days they were invested; not annualised",
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
            + _OWN_FLOWS,
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
            + _OWN_FLOWS,
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
