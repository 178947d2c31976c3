"""Weights, goal odds and suitability: what they cost beside skfolio, how near they are to closed forms, what they break.

    python benchmarks/portfolio_plan.py weights --data DIR      (DIR holds skfolio-datasets/ftse100_dataset.csv.gz)
    python benchmarks/portfolio_plan.py goals
    python benchmarks/portfolio_plan.py suitability --profiles 100000
    python benchmarks/portfolio_plan.py strategies --store DIR --clients 300      (DIR holds book.duckdb)

CPU milliseconds of this process, one thread; the middle of the rounds, the least in brackets. `weights` runs ours and
skfolio's in turns on the same complete days, each with its own estimates of mean and covariance.
"""

import argparse
import gzip
import os
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402  (threads are set before it is loaded)

N_DAYS = 1_260


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("weights", "goals", "suitability", "strategies"))
    parser.add_argument("--store", type=Path, help="folder of a book of investors")
    parser.add_argument("--clients", type=int, default=300, help="drawn at each cutoff")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the random profiles; parts of a run have their own"
    )
    args = parser.parse_args()
    if args.what == "weights":
        if args.data is None:
            parser.error("weights needs --data")
        _weights(args.data, args.rounds)
    elif args.what == "goals":
        _goals(args.rounds)
    elif args.what == "strategies":
        if args.store is None:
            parser.error("strategies needs --store")
        _strategies(args.store, args.clients)
    else:
        _suitability(args.profiles, args.seed)


def _timed(call: Callable[[], np.ndarray], times: list[float]) -> np.ndarray:
    start = time.process_time()
    found = call()
    times.append((time.process_time() - start) * 1e3)
    return found


def _weights(data: Path, rounds: int) -> None:
    import polars as pl
    from skfolio import RiskMeasure
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting

    from nextbest.portfolio.plan.estimates import moments
    from nextbest.portfolio.plan.hierarchical import hrp
    from nextbest.portfolio.plan.min_cvar import cvar, min_cvar
    from nextbest.portfolio.plan.optimise import mean_variance_frontier, min_variance
    from nextbest.portfolio.plan.risk_parity import risk_parity

    warnings.simplefilter("ignore")
    raw = gzip.decompress((data / "skfolio-datasets" / "ftse100_dataset.csv.gz").read_bytes())
    table = pl.read_csv(raw, infer_schema_length=None)
    closes = table.drop(table.columns[0]).cast(pl.Float64).to_numpy()
    returns = closes[1:] / closes[:-1] - 1
    sample = returns[np.isfinite(returns).all(axis=1)][-N_DAYS:]  # complete days only: nobody fills anything
    print(f"{sample.shape[1]} assets x {len(sample)} days")
    cov = moments(sample)[1]

    def variance(w: np.ndarray) -> float:
        return float(w @ cov @ w)

    pairs = {
        "min variance": (
            lambda: min_variance(moments(sample)[1]),
            lambda: MeanRisk().fit(sample).weights_,
            variance,
        ),
        "risk parity": (
            lambda: risk_parity(moments(sample)[1]),
            lambda: RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(sample).weights_,
            variance,
        ),
        "min CVaR 95 %": (
            lambda: min_cvar(sample),
            lambda: MeanRisk(risk_measure=RiskMeasure.CVAR).fit(sample).weights_,
            lambda w: cvar(sample @ w),
        ),
        "HRP": (
            lambda: hrp(moments(sample)[1]),
            lambda: HierarchicalRiskParity().fit(sample).weights_,
            variance,
        ),
        "frontier, 20 points": (
            lambda: mean_variance_frontier(*moments(sample)).weights_FA,
            lambda: MeanRisk(efficient_frontier_size=20).fit(sample).weights_,
            None,
        ),
    }
    print(
        "| problem | ours, CPU ms | skfolio, CPU ms | weights apart | optimum, ours - skfolio's |\n|---|---:|---:|---:|---:|"
    )
    for name, (ours, theirs, objective) in pairs.items():
        own_ms: list[float] = []
        their_ms: list[float] = []
        ours(), theirs()  # imports and caches are nobody's
        for _ in range(rounds):
            own, their = _timed(ours, own_ms), _timed(theirs, their_ms)
        apart = "-" if objective is None else f"{np.abs(own - their).max():.1e}"
        gap = "-" if objective is None else f"{objective(own) - objective(their):.1e}"
        times = [f"{np.median(ms):.1f} ({min(ms):.1f})" for ms in (own_ms, their_ms)]
        print(f"| {name} | {times[0]} | {times[1]} | {apart} | {gap} |")


