"""Metrics of 10,000 portfolios x 1,260 days: ours beside quantstats, empyrical-reloaded and jquantstats, in one process.

    python benchmarks/portfolio_metrics.py [--portfolios 10000] [--days 1260] [--sample 40] [--repeat 5] [--out FILE]

One thread, CPU seconds. Ours is measured in full (all of `METRICS`, without and with a benchmark, and with missing
days), and with it the peak memory of the process, before any peer is imported. Each peer computes those of our metrics that
it has itself, on the first `--sample` portfolios (jquantstats, which takes a table: on 100 columns at once), in the form
that it likes best; preparing that form isn't timed. Its time is then multiplied up, and the table says from how many.

Values must agree before anything counts: where a peer's definition is another one (bias corrections of skewness, std with
ddof 1 under a normal VaR), ours is converted by the formula beside it. Any disagreement stops the run.

Then `Running`: one new day of all portfolios, and its figures against those of the whole history.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402  (threads are set before it is loaded)

from nextbest.portfolio.metrics.fast import METRICS, fast_metrics  # noqa: E402
from nextbest.portfolio.metrics.fast_relative import RELATIVE_METRICS  # noqa: E402
from nextbest.portfolio.metrics.running import RUNNING_METRICS, Running  # noqa: E402

YEAR = 252
ALPHA = 0.05
AGREE = 1e-9
"""Largest difference relative to max(1, |value|)."""
Figures = Mapping[str, np.ndarray]
Convert = Callable[[Figures], np.ndarray]


def simulated(n_portfolios: int, n_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns with fat tails and a common market, and the market."""
    rng = np.random.default_rng(0)
    market = rng.standard_t(5, size=n_days) * 0.007 + 0.0003
    beta = rng.uniform(0.3, 1.3, size=(n_portfolios, 1))
    return beta * market + rng.standard_t(5, size=(n_portfolios, n_days)) * 0.005, market


def as_is(name: str) -> Convert:
    return lambda ours: ours[name]


def unbiased_skewness(ours: Figures) -> np.ndarray:
    n = ours["n"]
    return ours["skewness"] * np.sqrt(n * (n - 1)) / (n - 2)


def unbiased_kurtosis(ours: Figures) -> np.ndarray:
    n = ours["n"]
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * ours["kurtosis"] + 6)


def with_ddof_1(name: str) -> Convert:
    """mean + k std with the sample's std: the mean is what VaR and CVaR leave, std what volatility is."""

    def convert(ours: Figures) -> np.ndarray:
        n = ours["n"]
        std = ours["volatility_ann"] / np.sqrt(YEAR)
        population = std * np.sqrt((n - 1) / n)
        z = NormalDist().inv_cdf(ALPHA)
        k = z if name == "var_normal" else -NormalDist().pdf(z) / ALPHA
        return ours[name] + k * (std - population)

    return convert


def quantstats_calls() -> dict[str, tuple[Callable[[Any], float], Convert]]:
    from quantstats import stats

    return {
        "twr": (stats.comp, as_is("twr")),
        "cagr": (lambda r: stats.cagr(r, periods=YEAR), as_is("cagr")),
        "volatility_ann": (lambda r: stats.volatility(r, periods=YEAR), as_is("volatility_ann")),
        "sharpe": (lambda r: stats.sharpe(r, periods=YEAR), as_is("sharpe")),
        "sortino": (lambda r: stats.sortino(r, periods=YEAR), as_is("sortino")),
        "calmar": (lambda r: stats.calmar(r, periods=YEAR), as_is("calmar")),
        "omega": (lambda r: stats.omega(r, periods=YEAR), as_is("omega")),
        "max_drawdown": (stats.max_drawdown, as_is("max_drawdown")),
        "var_normal (std ddof 1)": (stats.value_at_risk, with_ddof_1("var_normal")),
        "cvar_normal (std ddof 1)": (stats.cvar, with_ddof_1("cvar_normal")),
        "skewness (unbiased)": (stats.skew, unbiased_skewness),
        "kurtosis (unbiased)": (stats.kurtosis, unbiased_kurtosis),
        "best": (stats.best, as_is("best")),
        "worst": (stats.worst, as_is("worst")),
        "hit_rate": (stats.win_rate, as_is("hit_rate")),
    }


