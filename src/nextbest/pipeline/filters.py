"""Which items may not be in an answer, as one row of 0 and -inf that is added to the scores.

What depends on the config, the moment and the client's attributes is worked out once for each
combination and kept; a query's own lists are laid over it. Knows no history and no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import IdIndex, OutsideId
from nextbest.errors import DataError, InputError
from nextbest.pipeline.config import PipelineConfig, Rule
from nextbest.pipeline.items import ItemSpace, LruCache, Mask, TableColumns, conditions_key, moment_us
from nextbest.tables import CLIENTS, USER_ID

FloatArray = NDArray[np.float32]
_MIN, _MAX = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_MANY_IDS = 64
"""Lists longer than this are worth keeping as a mask."""


class Clients:
    """The clients table in rows: which rules hold for whom, and who belongs to which segment."""

    def __init__(
        self,
        table: pl.DataFrame | None,
        *,
        rules: Sequence[Rule],
        segment: str | None,
        segment_ids: IdIndex | None,
    ) -> None:
        self.table = table
        if len(rules) > 62:
            raise InputError("rules", "must be 62 at most", value=len(rules))
        if table is None:
            if asking := [r.rule for r in rules if r.user]:
                raise InputError("rules", "need a clients table", value=asking)
            table = pl.DataFrame({USER_ID: pl.Series([], dtype=pl.Int64)})
        self._ids = IdIndex(CLIENTS.check(table)[USER_ID]) if len(table) else None
        columns = TableColumns("clients", table)
        self._bits = np.zeros(len(table), np.int64)
        self._stranger_bits = 0
        for n, rule in enumerate(rules):
            holds = np.ones(len(table), np.bool_)
            for column, wanted in rule.user.items():
                fits = columns.mask({column: wanted})
                holds &= fits | ~columns.has_value(column) if rule.when_unknown == "forbid" else fits
            self._bits |= holds.astype(np.int64) << n
            if rule.when_unknown == "forbid" or not rule.user:
                self._stranger_bits |= 1 << n
        self._segment = self._segments(columns, segment, segment_ids)

    def _segments(
        self, columns: TableColumns, segment: str | None, segment_ids: IdIndex | None
    ) -> NDArray[np.int32] | None:
        if segment is None or segment_ids is None or self._ids is None:
            return None
        return segment_ids.encode(columns.column(segment).cast(pl.String))

    def find(self, user_id: OutsideId | None) -> int:
        """Row of a client, -1 for one without."""
        return -1 if user_id is None or self._ids is None else self._ids.find(user_id)

    def rule_bits(self, row: int) -> int:
        """Bit n is set if rule n forbids its items for the client at this row (-1: for a stranger)."""
        return self._stranger_bits if row < 0 else int(self._bits[row])

    def segment(self, row: int) -> int:
        """Segment number of the client at this row, -1 = unknown."""
        return -1 if row < 0 or self._segment is None else int(self._segment[row])


@dataclass(frozen=True, slots=True, eq=False)
class Blocked:
    """What one query forbids, but for what its user has seen."""

    penalty: FloatArray | None
    """Shape (n_items,): -inf where forbidden, else 0; None = nothing is. Shared: don't write into it."""
    deny: NDArray[np.int64]
    """Row numbers forbidden besides."""


