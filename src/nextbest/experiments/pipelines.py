"""A recipe's choice as a pipeline: the chosen model, its fallbacks, and the histories it answers from."""

from pathlib import Path

import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.experiments.lists import Fit, fit_model
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.selection import Choice
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
    fit: Fit = fit_model,
    checkpoints: Path | None = None,
) -> Pipeline:
    """Model and fallbacks fitted on `train`, answering from the histories of `known` (None: of `train`).

    The model starts from the same seed as in `compare`, so that it is the model that was measured. Each fit has a
    folder of its own below `checkpoints`.
    """
    parts = [("model", choice.model.kind, choice.config)]
    parts += [(f"fallback-{place}", m.kind, next(m.candidates())) for place, m in enumerate(recipe.fallbacks)]
    model, *fallbacks = [
        fit(
            kind,
            config,
            train,
            rng=rng,
            progress=progress,
            checkpoints=None if checkpoints is None else checkpoints / name,
        )
        for name, kind, config in parts
    ]
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
