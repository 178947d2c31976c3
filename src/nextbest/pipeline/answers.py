"""From picks in row numbers to items with ids, sources and reasons."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.interactions import Histories
from nextbest.models.base import Recommender
from nextbest.pipeline.explain import Reason, personal_reasons, words
from nextbest.pipeline.fallback import CATALOG_SOURCE, Fallback
from nextbest.pipeline.filters import Blocked
from nextbest.pipeline.items import ItemSpace
from nextbest.pipeline.query import Lang, RecommendedItem
from nextbest.pipeline.ranker import MODEL_STAGE, Pick
from nextbest.tables import ITEM_ID, USER_ID

_stage_of = attrgetter("stage")


class Writer:
    """Turns the picks of one row into the items of one answer.

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
        self, picks: Sequence[Pick], history: Histories, segment: int, *, lang: Lang, explain: bool
    ) -> list[RecommendedItem]:
        """Items in the order of `picks`; `history` is the one the scores came from, of one user.

        Without `explain` the reason has no words, and its code says only "history" (or "for_you") where
        finding the item that counted would cost something.
        """
        reasons = self._reasons(picks, history, segment, deep=explain)
        return [
            self._item(pick, rank, reason, lang, explain=explain)
            for rank, (pick, reason) in enumerate(zip(picks, reasons, strict=True), start=1)
        ]

    def _reasons(
        self, picks: Sequence[Pick], history: Histories, segment: int, *, deep: bool
    ) -> Iterable[Reason]:
        """Picks of one stage stand together, so each stage is asked once."""
        for stage_no, group in groupby(picks, key=_stage_of):
            if stage_no == len(self._stages):
                yield from (Reason("catalog") for _ in group)
                continue
            stage = self._stages[stage_no]
            is_list = stage.reason is not None or (stage_no != MODEL_STAGE and not stage.is_personal)
            if is_list or not history.n_events:
                yield from (stage.reason_for(p.item_idx, p.score, segment) for p in group)
            elif deep:
                wanted = [p.item_idx for p in group]
                yield from personal_reasons(stage.model, history, wanted, needs_history=stage.is_personal)
            else:
                reason = Reason("history" if stage.is_personal else "for_you")
                yield from (reason for _ in group)

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
