"""How often the market room's tests cry wolf, on simulated forecasts of which none is better.

    python benchmarks/market_statistics.py [--repeats 1000] [--part dm|spa|mcs|interval|speed]

Six assets with a common factor, cumulative returns over h steps from daily origins, so that errors overlap; the models
are the truth (0) plus noise of one size, so that all are equally good. Printed: how often a 5 % test refuses, how often a
90 % confidence set drops the best model, how often a 95 % interval holds the truth. The standard error of a share of
0.05 over 1,000 repeats is 0.007.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nextbest.evaluation.forecast.block_bootstrap import default_block_length
from nextbest.evaluation.forecast.direction import direction_accuracy
from nextbest.evaluation.forecast.dm import date_means, diebold_mariano
from nextbest.evaluation.forecast.mcs import model_confidence_set
from nextbest.evaluation.forecast.quantiles import LEVELS
from nextbest.evaluation.forecast.spa import spa
from nextbest.evaluation.forecast.table import score

Floats = NDArray[np.float64]
N_ASSETS = 6


def overlapping(gen: np.random.Generator, *, n: int, horizon: int, n_series: int = 1) -> Floats:
    """Sums over `horizon` steps of steps with a common factor, one more a day. Shape (n_series, n, N_ASSETS)."""
    steps = gen.normal(size=(n_series, n + horizon, N_ASSETS)) + gen.normal(size=(n_series, n + horizon, 1))
    level = np.cumsum(steps, axis=1)
    return (level[:, horizon:] - level[:, :-horizon])[:, :n]


def losses(gen: np.random.Generator, *, n: int, horizon: int, n_models: int) -> Floats:
    """Squared errors by date of models that are all the truth plus 0.3 noise. Shape (n, n_models)."""
    y = overlapping(gen, n=n, horizon=horizon)[0]
    noise = overlapping(gen, n=n, horizon=horizon, n_series=n_models)
    return np.stack([date_means((y - 0.3 * one) ** 2) for one in noise], axis=1)


def share(repeats: int, once: Callable[[], bool]) -> float:
    return float(np.mean([once() for _ in range(repeats)]))


def dm_size(repeats: int) -> None:
    print("Diebold-Mariano, share of refusals at 5 %")
    print("    n   h   ours   h-1 lags + NW, t(n-1)   same, effective degrees")
    for n, horizon in ((100, 1), (100, 6), (212, 1), (212, 6), (212, 24), (500, 6), (1000, 24)):
        gen = np.random.default_rng(1)
        hits = np.zeros(3)
        lags = horizon - 1 + int(4 * (n / 100) ** (2 / 9))
        for _ in range(repeats):
            a, b = losses(gen, n=n, horizon=horizon, n_models=2).T
            tests = (
                diebold_mariano(a, b, horizon),
                diebold_mariano(a, b, horizon, lags=lags, degrees="n-1"),
                diebold_mariano(a, b, horizon, lags=lags),
            )
            hits += [test.p is not None and test.p < 0.05 for test in tests]
        ours, published, effective = hits / repeats
        print(
            f"{n:5d} {horizon:3d}  {ours:.3f}  {published:.3f}                  {effective:.3f}", flush=True
        )


def spa_size(repeats: int) -> None:
    print("SPA, 12 models, share of refusals at 5 %; * = half of the models far worse")
    print("    n   h    lower  consistent  upper  consistent, uncorrected")
    for n, horizon, worse in ((212, 1, 0), (212, 6, 0), (212, 24, 0), (1000, 6, 0), (212, 6, 1)):
        gen = np.random.default_rng(2)
        hits = np.zeros(4)
        for _ in range(repeats):
            loss = losses(gen, n=n, horizon=horizon, n_models=13)
            loss[:, 1:7] += worse * horizon
            seed = int(gen.integers(2**31))
            found, published = (
                spa(loss[:, 0], loss[:, 1:], rng=seed, n_resamples=400, overlap=horizon, small_sample=small)
                for small in (True, False)
            )
            p_values = (found.lower, found.consistent, found.upper, published.consistent)
            hits += [p is not None and p < 0.05 for p in p_values]
        row = "  ".join(f"{x:.3f}" for x in hits / repeats)
        print(f"{n:5d} {horizon:3d} {' *'[worse]}  {row}", flush=True)


def mcs_coverage(repeats: int) -> None:
    print(
        "Model Confidence Set 90 %, 10 equal models: share of sets that hold all of them (wanted: 0.9 or more)"
    )
    for n, horizon in ((212, 1), (212, 6), (212, 24)):
        for statistic in ("range", "max"):
            gen = np.random.default_rng(3)
            held = share(
                repeats,
                lambda gen=gen, n=n, horizon=horizon, statistic=statistic: bool(
                    model_confidence_set(
                        losses(gen, n=n, horizon=horizon, n_models=10),
                        rng=gen,
                        n_resamples=400,
                        overlap=horizon,
                        statistic=statistic,
                    ).included.all()
                ),
            )
            print(f"{n:5d} {horizon:3d} {statistic:6s} {held:.3f}", flush=True)


def interval_coverage(repeats: int) -> None:
    print(
        "Directional accuracy of a coin, 95 % interval: share that holds 0.5, by blocks of dates and Wilson's"
    )
    for n, horizon in ((212, 1), (212, 6), (212, 24), (1000, 24)):
        gen = np.random.default_rng(4)
        held = np.zeros(2)
        for _ in range(repeats):
            y, guess = overlapping(gen, n=n, horizon=horizon, n_series=2)
            found = direction_accuracy(guess, y, rng=gen, overlap=horizon, n_resamples=400)
            held += [found.ci_low <= 0.5 <= found.ci_high, found.wilson_low <= 0.5 <= found.wilson_high]
        print(
            f"{n:5d} {horizon:3d}  blocks {held[0] / repeats:.3f}  Wilson {held[1] / repeats:.3f}", flush=True
        )


def speed() -> None:
    print("Seconds on one core")
    gen = np.random.default_rng(5)
    loss = gen.normal(size=(1000, 37))
    for name, run in {
        "SPA 1,000 dates x 36 models x 1,000 resamples": lambda: spa(
            loss[:, 0], loss[:, 1:], rng=0, n_resamples=1000
        ),
        "MCS 1,000 dates x 15 models x 1,000 resamples": lambda: model_confidence_set(
            loss[:, :15], rng=0, n_resamples=1000
        ),
    }.items():
        began = time.process_time()
        run()
        print(f"  {name}: {time.process_time() - began:.3f}", flush=True)
    y = gen.normal(size=(212, 12, 3))
    quantiles = np.sort(gen.normal(size=(212, 12, 3, len(LEVELS))), axis=-1)
    models = {"rw_gauss": quantiles} | {f"m{i}": quantiles + 0.01 * i for i in range(1, 14)}
    began = time.process_time()
    rows = score(
        models, y, dates=np.arange(212), horizons=(1, 6, 24), scale_A=np.ones(12), rng=0, n_resamples=1000
    )
    print(
        f"  table of 14 models x 3 horizons, 212 origins x 12 assets ({len(rows)} rows): {time.process_time() - began:.3f}"
    )


PARTS = {"dm": dm_size, "spa": spa_size, "mcs": mcs_coverage, "interval": interval_coverage}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--part", choices=[*PARTS, "speed"])
    given = parser.parse_args()
    print(
        "blocks of", {h: default_block_length(212, h) for h in (1, 6, 24)}, "dates for 212 dates, by horizon"
    )
    for name, part in PARTS.items():
        if given.part in (None, name):
            part(given.repeats)
    if given.part in (None, "speed"):
        speed()


if __name__ == "__main__":
    main()
