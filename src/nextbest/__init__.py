"""nextbest: what each client needs next, from the logs you already keep, with the proof beside it.

The names below are imported when they are first used; `import nextbest` itself loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nextbest.version import __version__

_WHERE = {
    "Workspace": "nextbest.data.store",
    "ingest": "nextbest.data.ingest",
    "read_journal": "nextbest.data.ingest",
    "Interactions": "nextbest.data.interactions",
    "make_model": "nextbest.models",
    "load_model": "nextbest.models",
    "split_by_time": "nextbest.evaluation.splits",
    "split_leave_last": "nextbest.evaluation.splits",
    "evaluate_ranking": "nextbest.evaluation.ranking",
    "bootstrap_mean": "nextbest.evaluation.significance",
    "paired_test": "nextbest.evaluation.significance",
    "Pipeline": "nextbest.pipeline.pipeline",
    "Query": "nextbest.pipeline.query",
    "load_recipe": "nextbest.experiments.recipe",
    "compare": "nextbest.experiments.compare",
    "train": "nextbest.experiments.train",
    "simulate_shop": "nextbest.simulate",
}
__all__ = [
    "Interactions",
    "Pipeline",
    "Query",
    "Workspace",
    "__version__",
    "bootstrap_mean",
    "compare",
    "evaluate_ranking",
    "ingest",
    "load_model",
    "load_recipe",
    "make_model",
    "paired_test",
    "read_journal",
    "simulate_shop",
    "split_by_time",
    "split_leave_last",
    "train",
]

if TYPE_CHECKING:
    from nextbest.data.ingest import ingest, read_journal
    from nextbest.data.interactions import Interactions
    from nextbest.data.store import Workspace
    from nextbest.evaluation.ranking import evaluate_ranking
    from nextbest.evaluation.significance import bootstrap_mean, paired_test
    from nextbest.evaluation.splits import split_by_time, split_leave_last
    from nextbest.experiments.compare import compare
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.train import train
    from nextbest.models import load_model, make_model
    from nextbest.pipeline.pipeline import Pipeline
    from nextbest.pipeline.query import Query
    from nextbest.simulate import simulate_shop


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'nextbest' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
