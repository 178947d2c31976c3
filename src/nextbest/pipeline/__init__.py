"""Retrieve, filter, rank, fill up, explain: every user gets k items with source and reason."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nextbest.pipeline.config import LiveConfig as LiveConfig
    from nextbest.pipeline.config import PipelineConfig as PipelineConfig
    from nextbest.pipeline.config import PipelineInfo as PipelineInfo
    from nextbest.pipeline.pipeline import Pipeline as Pipeline
    from nextbest.pipeline.query import Answer as Answer
    from nextbest.pipeline.query import Event as Event
    from nextbest.pipeline.query import Query as Query
    from nextbest.pipeline.query import RecommendedItem as RecommendedItem

_HOME = {
    "Pipeline": "pipeline",
    "PipelineConfig": "config",
    "PipelineInfo": "config",
    "LiveConfig": "config",
    "Answer": "query",
    "Event": "query",
    "Query": "query",
    "RecommendedItem": "query",
}
__all__ = [
    "Answer",
    "Event",
    "LiveConfig",
    "Pipeline",
    "PipelineConfig",
    "PipelineInfo",
    "Query",
    "RecommendedItem",
]


def __getattr__(name: str) -> Any:
    """Public names, imported on first use: importing the room does nothing."""
    if name not in _HOME:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"nextbest.pipeline.{_HOME[name]}"), name)
