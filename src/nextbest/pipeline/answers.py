"""From picks in row numbers to items with ids, sources and reasons."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.base import Recommender
from nextbest.pipeline.explain import Reason, personal_reasons, words
from nextbest.pipeline.fallback import CATALOG_SOURCE, Fallback
from nextbest.pipeline.filters import Blocked
from nextbest.pipeline.items import ItemSpace
from nextbest.pipeline.query import Lang, RecommendedItem
from nextbest.pipeline.ranker import MODEL_STAGE, Pick
from nextbest.tables import ITEM_ID, USER_ID

_stage_of = attrgetter("stage")
_RANK_OFFSET = 10
"""Of reciprocal ranks: the lists joined here are short."""
_CATALOG, _HISTORY, _FOR_YOU = Reason("catalog"), Reason("history"), Reason("for_you")


class _Owed(NamedTuple):
    """Reasons that a stage has to find for one row."""

    row: int
    place: int
    """Of the first of them among the row's picks."""
    wanted: list[int]


class Writer:
    """Turns the picks of a batch into the items of its answers.

    Parameters
    ----------
    items
        Ids and titles.
    main
        The model, as the first of the chain.
    fallbacks
        The rest of the chain; the catalogue comes after them.
    """

    def __init__(self, items: ItemSpace, main: Fallback, fallbacks: Sequence[Fallback]) -> None:
        self._items = items
        self._stages = [main, *fallbacks]
        self.sources = [main.model.kind, *(f.name for f in fallbacks), CATALOG_SOURCE]
        """Name of each stage."""

    def write(
        self,
        picks: Sequence[Sequence[Pick]],
        histories: Histories,
        segments: Sequence[int],
        *,
        langs: Sequence[Lang],
        explain: Sequence[bool],
    ) -> list[list[RecommendedItem]]:
        """Answers of a batch, items in the order of `picks`; `histories` are those the scores came from.

        Where `explain` is False the reason has no words, and its code says only "history" (or "for_you")
        where finding the item that counted would cost something.
        """
        reasons = self._reasons(picks, histories, segments, deep=explain)
        return [
            [
                self._item(pick, rank, reason, lang, explain=told)
                for rank, (pick, reason) in enumerate(zip(row, why, strict=True), start=1)
            ]
            for row, why, lang, told in zip(picks, reasons, langs, explain, strict=True)
        ]

    def _reasons(
        self,
        picks: Sequence[Sequence[Pick]],
        histories: Histories,
        segments: Sequence[int],
        *,
        deep: Sequence[bool],
    ) -> list[list[Reason]]:
        """Picks of one stage stand together in a row; each stage is asked once for all rows."""
        reasons: list[list[Reason]] = []
        asked: dict[int, list[_Owed]] = {}
        lengths = histories.lengths.tolist()
        for row, (own, segment) in enumerate(zip(picks, segments, strict=True)):
            found: list[Reason] = []
            for stage_no, group in groupby(own, key=_stage_of):
                if stage_no == len(self._stages):
                    found += [_CATALOG for _ in group]
                    continue
                stage = self._stages[stage_no]
                is_list = stage.reason is not None or (stage_no != MODEL_STAGE and not stage.is_personal)
                if is_list or not lengths[row]:
                    found += [stage.reason_for(p.item_idx, p.score, segment) for p in group]
                    continue
                wanted = [p.item_idx for p in group]
                if deep[row]:
                    asked.setdefault(stage_no, []).append(_Owed(row, len(found), wanted))
                found += [_HISTORY if stage.is_personal else _FOR_YOU] * len(wanted)
            reasons.append(found)
        for stage_no, owed in asked.items():
            rows = [o.row for o in owed]
            own_histories = histories if len(rows) == len(histories) else histories.take(rows)
            stage, wanted_rows = self._stages[stage_no], [o.wanted for o in owed]
            told = personal_reasons(stage.model, own_histories, wanted_rows, needs_history=stage.is_personal)
            for o, answer in zip(owed, told, strict=True):
                reasons[o.row][o.place : o.place + len(answer)] = answer
        return reasons

    def _item(
        self, pick: Pick, rank: int, reason: Reason, lang: Lang, *, explain: bool = True
    ) -> RecommendedItem:
        about = reason.item_idx
        name = None if about is None else self._items.name_of(about, lang=lang)
        return RecommendedItem(
            self._items.id_of(pick.item_idx),
            rank,
            pick.score,
            self.sources[pick.stage],
            words(reason, title=name, lang=lang) if explain else "",
            reason.code,
            None if about is None else self._items.id_of(about),
            self._items.title_of(pick.item_idx, lang=lang),
        )

    def table(self, users: pl.Series, picks: Sequence[Sequence[Pick]]) -> pl.DataFrame:
        """Answers of many users as the recommendations table, without reasons."""
        lengths = [len(row) for row in picks]
        flat = [pick for row in picks for pick in row]
        ranks = np.concatenate([np.empty(0), *(np.arange(1, n + 1) for n in lengths)])
        return pl.DataFrame(
            {
                USER_ID: users.gather(np.repeat(np.arange(len(picks)), lengths)),
                ITEM_ID: self._items.ids.ids.gather([p.item_idx for p in flat]),
                "rank": ranks.astype(np.int32),
                "score": np.array([p.score for p in flat], dtype=np.float32),
                "source": pl.Series([self.sources[p.stage] for p in flat], dtype=pl.String),
            }
        )

    def write_similar(
        self, item_idx: int, places: NDArray[np.integer], scores: NDArray[np.float32], *, lang: Lang
    ) -> list[RecommendedItem]:
        """Items like one item."""
        reason = Reason("similar_to_item", item_idx)
        picks = map(Pick, places.tolist(), scores.tolist(), [MODEL_STAGE] * len(places))
        return [self._item(pick, rank, reason, lang) for rank, pick in enumerate(picks, start=1)]


