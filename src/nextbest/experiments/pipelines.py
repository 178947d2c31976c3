"""A recipe's choice as a pipeline: the chosen model, its fallbacks, and the histories it answers from."""

import numpy as np
import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.selection import Choice
from nextbest.models import make_model
from nextbest.pipeline.pipeline import Pipeline, PipelineConfig


def build_pipeline(
    recipe: Recipe,
    choice: Choice,
    train: Interactions,
    *,
    exclude_seen: bool,
    rng: int,
    known: Interactions | None = None,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
) -> Pipeline:
    """The fitted pipeline; it answers from the histories of `known` where given, else from those of `train`."""
    return Pipeline.fit(
        make_model(choice.model.kind, choice.config),
        {m.name: make_model(m.kind, next(m.candidates())) for m in recipe.fallbacks},
        train,
        known=known,
        catalog=catalog,
        clients=clients,
        config=PipelineConfig(exclude_seen=exclude_seen),
        rng=np.random.default_rng(rng),
    )
