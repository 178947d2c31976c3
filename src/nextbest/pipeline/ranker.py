"""Retrieve, filter, rank, fill up: from histories and forbidden items to the best k, in row numbers.

One call answers a batch: the model scores all histories at once, the rest costs microseconds a row.
Knows no outside ids and no words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.models.base import FloatArray, Recommender
from nextbest.pipeline.config import Cap
from nextbest.pipeline.fallback import Fallback, Ranking
from nextbest.pipeline.filters import Blocked
from nextbest.pipeline.items import ItemSpace
from nextbest.pipeline.selection import top_of_row

MODEL_STAGE = 0
"""Stage 0 is the model, stage 1 + j fallback j, the last one the catalogue."""
_FIRST_CHUNK = 64
_ROUNDING = 2e-6
"""Of a row's largest score: what float32 sums of the same numbers in another order may differ by."""
_TINY = 1e-3
"""Scores above it aren't rounding of any model here, so that most rows needn't be looked at as a whole."""


class Pick(NamedTuple):
    """One chosen item."""

    item_idx: int
    score: float
    stage: int


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What one row of a batch wants."""

    k: int
    segment: int
    blocked: Blocked
    seen: NDArray[np.integer]
    """Row numbers that must not come again; repeats do no harm."""


@dataclass(slots=True, eq=False)
class _Row:
    """A row of the answer in the making."""

    wish: Wish
    counts: list[dict[int, int]]
    picks: list[Pick] = field(default_factory=list)
    taken: NDArray[np.bool_] | None = None
    """Forbidden or chosen already; made when a fallback is needed."""

    @property
    def n_missing(self) -> int:
        return self.wish.k - len(self.picks)


class Ranker:
    """The chain model -> fallbacks -> catalogue over one `ItemSpace`.

    Where a model's scores are sums over the events of a history (`contributions`), an item at or below 0 is
    one for which the history says nothing or speaks against it: that is no evidence, fallbacks come first.
    """

    def __init__(
        self, main: Fallback, fallbacks: Sequence[Fallback], items: ItemSpace, *, caps: Sequence[Cap]
    ) -> None:
        self.model, self.fallbacks, self._items = main.model, list(fallbacks), items
        self._needs_history = main.is_personal
        self._n_model_items = items.n_model_items
        self._floors = [_floor(step.model) for step in (main, *fallbacks)]
        self._caps = [_cap_codes(items, cap) for cap in caps]
        self._catalog = Ranking(items.catalog_order, np.zeros(len(items), np.float32))

    def rank(self, histories: Histories, wishes: Sequence[Wish]) -> list[list[Pick]]:
        """The picks of each row, best first: k of them, or every allowed item where there are fewer.

        Parameters
        ----------
        histories
            B of them, in the model's row numbers.
        wishes
            B of them.
        """
        rows = [_Row(wish, [{} for _ in self._caps]) for wish in wishes]
        if self._n_model_items:
            self._ask_model(histories, rows)
            for stage, fallback in enumerate(self.fallbacks, start=1):
                short = [n for n, row in enumerate(rows) if row.n_missing > 0]
                if not short:
                    break
                if fallback.is_personal:
                    self._ask_personally(fallback, histories, rows, short, stage)
                else:
                    for n in short:
                        self._fill(rows[n], fallback.ranking(rows[n].wish.segment), stage)
        for row in rows:
            if row.n_missing > 0:
                self._fill(row, self._catalog, 1 + len(self.fallbacks))
        return [row.picks for row in rows]

    def _ask_model(self, histories: Histories, rows: list[_Row]) -> None:
        lengths = histories.lengths
        asked: Sequence[int] = range(len(rows))
        if self._needs_history and not lengths.all():
            asked = np.flatnonzero(lengths).tolist()
            if not asked:
                return
            histories = histories.take(asked)
        scores = self.model.score(histories)
        room = np.empty(self._n_model_items, np.float32)
        for place, n in enumerate(asked):
            self._take_best(rows[n], self._open(rows[n], scores[place], room), scores[place], MODEL_STAGE)

    def _open(self, row: _Row, scores: FloatArray, room: FloatArray) -> FloatArray:
        """The scores with -inf for what the row must not get, written into `room`."""
        wish, n = row.wish, self._n_model_items
        if wish.blocked.penalty is None:
            room[:] = scores
        else:
            np.add(scores, wish.blocked.penalty[:n], out=room)
        for places in (wish.seen, wish.blocked.deny):
            if len(places):
                room[places if n == len(self._items) else places[places < n]] = -np.inf
        return room

    def _take_best(self, row: _Row, scores: FloatArray, raw: FloatArray, stage: int) -> None:
        """The best of `scores`; `raw` are the row's as the model gave them."""
        n_wanted = row.n_missing
        if not self._caps:
            places = top_of_row(scores, k=n_wanted)
            places = places[scores[places] > self._floor_of(scores[places], raw, stage)]
            row.picks += map(Pick, places.tolist(), scores[places].tolist(), [stage] * len(places))
            return
        n_asked = 4 * n_wanted
        while True:
            places = top_of_row(scores, k=n_asked)
            n_before = len(row.picks)
            counts = [dict(c) for c in row.counts]
            good = places[scores[places] > self._floor_of(scores[places], raw, stage)]
            self._walk(row, good, scores[good], stage)
            if row.n_missing <= 0 or len(good) < n_asked:
                return
            del row.picks[n_before:]
            row.counts = counts
            n_asked *= 4

    def _floor_of(self, best: FloatArray, raw: FloatArray, stage: int) -> float:
        """What a score must be above: where that is 0, above what rounding makes of 0, too.

        The same history in another batch is summed in another order: 5e-8 alone may be -9e-8 there.
        """
        floor = self._floors[stage]
        if floor != 0 or not len(best) or best.min() > _TINY:
            return floor
        return _ROUNDING * float(np.abs(raw[np.isfinite(raw)]).max(initial=0))

    def _walk(self, row: _Row, places: NDArray[np.int64], scores: FloatArray, stage: int) -> None:
        """Take items in this order, as the caps let it, until the row is full."""
        for item_idx, score in zip(places.tolist(), scores.tolist(), strict=True):
            if row.n_missing <= 0:
                return
            if self._within_caps(row, item_idx):
                row.picks.append(Pick(item_idx, score, stage))
                if row.taken is not None:
                    row.taken[item_idx] = True

    def _within_caps(self, row: _Row, item_idx: int) -> bool:
        """Whether every cap lets the item in; if so it is counted."""
        found = []
        for (code_of, at_most), counts in zip(self._caps, row.counts, strict=True):
            code = int(code_of[item_idx])
            if code >= 0:
                if counts.get(code, 0) >= at_most:
                    return False
                found.append((counts, code))
        for counts, code in found:
            counts[code] = counts.get(code, 0) + 1
        return True

    def _taken(self, row: _Row) -> NDArray[np.bool_]:
        if row.taken is None:
            penalty = row.wish.blocked.penalty
            row.taken = np.zeros(len(self._items), np.bool_) if penalty is None else penalty < 0
            row.taken[row.wish.seen] = True
            row.taken[row.wish.blocked.deny] = True
            row.taken[[p.item_idx for p in row.picks]] = True
        return row.taken

    def _fill(self, row: _Row, ranking: Ranking, stage: int) -> None:
        """Take from a sorted list, a chunk at a time, growing: most rows need only its top."""
        taken = self._taken(row)
        for chunk in _chunks(len(ranking.item_idx), first=_FIRST_CHUNK + 2 * row.n_missing):
            places = ranking.item_idx[chunk]
            free = ~taken[places]
            self._walk(row, places[free], ranking.score[chunk][free], stage)
            if row.n_missing <= 0:
                return

    def _ask_personally(
        self, fallback: Fallback, histories: Histories, rows: list[_Row], short: list[int], stage: int
    ) -> None:
        asked = [n for n in short if histories.lengths[n]]
        if not asked:
            return
        scores = fallback.model.score(histories.take(asked))
        for place, n in enumerate(asked):
            taken = self._taken(rows[n])[: self._n_model_items]
            open_scores = np.where(taken, np.float32(-np.inf), scores[place])
            self._take_best(rows[n], open_scores, scores[place], stage)
            rows[n].taken = None


def _floor(model: Recommender) -> float:
    """The score that says nothing: 0 for a model whose scores are sums over events, else -inf."""
    if not model.n_items:
        return -np.inf
    one = Histories.from_lists([[0]])
    return -np.inf if np.isnan(model.contributions(one, np.zeros((1, 1), np.int32))).any() else 0.0


def _cap_codes(items: ItemSpace, cap: Cap) -> tuple[NDArray[np.int64], int]:
    """Value number of each item in the cap's column (-1: free), and how many of one may be in an answer.

    An item with several values in the column counts by its first.
    """
    codes, places, _ = items.columns.codes(cap.column)
    code_of = np.full(len(items), -1, np.int64)
    code_of[places[::-1]] = codes[::-1]
    return code_of, cap.at_most


def _chunks(n: int, *, first: int) -> Iterable[slice]:
    """Slices of 0..n, each four times as long as the one before."""
    start, size = 0, first
    while start < n:
        yield slice(start, start + size)
        start, size = start + size, size * 4