def most_similar(
    model: Recommender, item_idx: int, blocked: Blocked, *, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Up to `k` items that are like one item and not forbidden, best first, with their likeness."""
    n_asked = min(model.n_items, 2 * k)
    while True:
        best = model.similar_items(np.array([item_idx], dtype=np.int32), k=n_asked)
        places, scores = best.item_idx[0], best.score[0]
        free = places >= 0
        if blocked.penalty is not None:
            free &= blocked.penalty[places] == 0
        if int(free.sum()) >= k or n_asked >= model.n_items or places[-1] < 0:
            return places[free][:k], scores[free][:k]
        n_asked = min(model.n_items, 4 * n_asked)


def like_places(
    model: Recommender | None,
    item_idx: int,
    nearest: NDArray[np.integer],
    blocked: Blocked,
    *,
    trust: float,
    k: int,
) -> tuple[NDArray[np.integer], NDArray[np.float32]]:
    """What a model and somebody else's order find like an item, forbidden ones left out.

    `model`: None where it doesn't know the item; `nearest`, `trust`: see `Pipeline.similar_items`.
    """
    if not 0 <= trust <= 1:
        raise InputError("trust", "must be from 0 to 1", value=trust)
    if model is None:
        own, scores, trust = np.empty(0, np.int32), np.empty(0, np.float32), 0.0
    else:
        own, scores = most_similar(model, item_idx, blocked, k=k)
    if not len(nearest):
        return own, scores
    free = nearest != item_idx
    if blocked.penalty is not None:
        free &= blocked.penalty[nearest] == 0
    kept, first = np.unique(nearest[free], return_index=True)
    return joined(own, kept[np.argsort(first)], trust=trust, k=k)


def joined(
    own: NDArray[np.integer], others: NDArray[np.integer], *, trust: float, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Two orders as one by weighted reciprocal ranks, at most k places with their scores; one without weight only fills up.

    >>> joined(np.array([7, 8]), np.array([8, 9]), trust=0.5, k=3)[0].tolist()
    [8, 7, 9]
    """
    scores: dict[int, float] = {}
    for order, weight in ((own, trust), (others, 1.0 - trust)):
        for rank, place in enumerate(order.tolist(), start=1):
            scores[place] = scores.get(place, 0.0) + weight / (_RANK_OFFSET + rank)
    best = sorted(scores, key=lambda place: -scores[place])[:k]
    return np.array(best, np.int32), np.array([scores[place] for place in best], np.float32)
