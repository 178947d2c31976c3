"""Reasons in words, English and Russian: each is a fact about the computation, never a guess.

A reason of the model names the event that adds most to the score (`Recommender.contributions`); without
such a reading it only says that the history was used, and not even that where the score may do without. A reason of a popularity list says which list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nextbest.charts_page.numbers import russian_form
from nextbest.data.ids import UNKNOWN
from nextbest.data.interactions import Histories
from nextbest.models.base import Recommender
from nextbest.pipeline.query import Lang, ReasonCode

_WORDS: dict[Lang, dict[ReasonCode, str]] = {
    "en": {
        "because_of_item": "Because you took “{title}”",
        "follows_item": "Often taken after “{title}”",
        "taken_before": "You have taken it before",
        "history": "Chosen by your history",
        "for_you": "Recommended for you",
        "popular_now": "Popular lately",
        "popular_in_segment": "More popular among clients like you than with others",
        "popular": "Popular with our clients",
        "general": "Recommended to everybody",
        "similar_to_item": "Similar to “{title}”",
        "catalog": "From the catalogue",
    },
    "ru": {
        "because_of_item": "Потому что вы выбирали «{title}»",
        "follows_item": "Часто берут после «{title}»",
        "taken_before": "Вы это уже выбирали",
        "history": "Подобрано по вашей истории",
        "for_you": "Рекомендуем вам",
        "popular_now": "Популярно в последнее время",
        "popular_in_segment": "Среди клиентов вашей группы популярнее, чем у остальных",
        "popular": "Популярно у наших клиентов",
        "general": "Рекомендуем всем",
        "similar_to_item": "Похоже на «{title}»",
        "catalog": "Из каталога",
    },
}
_POPULAR_DAYS: dict[Lang, str] = {
    "en": "Popular in the last {days}",
    "ru": "Популярно за последние {days}",
}

_PARTS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is in an answer."""

    code: ReasonCode
    item_idx: int | None = None
    """Row number of the item it speaks of."""
    days: float | None = None
    """Length of the window that "popular_now" speaks of; None: old events fade instead."""


def words(reason: Reason, *, title: str | None, lang: Lang) -> str:
    """The reason as a sentence without a full stop.

    >>> words(Reason("because_of_item", 3), title="Tea", lang="en")
    'Because you took “Tea”'
    >>> words(Reason("popular_now", days=7.0), title=None, lang="ru")
    'Популярно за последние 7 дней'
    """
    if reason.code == "popular_now" and reason.days is not None:
        return _POPULAR_DAYS[lang].format(days=_days(reason.days, lang))
    text = _WORDS[lang][reason.code]
    return text if title is None else text.replace("{title}", title)


def _days(days: float, lang: Lang) -> str:
    """A number of days with its noun."""
    number = f"{days:g}"
    if lang == "en":
        return f"{number} day" if days == 1 else f"{number} days"
    noun = {"one": "день", "few": "дня", "many": "дней"}[russian_form(days)]
    return f"{number} {noun}"


def popularity_reason(model: Recommender) -> Reason | None:
    """The reason of a list that is the same for everyone; None for a model of personal taste."""
    if model.kind != "popularity":
        return None
    window = getattr(model.config, "window_days", None)
    if window is not None:
        return Reason("popular_now", days=float(window))
    fades = getattr(model.config, "half_life_days", None) is not None
    return Reason("popular_now") if fades else Reason("popular")


def personal_reasons(
    model: Recommender, histories: Histories, wanted: Sequence[Sequence[int]], *, needs_history: bool
) -> list[list[Reason]]:
    """For each wanted item the event that adds most to its score; "taken_before" where that is the item itself.

    `wanted` holds row numbers, a list for each of the histories. An item that is in a history several times
    counts by the sum of its events; of two that add the same, the one with the lower row number is named.
    Where the model can't tell parts, a model that `needs_history` owes the score to the history as a whole;
    of another one nothing more can be said than that it chose.
    """
    code: ReasonCode = "follows_item" if model.kind == "transitions" else "because_of_item"
    unknown = Reason("history" if needs_history else "for_you")
    named: dict[int, Reason] = {}
    reasons = []
    for block in _blocks(histories, wanted):
        items_BK = _padded(wanted[block])
        part = histories if len(items_BK) == len(histories) else histories.take(block)
        for row, own in zip(_counted_most(model, part, items_BK).tolist(), wanted[block], strict=True):
            answer = []
            for best, item in zip(row, own, strict=False):  # the row goes on to the longest one's length
                if best == UNKNOWN:
                    answer.append(unknown)
                elif best == item:
                    answer.append(Reason("taken_before", item))
                else:
                    reason = named.get(best)
                    if reason is None:
                        reason = named[best] = Reason(code, best)
                    answer.append(reason)
            reasons.append(answer)
    return reasons


def _blocks(histories: Histories, wanted: Sequence[Sequence[int]]) -> Iterator[slice]:
    """Neighbours to explain at once: as many as keep the table of parts, events x longest list, small."""
    start, n_events, longest = 0, 0, 0
    for n, (length, items) in enumerate(zip(histories.lengths.tolist(), wanted, strict=True)):
        n_events, longest = n_events + length, max(longest, len(items))
        if n > start and n_events * longest > _PARTS_AT_ONCE:
            yield slice(start, n)
            start, n_events, longest = n, length, len(items)
    yield slice(start, len(wanted))


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Rows of different lengths as one array, filled with UNKNOWN."""
    table = np.full((len(rows), max(map(len, rows), default=0)), UNKNOWN, np.int32)
    for b, row in enumerate(rows):
        table[b, : len(row)] = row
    return table


def _counted_most(model: Recommender, histories: Histories, item_idx: NDArray[np.int32]) -> NDArray[np.int64]:
    """The item of the history that adds most to each score, UNKNOWN where none adds anything. Shape (B, K)."""
    if not histories.n_events:
        return np.full(item_idx.shape, UNKNOWN, np.int64)
    users = np.repeat(np.arange(len(histories)), histories.lengths)
    keys = users * model.n_items + histories.item_idx
    order = np.argsort(keys, kind="stable")
    keys, parts, bounds = keys[order], model.contributions(histories, item_idx)[order], histories.indptr
    is_first = np.concatenate([[True], keys[1:] != keys[:-1]])
    if not is_first.all():
        starts = np.flatnonzero(is_first)
        keys, parts = keys[starts], np.add.reduceat(parts, starts, axis=0)
        bounds = np.searchsorted(starts, bounds)
    places = np.zeros(item_idx.shape, np.int64)
    for b, (start, stop) in enumerate(pairwise(bounds.tolist())):
        if stop > start:
            places[b] = start + parts[start:stop].argmax(axis=0)
    adds = parts[places, np.arange(item_idx.shape[1])] > 0  # not where there are no parts, that is NaN
    return np.where(adds & (histories.lengths > 0)[:, None], keys[places] % model.n_items, UNKNOWN)
