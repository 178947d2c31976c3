"""Strategies, prices and the number of trials -> a verdict: the statistics at each cost level and the money gate.

Back-tests all strategies itself, so that what is judged was filled at the next bar and paid its costs.
"""

# ruff: noqa: N815  (names suffixed by their axes are the house style for arrays)

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast.hac import default_lags, long_run_variance
from nextbest.evaluation.forecast.spa import spa
from nextbest.market.trading.audit import Audit
from nextbest.market.trading.backtest import Costs, Fill, Result, backtest
from nextbest.market.verdict.baselines import RandomEntry, holding, random_entry
from nextbest.market.verdict.gate import GateLine, Limits, line, worst
from nextbest.market.verdict.pbo import Overfitting, cscv
from nextbest.market.verdict.regimes import regimes
from nextbest.market.verdict.sharpe import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    moments,
    periods_per_year,
    sharpe_ann,
)

FloatArray = NDArray[np.float64]
Rng = int | np.random.Generator


@dataclass(frozen=True)
class Trials:
    """What the ledger says of everything that was ever tried, also what nobody looked at."""

    n: int
    """Strategies, 1 or more."""
    sharpes: Sequence[float] = ()
    """Their Sharpe ratios a day after costs, as far as they are known."""


@dataclass(frozen=True, eq=False)
class Level:
    """The tests at one cost."""

    cost_bps: float
    """A side."""
    result: Result
    """Of the strategies judged."""
    baselines: Result
    """Buy and hold, equal weight, at the same cost."""
    day_D: NDArray[np.datetime64]
    net_SD: FloatArray
    """Net returns of the strategies by UTC day, linked."""
    baseline_SD: FloatArray
    moments_S: tuple[Moments, ...]
    """Of the daily returns; Sharpe NaN for a strategy that never moved."""
    dsr: float | None
    """Of the candidate, against the best of all trials when none has skill: each Sharpe ratio then varies by
    1 / (n - 1), n counted without what the days share."""
    dsr_by_spread: float | None
    """The same with the variance that the trials' Sharpe ratios have in fact, as the paper takes it."""
    expected_max_sharpe_ann: float
    """The bar of `dsr`, as an annual Sharpe ratio."""
    overfitting: Overfitting | None
    """None with fewer than two strategies or too few days."""
    spa_p: float | None
    """Consistent p-value of "no strategy earns more than nothing"."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """The judgement with all it stands on."""

    evidence_of_profit: bool
    """Whether every line of the gate passed."""
    candidate: str
    """The strategy with the highest Sharpe ratio after the highest cost."""
    gate: tuple[GateLine, ...]
    levels: tuple[Level, ...]
    """From the lowest cost to the highest."""
    trials: Trials
    limits: Limits
    entries: RandomEntry | None
    """The candidate's positions at random times, at the highest cost."""
    regime_sharpe: Mapping[str, Mapping[str, float | None]]
    """Annual Sharpe ratio in each kind of market, of the candidate and of buy and hold, at the highest cost; and
    `share`, the part of the days."""
    periods_per_year: float
    """Days with returns a year."""
    n_days: int
    audit: Audit | None

    @property
    def worst(self) -> Level:
        """The level of the highest cost."""
        return self.levels[-1]


