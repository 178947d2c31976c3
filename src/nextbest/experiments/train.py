"""From a whole log to a model folder: choose on validation, fit on everything, save the pipeline."""

import logging
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from nextbest.data.interactions import Interactions
from nextbest.errors import DataError, InputError
from nextbest.evaluation.splits import Split
from nextbest.experiments.cost import measured
from nextbest.experiments.lists import Fit, excludes_seen, fit_model, segments_of, with_item_features
from nextbest.experiments.pipelines import build_pipeline
from nextbest.experiments.processes import Crew
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.selection import best_of, check_settings, choose
from nextbest.experiments.splitting import PROTOCOL_OF, SplitPlan
from nextbest.pipeline.artifact import check_target
from nextbest.pipeline.config import PipelineInfo
from nextbest.tables import TIME, TimeKind

_log = logging.getLogger(__name__)
VALIDATION, FINAL = "validation", "final"
"""Folders below `checkpoints`: a folder in it for each fit that something is chosen by, and for each part of what is
kept."""
_WRITTEN = ("epoch-[0-9][0-9][0-9][0-9][0-9]*", ".epoch-[0-9][0-9][0-9][0-9][0-9]*.tmp")
"""Names of what `models/sequence/checkpoints.py` writes there; a folder may hold somebody else's things beside."""


