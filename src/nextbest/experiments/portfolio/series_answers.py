"""Worked examples of series of returns, frontiers and goals: answered from their inputs alone."""

import csv
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from nextbest.experiments.portfolio.case import Answered, Case
from nextbest.portfolio.metrics import drawdown, returns, risk
from nextbest.portfolio.metrics.catalogue import measure_returns
from nextbest.portfolio.plan.optimise import efficient_portfolio
from nextbest.portfolio.plan.reference_odds import lognormal_odds, optimal_odds

_DAYS_A_YEAR = 252
"""Periods a year of examples that don't name another; what their publishers take."""


def answer_measured(name: str) -> Callable[[Case], Answered]:
    """A figure of the catalogue for returns that are written out; null is no observation."""

    def answered(case: Case) -> Answered:
        series = np.array(case.inputs["returns"], np.float64)
        made = measure_returns(
            series, periods_per_year=case.inputs.get("periods", _DAYS_A_YEAR), names=[name]
        )
        return Answered((made[name].value,), f"catalogue.measure_returns: {name}")

    return answered


def _growth(case: Case) -> float:
    """Annual growth as the publisher counts: every period, also a missing one, and also under a year."""
    series = np.array(case.inputs["returns"], np.float64)
    years = len(series) / case.inputs.get("periods", _DAYS_A_YEAR)
    return returns.annual_growth(returns.link(series), years=years, min_years=0)


def answer_cagr(case: Case) -> Answered:
    return Answered((_growth(case),), "returns.link, annual_growth(min_years=0)")


def answer_calmar(case: Case) -> Answered:
    series = np.array(case.inputs["returns"], np.float64)
    deepest = drawdown.deepest(series)
    value = None if deepest is None else _growth(case) / -deepest.depth
    return Answered((value,), "returns.annual_growth(min_years=0) / drawdown.deepest")


def answer_max_drawdown(case: Case) -> Answered:
    """Of returns (negative), or of cumulative returns (published as a size)."""
    if "cumulative_returns" in case.inputs:
        wealth = 1.0 + np.array(case.inputs["cumulative_returns"], np.float64)
        return Answered((-float(drawdown.fall_from_peak(wealth).min()),), "drawdown.fall_from_peak")
    return answer_measured("max_drawdown")(case)


def _column(case: Case) -> tuple[list[list[float]], str]:
    """Rows of numbers of a CSV with a header and a first column of dates, and what the path is followed by."""
    path, _, said = re.sub(r"(\.csv),?", r"\1|", case.inputs["csv"]).partition("|")
    with (case.folder / path).open(newline="") as lines:
        rows = [[float(cell) for cell in row[1:]] for row in list(csv.reader(lines))[1:] if row]
    return rows, said


def answer_tail(kind: str) -> Callable[[Case], Answered]:
    """VaR or CVaR of listed values, of a discrete law, or of a column of a file."""

    def answered(case: Case) -> Answered:
        inputs = case.inputs
        if "cutoffs" in inputs:
            values = [risk.historical_var(inputs["values"], alpha=alpha) for alpha in inputs["cutoffs"]]
            return Answered(tuple(values), "risk.historical_var")
        if "prob" in inputs:
            found = [
                risk.discrete_cvar(inputs["profit"], inputs["prob"], alpha=alpha)
                for alpha in inputs["alphas"]
            ]
            return Answered(tuple(found), "risk.discrete_cvar")
        rows, said = _column(case)
        first, column = (int(number) for number in re.findall(r"first (\d+) rows, column (\d+)", said)[0])
        series = [row[column - 1] for row in rows[:first]]
        methods = {"historical": "historical", "cornish": "cornish_fisher"}
        method = next((ours for word, ours in methods.items() if word in case.name), "normal")
        name = f"{kind}_{method}"
        alpha = float(1 - Fraction(str(inputs["p"])))
        made = measure_returns(series, periods_per_year=12, alpha=alpha, period="month", names=[name])
        return Answered((made[name].value,), f"catalogue.measure_returns: {name}")

    return answered


def answer_volatility(case: Case) -> Answered:
    """Of log returns over the whole period."""
    series = case.inputs["daily_returns"]
    n = len(series)
    values = (risk.log_volatility(series, periods=n), risk.log_semi_volatility(series, periods=n))
    return Answered(values, "risk.log_volatility, log_semi_volatility")


def answer_frontier(case: Case) -> Answered:
    """Weights of each target, one after the other."""
    i = case.inputs
    found = [efficient_portfolio(i["mean"], i["cov"], target=target) for target in i["targets"]]
    return Answered(tuple(np.concatenate(found).tolist()), "plan.optimise.efficient_portfolio")


def answer_goal(case: Case) -> Answered:
    """A lump sum in one portfolio, or the best control over portfolios of a frontier."""
    i = case.inputs
    if "asset_means" not in i:
        value = lognormal_odds(
            wealth=i["W0"], target=i["G"], years=i["T_years"], drift=i["mu_cont"], volatility=i["sigma"]
        )
        return Answered((value,), "plan.reference_odds.lognormal_odds")
    n, low, high = re.findall(r"(\d+) on the frontier, mu ([\d.]+)%\.\.([\d.]+)%", i["portfolios"])[0]
    means = np.linspace(float(low) / 100, float(high) / 100, int(n))
    cov = np.array(i["cov"])
    weights = [efficient_portfolio(i["asset_means"], cov, target=float(mean)) for mean in means]
    volatility = [float(np.sqrt(one @ cov @ one)) for one in weights]
    control = optimal_odds(means, volatility, wealth=i["W0"], target=i["G"], n_years=i["T"])
    return Answered((control.probability,), "plan.optimise.efficient_portfolio, reference_odds.optimal_odds")


def answer_bacon(
    compute: Callable[..., float], function: str, **options: float
) -> Callable[[Case], Answered]:
    """A function of the portfolio's monthly returns, with the threshold that the inputs name."""

    def answered(case: Case) -> Answered:
        rows, said = _column(case)
        found = re.findall(r"MAR ([\d.]+)%/month", said)
        threshold = {"threshold": float(found[0]) / 100} if found else {}
        return Answered((compute([row[0] for row in rows], **threshold, **options),), function)

    return answered


def answer_bacon_pair(
    compute: Callable[..., float], function: str, **options: float
) -> Callable[[Case], Answered]:
    """A function of the portfolio's and the benchmark's monthly returns."""

    def answered(case: Case) -> Answered:
        rows, _ = _column(case)
        return Answered((compute([row[0] for row in rows], [row[1] for row in rows], **options),), function)

    return answered


def answer_bacon_measured(name: str) -> Callable[[Case], Answered]:
    """A figure of the catalogue from the same two columns, monthly, no risk-free return."""

    def answered(case: Case) -> Answered:
        rows, _ = _column(case)
        made = measure_returns(
            [row[0] for row in rows],
            periods_per_year=12,
            benchmark_T=[row[1] for row in rows],
            period="month",
            names=[name],
        )
        return Answered((made[name].value,), f"catalogue.measure_returns: {name}")

    return answered


def answer_skewness_over_kurtosis(series: list[float]) -> float:
    return risk.population_skewness(series) / risk.population_kurtosis(series)
