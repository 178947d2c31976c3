"""What the candle transformer is worth: an ablation before the test period, then the test, once.

    python benchmarks/market_candles.py ablation --data DIR [--out FILE]
    python benchmarks/market_candles.py final --data DIR [--seeds 5] [--out FILE]

DIR/binance_perp_hourly/*_1h.parquet: 33 perpetuals, hourly. Two tasks. `daily`: the next 1, 6 and 24 days of 12 assets
from each midnight, read from hourly bars (horizons 24, 144 and 576 bars). `hourly`: the next 1, 6 and 24 hours of 6 assets.

`ablation` knows nothing after 2025-07-31: it learns the task's own assets up to a fold's first day and is judged on the
months after it, one change at a time, one seed; t and p are Diebold and Mariano's over dates, of the CRPS at the first horizon against the base.
`final` learns the 23 assets that are there from 2023 on, up to 2025-07-31, by the chosen settings and is judged on what comes after, each seed and the mean of all.
CRPS is twice the mean pinball loss over .1 to .9, x100. QLIKE: of the sum of the next day's 24 squared hourly returns.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.evaluation.forecast.dm import diebold_mariano
from nextbest.evaluation.forecast.hac import overlap
from nextbest.evaluation.forecast.quantiles import crps
from nextbest.evaluation.forecast.volatility import qlike
from nextbest.market.base import LEVELS, make_forecaster
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of
from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.features import Facts, facts_of, outcomes
from nextbest.market.candles.learning import Tape, Targets, answers, teach
from nextbest.market.candles.model import Candles
from nextbest.market.candles.quantiles import answered_quantiles
from nextbest.market.candles.scaling import Scaling

Floats = NDArray[np.float64]
TEST = date(2025, 8, 1)
DAILY = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "LINK", "LTC", "TRX", "BCH", "DOT")
HOURLY = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA")
TRAINING = {
    "n_epochs": 8,
    "learning_rate": 5e-4,
    "weight_decay": 0.05,
    "warmup_steps": 10,
    "schedule": "cosine",
    "patience": 8,
    "device": "cpu",
    "n_threads": 1,
}
BASE = {
    "daily": {"patch": 24, "volatility_scales": (6, 24, 72, 168, 720), "align": 6},
    "hourly": {"patch": 6, "volatility_scales": (1, 3, 12, 24, 168, 720), "align": 1},
}
SHARED = {
    "n_patches": 16,
    "dim": 32,
    "n_blocks": 2,
    "windows_per_epoch": 128,
    "calibrate": False,
    "training": TRAINING,
}
CHOSEN: dict[str, dict[str, Any]] = {
    "daily": {"calibrate": True},
    "hourly": {"calibrate": True, "head": "student"},
}
"""What the folds recommended beside the base, for the test."""
MILLION = {"dim": 208, "n_blocks": 3}
"""The smallest size that the plan named; the folds didn't choose it (`--million` says what the test makes of it)."""
SHARE_OF_HISTORY = {"daily": 0.3, "hourly": 0.0}
"""Weight of historical simulation in the blend; chosen on the folds."""
REFERENCE = {
    "daily": "2.234 (random walk), 2.206 (historical simulation), 2.209 (GARCH-t)",
    "hourly": "0.421 (random walk), 0.404 (GARCH-t)",
}
TARGET = {"daily": 2.18, "hourly": 0.400}


@dataclass(frozen=True)
class Task:
    """What is asked."""

    name: str
    assets: tuple[str, ...]
    horizons: tuple[int, ...]
    every: int
    """Bars between two origins of a fold."""
    folds: tuple[tuple[date, date], ...]
    """First day that is judged, and the day after the last."""

    def config(self, **changes: Any) -> CandlesConfig:
        """The base settings with some changes."""
        return CandlesConfig.model_validate({**SHARED, **BASE[self.name], **changes})


