"""From queries to row numbers: whose history, which items are forbidden, what must not come again."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import numpy as np

from nextbest.data.event_log import to_time_us
from nextbest.data.ids import OutsideId
from nextbest.data.interactions import Interactions
from nextbest.errors import InputError
from nextbest.pipeline.config import PipelineConfig
from nextbest.pipeline.filters import Clients, Filters
from nextbest.pipeline.items import ItemSpace
from nextbest.pipeline.live import EMPTY_ROW, LiveHistories, UserRow, history_row
from nextbest.pipeline.query import Query
from nextbest.pipeline.ranker import Wish


class Asked(NamedTuple):
    """A query in row numbers."""

    known: bool
    row: UserRow
    wish: Wish


class Resolver:
    """Looks up what a query speaks of."""

    def __init__(
        self,
        interactions: Interactions,
        items: ItemSpace,
        filters: Filters,
        clients: Clients,
        live: LiveHistories,
        config: PipelineConfig,
    ) -> None:
        self._item_ids, self._segment = interactions.item_ids, interactions.histories.segment
        self._items, self._filters, self._clients, self._live = items, filters, clients, live
        self._config = config

    def resolve(self, query: Query) -> Asked:
        """The query in row numbers.

        Raises
        ------
        InputError
            It is no Query, or its `where` or `exclude_seen` doesn't fit catalogue and config.
        """
        if not isinstance(query, Query):
            raise InputError("queries", "must hold Query objects", value=query)
        client, stored, row = self._clients.find(query.user_id), -1, EMPTY_ROW
        if query.user_id is not None:
            stored, row = self._live.row(query.user_id)
        known = client >= 0 or stored >= 0 or row is not EMPTY_ROW
        outside: Iterable[OutsideId] = [e.item_id for e in row.aside]
        if query.history is not None:
            row, outside = history_row(self._item_ids, query.history)
        exclude_seen = self._config.exclude_seen if query.exclude_seen is None else query.exclude_seen
        self._filters.check_exclude_seen(exclude_seen)
        seen = row.item_idx
        if outside and len(self._items) > self._items.n_model_items:
            seen = np.concatenate([seen, self._items.encode(outside)])
        segment = int(self._segment[stored]) if stored >= 0 and self._segment is not None else -1
        blocked = self._filters.blocked(
            at_us=self.at_us(query.at),
            rule_bits=self._clients.rule_bits(client),
            allow=query.allow,
            deny=query.deny,
            where=query.where,
        )
        wish = Wish(
            query.k,
            segment if segment >= 0 else self._clients.segment(client),
            blocked,
            self._filters.seen_to_drop(seen, exclude_seen),
        )
        return Asked(known, row, wish)

    def at_us(self, at: datetime | None) -> int | None:
        """The moment asked about, microseconds UTC; None where nothing depends on it or none is known."""
        if not self._filters.depends_on_time:
            return None
        return self._live.last_time_us if at is None else to_time_us("at", at)