def empyrical_calls(market: Any) -> dict[str, tuple[Callable[[Any], float], Convert]]:
    import empyrical

    def compounded_alpha(ours: Figures) -> np.ndarray:
        return (1 + ours["alpha_ann"] / YEAR) ** YEAR - 1

    def capture(name: str, days: np.ndarray) -> Convert:
        """Theirs annualises both geometric means before dividing."""
        mean = float(np.exp(np.log1p(market.to_numpy()[days]).mean()) - 1)

        def convert(ours: Figures) -> np.ndarray:
            return ((1 + ours[name] * mean) ** YEAR - 1) / ((1 + mean) ** YEAR - 1)

        return convert

    up, down = market.to_numpy() > 0, market.to_numpy() < 0
    return {
        "twr": (empyrical.cum_returns_final, as_is("twr")),
        "cagr": (empyrical.annual_return, as_is("cagr")),
        "volatility_ann": (empyrical.annual_volatility, as_is("volatility_ann")),
        "downside_deviation_ann": (empyrical.downside_risk, as_is("downside_deviation_ann")),
        "sharpe": (empyrical.sharpe_ratio, as_is("sharpe")),
        "sortino": (empyrical.sortino_ratio, as_is("sortino")),
        "calmar": (empyrical.calmar_ratio, as_is("calmar")),
        "omega": (empyrical.omega_ratio, as_is("omega")),
        "max_drawdown": (empyrical.max_drawdown, as_is("max_drawdown")),
        "var_historical": (lambda r: empyrical.value_at_risk(r, ALPHA), as_is("var_historical")),
        "cvar_historical": (
            lambda r: empyrical.conditional_value_at_risk(r, ALPHA),
            as_is("cvar_historical"),
        ),
        "beta": (lambda r: empyrical.beta(r, market), as_is("beta")),
        "alpha_ann (compounded)": (lambda r: empyrical.alpha(r, market), compounded_alpha),
        "information_ratio (of a day)": (
            lambda r: empyrical.excess_sharpe(r, market),
            lambda ours: ours["information_ratio"] / np.sqrt(YEAR),
        ),
        "up_capture (annualised)": (lambda r: empyrical.up_capture(r, market), capture("up_capture", up)),
        "down_capture (annualised)": (
            lambda r: empyrical.down_capture(r, market),
            capture("down_capture", down),
        ),
    }


def jquantstats_calls() -> dict[str, tuple[Callable[[Any], Mapping[str, float]], Convert]]:
    return {
        "twr": (lambda s: s.comp(), as_is("twr")),
        "cagr": (lambda s: s.cagr(periods=YEAR), as_is("cagr")),
        "volatility_ann": (lambda s: s.volatility(periods=YEAR), as_is("volatility_ann")),
        "sharpe": (lambda s: s.sharpe(periods=YEAR), as_is("sharpe")),
        "sortino": (lambda s: s.sortino(periods=YEAR), as_is("sortino")),
        "calmar (first day is the first peak)": (
            lambda s: s.calmar(periods=YEAR),
            lambda ours: ours["cagr"] / -ours["max_drawdown_after_first"],
        ),
        "omega": (lambda s: s.omega(periods=YEAR), as_is("omega")),
        "max_drawdown (first day is the first peak)": (
            lambda s: s.max_drawdown(),
            as_is("max_drawdown_after_first"),
        ),
        "var_normal (std ddof 1)": (lambda s: s.value_at_risk(), with_ddof_1("var_normal")),
        "cvar_normal (std ddof 1)": (lambda s: s.conditional_value_at_risk(), with_ddof_1("cvar_normal")),
        "skewness (unbiased)": (lambda s: s.skew(), unbiased_skewness),
        "kurtosis (unbiased)": (lambda s: s.kurtosis(), unbiased_kurtosis),
        "best": (lambda s: s.best(), as_is("best")),
        "worst": (lambda s: s.worst(), as_is("worst")),
        "hit_rate": (lambda s: s.win_rate(), as_is("hit_rate")),
    }


def timed(call: Callable[[], object], *, repeat: int) -> list[float]:
    """CPU seconds of `repeat` calls, after one that isn't counted."""
    call()
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return taken


def told(seconds: list[float], *, scale: float = 1.0) -> dict[str, float]:
    return {
        "cpu_s": round(statistics.median(seconds) * scale, 4),
        "low": round(min(seconds) * scale, 4),
        "high": round(max(seconds) * scale, 4),
    }


def agreed(name: str, theirs: np.ndarray, ours: np.ndarray) -> float:
    """The largest relative difference; stops the run if it is too large."""
    difference = float(np.max(np.abs(theirs - ours) / np.maximum(1.0, np.abs(ours))))
    if not difference <= AGREE:
        print(f"  {name}: DISAGREES by {difference:.3g}; theirs {theirs[:3]}, ours {ours[:3]}")
        sys.exit(1)
    return difference


def run_series_peer(
    name: str,
    calls: Mapping[str, tuple[Callable[[Any], float], Convert]],
    series: list[Any],
    ours: Figures,
    *,
    n_portfolios: int,
    repeat: int,
) -> dict[str, Any]:
    """A peer that takes one pandas series at a time."""
    sample = len(series)
    differences = {}
    for metric, (call, convert) in calls.items():
        theirs = np.array([float(call(one)) for one in series])
        differences[metric] = agreed(f"{name} {metric}", theirs, convert(ours)[:sample])

    def all_calls() -> None:
        for one in series:
            for call, _ in calls.values():
                call(one)

    return {
        "metrics": len(calls),
        "measured_on": sample,
        **told(timed(all_calls, repeat=repeat), scale=n_portfolios / sample),
        "largest_difference": max(differences.values()),
        "differences": differences,
    }