class Filters:
    """All rules about items, in row numbers of an `ItemSpace`."""

    def __init__(self, items: ItemSpace, config: PipelineConfig) -> None:
        self._items, self._config = items, config
        n = len(items)
        self._always = np.ones(n, np.bool_)
        if config.allow is not None:
            self._always[:] = False
            self._always[items.encode(config.allow)] = True
        self._always[items.encode(config.deny)] = False
        if config.where:
            self._always &= items.mask(config.where)
        self._from, self._until = self._times_of_sale()
        self._moments = np.unique(
            np.concatenate([self._from[self._from > _MIN], self._until[self._until < _MAX] + 1])
        )
        self._rule_masks = [items.mask(rule.item) for rule in config.rules]
        self._repeat = items.mask(config.repeat) if config.repeat else np.zeros(n, np.bool_)
        self._kept = LruCache(max_bytes=64 * 2**20)

    def _times_of_sale(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last moment of sale of every item; takes out of `_always` what is never sold."""
        items = self._items
        start, end = np.full(len(items), _MIN), np.full(len(items), _MAX)
        if (times := items.times_us("available_from")) is not None:
            start = times.copy()
        if (times := items.times_us("available_until")) is not None:
            end = np.where(times == _MIN, _MAX, times)
        if items.catalog is not None and "available" in items.catalog.columns:
            column = items.columns.column("available")
            if column.dtype != pl.Boolean:
                raise DataError("catalog", f"available must be Boolean, is {column.dtype}")
            self._always &= np.asarray(column.fill_null(value=True).to_numpy(), dtype=np.bool_)
        for entry in self._config.unavailable:
            idx = items.ids.find(entry.item_id)
            if idx < 0:
                continue
            since, until = moment_us(entry.available_from), moment_us(entry.available_until)
            if since is None and until is None:
                self._always[idx] = False
            start[idx] = max(start[idx], _MIN if since is None else since)
            end[idx] = min(end[idx], _MAX if until is None else until)
        return start, end

    @property
    def depends_on_time(self) -> bool:
        """Whether any item is sold from or until some moment."""
        return len(self._moments) > 0

    def seen_to_drop(self, seen: NDArray[np.integer], exclude_seen: object) -> NDArray[np.integer]:
        """Row numbers of a history that must not come again."""
        if exclude_seen is False:
            return seen[:0]
        return seen[~self._repeat[seen]] if exclude_seen == "repeat" else seen

    def check_exclude_seen(self, exclude_seen: object) -> None:
        """InputError for "repeat" where the config doesn't name what may come again."""
        if exclude_seen == "repeat" and not self._config.repeat:
            raise InputError(
                "exclude_seen", "'repeat' needs `repeat` in the pipeline's config", value=exclude_seen
            )

    def blocked(
        self,
        *,
        at_us: int | None,
        rule_bits: int,
        allow: Sequence[OutsideId] | None = None,
        deny: Sequence[OutsideId] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Blocked:
        """What is forbidden at a moment, for a client, by a query.

        Raises
        ------
        InputError
            `where` names a column the catalogue doesn't have, or a value it can't hold.
        """
        moment = -1 if at_us is None else 0
        if len(self._moments) and at_us is not None:
            moment = int(np.searchsorted(self._moments, at_us, side="right"))
        penalty = self._base(moment, at_us, rule_bits, where or None)
        denied = self._items.encode(deny) if deny else np.empty(0, np.int64)
        if allow is not None:
            penalty = self._only(penalty, allow)
        return Blocked(penalty, denied)

    def _base(
        self, moment: int, at_us: int | None, rule_bits: int, where: Mapping[str, Any] | None
    ) -> FloatArray | None:
        try:
            key = (moment, rule_bits, None if where is None else conditions_key(where))
            found = self._kept.get(key)
        except TypeError:
            raise InputError(
                "where", "holds a value that no column can have", value=dict(where or {})
            ) from None
        if found is None:
            allowed = self._allowed(at_us, rule_bits)
            if where is not None:
                allowed = allowed & self._items.mask(where)
            # an array of length 0 stands for "nothing is forbidden"
            found = np.empty(0, np.float32) if allowed.all() else _penalty(allowed)
            self._kept.put(key, found)
        return found if len(found) else None

    def _allowed(self, at_us: int | None, rule_bits: int) -> Mask:
        allowed = self._always.copy()
        if len(self._moments) and at_us is not None:
            allowed &= (self._from <= at_us) & (at_us <= self._until)
        for n, mask in enumerate(self._rule_masks):
            if rule_bits >> n & 1:
                allowed &= ~mask
        return allowed

    def _only(self, penalty: FloatArray | None, allow: Sequence[OutsideId]) -> FloatArray:
        key = ("allow", tuple(allow)) if len(allow) > _MANY_IDS else None
        places = None if key is None else self._kept.get(key)
        if places is None:
            places = self._items.encode(allow)
            if key is not None:
                self._kept.put(key, places)
        only = np.full(len(self._items), -np.inf, np.float32)
        only[places] = 0 if penalty is None else penalty[places]
        return only


def _penalty(allowed: Mask) -> FloatArray:
    """0 where allowed, -inf elsewhere; read-only."""
    row = np.where(allowed, np.float32(0), np.float32(-np.inf))
    row.flags.writeable = False
    return row
