"""Reasons in words, English and Russian: each is a fact about the computation, never a guess.

A reason of the model names the event that adds most to the score (`Recommender.contributions`); without
such a reading it only says that the history was used, and not even that where the score may do without. A reason of a popularity list says which list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    if days != int(days):
        return f"{number} дня"
    last, teens = int(days) % 10, 11 <= int(days) % 100 <= 14
    if last == 1 and not teens:
        return f"{number} день"
    return f"{number} дня" if last in (2, 3, 4) and not teens else f"{number} дней"


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
    model: Recommender, history: Histories, item_idx: Sequence[int], *, needs_history: bool
) -> list[Reason]:
    """For each item the event that adds most to its score; "taken_before" where that is the item itself.

    An item that is in the history several times counts by the sum of its events; of two that add the same,
    the one with the lower row number is named. Where the model can't tell parts, a model that `needs_history`
    owes the score to the history as a whole; of another one nothing more can be said than that it chose.
    """
    order = np.argsort(history.item_idx, kind="stable")
    items, starts = np.unique(history.item_idx[order], return_index=True)
    code: ReasonCode = "follows_item" if model.kind == "transitions" else "because_of_item"
    unknown = Reason("history" if needs_history else "for_you")
    parts = model.contributions(history, np.asarray(item_idx, dtype=np.int32))
    sums = np.add.reduceat(np.where(np.isnan(parts), 0, parts)[:, order], starts, axis=1)
    reasons = []
    for row, best, wanted in zip(sums, sums.argmax(axis=1).tolist(), item_idx, strict=True):
        if not row[best] > 0:
            reasons.append(unknown)
        elif items[best] == wanted:
            reasons.append(Reason("taken_before", wanted))
        else:
            reasons.append(Reason(code, int(items[best])))
    return reasons
