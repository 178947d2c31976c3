"""A shop of seven items that the eye can follow: who bought what, when, and what comes together.

ann   tea milk            (day 0, 1)
bob   tea milk bread      (day 0, 1, 2)
cat   wine cheese         (day 0, 1)
dan   pen                 (day 9)
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from dummies import CoOccurrence
from nextbest.data.event_log import Event
from nextbest.data.interactions import Interactions
from nextbest.models.base import Recommender
from nextbest.pipeline.config import PipelineConfig
from nextbest.pipeline.fallback import default_fallbacks
from nextbest.pipeline.pipeline import Pipeline

START = datetime(2026, 1, 1, tzinfo=UTC)
BOUGHT = [
    ("ann", "tea", 0),
    ("ann", "milk", 1),
    ("bob", "tea", 0),
    ("bob", "milk", 1),
    ("bob", "bread", 2),
    ("cat", "wine", 0),
    ("cat", "cheese", 1),
    ("dan", "pen", 9),
]
CATALOG = pl.DataFrame(
    {
        "item_id": ["wine", "cheese", "tea", "milk", "bread", "pen", "ink"],
        "title": ["Red wine", "Old cheese", "Green tea", "Milk", "Rye bread", "A pen", "Blue ink"],
        "category": ["alcohol", "food", "food", "food", "food", "office", "office"],
        "price": [9.0, 5.0, 3.0, 1.0, 2.0, 4.0, None],
        "tags": [["red"], ["old"], ["green", "hot"], [], ["old"], None, ["blue"]],
    }
)
"""Everything in the journal, and the ink that nobody has bought yet."""
CLIENTS = pl.DataFrame(
    {"user_id": ["ann", "bob", "eve"], "age": [15, 40, None], "city": ["north", "south", "north"]}
)
ITEMS = CATALOG["item_id"].to_list()


def day(n: float) -> datetime:
    """`n` days after the start."""
    return START + timedelta(days=n)


def bought(user_id: str, item_id: str, n: float, **rest: Any) -> Event:
    """An event at day `n`."""
    return Event(user_id, item_id, day(n), **rest)


def log(
    segments: dict[str, str] | None = None, rows: list[tuple[str, str, int]] | None = None
) -> Interactions:
    """The journal as histories."""
    rows = BOUGHT if rows is None else rows
    journal = pl.DataFrame(
        {"user_id": [r[0] for r in rows], "item_id": [r[1] for r in rows], "time": [day(r[2]) for r in rows]},
        schema={"user_id": pl.String, "item_id": pl.String, "time": pl.Datetime("us", "UTC")},
    )
    groups = None
    if segments is not None:
        groups = pl.DataFrame({"user_id": list(segments), "segment": list(segments.values())})
    return Interactions.from_journal(journal, segments=groups)


def shop(
    config: PipelineConfig | None = None,
    *,
    model: Recommender | None = None,
    fallbacks: Any = None,
    interactions: Interactions | None = None,
    catalog: pl.DataFrame | None = CATALOG,
    clients: pl.DataFrame | None = CLIENTS,
) -> Pipeline:
    """The shop's pipeline: co-occurrence, then popularity of the last 3 days, then of all time."""
    return Pipeline.fit(
        model or CoOccurrence(),
        default_fallbacks(segments=False, recent_days=3) if fallbacks is None else fallbacks,
        interactions or log(),
        catalog=catalog,
        clients=clients,
        config=config,
    )


def ids(pipeline: Pipeline, query: Any) -> list[Any]:
    """Only the item ids of one answer."""
    return [item.item_id for item in pipeline.recommend([query])[0].items]