TASKS = {
    "daily": Task(
        "daily",
        DAILY,
        (24, 144, 576),
        24,
        ((date(2024, 8, 1), date(2025, 2, 1)), (date(2025, 2, 1), date(2025, 8, 1))),
    ),
    "hourly": Task("hourly", HOURLY, (1, 6, 24), 11, ((date(2025, 2, 1), date(2025, 8, 1)),)),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "context: 32 places": {"n_patches": 32},
    "context: 6 places": {"n_patches": 6},
    "patch: twice as long": {"patch": 2.0},
    "scaling: level of a week, no regression": {"scaling": "level"},
    "scaling: none": {"scaling": "none"},
    "head: Student t": {"head": "student"},
    "cross-asset attention": {"cross_asset": True},
    "no market means as inputs": {"market_inputs": False},
    "no time features": {"calendar": False},
    "two scales of volatility for all": {"volatility_scales": (24, 168, 720)},
    "no single bars": {"bar_inputs": False},
    "no trends": {"trend_inputs": False},
    "the median is learned too": {"location": "learned"},
    "no variance loss": {"variance_weight": 0.0},
    "loss in money": {"money_weight": 1.0},
    "width calibrated on the held-out part": {"calibrate": True},
    "calibrated, Student t": {"calibrate": True, "head": "student"},
    "first horizon alone": {"horizon_weights": (1.0, 0.0, 0.0)},
    "size: 112 wide": {"dim": 112},
    "size: 208 wide, 3 blocks": {"dim": 208, "n_blocks": 3},
    "size: 208 wide, 3 blocks, slower, more dropout": {
        "dim": 208,
        "n_blocks": 3,
        "dropout": 0.2,
        "training": {**TRAINING, "learning_rate": 5e-4 / 3},
    },
    "size: 320 wide, 5 blocks, slower": {
        "dim": 320,
        "n_blocks": 5,
        "training": {**TRAINING, "learning_rate": 5e-4 / 3},
    },
    "untrained (regression only)": {"training": {**TRAINING, "n_epochs": 1, "learning_rate": 1e-12}},
}


@dataclass(frozen=True)
class Score:
    """Of one task, over all dates."""

    crps_H: Floats  # noqa: N815 - axes in the name
    """x100."""
    cover_H: Floats  # noqa: N815
    qlike: float
    loss_D: Floats  # noqa: N815
    """CRPS at the first horizon by date, x100."""
    qlike_D: Floats  # noqa: N815

    @staticmethod
    def of(quantile_OAHQ: Floats, outcome_OAH: Floats, variance_OA: Floats, realised_OA: Floats) -> "Score":
        loss_OAH = 100 * crps(quantile_OAHQ, outcome_OAH)
        inside_OAH = (outcome_OAH >= quantile_OAHQ[..., 0]) & (outcome_OAH <= quantile_OAHQ[..., -1])
        there_OAH = np.isfinite(loss_OAH)
        cover_H = [inside_OAH[..., i][there_OAH[..., i]].mean() for i in range(loss_OAH.shape[-1])]
        moved_OA = np.where(realised_OA > 0, realised_OA, np.nan)
        qlike_OA = np.full(moved_OA.shape, np.nan)
        asked = np.isfinite(moved_OA) & np.isfinite(variance_OA)
        qlike_OA[asked] = qlike(variance_OA[asked], moved_OA[asked])
        return Score(
            np.nanmean(loss_OAH, (0, 1)),
            np.array(cover_H),
            float(np.nanmean(qlike_OA)),
            np.nanmean(loss_OAH[..., 0], 1),
            np.nanmean(qlike_OA, 1),
        )

    def row(self) -> str:
        numbers = [f"{x:.4f}" for x in self.crps_H] + [f"{x:.3f}" for x in self.cover_H]
        return " | ".join([*numbers, f"{self.qlike:.4f}"])


