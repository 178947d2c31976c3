"""The only caller of a forecaster: hands over copies that end at the cutoff, takes what comes, goes on after failures.

A block is the origins of one call; it never crosses a refit, and its copies fit `BLOCK_BYTES`: that is all the memory
a run takes beside its results, however many origins there are. Axes: O origins, A assets, H horizons, Q levels.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from nextbest.data.prices.panel import FIELDS, PricePanel
from nextbest.errors import InputError
from nextbest.evaluation.forecast.point import one_step_scale
from nextbest.market.base import LEVELS, FloatArray, Forecaster, check_request, make_forecaster
from nextbest.market.bench.answers import checked, same_alone
from nextbest.market.bench.leaderboard import Failure, Leaderboard, leaderboard_rows
from nextbest.market.bench.origins import TEST_SHARE, Origins, outcomes_of
from nextbest.market.ledger import Block, Blocks, Ledger, run_key

log = logging.getLogger(__name__)
BLOCK_BYTES = 64_000_000
"""Copies handed over in one call."""
MAX_BLOCK = 64
"""Origins of one call at most: what a kill can cost."""
BENCHMARK = "rw_gauss"


@dataclass(frozen=True)
class _Plan:
    """One model's way through the origins."""

    segments: list[tuple[int, int]]
    """Origins [start, stop) between two fits."""
    blocks: list[list[tuple[int, int]]]
    """Of each segment: origins [start, stop) of each call."""


@dataclass
class _Asked:
    """What one model said."""

    quantiles_OAHQ: FloatArray  # noqa: N815 - axes in the name
    cpu_s: float = 0.0
    resumed: int = 0
    failures: list[Failure] = field(default_factory=list)


def bench(
    panel: PricePanel,
    forecasters: Sequence[Forecaster],
    origins: Origins,
    *,
    ledger: Ledger | None = None,
    rng: int = 0,
    progress: bool = False,
    levels: Sequence[float] = LEVELS,
    refits: Mapping[str, int] | None = None,
    n_resamples: int = 1000,
) -> Leaderboard:
    """Ask every forecaster at every origin, and score all against the Gaussian random walk.

    Parameters
    ----------
    panel
        The bars. No forecaster sees this object, only copies of what was known.
    forecasters
        Names must differ. `rw_gauss` is added where it is missing: everything is held against it.
    origins
        Cutoffs, horizons, refits.
    ledger
        Keeps each block as it is made: a run that was killed goes on after the last one. None: nothing is kept.
    rng
        Seed; a fit's own seed depends on it and on the fit's place only.
    progress
        Show a bar on standard error.
    levels
        Quantile levels, .1, .5 and .9 among them.
    refits
        Origins between two fits of the models named, in place of the origins' own.
    n_resamples
        Of the bootstraps in the leaderboard.

    Returns
    -------
    Leaderboard
        A model that raised, had the wrong shape, no number, crossing quantiles, or another answer alone than beside later
        origins has its words in `failures` and its row; its other blocks count.

    Raises
    ------
    InputError
        No forecaster, a name twice, an origin beyond the panel, or a name in `refits` that isn't there.
    """
    models = list(forecasters)
    names = [model.name for model in models]
    if not models or len(set(names)) < len(names):
        raise InputError("forecasters", "must be one or more, each name once", value=names)
    if BENCHMARK not in names:
        models, names = [make_forecaster(BENCHMARK), *models], [BENCHMARK, *names]
    if unknown := sorted(set(refits or {}) - set(names)):
        raise InputError("refits", f"must name forecasters of {names}", value=unknown)
    if origins.stops[-1] > panel.n_bars:
        raise InputError("origins", f"lie beyond the {panel.n_bars} bars", value=int(origins.stops[-1]))
    check_request(origins.horizons, levels)
    every = {name: (refits or {}).get(name, origins.refit_every) for name in names}
    plans = {model.name: _plan(model, panel, origins, every[model.name]) for model in models}
    digest = panel.digest() if ledger else ""
    asked: dict[str, _Asked] = {}
    n_calls = sum(len(blocks) for plan in plans.values() for blocks in plan.blocks)
    with tqdm(total=n_calls, desc="bench", unit="block", disable=not progress) as bar:
        for model in models:
            bar.set_postfix_str(model.name)
            store = None
            if ledger:
                key = run_key(digest, origins, model, levels=levels, refit_every=every[model.name], rng=rng)
                store = ledger.blocks(key)
            asked[model.name] = _ask(model, panel, origins, plans[model.name], store, rng, levels, bar)
    outcomes_OAH = outcomes_of(panel, origins)
    dates_O = panel.time_T[origins.stops - 1]
    failures = tuple(failure for said in asked.values() for failure in said.failures)
    # MASE's yardstick: the older four fifths, so that it stays when `every` moves the first origin a little
    n_scale = min(int(origins.stops[0]), int((1 - TEST_SHARE) * panel.n_bars) + 1)
    rows = leaderboard_rows(
        {name: said.quantiles_OAHQ for name, said in asked.items()},
        outcomes_OAH,
        dates_O,
        origins,
        scale_A=one_step_scale(panel.log_return_AT[:, :n_scale]),
        benchmark=BENCHMARK,
        rng=rng,
        levels=levels,
        n_resamples=n_resamples,
        models=models,
        failures=failures,
        cpu_s={name: said.cpu_s for name, said in asked.items()},
    )
    return Leaderboard(
        rows=rows,
        forecasts={name: said.quantiles_OAHQ for name, said in asked.items()},
        outcomes=outcomes_OAH,
        dates=dates_O,
        horizons=origins.horizons,
        levels=tuple(levels),
        failures=failures,
        cpu_s={name: said.cpu_s for name, said in asked.items()},
        resumed={name: said.resumed for name, said in asked.items()},
    )