def _goals(rounds: int) -> None:
    from scipy.special import ndtri

    from nextbest.portfolio.plan.bounds import Bounds
    from nextbest.portfolio.plan.goals import Goal, GoalSimulator, goal_odds
    from nextbest.portfolio.plan.optimise import efficient_portfolio
    from nextbest.portfolio.plan.reference_odds import lognormal_odds, optimal_odds

    history = np.random.default_rng(0).normal(
        [0.009, 0.005, 0.006, 0.003], [0.06, 0.015, 0.04, 0.001], (240, 4)
    )
    goal = Goal(3e6, 120, 1e4, 0.04, 0.005)
    times: list[float] = []
    for seed in range(rounds):
        start = time.process_time()
        simulator = GoalSimulator(history, rng=seed)
        simulator.odds(goal, wealth=1e6, weights=[0.4, 0.3, 0.2, 0.1], wanted=0.8)
        times.append((time.process_time() - start) * 1e3)
    print(
        f"10,000 paths x 120 months with fan and required contribution: {np.median(times):.1f} ({min(times):.1f}) CPU ms"
    )
    quantiles = ndtri((np.arange(2_000) + 0.5) / 2_000)
    returns = np.exp((0.07 - 0.15**2 / 2) / 12 + 0.15 / 12**0.5 * quantiles)[:, None] - 1
    closed = lognormal_odds(wealth=100, target=150, years=10, drift=0.07, volatility=0.15)
    off = [
        goal_odds(Goal(150, 120), wealth=100, returns_MC=returns, weights=[1.0], block=1, rng=s).probability
        - closed
        for s in range(50)
    ]
    print(f"lognormal lump sum, closed form {closed:.4f}; 50 seeds off by {min(off):+.4f} to {max(off):+.4f}")
    mean = [0.0493, 0.077, 0.0886]
    cov = np.array([[0.0017, -0.0017, -0.0021], [-0.0017, 0.0396, 0.03086], [-0.0021, 0.03086, 0.0392]])
    means = np.linspace(0.0526, 0.0886, 15)
    mixes = [efficient_portfolio(mean, cov, target=m, bounds=Bounds(-5, 5)) for m in means]
    risks = [float(np.sqrt(w @ cov @ w)) for w in mixes]
    start = time.process_time()
    found = optimal_odds(means, risks, wealth=100, target=200, n_years=10)
    spent = (time.process_time() - start) * 1e3
    print(f"goal-based case (published .669): {found.probability:.4f}, {spent:.1f} CPU ms")


def _profiles(n: int, classes: tuple[str, ...], seed: int) -> Iterator[tuple[object, dict[str, float]]]:
    from nextbest.portfolio.plan.questionnaire import RiskProfile

    rng = np.random.default_rng([20261122, seed])
    for _ in range(n):
        grades = rng.integers(1, 6, 4)
        need = float(rng.choice([0.0, 0.25, 0.5, 1.0]))
        shape = rng.dirichlet(np.full(len(classes), 0.5))
        yield (
            RiskProfile(*(int(g) for g in grades), date(2026, 1, 1), need),
            dict(zip(classes, shape.tolist(), strict=True)),
        )