def judge(
    positions: Mapping[str, FloatArray],
    panel: PricePanel,
    *,
    costs: Costs,
    trials: Trials,
    rng: Rng,
    limits: Limits | None = None,
    audit: Audit | None = None,
    fill: Fill = "open",
    latency: int = 1,
    n_blocks: int = 10,
    n_resamples: int = 2000,
    n_entries: int = 200,
) -> Verdict:
    """Whether the best of the strategies is evidence of profit after costs.

    Parameters
    ----------
    positions
        Decisions of every strategy by name, as `backtest` takes them. Shape (T, A) each. Give all that were tried
        on this period: SPA and PBO can only count those they see.
    panel
        Prices of the test period and of what the positions needed before it.
    costs
        Funding, borrowing, capital and volume share; the cost a side is replaced by each of `limits.cost_bps`.
    trials
        From the ledger; its number never below that of the strategies given.
    rng
        Of the bootstrap and of the random entries.
    limits
        The gate's; by default those of the issue.
    audit
        Of the strategies, where there was one; one with findings fails the gate.
    fill, latency
        As in `backtest`.
    n_blocks
        Of the combinatorial cross-validation.
    n_resamples, n_entries
        Draws of SPA and of random entry.

    Returns
    -------
    Verdict
        Never raises for a bad result: a number that can't be had is None and its line doesn't pass.

    Raises
    ------
    InputError
        No strategy, fewer trials than strategies, or as in `backtest`.
    DataError
        No strategy decides anything, or fewer than two days of returns.
    """
    limits = limits or Limits()
    if not positions:
        raise InputError("positions", "must hold one strategy or more")
    if trials.n < len(positions):
        raise InputError(
            "trials.n",
            f"must be {len(positions)} or more, the strategies given here",
            value=trials.n,
            remedy="the number comes from the ledger, which counts every strategy that was back-tested",
        )
    names = tuple(positions)
    position_STA = np.stack([np.asarray(positions[name], np.float64) for name in names])
    gen = np.random.default_rng(rng)
    seed = int(gen.integers(2**32))
    levels = tuple(
        _level(
            position_STA,
            names,
            panel,
            replace(costs, fee=bps / 1e4, half_spread=0.0, slippage=0.0),
            bps,
            trials=trials,
            fill=fill,
            latency=latency,
            n_blocks=n_blocks,
            n_resamples=n_resamples,
            rng=seed,
        )
        for bps in sorted(limits.cost_bps)
    )
    dearest = levels[-1]
    best = _best(dearest.moments_S)
    levels = tuple(_with_candidate(level, best, trials) for level in levels)
    dearest = levels[-1]
    try:
        entries = random_entry(position_STA[best], panel, dearest.result.costs, rng=gen, n_entries=n_entries, fill=fill, latency=latency)  # fmt: skip
    except InputError:  # fewer bars than random entries need: no number, and the line says so
        entries = None
    gate = _gate(levels, best, limits, entries, audit, latency)
    return Verdict(
        evidence_of_profit=all(one.passed for one in gate),
        candidate=names[best],
        gate=gate,
        levels=levels,
        trials=trials,
        limits=limits,
        entries=entries,
        regime_sharpe=_by_regime(dearest, best, panel),
        periods_per_year=periods_per_year(dearest.day_D),
        n_days=len(dearest.day_D),
        audit=audit,
    )


def by_day(net_ST: FloatArray, time_T: NDArray[np.datetime64], step: timedelta) -> tuple[NDArray[np.datetime64], FloatArray]:  # fmt: skip
    """Returns linked within each UTC day: bars of one day are no independent evidence.

    Returns
    -------
    days, returns
        datetime64[D], shape (D,), and shape (S, D). A bar belongs to the day in which it opens; bars of a day or
        longer stay as they are.
    """
    day_T = time_T.astype("datetime64[D]")
    if step >= timedelta(days=1) or not len(day_T):
        return day_T, net_ST
    days, first = np.unique(day_T, return_index=True)
    return days, np.multiply.reduceat(1 + net_ST, first, axis=1) - 1


def _level(
    position_STA: FloatArray,
    names: tuple[str, ...],
    panel: PricePanel,
    costs: Costs,
    bps: float,
    *,
    trials: Trials,
    fill: Fill,
    latency: int,
    n_blocks: int,
    n_resamples: int,
    rng: Rng,
) -> Level:
    result = backtest(position_STA, panel, costs, names=names, fill=fill, latency=latency)
    if result.first > panel.n_bars - 2:
        raise DataError("positions", "decide nothing that two bars or more could earn", n_bad=len(names))
    held = holding(panel, costs, first=result.first, fill=fill, latency=latency)
    time_T = panel.time_T[result.period]
    day_D, net_SD = by_day(result.net_ST[:, result.period], time_T, panel.step)
    _, baseline_SD = by_day(held.net_ST[:, result.period], time_T, panel.step)
    if len(day_D) < 3:
        raise DataError("prices", "must give three days of returns or more", n_bad=len(day_D))
    try:
        overfitting = cscv(net_SD, n_blocks=n_blocks)
    except DataError:  # one strategy, or too few days: there is no such number
        overfitting = None
    return Level(
        cost_bps=bps,
        result=result,
        baselines=held,
        day_D=day_D,
        net_SD=net_SD,
        baseline_SD=baseline_SD,
        moments_S=tuple(moments(net) for net in net_SD),
        dsr=None,
        dsr_by_spread=None,
        expected_max_sharpe_ann=math.nan,
        overfitting=overfitting,
        spa_p=spa(np.zeros(len(day_D)), -net_SD.T, rng=rng, n_resamples=n_resamples).consistent,
    )


