"""Choosing settings and models on a validation split, never on the test part."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nextbest.errors import InputError
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.splits import Split
from nextbest.experiments.lists import encode, excludes_seen_in, fit
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.models import make_model


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
    tick: Callable[[str], None] = lambda _: None,
) -> list[Choice]:
    """The best settings of each model by NDCG@k on `validation`, in the recipe's order.

    A tie goes to the earlier setting. `validation` None means that nothing is to be chosen:
    the first (only) setting of each model is taken.
    """
    if validation is None:
        return [Choice(m, next(m.candidates()), None) for m in recipe.models]
    encoded = encode(validation, recipe, clients=clients)
    exclude_seen = excludes_seen_in(validation, recipe)
    choices = []
    for model_recipe in recipe.models:
        tried: list[dict[str, Any]] = []
        for config in model_recipe.candidates():
            tick(f"validate {model_recipe.name}")
            try:
                model, _ = fit(model_recipe.kind, config, encoded.train, rng=rng)
            except InputError as error:
                tried.append({"config": config, "failed": str(error)})
                continue
            lists = model.recommend(encoded.asked, k=k, exclude_seen=exclude_seen)
            value = evaluate_ranking(lists, validation.targets, k=(k,), metrics=("ndcg",))[f"ndcg@{k}"].mean()
            tried.append({"config": config, "validation": float(value)})  # type: ignore[arg-type]  # a mean of floats
        fitted = [t for t in tried if "validation" in t]
        if not fitted:
            choices.append(Choice(model_recipe, tried[0]["config"], None, tried, failed=tried[0]["failed"]))
            continue
        best = max(fitted, key=lambda t: t["validation"])  # max keeps the first of equals
        choices.append(Choice(model_recipe, best["config"], best["validation"], tried))
    return choices


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
