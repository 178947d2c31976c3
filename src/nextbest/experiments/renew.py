"""A model folder and the days since it was made: its sequence model goes on learning, what counts is counted anew."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.experiments.cost import measured
from nextbest.experiments.lists import fit_model, segments_of
from nextbest.experiments.recipe import Recipe
from nextbest.models.base import Recommender
from nextbest.models.blend import Blend
from nextbest.models.sequence.renewal import appended
from nextbest.models.sequence.sequence_model import SequenceModel
from nextbest.pipeline.artifact import check_target, model_loader, read_manifest, read_pipeline
from nextbest.pipeline.pipeline import Pipeline
from nextbest.tables import ITEM_ID, TIME


@runtime_checkable
class Renewable(Protocol):
    """A model that takes up new days without learning the old ones anew."""

    def fit_more(
        self,
        interactions: Interactions,
        *,
        since: datetime,
        catalog: pl.DataFrame | None = None,
        rng: int = 0,
        progress: bool = False,
    ) -> Recommender:
        """Go on learning from `since` on, in place."""


@dataclass(frozen=True)
class RenewResult:
    """What `renew` did."""

    model: str
    """Folder."""
    kind: str
    since: str
    """First moment that was new to the model."""
    cutoff: str
    """Newest event used."""
    n_new_events: int
    n_new_users: int
    """Users without an event before `since`."""
    n_new_items: int
    """Items that the model had no row for."""
    fit_cpu_s: float
    peak_mb: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def to_text(self) -> str:
        """A line for people."""
        return (
            f"{self.kind} learned {self.n_new_events:,} events since {self.since} ({self.n_new_users:,} new users, "
            f"{self.n_new_items:,} new items) in {self.fit_cpu_s:.1f} CPU-s; written to {self.model}"
        )


def renew(
    journal: pl.DataFrame,
    folder: Path,
    out: Path,
    *,
    since: datetime | None = None,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
    rng: int = 0,
    progress: bool = False,
) -> RenewResult:
    """Let the model of a pipeline folder learn the events since it was made, and write a new folder.

    The model goes on from its weights (`fit_more`: older events are repeated beside the new ones so that they aren't
    forgotten); a blend's counting members, the fallbacks and the histories are made anew from the whole log. Settings
    stay those of the folder. Whether a renewed model is better than one fitted anew is for `nextbest compare` to say:
    renewal drops nothing that left the log.

    Parameters
    ----------
    journal
        The whole log: old events with the new ones. Columns `user_id, item_id, time` and the recipe's weight.
    folder
        Written by `train` or `renew`; not changed unless `out` names it too.
    out
        Folder; written beside and renamed.
    since
        The first new moment, with time zone; None: just after the newest event that the folder has seen.
    clients, catalog
        Of today; a model with item features reads what the catalogue says of new items.

    Raises
    ------
    ArtifactError
        The folder is missing, damaged, or doesn't say by what recipe it was made.
    DataError
        The journal holds no event since then.
    InputError
        The log's times are mere order, the model learns nothing by going on (a count: train it again), `since` has no
        time zone, or `out` holds something else than a pipeline. The old folder stays as it was after any error.
    """
    check_target(out)
    parts, manifest = read_pipeline(folder, read_model=model_loader({}))
    recipe, first = made_by(folder), _first_new(since, manifest)
    model = parts.model
    if not isinstance(model, Renewable):
        raise InputError(
            "model",
            f"{model.kind!r} has nothing to go on from, it counts or factorises the whole log",
            value=str(folder),
            remedy="use nextbest train",
        )
    new = journal.filter(pl.col(TIME) >= first)
    if new.is_empty():
        newest: Any = journal[TIME].max()
        raise DataError(
            "journal",
            f"holds no event since {first.isoformat()}, the newest is of {newest and newest.isoformat()}",
            remedy="ingest the new days first",
        )
    strangers = new.filter(~pl.col(ITEM_ID).is_in(model.item_ids_.ids.implode()))[ITEM_ID]
    more = strangers.unique().sort()
    with measured() as cost:
        interactions = Interactions.from_journal(
            journal,
            item_ids=appended(model.item_ids_, more) if len(more) else model.item_ids_,
            weight=recipe.weight,
            segments=segments_of(clients, recipe.segment),
        )
        reads = catalog if _reads_features(model) else None
        model.fit_more(interactions, since=first, catalog=reads, rng=rng, progress=progress)
        fallbacks = [
            fit_model(m.kind, next(m.candidates()), interactions, rng=rng, progress=progress)
            for m in recipe.fallbacks
        ]
        has_segments = recipe.segment is not None and clients is not None
        pipeline = Pipeline(
            model,
            fallbacks,
            interactions,
            catalog=catalog,
            clients=clients,
            config=parts.config.model_copy(update={"segment": recipe.segment if has_segments else None}),
            info=parts.info.model_copy(update={"cutoff": None, "created": None, "metrics": {}}),
        )
        pipeline.save(out)
    last: Any = new[TIME].max()
    known = interactions.n_users - journal.filter(pl.col(TIME) < first)["user_id"].n_unique()
    return RenewResult(
        model=str(out),
        kind=model.kind,
        since=first.isoformat(),
        cutoff=last.isoformat(),
        n_new_events=len(new),
        n_new_users=known,
        n_new_items=len(more),
        fit_cpu_s=cost.cpu_s,
        peak_mb=cost.peak_mb,
    )


def made_by(folder: Path) -> Recipe:
    """The recipe that a pipeline folder was made by.

    Raises
    ------
    ArtifactError
        The folder is missing or damaged, or doesn't say.
    """
    recipe = read_manifest(folder).get("recipe")
    if not isinstance(recipe, dict):
        raise ArtifactError(
            str(folder),
            "doesn't hold the recipe it was made by",
            remedy="renew folders that nextbest train wrote",
        )
    return Recipe.model_validate(recipe)


def _first_new(since: datetime | None, manifest: dict[str, Any]) -> datetime:
    """The moment after all that the folder has seen, or the one asked for."""
    if since is not None:
        if since.tzinfo is None:
            raise InputError("since", "must carry a time zone", value=since.isoformat())
        return since.astimezone(UTC)
    if manifest["cutoff"] is None:
        raise InputError(
            "model",
            "was made from a log whose times are mere order, so nothing in it is new",
            remedy="use nextbest train",
        )
    return datetime.fromisoformat(manifest["cutoff"]) + timedelta(microseconds=1)


def _reads_features(model: Recommender) -> bool:
    """Whether new items are met by what the catalogue says of them."""
    members = model.members_ if isinstance(model, Blend) else [model]
    return any(isinstance(m, SequenceModel) and m.item_coder_ is not None for m in members)
