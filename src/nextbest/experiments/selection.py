"""Choosing settings and models on a validation split, never on the test part."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.errors import InputError
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.splits import Split
from nextbest.experiments.lists import Encoded, Fit, encode, excludes_seen_in, fit_model
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.models import make_model
from nextbest.tables import ITEM_ID, USER_ID, TimeKind


@dataclass(frozen=True)
class Choice:
    """The best settings of one model of a recipe."""

    model: ModelRecipe
    config: dict[str, Any]
    validation: float | None
    """Mean of the choosing metric over validation users; None when there was nothing to choose."""
    tried: list[dict[str, Any]] = field(default_factory=list)
    """Every setting tried, `{"config": ..., "validation": x}` or `{"config": ..., "failed": why}`, in order."""
    failed: str | None = None
    """Why no setting of this model could be fitted here (too large for memory, say); None when one could."""


@dataclass(frozen=True, eq=False)
class ValidationPart:
    """A validation split as models take it, encoded once: every setting is judged by it in the same way."""

    encoded: Encoded
    targets: pl.DataFrame
    exclude_seen: bool
    k: int
    rng: int
    progress: bool = False
    """Show a bar for a fit that takes epochs."""

    @classmethod
    def of(
        cls,
        split: Split,
        recipe: Recipe,
        *,
        k: int,
        rng: int,
        clients: pl.DataFrame | None = None,
        catalog: pl.DataFrame | None = None,
        progress: bool = False,
    ) -> "ValidationPart":
        """The part on which the recipe's models are judged by lists of `k`, each fitted from the seed `rng`."""
        encoded = encode(split, recipe, clients=clients, catalog=catalog)
        return cls(encoded, split.targets, excludes_seen_in(split, recipe), k, rng, progress)

    @property
    def metric(self) -> str:
        """Name of what `value` gives."""
        return f"ndcg@{self.k}"

    def value(
        self, kind: str, config: dict[str, Any], *, fit: Fit = fit_model, checkpoints: Path | None = None
    ) -> float:
        """Mean NDCG@k (variant: `evaluate_ranking`) over its users, of a model fitted on its train part.

        Parameters
        ----------
        kind, config
            The model.
        fit
            How it is fitted.
        checkpoints
            Folder of this fit's own to write to and to go on from.

        Raises
        ------
        InputError
            The model can't be fitted with these settings or on so much.
        """
        model = fit(
            kind,
            config,
            self.encoded.train,
            rng=self.rng,
            progress=self.progress,
            checkpoints=checkpoints,
        )
        lists = model.recommend(self.encoded.asked, k=self.k, exclude_seen=self.exclude_seen)
        per_user = evaluate_ranking(lists, self.targets, k=(self.k,), metrics=("ndcg",))
        return float(per_user[self.metric].mean())  # type: ignore[arg-type]  # a mean of floats

    @property
    def digest(self) -> str:
        """SHA-256 over all that `value` reads but `k`, `rng` and `exclude_seen`: equal digests, equal values."""
        h = hashlib.sha256()
        for part in (self.encoded.train, self.encoded.asked):
            ids = (part.user_ids, part.item_ids, part.segment_ids)
            h.update(",".join(index.digest if index else "-" for index in ids).encode())
            events = part.histories
            for array in (events.indptr, events.item_idx, events.weight, events.time_us, events.segment):
                h.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
            features = part.item_features
            h.update(b"-" if features is None else features.x_IF.tobytes())
        targets = self.targets.sort(USER_ID, ITEM_ID)
        for column in (USER_ID, ITEM_ID):
            index = IdIndex.from_values(targets[column])
            h.update(index.digest.encode() + index.encode(targets[column]).tobytes())
        return h.hexdigest()


def needs_validation(recipe: Recipe) -> bool:
    """Whether anything in this recipe is chosen: a range, or the best of several models."""
    return any(m.grid for m in recipe.models) or (recipe.report == "best" and len(recipe.models) > 1)


def choose(
    recipe: Recipe,
    validation: Split | None,
    *,
    k: int,
    rng: int,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
    progress: bool = False,
    tick: Callable[[str], None] = lambda _: None,
    fit: Fit = fit_model,
    checkpoints: Path | None = None,
) -> list[Choice]:
    """The best settings of each model by NDCG@k on `validation`, in the recipe's order.

    A tie goes to the earlier setting. `validation` None means that nothing is to be chosen:
    the first (only) setting of each model is taken. Each fit has a folder of its own below `checkpoints`.
    """
    if validation is None:
        return [Choice(m, next(m.candidates()), None) for m in recipe.models]
    part = ValidationPart.of(
        validation, recipe, k=k, rng=rng, clients=clients, catalog=catalog, progress=progress
    )
    choices = []
    for place, model_recipe in enumerate(recipe.models):
        tried: list[dict[str, Any]] = []
        for number, config in enumerate(model_recipe.candidates()):
            tick(f"validate {model_recipe.name}")
            own = None if checkpoints is None else checkpoints / f"{place}-{model_recipe.kind}-{number}"
            try:
                value = part.value(model_recipe.kind, config, fit=fit, checkpoints=own)
            except InputError as error:
                tried.append({"config": config, "failed": str(error)})
            else:
                tried.append({"config": config, "validation": value})
        fitted = [t for t in tried if "validation" in t]
        if not fitted:
            choices.append(Choice(model_recipe, tried[0]["config"], None, tried, failed=tried[0]["failed"]))
            continue
        best = max(fitted, key=lambda t: t["validation"])  # max keeps the first of equals
        choices.append(Choice(model_recipe, best["config"], best["validation"], tried))
    return choices


def for_these_times(
    recipes: Sequence[Recipe], time_kind: TimeKind
) -> tuple[list[Recipe], list[dict[str, str]]]:
    """The recipes without the models that need real times, where there are none; and those models."""
    if time_kind == "real":
        return list(recipes), []
    kept = [(r, tuple(m for m in r.models if not m.needs_time)) for r in recipes]
    skipped = [
        {"model": m.name, "why": f"it needs real times, this log's are of kind {time_kind!r}"}
        for r in recipes
        for m in r.models
        if m.needs_time
    ]
    return [r.model_copy(update={"models": models}) for r, models in kept if models], skipped


def check_settings(recipe: Recipe) -> None:
    """Nothing, if every model and setting of the recipe exists; told before any long work.

    Raises
    ------
    InputError
        An unknown kind, or a setting its config doesn't have or allow.
    """
    for model in recipe.models + recipe.fallbacks:
        for config in model.candidates():
            make_model(model.kind, config)


def best_of(choices: list[Choice]) -> Choice:
    """The choice with the highest validation value; the first when nothing was validated.

    Raises
    ------
    InputError
        None of the models could be fitted here.
    """
    possible = [c for c in choices if c.failed is None]
    if not possible:
        raise InputError(choices[0].model.name, f"could not be fitted: {choices[0].failed}")
    return max(possible, key=lambda c: float("-inf") if c.validation is None else c.validation)