def _with_candidate(level: Level, best: int, trials: Trials) -> Level:
    """The level with the deflated Sharpe ratios of the strategy that is judged."""
    found = level.moments_S[best]
    yearly = periods_per_year(level.day_D)
    if math.isnan(found.sharpe):
        return level
    own = independent(found, level.net_SD[best])
    variance = 1 / (own.n - 1)
    known = np.array([s for s in trials.sharpes if math.isfinite(s)] or [m.sharpe for m in level.moments_S])
    known = known[np.isfinite(known)]
    spread = float(known.var(ddof=1)) if len(known) > 1 else None
    return replace(
        level,
        dsr=deflated_sharpe(own, n_trials=trials.n, variance=variance),
        dsr_by_spread=None if spread is None else deflated_sharpe(own, n_trials=trials.n, variance=spread),
        expected_max_sharpe_ann=sharpe_ann(
            expected_max_sharpe(trials.n, variance=variance), periods_per_year=yearly
        ),
    )


def independent(found: Moments, return_D: FloatArray) -> Moments:
    """The moments with fewer observations where days follow each other: n over long-run by plain variance, at most n.

    Stale prices and overlapping holdings make returns smooth and a Sharpe ratio look surer than it is.
    """
    plain = float(return_D.var())
    if plain <= 0:
        return found
    ratio = long_run_variance(return_D, lags=default_lags(len(return_D))) / plain
    return replace(found, n=max(3, int(found.n / max(1.0, ratio))))


def _best(moments_S: Sequence[Moments]) -> int:
    """The highest Sharpe ratio; a strategy that never moved comes last."""
    return int(np.argmax([-math.inf if math.isnan(m.sharpe) else m.sharpe for m in moments_S]))


def _gate(
    levels: Sequence[Level],
    best: int,
    limits: Limits,
    entries: RandomEntry | None,
    audit: Audit | None,
    latency: int,
) -> tuple[GateLine, ...]:
    dearest = levels[-1]
    break_even = worst([float(level.result.break_even_bps_S[best]) for level in levels], high_is_good=True)
    pbo = worst([None if level.overfitting is None else level.overfitting.pbo for level in levels], high_is_good=False)  # fmt: skip
    lines = [
        line("days", len(dearest.day_D), "at least", limits.min_days),
        line("next_bar", latency, "at least", 1),
        line("funding", float(dearest.result.costs.funding is not None), "is", 1.0),
        line("deflated_sharpe", worst([level.dsr for level in levels], high_is_good=True), "above", limits.deflated_sharpe),
        line("overfitting", pbo, "below", limits.overfitting),
        line("spa", worst([level.spa_p for level in levels], high_is_good=False), "below", limits.p_value),
        line("random_entry", None if entries is None else entries.p_value, "below", limits.p_value),
        line("break_even", break_even, "above", limits.break_even_bps),
    ]  # fmt: skip
    if audit is not None:
        lines.insert(3, line("audit", float(len(audit.findings)), "is", 0.0))
    return tuple(lines)


def _by_regime(level: Level, best: int, panel: PricePanel) -> dict[str, dict[str, float | None]]:
    first = level.result.first
    yearly = periods_per_year(level.day_D)
    day_T = panel.time_T.astype("datetime64[D]")
    opens = np.searchsorted(day_T, level.day_D) if panel.step < timedelta(days=1) else np.arange(first, panel.n_bars)  # fmt: skip
    per_day = max(1, round(timedelta(days=1) / panel.step))
    found: dict[str, dict[str, float | None]] = {}
    for name, mask_T in regimes(panel, length=min(90 * per_day, max(10, panel.n_bars // 4))).masks().items():
        mask_D = mask_T[opens]  # of the day's first bar: what was known when it began
        if mask_D.any():
            found[name] = {
                "share": float(mask_D.mean()),
                "candidate": _ann(level.net_SD[best, mask_D], yearly),
                "buy_and_hold": _ann(level.baseline_SD[0, mask_D], yearly),
            }
    return found


def _ann(return_D: FloatArray, yearly: float) -> float | None:
    if len(return_D) < 20:
        return None  # a Sharpe ratio of a few days says nothing
    sharpe = moments(return_D).sharpe
    return None if math.isnan(sharpe) else sharpe_ann(sharpe, periods_per_year=yearly)
