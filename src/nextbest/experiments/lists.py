"""From a split to ranked lists: encode once, fit a model, ask it for every target user."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Interactions
from nextbest.data.item_features import ItemFeatures
from nextbest.errors import DataError
from nextbest.evaluation.splits import Split
from nextbest.experiments.cost import Cost, measured
from nextbest.experiments.recipe import Recipe
from nextbest.models import make_model
from nextbest.models.base import Recommender
from nextbest.tables import CLIENTS, ITEM_ID, TIME, USER_ID

REPEAT_SHARE_THAT_KEEPS_SEEN = 0.05


@dataclass(frozen=True, eq=False)
class Encoded:
    """A split as models take it."""

    train: Interactions
    """What the model is fitted on."""
    asked: Interactions
    """The target users, in their order, with the histories known when they are asked."""
    user_ids: pl.Series
    """Target users, sorted."""


def segments_of(clients: pl.DataFrame | None, column: str | None) -> pl.DataFrame | None:
    """`user_id, segment` from a column of the clients table; None when the recipe wants none.

    Raises
    ------
    DataError
        The recipe names a segment column and the clients table doesn't have it.
    """
    if column is None or clients is None:
        return None
    CLIENTS.check(clients)
    if column not in clients.columns:
        raise DataError(
            "clients", f"segment column {column!r} missing", remedy=f"it has {clients.columns[:20]}"
        )
    return clients.select(USER_ID, pl.col(column).cast(pl.String).alias("segment")).unique(
        USER_ID, keep="first"
    )


def with_item_features(
    interactions: Interactions, recipe: Recipe, catalog: pl.DataFrame | None
) -> Interactions:
    """The log with what the catalogue says of its own items; the log itself where the recipe wants nothing.

    Raises
    ------
    DataError
        The recipe names columns and there is no catalogue, or it lacks one.
    """
    if not recipe.item_features:
        return interactions
    if catalog is None:
        raise DataError(
            "catalog",
            f"is missing, and the recipe {recipe.name!r} reads its columns {list(recipe.item_features)}",
            remedy="ingest one with --catalog, or leave item_features out",
        )
    features = ItemFeatures.of(catalog, recipe.item_features, interactions.item_ids)
    return replace(interactions, item_features=features)


def encode(
    split: Split,
    recipe: Recipe,
    *,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
) -> Encoded:
    """Histories of `split.train` for fitting and of its target users for asking, on one set of row numbers."""
    segments = segments_of(clients, recipe.segment)
    train = Interactions.from_journal(split.train, weight=recipe.weight, segments=segments)
    train = with_item_features(train, recipe, catalog)
    users = IdIndex.from_values(split.targets[USER_ID])
    asked = Interactions.from_journal(
        split.history, user_ids=users, item_ids=train.item_ids, weight=recipe.weight, segments=segments
    )
    return Encoded(train, asked, users.ids.alias(USER_ID))


def keeps_seen(journal: pl.DataFrame) -> bool:
    """Whether repeats are so common in this journal that items a user already has must stay candidates."""
    if journal.is_empty():
        return False
    n_pairs = journal.select(pl.struct(USER_ID, ITEM_ID).n_unique()).item()
    return bool(1 - n_pairs / len(journal) > REPEAT_SHARE_THAT_KEEPS_SEEN)


def excludes_seen(recipe: Recipe, train: pl.DataFrame) -> bool:
    """The recipe's `exclude_seen`, with `auto` decided by the train part alone."""
    return not keeps_seen(train) if recipe.exclude_seen == "auto" else recipe.exclude_seen


def excludes_seen_in(split: Split, recipe: Recipe) -> bool:
    """As `excludes_seen`, but a random split holds no repeats by its making: there `auto` leaves them out."""
    if recipe.exclude_seen == "auto" and split.protocol.get("name") == "random":
        return True
    return excludes_seen(recipe, split.train)


class Fit(Protocol):
    """Makes a fitted model: `fit_model` in this process, `processes.Crew.fit` in several."""

    def __call__(
        self,
        kind: str,
        config: dict[str, Any],
        train: Interactions,
        *,
        rng: int,
        progress: bool = False,
        checkpoints: Path | None = None,
    ) -> Recommender:
        """A model of this kind, learned from `train`."""


def fit_model(
    kind: str,
    config: dict[str, Any],
    train: Interactions,
    *,
    rng: int,
    progress: bool = False,
    checkpoints: Path | None = None,
) -> Recommender:
    """A fitted model; each one starts from the same seed, so that what was measured is what is kept.

    `checkpoints`: a folder of this fit's own, to write to and to go on from.
    """
    return make_model(kind, config).fit(
        train, rng=np.random.default_rng(rng), progress=progress, checkpoints=checkpoints
    )


def fit(
    kind: str, config: dict[str, Any], train: Interactions, *, rng: int, progress: bool = False
) -> tuple[Recommender, Cost]:
    """A fitted model and what the fit cost."""
    with measured() as cost:
        model = fit_model(kind, config, train, rng=rng, progress=progress)
    return model, cost


def journal_columns(recipes: Sequence[Recipe]) -> list[str]:
    """Columns of the journal that these recipes read."""
    return list(dict.fromkeys([USER_ID, ITEM_ID, TIME, *(r.weight for r in recipes if r.weight)]))
