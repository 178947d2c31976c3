"""A recipe's choice as a pipeline: the chosen model, its fallbacks, and the histories it answers from."""

import numpy as np
import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.selection import Choice
from nextbest.models import make_model
from nextbest.pipeline.config import PipelineConfig, PipelineInfo
from nextbest.pipeline.pipeline import Pipeline


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
    info: PipelineInfo | None = None,
    progress: bool = False,
) -> Pipeline:
    """Model and fallbacks fitted on `train`, answering from the histories of `known` (None: of `train`).

    The model starts from the same seed as in `compare`, so that it is the model that was measured.
    """
    model = make_model(choice.model.kind, choice.config)
    fallbacks = [make_model(m.kind, next(m.candidates())) for m in recipe.fallbacks]
    for part in (model, *fallbacks):
        part.fit(train, rng=np.random.default_rng(rng), progress=progress)
    return Pipeline(
        model,
        fallbacks,
        train if known is None else known,
        catalog=catalog,
        clients=clients,
        config=PipelineConfig(
            exclude_seen=exclude_seen, segment=recipe.segment if clients is not None else None
        ),
        info=info,
    )
