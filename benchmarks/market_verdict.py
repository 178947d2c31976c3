"""Does the verdict tell the truth: how often it finds profit in random walks, and how often in planted series.

    python benchmarks/market_verdict.py walks --runs 1000
    python benchmarks/market_verdict.py planted --runs 100 --ic 0.05
    python benchmarks/market_verdict.py fills

36 strategies a run (12 signals x long/short, long/flat, three highest minus three lowest) on 12 assets over --days.
`walks`: independent increments with fat tails; assets share a common factor (--correlation), a third of the runs has
a drift of 0, of +10 % and of -10 % a year, a third has volatility that clusters. `planted`: the next day's
return correlates with a mean of each asset's own past surprises (--memory days) by --ic: what an oracle would know, the
rules see only prices. (`simulate.market.planted` plants what lasts one bar: after 10 bp an IC of 0.05 is then worth nothing.)

A gate is a conjunction: where the deflated Sharpe ratio or the break-even cost is far from its limit, the rest (bootstrap,
random entries) is not computed, except in the first --full runs, whose lines are counted one by one.
`fills`: a day's return earned by that day's own sign, and the same a bar later.
"""

import argparse
import os
import time
from collections import Counter
from datetime import timedelta

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402  (threads are set before it is loaded)

from nextbest.data.prices.panel import PricePanel  # noqa: E402
from nextbest.market.trading.backtest import Costs, backtest  # noqa: E402
from nextbest.market.trading.signals import long_flat, long_short, top_minus_bottom  # noqa: E402
from nextbest.market.verdict.judge import Trials, independent, judge  # noqa: E402
from nextbest.market.verdict.sharpe import deflated_sharpe, moments  # noqa: E402
from nextbest.simulate.market.laws import random_walks  # noqa: E402