@dataclass(frozen=True)
class TrainResult:
    """What `train` did."""

    model: str
    """Folder."""
    recipe: str
    chosen: dict[str, Any]
    """`kind`, `config` and the `validation` value that chose it (None: there was one candidate)."""
    candidates: list[dict[str, Any]]
    """Best validation value of each model of the recipe, in its order."""
    metric: str
    exclude_seen: bool
    cutoff: str | None
    """Newest event used."""
    n_users: int
    n_items: int
    n_events: int
    fit_cpu_s: float
    """Of the last fit, in this process (under `torchrun`: the first one)."""
    peak_mb: float
    n_processes: int = 1
    """That learned together."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def to_text(self) -> str:
        """A few lines for people."""
        lines = [
            f"{c['label']:<24} {self.metric} {c['validation']:.4f}"
            for c in self.candidates
            if c["validation"] is not None
        ]
        several = f" of the first of {self.n_processes} processes" if self.n_processes > 1 else ""
        lines.append(
            f"{self.chosen['label']} fitted on {self.n_events:,} events of {self.n_users:,} users and "
            f"{self.n_items:,} items in {self.fit_cpu_s:.1f} CPU-s{several}; written to {self.model}"
        )
        return "\n".join(lines)


def train(
    journal: pl.DataFrame,
    recipe: Recipe,
    out: Path,
    *,
    time_kind: TimeKind = "real",
    cutoff: datetime | None = None,
    test_fraction: float = 0.1,
    test_days: float | None = None,
    k: int = 10,
    rng: int = 0,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
    progress: bool = False,
    checkpoints: Path | None = None,
    crew: Crew | None = None,
) -> TrainResult:
    """Fit the recipe's best model on the whole journal and write a pipeline folder to `out`.

    Parameters
    ----------
    journal
        Columns `user_id, item_id, time` and the recipe's weight.
    out
        Folder; written beside and renamed, so a reader sees the old one or the new one.
    time_kind
        What the journal's times mean; chooses the validation split: global time, last item, or random.
    cutoff
        Leave out events at or after this moment (UTC); None = use all.
    test_fraction, test_days
        Size of the validation part when it is cut by time.
    checkpoints
        Folder to go on from after a kill: models that learn in epochs write their state there after each, every fit
        in a folder of its own; those that learn in one go are fitted again. What was written is removed when the
        model folder stands. None: a killed training begins anew.
    crew
        The processes of this training, of which this one is the first; None: this one alone.

    Raises
    ------
    DataError
        The journal is empty, or empty before the cutoff.
    InputError
        The recipe names an unknown model or setting, or one that doesn't learn in several processes; `out` holds
        something else than a pipeline; `checkpoints` is no folder beside it; or `cutoff` has no time zone or the
        journal no real times to compare it with. All told before any fit.
    ArtifactError
        `checkpoints` are those of another log, recipe or seed.
    """
    check_settings(recipe)
    check_target(out)
    check_checkpoints(checkpoints, out)
    fit: Fit = fit_model
    if crew is not None:
        crew.check(recipe)
        fit = crew.fit
    if rng < 0:
        raise InputError("rng", "must be 0 or more", value=rng)
    if cutoff is not None:
        if cutoff.tzinfo is None:
            raise InputError("cutoff", "must carry a time zone", value=cutoff.isoformat())
        if time_kind != "real":
            raise InputError(
                "cutoff", f"needs real moments, this journal's times are {time_kind!r}", value=cutoff
            )
        journal = journal.filter(pl.col(TIME) < cutoff)
    if journal.is_empty():
        raise DataError(
            "journal",
            "holds no event" + (f" before {cutoff.isoformat()}" if cutoff else ""),
            remedy="ingest a log first: nextbest ingest FILE --map ...",
        )
    plan = SplitPlan(
        protocol=PROTOCOL_OF[time_kind],
        test_fraction=test_fraction,
        test_days=test_days,
        time_kind=time_kind,
        rng=rng,
    )
    n_candidates = sum(len(list(m.candidates())) for m in recipe.models)
    with tqdm(total=n_candidates + 1, disable=not progress, unit="fit") as bar:

        def tick(what: str) -> None:
            bar.set_description(what)
            bar.update()

        validation = _validation(plan, journal) if n_candidates > 1 else None
        choices = choose(
            recipe,
            validation,
            k=k,
            rng=rng,
            clients=clients,
            catalog=catalog,
            progress=progress,
            tick=tick,
            fit=fit,
            checkpoints=None if checkpoints is None else checkpoints / VALIDATION,
        )
        choice = best_of(choices)
        tick(f"fit {choice.model.name} on everything")
        exclude_seen = excludes_seen(recipe, journal)
        with measured() as cost:
            interactions = Interactions.from_journal(
                journal, weight=recipe.weight, segments=segments_of(clients, recipe.segment)
            )
            interactions = with_item_features(interactions, recipe, catalog)
            pipeline = build_pipeline(
                recipe,
                choice,
                interactions,
                exclude_seen=exclude_seen,
                rng=rng,
                clients=clients,
                catalog=catalog,
                info=PipelineInfo(
                    name=recipe.name,
                    recipe=recipe.model_dump(mode="json"),
                    has_moments=time_kind == "real",
                    cutoff=cutoff,
                    metrics={} if choice.validation is None else {f"validation ndcg@{k}": choice.validation},
                ),
                progress=progress,
                fit=fit,
                checkpoints=None if checkpoints is None else checkpoints / FINAL,
            )
        pipeline.save(out)
    if checkpoints is not None:
        _forget(checkpoints)
    newest: Any = journal[TIME].max()
    return TrainResult(
        model=str(out),
        recipe=recipe.name,
        chosen={
            "label": choice.model.name,
            "kind": choice.model.kind,
            "config": choice.config,
            "validation": choice.validation,
        },
        candidates=[{"label": c.model.name, "config": c.config, "validation": c.validation} for c in choices],
        metric=f"ndcg@{k}",
        exclude_seen=exclude_seen,
        cutoff=newest.isoformat() if time_kind == "real" else None,
        n_users=interactions.n_users,
        n_items=interactions.n_items,
        n_events=interactions.histories.n_events,
        fit_cpu_s=cost.cpu_s,
        peak_mb=cost.peak_mb,
        n_processes=1 if crew is None else crew.size,
    )


def check_checkpoints(checkpoints: Path | None, out: Path) -> None:
    """Nothing, if checkpoints may be kept there; told before any long work.

    Raises
    ------
    InputError
        It is a file, or lies in the model folder, which is replaced as a whole; or the model folder is to lie among
        the checkpoints, which are removed at the end.
    """
    if checkpoints is None:
        return
    if checkpoints.exists() and not checkpoints.is_dir():
        raise InputError("checkpoints", "must be a folder, is a file", value=str(checkpoints))
    if checkpoints.resolve().is_relative_to(out.resolve()):
        raise InputError(
            "checkpoints",
            "must not lie in the model folder",
            value=str(checkpoints),
            remedy="name one beside it",
        )
    if any(out.resolve().is_relative_to((checkpoints / name).resolve()) for name in (VALIDATION, FINAL)):
        raise InputError(
            "out",
            f"the model folder must not lie in {VALIDATION!r} or {FINAL!r} of the checkpoints",
            value=str(out),
            remedy="name one beside them",
        )


def _forget(checkpoints: Path) -> None:
    """Remove what this training wrote, and nothing else, so that the next one with the same folder begins anew."""
    for name in (VALIDATION, FINAL):
        for pattern in _WRITTEN:
            for epoch in list((checkpoints / name).rglob(pattern)):
                shutil.rmtree(epoch, ignore_errors=True)
        _drop_if_empty(checkpoints / name)
    with suppress(OSError):  # holds something else, or was never made
        checkpoints.rmdir()


def _drop_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but folders without files."""
    with suppress(OSError):  # holds something else, or was never made
        for inner in list(folder.iterdir()):
            if inner.is_dir() and not inner.is_symlink():
                _drop_if_empty(inner)
        folder.rmdir()


def _validation(plan: SplitPlan, journal: pl.DataFrame) -> Split | None:
    """The validation split, or None with a warning where the journal is too small to hold one."""
    try:
        return plan.test(journal)
    except DataError as error:
        _log.warning("no validation part, the recipe's first model is taken: %s", error)
        return None
