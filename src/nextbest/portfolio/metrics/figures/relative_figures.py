"""Against a benchmark, over periods that both have and that don't span a gap."""

import math
from collections.abc import Callable

import numpy as np

from nextbest.portfolio.metrics import relative
from nextbest.portfolio.metrics.figures.figure import Figure, from_returns
from nextbest.portfolio.metrics.measured import Answer, Reason, Spec
from nextbest.portfolio.metrics.sample import Sample


def _both(
    compute: Callable[[Sample], float], *needs: str, otherwise: Reason = "not_positive"
) -> Callable[[Sample], Answer]:
    """As `from_returns`, with a benchmark as a need and only common periods in `n`."""
    answer = from_returns(compute, *needs, "benchmark", otherwise=otherwise)

    def counted(sample: Sample) -> Answer:
        found = answer(sample)
        bench_T = sample.regular_benchmark
        n = 0 if bench_T is None else int(np.count_nonzero(~np.isnan(bench_T)))
        return Answer(found.value, found.reason, n, found.details)

    return counted


def _core(name: str) -> Callable[[Sample], float]:
    """The figure of that name from `fast_metrics`."""
    return lambda sample: sample.core[name]


def _line(sample: Sample) -> tuple[float, float, float]:
    """Annual growth of both, and beta."""
    return sample.cagr, sample.benchmark_cagr, sample.core["beta"]


def _m2(sample: Sample) -> float:
    """Modigliani's figure with population volatilities of the common periods."""
    assert sample.regular_benchmark is not None
    own, theirs = relative.paired(sample.regular, sample.regular_benchmark)
    root = math.sqrt(sample.periods_per_year)
    return relative.modigliani_m2(
        sample.cagr,
        volatility=float(own.std()) * root,
        benchmark_volatility=float(theirs.std()) * root,
        rf_ann=sample.rf_ann,
    )


def _batting(sample: Sample) -> float:
    """Share of common periods won."""
    assert sample.regular_benchmark is not None
    return relative.batting_average(sample.regular, sample.regular_benchmark)


def _jensen(sample: Sample) -> float:
    """Annual return above the line."""
    own, theirs, beta = _line(sample)
    return relative.jensen_alpha(own, theirs, beta=beta, rf_ann=sample.rf_ann)


_COMMON = "over periods that both have"
_YEARLY = ("above_minus_one", "year")

RELATIVE_FIGURES = (
    Figure(
        Spec(
            "beta",
            "Beta",
            "Бета",
            "ratio",
            "cov(r, b) / var(b)",
            "least squares of r - rf on b - rf; " + _COMMON,
            "Sharpe 1964",
        ),
        _both(_core("beta"), otherwise="constant"),
        ("benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "alpha_ann",
            "Alpha",
            "Альфа",
            "fraction a year",
            "(mean(r) - rf - beta * (mean(b) - rf)) * periods a year",
            "arithmetic means; " + _COMMON,
            "Jensen 1968",
        ),
        _both(_core("alpha_ann"), otherwise="constant"),
        ("periods_per_year", "rf", "benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "jensen_alpha",
            "Jensen's alpha of annual growth",
            "Альфа Йенсена по годовому росту",
            "fraction a year",
            "CAGR - rf - beta * (benchmark's CAGR - rf)",
            "compounded growth of both; the benchmark must have every period",
            "Bacon 2008",
        ),
        _both(_jensen, *_YEARLY, otherwise="no_overlap"),
        ("rf", "benchmark"),
    ),
    Figure(
        Spec(
            "correlation",
            "Correlation",
            "Корреляция",
            "ratio",
            "cov(r, b) / (std(r) * std(b))",
            _COMMON,
            "Pearson",
        ),
        _both(_core("correlation"), "spread", otherwise="constant"),
        ("benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "r_squared",
            "R squared",
            "Коэффициент детерминации",
            "fraction",
            "correlation^2",
            _COMMON,
            "Pearson",
        ),
        _both(lambda s: s.core["correlation"] ** 2, "spread", otherwise="constant"),
        ("benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "tracking_error_ann",
            "Tracking error",
            "Ошибка следования",
            "fraction a year",
            "std(r - b, ddof=1) * sqrt(periods a year)",
            "of arithmetic differences; " + _COMMON,
            "Grinold & Kahn 1999",
        ),
        _both(_core("tracking_error_ann")),
        ("periods_per_year", "benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "information_ratio",
            "Information ratio",
            "Информационный коэффициент",
            "ratio",
            "mean(r - b) / std(r - b, ddof=1) * sqrt(periods a year)",
            "of arithmetic differences; " + _COMMON,
            "Grinold & Kahn 1999",
        ),
        _both(_core("information_ratio"), otherwise="constant"),
        ("periods_per_year", "benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "active_return_ann",
            "Active return",
            "Активная доходность",
            "fraction a year",
            "CAGR - benchmark's CAGR",
            "arithmetic difference of compounded growth; the benchmark must have every period",
            "Bacon 2008",
        ),
        _both(lambda s: s.cagr - s.benchmark_cagr, *_YEARLY, otherwise="no_overlap"),
        ("benchmark",),
    ),
    Figure(
        Spec(
            "treynor",
            "Treynor ratio",
            "Коэффициент Трейнора",
            "fraction a year",
            "(CAGR - rf) / beta",
            "annual growth; null unless beta is above zero",
            "Treynor 1965",
        ),
        _both(lambda s: relative.treynor_ratio(s.cagr, beta=s.core["beta"], rf_ann=s.rf_ann), *_YEARLY),
        ("rf", "benchmark"),
    ),
    Figure(
        Spec(
            "m2",
            "M squared",
            "M-квадрат",
            "fraction a year",
            "rf + (CAGR - rf) * std(b) / std(r)",
            "the portfolio's annual growth at the benchmark's risk",
            "Modigliani & Modigliani 1997",
        ),
        _both(_m2, *_YEARLY, "spread"),
        ("rf", "benchmark"),
    ),
    Figure(
        Spec(
            "up_capture",
            "Up capture",
            "Участие в росте",
            "ratio",
            "geometric mean of r / that of b, periods with b > 0",
            "return of one period; " + _COMMON,
            "Morningstar",
        ),
        _both(_core("up_capture"), "above_minus_one", otherwise="no_overlap"),
        ("benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "down_capture",
            "Down capture",
            "Участие в падении",
            "ratio",
            "geometric mean of r / that of b, periods with b < 0",
            "return of one period; below 1 is good; " + _COMMON,
            "Morningstar",
        ),
        _both(_core("down_capture"), "above_minus_one", otherwise="no_losses"),
        ("benchmark", "gaps"),
    ),
    Figure(
        Spec(
            "batting_average",
            "Batting average",
            "Доля побед над эталоном",
            "fraction",
            "share of periods with r > b",
            "equal is not better; " + _COMMON,
            "Bacon 2008",
        ),
        _both(_batting),
        ("benchmark", "gaps"),
    ),
)
