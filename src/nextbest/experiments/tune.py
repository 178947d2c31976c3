"""Searching the ranges of a recipe on the validation part, within a budget; the test part is never read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from nextbest.errors import InputError
from nextbest.experiments.cost import measured
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.search_space import SearchSpace, Settings
from nextbest.experiments.selection import ValidationPart, for_these_times
from nextbest.experiments.splitting import SplitPlan
from nextbest.experiments.study import ModelStudy, TrialRecord, check_optuna
from nextbest.experiments.tune_folder import (
    BEST,
    about,
    check_folder,
    check_writable,
    open_folder,
    write_best,
    write_trials,
)

FAILURES_THAT_END = 20
"""So many failed trials in a row end the search of a model."""
_FAILURES = (InputError, MemoryError, ArithmeticError, np.linalg.LinAlgError)
"""What settings can be to blame for; anything else is a fault of the data, the machine or ours."""


@dataclass(frozen=True)
class Tuned:
    """What was found for one model."""

    model: str
    kind: str
    best: Settings | None
    """Found values by dotted name; those of the earliest trial among equals. None: every trial failed."""
    config: dict[str, Any] | None
    """The whole config they make."""
    validation: float | None
    """Metric of the best trial: the highest of many, so it flatters; the test part tells the truth."""
    default: float | None
    """Metric of the default settings; None where they failed."""
    trials: int
    failed: int
    cpu_s: float
    """CPU-seconds of all trials, also of those of earlier runs."""
    ended: str
    """Why there are no more trials."""


@dataclass(frozen=True)
class TuneReport:
    """What `tune` did."""

    recipe: str
    protocol: dict[str, Any]
    metric: str
    models: list[Tuned]
    folder: str
    found: str | None
    """The recipe file with the found settings; None where no trial worked."""
    skipped: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def to_text(self) -> str:
        """A table for people, and what to do next."""
        p = self.protocol
        asked = f"{p['n_target_users']:,} users asked, {p['n_targets']:,} targets"
        lines = [
            f"Validation part: {p['name']} split, {asked}, {p['n_train_events']:,} events to learn from.",
            "The test part was not read.",
            "",
            f"| model | {self.metric} | default | trials | failed | CPU-s | best settings |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {m.model} | {_figure(m.validation)} | {_figure(m.default)} | {m.trials} | {m.failed} | {m.cpu_s:.1f} "
            f"| {_settings(m.best)} |"
            for m in self.models
        ]
        lines += ["", *(f"{m.model}: {m.ended}" for m in self.models)]
        lines += [f"Left out: {s['model']} ({s['why']})" for s in self.skipped]
        if self.found:
            lines += [
                "",
                f"The best of many flatters; figures to believe: nextbest compare --recipe {self.found}",
            ]
        return "\n".join(lines)


def tune(
    journal: pl.DataFrame,
    recipe: Recipe,
    out: Path,
    *,
    plan: SplitPlan | None = None,
    k: int = 10,
    rng: int = 0,
    seconds: float | None = None,
    trials: int | None = None,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
    progress: bool = False,
) -> TuneReport:
    """The best settings of each model of a recipe by NDCG@k on the validation part, and a folder that holds them.

    Each model's first trial is its default. Then its ranges (`search`, and lists of `grid`) are searched by
    Optuna's TPE. A trial that can't be fitted is kept with its reason. Called again with the same `out` it goes
    on, and ends where one long run would have ended: by the number of trials exactly.

    Parameters
    ----------
    journal
        Columns `user_id, item_id, time` and the recipe's weight.
    out
        Folder: `best.toml`, `trials.csv`, and the study to go on from. What is done is there also when this is
        interrupted or fails.
    plan
        How to cut; None = by global time. Only its validation part is used.
    k
        Length of the lists.
    rng
        Seed of the search, and of each fit.
    seconds
        Budget of CPU-seconds for the recipe, in equal parts for each model that has ranges; what the folder
        already spent counts. A trial that has begun is finished, the default is always tried.
    trials
        Trials of each model, the default and those in the folder included.

    Raises
    ------
    InputError
        An argument or the recipe breaks its rule, no model has a range, Optuna isn't installed, or `out` is
        about another recipe, protocol, seed or other data.
    DataError
        The journal can't be cut in the way asked for.
    ArtifactError
        The files in `out` are damaged or of another version.
    ExternalError
        Another process searches in `out`, or the disk fails.
    KeyboardInterrupt
        Passed on, with everything that was finished written.
    """
    for name, value, least in (("k", k, 1), ("rng", rng, 0), ("trials", trials, 1)):
        if value is not None and value < least:
            raise InputError(name, f"must be {least} or more", value=value)
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise InputError("seconds", "must be above 0 and finite", value=seconds)
    if seconds is None and trials is None:
        raise InputError("budget", "must be given: seconds, trials, or both")
    check_optuna()
    check_folder(out)
    plan = plan or SplitPlan(rng=rng)
    recipes, skipped = for_these_times([recipe], plan.time_kind)
    if not recipes:
        raise InputError("recipe", f"has no model for this log: {skipped[0]['why']}", value=recipe.name)
    (recipe,) = recipes
    spaces = [SearchSpace(m) for m in recipe.models]
    check_writable(spaces)
    n_searched = sum(s.n_settings > 1 for s in spaces)
    if not n_searched:
        raise InputError(
            "recipe",
            "declares no range to search",
            value=recipe.name,
            remedy="give a model a [models.search] table, such as: dropout = { low = 0.0, high = 0.5 }",
        )
    split = plan.validation(journal, plan.test(journal))
    part = ValidationPart.of(split, recipe, k=k, rng=rng, clients=clients, catalog=catalog)
    what = about(recipe, plan, k=k, rng=rng, part={**split.protocol, "digest": part.digest})
    budget = Budget(trials, None if seconds is None else seconds / n_searched)
    found: list[tuple[SearchSpace, list[TrialRecord]]] = []
    ends: list[str] = []
    with (
        open_folder(out, what) as studies,
        _Bar(spaces, budget, shown=progress) as bar,
    ):
        try:
            for space in spaces:
                study = studies.of(space, rng=rng)
                found.append((space, study.records))
                ends.append(_search(study, part, budget, seen=bar.seen))
        finally:
            models = [
                _tuned(space, records, ended)
                for (space, records), ended in zip(found, [*ends, "interrupted"], strict=False)
            ]
            best = _write(out, recipe, models, found, part.metric)
    return TuneReport(
        recipe=recipe.name,
        protocol={**split.protocol, "k": k, "rng": rng},
        metric=part.metric,
        models=models,
        folder=str(out),
        found=best,
        skipped=skipped,
    )


@dataclass(frozen=True)
class Budget:
    """Of one model."""

    trials: int | None
    cpu_s: float | None

    def share_spent(self, records: Sequence[TrialRecord], space: SearchSpace) -> float:
        """How much of it is used up, 1 or more: all."""
        spent = sum(r.cpu_s for r in records)
        by_time = 0.0 if self.cpu_s is None else spent / self.cpu_s
        most = space.n_settings + (not space.holds_default)
        most = most if self.trials is None else min(most, self.trials)
        return max(by_time, len(records) / most)

    def ended(self, records: Sequence[TrialRecord]) -> str | None:
        """Why no more trials may begin, None when they may."""
        if not records:
            return None
        if self.trials is not None and len(records) >= self.trials:
            return f"all {self.trials} trials done"
        if self.cpu_s is not None and sum(r.cpu_s for r in records) >= self.cpu_s:
            return f"its {self.cpu_s:g} CPU-seconds are spent"
        last = [r.failed for r in records[-FAILURES_THAT_END:]]
        if len(last) == FAILURES_THAT_END and None not in last:
            return f"given up after {FAILURES_THAT_END} failures in a row, the last: {last[-1]}"
        return None


def _search(
    study: ModelStudy, part: ValidationPart, budget: Budget, *, seen: Callable[[ModelStudy], None]
) -> str:
    """Try settings until the budget or the settings are used up; which of them it was."""
    seen(study)
    while (ended := budget.ended(study.records)) is None:
        is_first = not study.records
        with measured() as cost:
            settings = study.next()
            if settings is None:
                return "every setting in its ranges was tried" if study.space.ranges else "has no range"
            config = study.space.default_config if is_first else study.space.config_of(settings)
            value, failed = _try(part, study.space.model.kind, config)
        study.add(TrialRecord(settings, config, value, failed, cost.cpu_s, cost.wall_s, cost.peak_mb))
        seen(study)
    return ended


def _try(part: ValidationPart, kind: str, config: dict[str, Any]) -> tuple[float | None, str | None]:
    """The value, or why there is none."""
    try:
        value = part.value(kind, config)
    except _FAILURES as error:
        return None, str(error) or type(error).__name__
    return (value, None) if math.isfinite(value) else (None, f"{part.metric} is {value}")


def _tuned(space: SearchSpace, records: Sequence[TrialRecord], ended: str) -> Tuned:
    worked = [r for r in records if r.validation is not None]
    best = max(worked, key=lambda r: r.validation or 0.0, default=None)  # max keeps the first of equals
    return Tuned(
        model=space.model.name,
        kind=space.model.kind,
        best=best.settings if best else None,
        config=best.config if best else None,
        validation=best.validation if best else None,
        default=records[0].validation if records else None,
        trials=len(records),
        failed=len(records) - len(worked),
        cpu_s=sum(r.cpu_s for r in records),
        ended=ended,
    )


def _write(
    out: Path,
    recipe: Recipe,
    models: Sequence[Tuned],
    found: Sequence[tuple[SearchSpace, Sequence[TrialRecord]]],
    metric: str,
) -> str | None:
    """The table, and the recipe where anything was found; its path."""
    write_trials(out, found)
    configs = {m.model: m.config for m in models if m.config is not None}
    if not configs:
        return None
    remarks = [
        f"{m.model}: {metric} {_figure(m.validation)} on the validation part (default {_figure(m.default)}), "
        f"{m.trials} trials"
        for m in models
    ]
    write_best(out, recipe, configs, ["Found by `nextbest tune`.", *remarks])
    return str(out / BEST)


class _Bar:
    """Progress in per cent of all budgets, with the model at work and its best so far."""

    def __init__(self, spaces: Sequence[SearchSpace], budget: Budget, *, shown: bool) -> None:
        self._spaces, self._budget = [s.model.name for s in spaces], budget
        self._bar = tqdm(total=100, disable=not shown, unit="%", bar_format=_BAR)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def seen(self, study: ModelStudy) -> None:
        """Show where the search of this model stands."""
        values = [r.validation for r in study.records if r.validation is not None]
        done = min(1.0, self._budget.share_spent(study.records, study.space))
        self._bar.n = round(100 * (self._spaces.index(study.space.model.name) + done) / len(self._spaces), 1)
        best = f"best {max(values):.4f}" if values else "no value yet"
        self._bar.set_description(f"{study.space.model.name}: {len(study.records)} trials, {best}")


_BAR = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}<{remaining}]"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _settings(best: Settings | None) -> str:
    if best is None:
        return "every trial failed"
    return ", ".join(f"{name} = {_shown(value)}" for name, value in best.items()) or "no range"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