def _suitability(n_profiles: int, seed: int) -> None:
    """Every proposal read again by a second, plain set of rules written here."""
    from nextbest.portfolio.plan.candidates import CandidateMaker
    from nextbest.portfolio.plan.class_returns import ClassReturns
    from nextbest.portfolio.plan.suitability import load_limits

    classes = ("equity", "bond", "gold", "currency", "real_estate", "deposit", "cash")
    mean = [0.011, 0.006, 0.006, 0.003, 0.007, 0.005, 0.003]
    size = [0.06, 0.015, 0.04, 0.03, 0.03, 0.0005, 0.0]
    months = np.datetime64("2019-01", "M") + np.arange(72)
    history = np.random.default_rng(0).normal(mean, size, (72, len(classes)))
    maker = CandidateMaker(ClassReturns(classes, history, months, "RUB"))
    most = {c: (v.max_equity, v.max_alternative, v.max_foreign) for c, v in load_limits().risk_class.items()}
    hard = np.array([3, 2, 2, 2, 3, 1, 1])
    n_proposals = n_bad = n_none = 0
    start = time.process_time()
    for profile, peers in _profiles(n_profiles, classes, seed):
        risk = min(profile.capacity, profile.tolerance, profile.knowledge, profile.horizon)
        found = maker.build(profile, peers=peers, market={"equity": 0.9, "gold": 0.1})
        n_none += not found.suitable
        for candidate in found.suitable:
            w = candidate.weights_C
            broken = (
                w[0] > most[risk][0] + 2e-6
                or w[2] + w[3] + w[4] > most[risk][1] + 2e-6
                or w[3] > most[risk][2] + 2e-6
                or w[4] > 1 - profile.liquidity_need + 2e-6
                or (hard[w > 1e-6] > profile.knowledge).any()
                or abs(w.sum() - 1) > 1e-6
            )
            n_bad += bool(broken)
            n_proposals += 1
    spent = time.process_time() - start
    print(
        f"{n_profiles:,} profiles, {n_proposals:,} proposals: {n_bad} violations; {n_none} without a proposal; {spent:.0f} CPU-s"
    )


def _strategies(store: Path, n_clients: int) -> None:
    from nextbest.data.holdings.book import Book
    from nextbest.experiments.portfolio.strategies import STRATEGIES, BacktestConfig, compare_strategies

    start = time.process_time()
    with Book.open(store) as book:
        found = compare_strategies(book, config=BacktestConfig(n_clients=n_clients), rng=0)
    print(
        "| strategy | % a month, over clients | over windows | goal probability | suits unmixed |\n|---|---:|---:|---:|---:|"
    )
    for name in STRATEGIES:
        roi, wide, odds = found.roi[name], found.roi_windows[name], found.probability[name]
        cells = [f"{100 * i.value:.3f} [{100 * i.ci_low:.3f}, {100 * i.ci_high:.3f}]" for i in (roi, wide)]
        print(
            f"| {name} | {' | '.join(cells)} | {odds.value:.4f} [{odds.ci_low:.4f}, {odds.ci_high:.4f}] | {found.suits[name]:.3f} |"
        )
    print("| peers less | % a month | p | goal probability | p |\n|---|---:|---:|---:|---:|")
    for name, (roi, odds) in found.difference.items():
        print(
            f"| {name} | {100 * roi.difference:+.3f} [{100 * roi.ci_low:+.3f}, {100 * roi.ci_high:+.3f}] | {roi.p_value:.4f} "
            f"| {odds.difference:+.4f} [{odds.ci_low:+.4f}, {odds.ci_high:+.4f}] | {odds.p_value:.4f} |"
        )
    print("| cutoff | " + " | ".join(STRATEGIES) + " |\n|---|" + "---:|" * len(STRATEGIES))
    for row in found.windows:
        print(f"| {row['cutoff']} | " + " | ".join(f"{100 * row[f'roi_{s}']:.2f}" for s in STRATEGIES) + " |")
    print(f"{time.process_time() - start:.0f} CPU-s")


if __name__ == "__main__":
    main()
