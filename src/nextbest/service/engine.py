"""Answers batches of questions with the live model, after every event that was accepted before them.

Its methods run on one thread (see `coalesce`), the only one that touches a live pipeline.
Knows the pipeline and the event log, not HTTP.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from nextbest.data.event_log import Event, EventLog
from nextbest.data.ids import OutsideId
from nextbest.errors import ExternalError
from nextbest.pipeline.model_holder import LiveModel, ModelHolder
from nextbest.pipeline.query import Answer, Lang, Query, RecommendedItem
from nextbest.service.metrics import ServiceMetrics

if TYPE_CHECKING:
    from nextbest.pipeline.pipeline import Pipeline

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Similar:
    """A question for items like one item."""

    item_id: OutsideId
    k: int
    lang: Lang | None
    at: datetime


ShopModel: TypeAlias = "LiveModel[Pipeline]"
Question = Query | Similar
Reply = tuple[Answer | list[RecommendedItem], str]
"""An answer and the version of the model that gave it."""


def replay(model: ShopModel, events: EventLog) -> int:
    """Give a pipeline every event of the log that it hasn't seen; how many that were.

    Raises
    ------
    ExternalError
        The log can't be read; what was read until then is in.
    """
    n_replayed = 0
    while rows := events.read_after(model.applied_rowid):
        model.pipeline.add_events([row.event for row in rows])
        model.applied_rowid = rows[-1].rowid
        n_replayed += len(rows)
    return n_replayed


class Engine:
    """The one who asks the pipeline."""

    def __init__(self, holder: "ModelHolder[Pipeline]", events: EventLog, metrics: ServiceMetrics) -> None:
        self._holder, self._events, self._metrics = holder, events, metrics
        self._last: ShopModel | None = None
        self._behind = False

    def answer(self, questions: list[Question]) -> Sequence[Reply | Exception]:
        """One reply or error a question, in order.

        Raises
        ------
        ArtifactError
            No model is loaded.
        """
        live = self._holder.live
        self._catch_up(live)
        replies: list[Reply | Exception | None] = [None] * len(questions)
        queries: list[Query] = []
        places: list[int] = []
        for place, question in enumerate(questions):
            if isinstance(question, Query):
                queries.append(question)
                places.append(place)
            else:
                replies[place] = _similar(live, question)
        for place, reply in zip(places, _recommend(live, queries), strict=True):
            replies[place] = reply
        return [reply for reply in replies if reply is not None]

    def _catch_up(self, live: ShopModel) -> None:
        """Read what any worker accepted since the last batch; a log that can't be read stops no answer."""
        try:
            if self._events.changed() or self._behind or live is not self._last:
                self._behind = True
                replay(live, self._events)
                self._behind, self._last = False, live
        except ExternalError as error:
            self._behind = True
            self._metrics.log_error("read")
            log.error("event log unreadable", extra={"retryable": error.retryable})


def _similar(live: ShopModel, question: Similar) -> Reply | Exception:
    try:
        items = live.pipeline.similar_items(
            question.item_id, k=question.k, lang=question.lang, at=question.at
        )
    except Exception as error:  # goes to the asker
        return error
    return items, live.version


def _recommend(live: ShopModel, queries: list[Query]) -> Sequence[Reply | Exception]:
    """One call for all queries; where that fails, one call each, so that an error finds its own asker."""
    if not queries:
        return []
    version = live.version
    try:
        return [(answer, version) for answer in live.pipeline.recommend(queries)]
    except Exception as error:
        if len(queries) == 1:
            return [error]
    return [reply for query in queries for reply in _recommend(live, [query])]


class EventWriter:
    """Stores posted events; concurrent requests share one transaction."""

    def __init__(self, events: EventLog, metrics: ServiceMetrics) -> None:
        self._events, self._metrics = events, metrics

    def append(self, posts: list[list[Event]]) -> Sequence[int | Exception]:
        """How many events of each post are on disk now (all of them), or why none is.

        A post is stored whole or not at all; an event whose `event_id` is there already stays as it was.
        """
        everything = [event for post in posts for event in post]
        try:
            n_new = self._events.append(everything)
        except ExternalError as error:  # the same for everybody: trying each alone would only wait longer
            self._metrics.log_error("append")
            self._metrics.events("failed", len(everything))
            log.error("events not stored", extra={"n_events": len(everything), "retryable": error.retryable})
            return [error] * len(posts)
        self._metrics.events("accepted", n_new)
        self._metrics.events("repeated", len(everything) - n_new)
        return [len(post) for post in posts]


def warm_up(pipeline: "Pipeline") -> None:
    """A first question: a model that can't answer it must not go live, one that can has its caches filled."""
    pipeline.recommend([Query(history=[], k=1)])