def _plan(model: Forecaster, panel: PricePanel, origins: Origins, refit_every: int) -> _Plan:
    starts = range(0, len(origins), refit_every)
    segments = [(start, min(start + refit_every, len(origins))) for start in starts]
    length = model.context_length or int(origins.stops[-1])
    n_bytes = panel.n_assets * min(length, panel.n_bars) * 8 * (len(FIELDS) + 1)
    size = max(1, min(MAX_BLOCK, BLOCK_BYTES // max(n_bytes, 1)))
    blocks = [[(at, min(at + size, stop)) for at in range(start, stop, size)] for start, stop in segments]
    return _Plan(segments, blocks)


def _ask(
    model: Forecaster,
    panel: PricePanel,
    origins: Origins,
    plan: _Plan,
    store: Blocks | None,
    rng: int,
    levels: Sequence[float],
    bar: "tqdm[None]",
) -> _Asked:
    shape = (len(origins), panel.n_assets, len(origins.horizons), len(levels))
    asked = _Asked(np.full(shape, np.nan))
    for number, blocks in enumerate(plan.blocks):
        done = {at: store.get(*at) for at in blocks} if store else {}
        fit_words: str | None = None
        newest = int(origins.stops[plan.segments[number][1] - 1])
        if newest >= model.min_bars and any(done.get(at) is None for at in blocks):
            began = time.process_time()
            fit_words = _fit(
                model, panel, origins, plan.segments[number][0], np.random.default_rng([rng, number])
            )
            asked.cpu_s += (fit_cpu := time.process_time() - began)
        else:
            fit_cpu = 0.0
        for at in blocks:
            block = done.get(at)
            if block is None:
                block = _answer(model, panel, origins, at, levels, fit_words)
                asked.cpu_s += block.cpu_s
                # a block without a number is asked again: what was missing (an extra, memory) may have come
                if store and np.isfinite(block.quantiles_OAHQ).any():
                    store.put(*at, block.with_cpu(block.cpu_s + fit_cpu))
                    fit_cpu = 0.0
            else:
                asked.cpu_s += block.cpu_s
                asked.resumed += at[1] - at[0]
            asked.quantiles_OAHQ[at[0] : at[1]] = block.quantiles_OAHQ
            if block.words:
                log.warning(
                    "forecast failed", extra={"model": model.name, "origins": at, "words": block.words}
                )
                asked.failures.append(Failure(model.name, at[0], at[1], block.words))
            bar.update()
    return asked


def _fit(
    model: Forecaster, panel: PricePanel, origins: Origins, first: int, rng: np.random.Generator
) -> str | None:
    """What went wrong, if anything."""
    try:
        model.fit(panel.until(int(origins.stops[first])), horizons=origins.horizons, rng=rng)
    except Exception as error:
        return f"fit: {type(error).__name__}: {error}"
    return None


def _answer(
    model: Forecaster,
    panel: PricePanel,
    origins: Origins,
    at: tuple[int, int],
    levels: Sequence[float],
    fit_words: str | None,
) -> Block:
    """One call: copies in, checked quantiles out."""
    stops = [int(stop) for stop in origins.stops[at[0] : at[1]]]
    shape = (len(stops), panel.n_assets, len(origins.horizons), len(levels))
    if fit_words is not None:
        return Block(np.full(shape, np.nan), 0.0, fit_words)
    if stops[0] < model.min_bars:
        return Block(np.full(shape, np.nan), 0.0, f"needs {model.min_bars} bars, {stops[0]} are known")
    length = model.context_length or None
    alive_OA = ~np.isnan(panel.close_AT[:, np.array(stops) - 1]).T
    began = time.process_time()
    try:
        histories = tuple(panel.until(stop, length=length) for stop in stops)
        said = model.forecast(histories, horizons=origins.horizons, levels=tuple(levels))
        alone = None
        if len(stops) > 1:
            known = panel.until(stops[0], length=length)
            alone = model.forecast((known,), horizons=origins.horizons, levels=tuple(levels))
    except Exception as error:
        cpu_s = time.process_time() - began
        return Block(np.full(shape, np.nan), cpu_s, f"forecast: {type(error).__name__}: {error}")
    cpu_s = time.process_time() - began
    quantiles, words = checked(said, shape, alive_OA)
    if alone is not None:
        first, _ = checked(alone, (1, *shape[1:]), alive_OA[:1])
        if not same_alone(quantiles[0], first[0]):
            words = "answers an origin otherwise when later origins stand in the same call: reads their bars"
            quantiles[:] = np.nan
    return Block(quantiles, cpu_s, words)