def run_jquantstats(
    returns: np.ndarray, days: list[date], ours: Figures, *, n_portfolios: int, repeat: int
) -> dict[str, Any]:
    """A peer that takes a wide polars table: one portfolio a column."""
    import polars as pl
    from jquantstats import Data

    sample = min(100, len(returns))
    columns = {f"p{p}": returns[p] for p in range(sample)}
    stats = Data.from_returns(returns=pl.DataFrame({"Date": days, **columns})).stats
    calls = jquantstats_calls()
    later = fast_metrics(returns[:, 1:], periods_per_year=YEAR)["max_drawdown"]
    ours = {**ours, "max_drawdown_after_first": later}  # it forgets the base before the first return
    differences = {}
    for metric, (call, convert) in calls.items():
        found = call(stats)
        theirs = np.array([float(found[column]) for column in columns])
        differences[metric] = agreed(f"jquantstats {metric}", theirs, convert(ours)[:sample])

    def all_calls() -> None:
        for call, _ in calls.values():
            call(stats)

    return {
        "metrics": len(calls),
        "measured_on": sample,
        **told(timed(all_calls, repeat=repeat), scale=n_portfolios / sample),
        "largest_difference": max(differences.values()),
        "differences": differences,
    }


def run_running(returns: np.ndarray, *, repeat: int) -> dict[str, Any]:
    """One new day for all, and the figures after all days."""
    n_portfolios, n_days = returns.shape
    days_TP = np.ascontiguousarray(returns.T)
    running = Running(n_portfolios, periods_per_year=YEAR)
    taken = []
    for return_P in days_TP:
        start = time.process_time()
        running.update(return_P)
        taken.append(time.process_time() - start)
    ours = fast_metrics(returns, periods_per_year=YEAR)
    kept = running.metrics()
    both = [name for name in RUNNING_METRICS if name in ours]
    worst = max(agreed(f"Running {name}", kept[name], ours[name]) for name in both)
    return {
        "days": n_days,
        "update_cpu_ms": round(statistics.mean(taken) * 1e3, 4),
        "update_cpu_ms_p99": round(float(np.quantile(taken, 0.99)) * 1e3, 4),
        "metrics_cpu_ms": round(statistics.median(timed(running.metrics, repeat=repeat)) * 1e3, 3),
        "largest_difference": worst,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--portfolios", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=1260)
    parser.add_argument(
        "--sample", type=int, default=40, help="portfolios that quantstats and empyrical compute"
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()

    returns, market = simulated(args.portfolios, args.days)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plain = timed(lambda: fast_metrics(returns, periods_per_year=YEAR), repeat=args.repeat)
    against = timed(
        lambda: fast_metrics(returns, periods_per_year=YEAR, benchmark_T=market), repeat=args.repeat
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    holed = np.where(np.random.default_rng(1).random(returns.shape) < 0.02, np.nan, returns)
    gappy = timed(lambda: fast_metrics(holed, periods_per_year=YEAR), repeat=min(3, args.repeat))
    report: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}",
        "shape": [args.portfolios, args.days],
        "ours": {
            "metrics": len(METRICS) - 1,
            **told(plain),
            "peak_rss_mb": round(peak_mb, 1),
            "rss_before_mb": round(before_mb, 1),
        },
        "ours_with_benchmark": {"metrics": len(METRICS) + len(RELATIVE_METRICS) - 1, **told(against)},
        "ours_2pct_missing_in_every_row": {"metrics": len(METRICS) - 1, **told(gappy)},
        "running": run_running(returns, repeat=args.repeat),
    }
    figures = fast_metrics(returns, periods_per_year=YEAR, benchmark_T=market)

    warnings.simplefilter("ignore")
    import pandas as pd

    days = [date(2015, 1, 1) + timedelta(days=t) for t in range(args.days)]
    index = pd.DatetimeIndex(days)
    series = [pd.Series(returns[p], index=index, name="p") for p in range(min(args.sample, args.portfolios))]
    options = {"n_portfolios": args.portfolios, "repeat": args.repeat}
    report["quantstats"] = run_series_peer("quantstats", quantstats_calls(), series, figures, **options)
    report["empyrical-reloaded"] = run_series_peer(
        "empyrical", empyrical_calls(pd.Series(market, index=index)), series, figures, **options
    )
    report["jquantstats"] = run_jquantstats(returns, days, figures, **options)
    for name, base in (
        ("quantstats", "ours"),
        ("empyrical-reloaded", "ours_with_benchmark"),
        ("jquantstats", "ours"),
    ):
        report[name]["times_ours"] = round(report[name]["cpu_s"] / report[base]["cpu_s"], 1)
        report[name]["against"] = base

    print(json.dumps(report, indent=1))
    for name in ("quantstats", "empyrical-reloaded", "jquantstats"):
        row = report[name]
        print(
            f"{name}: {row['metrics']} metrics, {row['cpu_s']:.1f} CPU-s ({row['low']:.1f}-{row['high']:.1f}) from {row['measured_on']} "
            f"portfolios, {row['times_ours']} x {row['against']}; values agree to {row['largest_difference']:.1e}"
        )
    if args.out is not None:
        args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