N_ASSETS, WARM_UP, VOLATILITY = 12, 160, 0.035
COSTS = Costs(funding=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("walks", "planted", "fills"))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--full", type=int, default=50, help="runs of which every line is computed")
    parser.add_argument("--days", type=int, default=2000)
    parser.add_argument("--ic", type=float, default=0.05)
    parser.add_argument("--memory", type=int, default=20)
    parser.add_argument("--correlation", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--law",
        choices=("own", "gaussian", "garch_t"),
        default="own",
        help="walks of simulate/market: no drift, opens of their own",
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first run: parts of one long run")
    args = parser.parse_args()
    if args.what == "fills":
        _fills(args.seed)
        return
    start = time.process_time()
    found, full, spread_dsr, best = 0, Counter(), 0, []
    for run in range(args.first, args.first + args.runs):
        gen = np.random.default_rng([args.seed, run])
        if args.what == "walks" and args.law != "own":
            panel = random_walks(
                n_assets=N_ASSETS,
                n_bars=args.days,
                law=args.law,
                volatility=VOLATILITY,
                correlation=args.correlation,
                rng=gen,
            ).panel
        elif args.what == "walks":
            panel = random_walk(gen, args.days, correlation=args.correlation, kind=run)
        else:
            panel = planted(gen, args.days, ic=args.ic, memory=args.memory, correlation=args.correlation)
        rules = strategies(panel, gen)
        evidence, lines, by_spread, sharpe = verdict(rules, panel, run, whole=run < args.first + args.full)
        found += evidence
        best.append(sharpe)
        if lines is not None and run < args.first + args.full:
            full.update(name for name, passed in lines.items() if passed)
            spread_dsr += (by_spread or 0) > 0.95
        if (run + 1) % 50 == 0:
            print(f"{run + 1 - args.first} runs, {found} with evidence", flush=True)
    n_full = min(args.full, args.runs)
    print(f"{args.what}, {args.days} days, correlation {args.correlation}" + (f", IC {args.ic}, memory {args.memory}" if args.what == "planted" else ""))  # fmt: skip
    print(f"evidence of profit in {found} of {args.runs} runs: {found / args.runs:.1%}")
    print(f"best annual Sharpe ratio after 10 bp: median {np.median(best):.2f}, highest {np.max(best):.2f}")
    print(f"lines that passed in {n_full} full runs: " + ", ".join(f"{k} {v}" for k, v in full.items()))
    print(f"deflated Sharpe by the spread of the trials above 0.95 in {spread_dsr} of them")
    print(f"{(time.process_time() - start) / args.runs * 1e3:.0f} CPU-ms a run")


def verdict(
    rules: dict[str, np.ndarray], panel: PricePanel, seed: int, *, whole: bool
) -> tuple[bool, dict[str, bool] | None, float | None, float]:
    """Evidence, the gate's lines, the paper's deflated Sharpe ratio, and the best annual Sharpe ratio after 10 bp."""
    net, break_even = quick_returns(np.stack(list(rules.values())), panel, cost=0.001)
    sharpes = net.mean(axis=1) / net.std(axis=1, ddof=1)
    best = int(sharpes.argmax())
    own = independent(moments(net[best]), net[best])
    dsr = deflated_sharpe(own, n_trials=len(rules), variance=1 / (own.n - 1))
    sharpe = float(sharpes[best]) * np.sqrt(365.25)
    if not whole and (dsr <= 0.93 or break_even[best] <= 14):  # the limits are 0.95 and 15
        return False, None, None, sharpe
    judged = judge(rules, panel, costs=COSTS, trials=Trials(len(rules)), rng=seed, n_resamples=1000)
    lines = {line.name: line.passed for line in judged.gate}
    return judged.evidence_of_profit, lines, judged.worst.dsr_by_spread, sharpe


def quick_returns(
    position_STA: np.ndarray, panel: PricePanel, *, cost: float
) -> tuple[np.ndarray, np.ndarray]:
    """What `backtest` returns where no bar is missing and opens are the closes before, in whole arrays.

    Only the cost's own effect on the equity between two trades is left out, some 1e-6 of a bar's return: this sorts out
    the runs that are far from the gate; `judge` decides the others.
    """
    held = position_STA[:, WARM_UP:-1]
    move = (panel.close_AT[:, WARM_UP + 1 :] / panel.close_AT[:, WARM_UP:-1] - 1).T
    gross = np.einsum("sta,ta->st", held, move)
    drifted = np.zeros_like(held)
    drifted[:, 1:] = (held * (1 + move))[:, :-1] / (1 + gross)[:, :-1, None]
    turnover = np.abs(held - drifted).sum(axis=2)
    return gross - cost * turnover, gross.sum(axis=1) / turnover.sum(axis=1) * 1e4


def random_walk(gen: np.random.Generator, n_days: int, *, correlation: float, kind: int) -> PricePanel:
    noise = _noise(gen, n_days, correlation)
    if kind % 2:  # volatility that clusters: all assets together, as in a market
        log_scale = np.zeros(n_days)
        for t in range(1, n_days):
            log_scale[t] = 0.97 * log_scale[t - 1] + 0.1 * gen.normal()
        noise *= np.exp(log_scale - log_scale.var() / 2)
    drift = (0.0, 0.1, -0.1)[kind % 3] / 365.25
    return _panel(gen, drift - VOLATILITY**2 / 2 + VOLATILITY * noise)


def planted(gen: np.random.Generator, n_days: int, *, ic: float, memory: int, correlation: float) -> PricePanel:  # fmt: skip
    """The expected move of each asset is a mean of its own past surprises, of unit variance, times `ic`."""
    common = gen.standard_t(5, size=n_days) / np.sqrt(5 / 3)
    own = gen.standard_t(5, size=(N_ASSETS, n_days)) / np.sqrt(5 / 3)
    noise = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    keep = 1 - 1 / memory
    known, move = np.zeros(N_ASSETS), np.zeros((N_ASSETS, n_days))
    for t in range(n_days):
        move[:, t] = ic * known + np.sqrt(1 - ic**2) * noise[:, t]
        known = keep * known + np.sqrt(1 - keep**2) * own[:, t]
    return _panel(gen, VOLATILITY * move - VOLATILITY**2 / 2)


def strategies(panel: PricePanel, gen: np.random.Generator) -> dict[str, np.ndarray]:
    """12 signals from prices (one of them chance) x 3 ways to hold them."""
    price = np.log(panel.close_AT)

    def past(length: int) -> np.ndarray:
        found = np.full(price.shape, np.nan)
        found[:, length:] = price[:, length:] - price[:, :-length]
        return found.T

    signals = {f"momentum {n}": past(n) for n in (2, 5, 10, 20, 40, 80, 160)}
    signals |= {f"reversal {n}": -past(n) for n in (1, 3, 10)}
    channel = np.full(price.shape, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(price, 50, axis=1)
    channel[:, 49:] = price[:, 49:] - (windows.max(axis=2) + windows.min(axis=2)) / 2
    signals |= {"channel 50": channel.T, "chance": gen.normal(size=price.T.shape)}
    made = {}
    for name, signal in signals.items():
        signal[:WARM_UP] = np.nan  # all begin on the same day
        made[f"{name}, long/short"] = long_short(signal)
        made[f"{name}, long/flat"] = long_flat(signal)
        made[f"{name}, 3 minus 3"] = top_minus_bottom(signal, k=3)
    return made


def _noise(gen: np.random.Generator, n_days: int, correlation: float) -> np.ndarray:
    common = gen.standard_t(5, size=n_days) / np.sqrt(5 / 3)
    own = gen.standard_t(5, size=(N_ASSETS, n_days)) / np.sqrt(5 / 3)
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def _panel(gen: np.random.Generator, move: np.ndarray) -> PricePanel:
    close = 100 * np.exp(np.cumsum(np.clip(move, -0.7, 0.7), axis=1))
    opened = np.concatenate([np.full((N_ASSETS, 1), 100.0), close[:, :-1]], axis=1)
    return PricePanel(
        asset_ids=tuple(f"A{a:02}" for a in range(N_ASSETS)),
        time_T=np.datetime64("2019-01-01", "us") + np.arange(close.shape[1]) * np.timedelta64(1, "D"),
        step=timedelta(days=1),
        open_AT=opened,
        high_AT=np.maximum(opened, close),
        low_AT=np.minimum(opened, close),
        close_AT=close,
        volume_AT=gen.exponential(1e6, size=close.shape),
    )


def _fills(seed: int) -> None:
    panel = random_walk(np.random.default_rng(seed), 2000, correlation=0.5, kind=0)
    position = long_short(panel.log_return_AT.T)
    moves = (panel.close_AT[:, 1:] / panel.close_AT[:, :-1] - 1).T
    same = (np.nan_to_num(position[1:]) * moves).sum(axis=1)
    next_bar = backtest(position, panel, COSTS).net_ST[0, 2:]
    for what, net in (("same bar", same), ("next bar", next_bar)):
        print(f"{what}: annual Sharpe ratio {net.mean() / net.std() * np.sqrt(365.25):.2f}")


if __name__ == "__main__":
    main()
