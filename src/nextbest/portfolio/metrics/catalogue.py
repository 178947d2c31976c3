"""All figures of a portfolio: what each is called and means, and measuring them.

`measure` for a valuation, `measure_returns` for a bare series. A figure that isn't defined is null with a reason.
The table of conventions in docs/rooms/portfolio.md is made from it by `conventions.py`.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError
from nextbest.portfolio.metrics.fast import FloatArray
from nextbest.portfolio.metrics.figures.allocation_figures import ALLOCATION_FIGURES
from nextbest.portfolio.metrics.figures.drawdown_figures import DRAWDOWN_FIGURES
from nextbest.portfolio.metrics.figures.figure import Figure
from nextbest.portfolio.metrics.figures.money_figures import MONEY_FIGURES
from nextbest.portfolio.metrics.figures.relative_figures import RELATIVE_FIGURES
from nextbest.portfolio.metrics.figures.return_figures import RETURN_FIGURES
from nextbest.portfolio.metrics.figures.risk_figures import RISK_FIGURES
from nextbest.portfolio.metrics.measured import Measured, Spec
from nextbest.portfolio.metrics.returns import DayArray
from nextbest.portfolio.metrics.sample import DAYS_A_YEAR, Sample

if TYPE_CHECKING:
    from nextbest.portfolio.valuation import Valuation

FAMILIES: Mapping[str, tuple[Figure, ...]] = {
    "Returns": RETURN_FIGURES,
    "The client's money": MONEY_FIGURES,
    "Risk": RISK_FIGURES,
    "Drawdowns": DRAWDOWN_FIGURES,
    "Against a benchmark": RELATIVE_FIGURES,
    "Allocation": ALLOCATION_FIGURES,
}
_FIGURES = {figure.spec.name: figure for family in FAMILIES.values() for figure in family}
CATALOGUE: Mapping[str, Spec] = {name: figure.spec for name, figure in _FIGURES.items()}
"""Every figure by name, in the order documents show them."""
VALUATION_ONLY = frozenset(name for name, figure in _FIGURES.items() if figure.needs_valuation)
"""Those that `measure_returns` doesn't give."""


def measure(
    valuation: "Valuation",
    *,
    benchmark: tuple[DayArray, FloatArray] | None = None,
    rf_ann: float = 0.0,
    alpha: float = 0.05,
    periods_per_year: float | None = None,
    names: Collection[str] | None = None,
) -> dict[str, Measured]:
    """Figures of one valued portfolio.

    Parameters
    ----------
    valuation
        Of one client; days without a return (NaN) are no observations; returns that `regular_T` marks as spanning
        a gap count in growth, falls and money, not in volatility and tails.
    benchmark
        (days, closes), both of shape (D,), NaN = none; in the valuation's currency, or the figures compare
        currencies too. Its returns are taken over the portfolio's own periods.
    rf_ann
        Risk-free return a year, compounded, fraction.
    alpha
        Tail of VaR and its like, 0-0.5 exclusive.
    periods_per_year
        Observations in a year; None counts them: regular returns over the calendar days they span / 365.25.
    names
        Which figures; None means all.

    Returns
    -------
    dict of name -> Measured, in the catalogue's order
        A value or a reason; never inf or NaN.

    Raises
    ------
    InputError
        An unknown name, or a parameter out of range.
    """
    seen = np.isfinite(valuation.return_T)
    regular_T = np.asarray(valuation.regular_T, bool)[seen]
    span_T = np.asarray(valuation.span_T)[seen].astype(np.int64)
    days_T = valuation.days_T[seen].astype("datetime64[D]")
    starts_T = days_T - span_T.astype("timedelta64[D]")
    if periods_per_year is None:
        spanned = int(span_T[regular_T].sum())
        periods_per_year = int(regular_T.sum()) * DAYS_A_YEAR / spanned if spanned else DAYS_A_YEAR
    sample = Sample(
        returns_T=np.asarray(valuation.return_T, np.float64)[seen],
        regular_T=regular_T,
        periods_per_year=periods_per_year,
        rf_ann=rf_ann,
        alpha=alpha,
        start=starts_T[0] if len(starts_T) else None,
        days_T=days_T,
        benchmark_T=None if benchmark is None else _benchmark_returns(benchmark, starts_T, days_T),
        valuation=valuation,
    )
    return _measured(sample, names)