def read(data: Path) -> PricePanel:
    """All pairs, hourly."""
    tables = [
        pl.read_parquet(path).select(
            pl.lit(path.name.removesuffix("USDT_1h.parquet")).alias("asset_id"),
            pl.col("timestamp").cast(pl.Datetime("us", "UTC")).alias("time"),
            *(pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")),
        )
        for path in sorted((data / "binance_perp_hourly").glob("*_1h.parquet"))
    ]
    return PricePanel.of(pl.concat(tables), step=timedelta(hours=1))


def taught(panel: PricePanel) -> PricePanel:
    """The assets that are there from the first bar on."""
    return panel.select([a for a, c in zip(panel.asset_ids, panel.close_AT[:, 0], strict=True) if c > 0])


def dm(score: Score, other: Score, task: Task, *, of: str = "loss_D") -> str:
    """t and p; negative: `score` is better."""
    found = diebold_mariano(getattr(score, of), getattr(other, of), overlap(task.horizons[0], task.every))
    return "" if found.t is None or found.p is None else f"{found.t:+.2f} ({found.p:.3f})"


# --- ablation ---------------------------------------------------------------------------------------------------------
class Folds:
    """Folds of a task; what doesn't depend on the variant is made once."""

    def __init__(self, panel: PricePanel, task: Task) -> None:
        self.panel, self.task = panel, task
        self.return_ATH, self.variance_ATH = outcomes(panel, task.horizons)
        self.rows = [panel.asset_ids.index(asset) for asset in task.assets]
        self._facts: dict[tuple[int, ...], Facts] = {}

    def score(self, config: CandlesConfig, *, seed: int = 0) -> tuple[Score, float, int]:
        """Score over all folds, CPU-seconds, parameters."""
        began = time.process_time()
        scales = config.volatility_scales
        if scales not in self._facts:
            self._facts = {scales: facts_of(self.panel, config, horizons=self.task.horizons)}
        parts = list(self._parts(config, self._facts[scales], seed))
        joined = [np.concatenate([part[i] for part in parts]) for i in range(4)]
        return Score.of(*joined), time.process_time() - began, parts[0][4]

    def _parts(self, config: CandlesConfig, facts: Facts, seed: int) -> Iterator[tuple[Any, ...]]:
        task, time_T = self.task, self.panel.time_T
        bar_TH = np.arange(len(time_T))[:, None]
        after_H = bar_TH + np.array(task.horizons)
        for start, end in task.folds:
            first, stop = (int(np.searchsorted(time_T, np.datetime64(d, "us"))) for d in (start, end))
            held = first - int(first * config.validation_fraction)
            learned_TH, judged_TH = after_H < held, (bar_TH >= held) & (after_H < first)
            learned_ATH = np.broadcast_to(learned_TH, self.return_ATH.shape)
            scaling = Scaling.fit(
                facts, self.return_ATH, config=config, horizons=task.horizons, learned_ATH=learned_ATH
            )
            tape = Tape(facts, config, scaling)
            network, trained = teach(
                tape,
                Targets.of(tape, self.return_ATH, self.variance_ATH),
                learned_TH=learned_TH,
                judged_TH=judged_TH,
                horizons=task.horizons,
                seed=seed,
                checkpoints=None,
                about={},
                progress=False,
            )
            # a place reads nothing after itself (tests show it), so that one tape serves all origins
            end_O = np.arange(first - 1, stop - 1 - task.horizons[0], task.every)
            shape, log_variance = answers(network, tape, end_O)
            log_OAH = tape.log_scale_ATH[:, end_O].swapaxes(0, 1)
            unit = answered_quantiles(shape, levels=LEVELS, head=config.head)
            quantile_OAHQ = unit * np.exp(log_OAH)[..., None]
            day = task.horizons.index(24)
            variance_OAH = np.exp(log_variance + 2 * log_OAH)
            outcome_OAH, realised_OAH = (
                x[:, end_O].swapaxes(0, 1) for x in (self.return_ATH, self.variance_ATH)
            )
            yield (
                quantile_OAHQ[:, self.rows],
                outcome_OAH[:, self.rows],
                variance_OAH[:, self.rows, day],
                realised_OAH[:, self.rows, day],
                trained.n_parameters,
            )


def ablation(panel: PricePanel, tasks: Sequence[Task], *, only: str = "") -> Iterator[str]:
    """Lines of the table and what it says; `only` those changes whose name begins so."""
    known = panel.period(None, TEST)
    for task in tasks:
        folds = Folds(known.select(task.assets), task)
        yield f"\n## Ablation, {task.name} (validation, one seed)\n"
        yield (
            f"Folds: {', '.join(f'{a} to {b}' for a, b in task.folds)}; CRPS x100 and cover of the 80 % interval at "
            f"{task.horizons} bars.\n"
        )
        heads = [f"CRPS {h}" for h in task.horizons] + [f"cov80 {h}" for h in task.horizons]
        yield (
            "| change | "
            + " | ".join([*heads, "QLIKE", "DM t (p) against base", "parameters", "CPU s"])
            + " |"
        )
        yield "|---" * (len(heads) + 5) + "|"
        base: Score | None = None
        changes: list[tuple[float, str, str]] = []
        for name, change in VARIANTS.items():
            if name != "base" and not name.startswith(only):
                continue
            score, cpu_s, n = folds.score(task.config(**_lengths(task, change)))
            base = base or score
            test = "" if score is base else dm(score, base, task)
            changes.append((100 * (score.crps_H[0] / base.crps_H[0] - 1), name, test))
            yield f"| {name} | {score.row()} | {test} | {n:,} | {cpu_s:.1f} |"
        yield "\n" + _analysis(changes)


def _lengths(task: Task, change: dict[str, Any]) -> dict[str, Any]:
    """A patch that is given as a share of the task's own."""
    patch = change.get("patch")
    return change if patch is None else {**change, "patch": int(patch * BASE[task.name]["patch"])}


def p_of(test: str) -> float:
    """The p in what `dm` wrote; 1 where there was none."""
    return float(test.split("(")[1].rstrip(")")) if test else 1.0


def _analysis(changes: list[tuple[float, str, str]]) -> str:
    """What the table says, in words."""
    found = [(d, name, p_of(test)) for d, name, test in changes if name != "base"]
    worse = [f"{name} ({d:+.2f} %)" for d, name, p in sorted(found, reverse=True) if d > 0 and p < 0.05]
    better = [f"{name} ({d:+.2f} %)" for d, name, p in sorted(found) if d < 0 and p < 0.05]
    same = [f"{name} ({d:+.2f} %)" for d, name, p in sorted(found) if p >= 0.05]
    words = [
        f"Costs CRPS at the first horizon (p < .05): {', '.join(worse) or 'nothing'}.",
        f"Gains (p < .05): {', '.join(better) or 'nothing'}.",
        f"Makes no difference that these dates could show: {', '.join(same) or 'nothing'}.",
        f"{len(found)} changes were tried: one in twenty passes .05 by chance, so a p near it says little.",
    ]
    return "\n".join(f"- {line}" for line in words)


# --- the test, once ---------------------------------------------------------------------------------------------------
def final(panel: PricePanel, tasks: Sequence[Task], *, n_seeds: int, size: dict[str, Any]) -> Iterator[str]:
    """Lines of the table and whether the targets were reached; `size` changes the chosen settings."""
    history = taught(panel).period(None, TEST)
    wide = panel.select(history.asset_ids)
    for task in tasks:
        yield f"\n## Test, {task.name}, from {TEST} on\n"
        yield from _tested(history, wide, task, n_seeds=n_seeds, size=size)


def _tested(
    history: PricePanel, wide: PricePanel, task: Task, *, n_seeds: int, size: dict[str, Any]
) -> Iterator[str]:
    judged = wide.select(task.assets)
    is_daily = task.name == "daily"
    narrow = judged.resample(timedelta(days=1)) if is_daily else judged
    steps = (1, 6, 24)
    origins = origins_of(narrow, horizons=steps, start=TEST, every=1 if is_daily else 23)
    names = ["rw_gauss", "rw_hist_sim", "rw_ewma", "rw_garch_t"]
    board = bench(narrow, [make_forecaster(n) for n in names], origins, n_resamples=200)
    # both panels know the same moment: the end of the last known bar
    end_O = narrow.time_T[origins.stops - 1] + np.timedelta64(narrow.step)
    stop_O = np.searchsorted(wide.time_T, end_O)
    return_ATH, variance_ATH = outcomes(judged, task.horizons)
    outcome_OAH = return_ATH[:, stop_O - 1].swapaxes(0, 1)
    day = task.horizons.index(24)
    realised_OA = variance_ATH[:, stop_O - 1, day].T
    nothing_OA = np.full(realised_OA.shape, np.nan)
    scores = {n: Score.of(board.forecasts[n], outcome_OAH, nothing_OA, realised_OA) for n in names}
    rows = [wide.asset_ids.index(asset) for asset in task.assets]
    quantiles, variances, seeds = [], [], []
    for seed in range(n_seeds):
        began = time.process_time()
        model = Candles(task.config(**{**CHOSEN[task.name], **size}))
        model.fit(history, horizons=task.horizons, rng=seed)
        histories = [wide.until(int(stop), length=model.context_length) for stop in stop_O]
        quantiles.append(model.forecast(histories, horizons=task.horizons)[:, rows])
        variances.append(model.volatility(histories, horizons=(24,))[:, rows, 0])
        seeds.append(Score.of(quantiles[-1], outcome_OAH, variances[-1], realised_OA))
        print(f"seed {seed}: {seeds[-1].row()}, {time.process_time() - began:.0f} CPU-s", flush=True)
    mean_OAHQ, variance_OA = np.mean(quantiles, 0), np.exp(np.mean(np.log(variances), 0))
    scores["candles, mean of seeds"] = Score.of(mean_OAHQ, outcome_OAH, variance_OA, realised_OA)
    share = SHARE_OF_HISTORY[task.name]
    if share:
        blended = (1 - share) * mean_OAHQ + share * board.forecasts["rw_hist_sim"]
        scores[f"candles with {share:.0%} historical simulation"] = Score.of(
            blended, outcome_OAH, variance_OA, realised_OA
        )
    heads = [f"CRPS {h}" for h in steps] + [f"cov80 {h}" for h in steps]
    yield f"{len(stop_O)} origins, {len(rows)} assets; {model.trained_[0]['n_parameters']:,} parameters a network.\n"
    yield (
        "| model | "
        + " | ".join([*heads, "QLIKE", "DM t (p) against GARCH-t", "against historical simulation"])
        + " |"
    )
    yield "|---" * (len(heads) + 4) + "|"
    for name, score in scores.items():
        tests = [
            "" if score is scores[b] else dm(score, scores[b], task) for b in ("rw_garch_t", "rw_hist_sim")
        ]
        yield f"| {name} | {score.row()} | {' | '.join(tests)} |"
    first = np.array([s.crps_H[0] for s in seeds])
    spread = [f"CRPS {first.mean():.4f} +- {first.std(ddof=1) if len(first) > 1 else 0:.4f}"]
    spread += [f"QLIKE {np.mean([s.qlike for s in seeds]):.4f} +- {np.std([s.qlike for s in seeds]):.4f}"]
    yield f"\nSingle seeds ({n_seeds}): {', '.join(spread)}; each: {', '.join(f'{x:.4f}' for x in first)}."
    yield from _verdict(task, scores, history, wide, stop_O, rows, realised_OA)


def _verdict(
    task: Task,
    scores: dict[str, Score],
    history: PricePanel,
    wide: PricePanel,
    stop_O: NDArray[np.int64],
    rows: list[int],
    realised_OA: Floats,
) -> Iterator[str]:
    name = list(scores)[-1]
    mine, garch = scores[name], scores["rw_garch_t"]
    value, target = float(mine.crps_H[0]), TARGET[task.name]
    test = dm(mine, garch, task)
    reached = value <= target and test.startswith("-") and p_of(test) < 0.05
    yield f"\n- Reference rows: {REFERENCE[task.name]}."
    yield f"- Target CRPS <= {target} with p < .05 against GARCH-t: **{'reached' if reached else 'not reached'}** ({name}: {value:.4f}, DM {test})."
    cover = float(mine.cover_H[0])
    yield f"- 80 % interval at one step covers {cover:.3f}: {'inside' if 0.78 <= cover <= 0.82 else 'outside'} .78-.82."
    if task.name == "daily":
        variance_OA = global_har(history, wide, stop_O)[:, rows]
        har = Score.of(np.zeros((*realised_OA.shape, 1, 9)), realised_OA[..., None], variance_OA, realised_OA)
        against = dm(mine, har, task, of="qlike_D")
        won = mine.qlike <= 0.325 and against.startswith("-") and p_of(against) < 0.05
        yield (
            f"- QLIKE {mine.qlike:.4f} against {har.qlike:.4f} of a global HAR-log-RV on the same data, DM "
            f"{against}; target <= 0.325 with p < .05: **{'reached' if won else 'not reached'}**."
        )


def global_har(history: PricePanel, wide: PricePanel, stop_O: NDArray[np.int64]) -> Floats:
    """Next day's realised variance by one regression of its log on those of 1, 5, 22 days, own and of the market."""

    def logs(panel: PricePanel, last_N: NDArray[np.int64]) -> Floats:
        total = np.cumsum(np.nan_to_num(np.array(panel.log_return_AT)) ** 2, 1)
        own = [np.log((total[:, last_N] - total[:, last_N - 24 * d]) / d) for d in (1, 5, 22)]
        market = [np.broadcast_to(x.mean(0), x.shape) for x in own]
        return np.stack([np.ones_like(own[0]), *own, *market], -1)

    last_N = np.arange(22 * 24 + 23, history.n_bars - 24, 24)
    x, after = logs(history, last_N), logs(history, last_N + 24)[..., 1]
    weight = np.linalg.lstsq(x.reshape(-1, x.shape[-1]), after.ravel(), rcond=None)[0]
    correction = np.mean(np.exp(after - x @ weight))
    variance_OA: Floats = (np.exp(logs(wide, stop_O - 1) @ weight) * correction).T
    return variance_OA


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["ablation", "final"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=sorted(TASKS), default=list(TASKS))
    parser.add_argument(
        "--only", default="", help="variants whose name begins so, beside the base (ablation)"
    )
    parser.add_argument("--million", action="store_true", help="final: networks of 1.1 million parameters")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    panel = read(args.data)
    tasks = [TASKS[name] for name in args.tasks]
    if args.what == "ablation":
        lines = ablation(panel, tasks, only=args.only)
    else:
        lines = final(panel, tasks, n_seeds=args.seeds, size=MILLION if args.million else {})
    kept = []
    for line in lines:
        print(line, flush=True)
        kept.append(line)
    if args.out is not None:
        args.out.write_text("\n".join(kept).lstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