def measure_returns(
    returns_T: npt.ArrayLike,
    *,
    periods_per_year: float,
    start: np.datetime64 | None = None,
    days_T: DayArray | None = None,
    regular_T: npt.NDArray[np.bool_] | None = None,
    benchmark_T: npt.ArrayLike | None = None,
    rf_ann: float = 0.0,
    alpha: float = 0.05,
    period: str = "day",
    names: Collection[str] | None = None,
) -> dict[str, Measured]:
    """Figures of a bare series of returns: all of the catalogue but `VALUATION_ONLY`.

    Parameters
    ----------
    returns_T
        Simple returns, fractions, in time order. Shape (T,); NaN = no observation.
    periods_per_year
        Observations in a year, > 0.
    start, days_T
        Day at whose end the first return begins, and the last day of each return, ascending; both or neither. Without
        them years are n / periods_per_year, and figures of months and days are null.
    regular_T
        False for a return over a gap of the calendar; None = all regular.
    benchmark_T
        The benchmark's return over the same periods; NaN where it has none.
    rf_ann, alpha, names
        As in `measure`.
    period
        What one return spans, in words: the horizon of VaR is `1 <period>`.

    Returns
    -------
    dict of name -> Measured, in the catalogue's order

    Raises
    ------
    InputError
        Shapes disagree, an unknown name, or a parameter out of range.

    Examples
    --------
    >>> made = measure_returns([0.01, 0.1, -0.04, 0.02, 0.03, 0.02, 0.01, -0.1], periods_per_year=252)
    >>> round(made["sharpe"].value, 4), made["cagr"].reason
    (1.7239, 'under_a_year')
    """
    returns = np.asarray(returns_T, np.float64)
    if returns.ndim != 1:
        raise InputError("returns_T", "must be one series", value=returns.shape)
    if (start is None) != (days_T is None):
        raise InputError("start", "start and days_T belong together: give both or neither")
    bench = None if benchmark_T is None else np.asarray(benchmark_T, np.float64)
    beside = {"days_T": days_T, "regular_T": regular_T, "benchmark_T": bench}
    for name, array in beside.items():
        if array is not None and array.shape != returns.shape:
            raise InputError(name, f"must have shape {returns.shape}", value=array.shape)
    if days_T is not None and start is not None:
        steps = np.diff(np.concatenate([[start], days_T]).astype("datetime64[D]"))
        if (steps <= np.timedelta64(0, "D")).any():
            raise InputError("days_T", "must ascend, and start before the first of them")
    seen = ~np.isnan(returns)
    sample = Sample(
        returns_T=returns[seen],
        regular_T=np.ones(int(seen.sum()), bool) if regular_T is None else np.asarray(regular_T, bool)[seen],
        periods_per_year=periods_per_year,
        rf_ann=rf_ann,
        alpha=alpha,
        start=start,
        days_T=None if days_T is None else days_T[seen].astype("datetime64[D]"),
        benchmark_T=None if bench is None else bench[seen],
        period=period,
    )
    wanted = names if names is not None else [name for name in CATALOGUE if name not in VALUATION_ONLY]
    refused = [name for name in wanted if name in VALUATION_ONLY]
    if refused:
        raise InputError("names", "needs a valuation, not returns alone", value=refused[0])
    return _measured(sample, wanted)


def _benchmark_returns(
    benchmark: tuple[DayArray, FloatArray], starts_T: DayArray, days_T: DayArray
) -> FloatArray:
    """The benchmark's return from each start to each day; NaN where it lacks either close."""
    days, closes = benchmark[0].astype("datetime64[D]"), np.asarray(benchmark[1], np.float64)
    if days.shape != closes.shape or days.ndim != 1:
        raise InputError("benchmark", "days and closes must be two series of one length", value=closes.shape)
    if (closes <= 0).any() or np.isinf(closes).any():
        raise InputError("benchmark", "closes must be finite and above 0")
    if (days[1:] <= days[:-1]).any():
        raise InputError("benchmark", "days must ascend without repeats")

    def close_on(wanted_T: DayArray) -> FloatArray:
        place = np.searchsorted(days, wanted_T)
        found = np.full(len(wanted_T), np.nan)
        there = place < len(days)
        there[there] = days[place[there]] == wanted_T[there]
        found[there] = closes[place[there]]
        return found

    return close_on(days_T) / close_on(starts_T) - 1.0


def _measured(sample: Sample, names: Collection[str] | None) -> dict[str, Measured]:
    """The figures asked for, in the catalogue's order."""
    if not 0 < sample.alpha < 0.5:
        raise InputError("alpha", "must lie between 0 and 0.5", value=sample.alpha)
    if not sample.rf_ann > -1:
        raise InputError("rf_ann", "must be above -1", value=sample.rf_ann)
    if not sample.periods_per_year > 0:
        raise InputError("periods_per_year", "must be above 0", value=sample.periods_per_year)
    unknown = sorted(set(names or ()) - set(CATALOGUE))
    if unknown:
        raise InputError("names", "no such figure", value=unknown[0], remedy="see CATALOGUE for all")
    wanted = CATALOGUE if names is None else set(names)
    return {name: _one(figure, sample) for name, figure in _FIGURES.items() if name in wanted}


def _one(figure: Figure, sample: Sample) -> Measured:
    """One figure with the numbers it was used with in its method."""
    answer = figure.compute(sample)
    told = [figure.spec.convention]
    if "periods_per_year" in figure.states:
        told.append(f"{sample.periods_per_year:.6g} periods a year")
    if "rf" in figure.states:
        told.append(f"risk-free {sample.rf_ann:.6g} a year")
    if "flow_timing" in figure.states and sample.valuation is not None:
        told.append(f"external flows at the {sample.valuation.flow_timing} of their day")
    n_gaps = int(np.count_nonzero(~sample.regular_T))
    if "gaps" in figure.states and n_gaps:
        told.append(f"{n_gaps} return(s) over a gap of the calendar left out")
    currency = sample.valuation.currency if sample.valuation is not None else ""
    return Measured(
        spec=figure.spec,
        value=answer.value,
        unit=currency if figure.spec.unit == "money" else figure.spec.unit,
        method="; ".join(told),
        n=answer.n,
        reason=answer.reason,
        alpha=sample.alpha if figure.has_alpha else None,
        horizon=f"1 {sample.period}" if figure.has_horizon else None,
        details=answer.details,
    )
