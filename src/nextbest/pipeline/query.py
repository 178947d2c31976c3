"""What is asked of a pipeline and what it answers: plain values, checked when they are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from nextbest.data.event_log import Event, check_id, to_time_us
from nextbest.data.ids import OutsideId
from nextbest.errors import InputError

__all__ = ["Answer", "Event", "ExcludeSeen", "Lang", "Query", "ReasonCode", "RecommendedItem"]

Lang = Literal["en", "ru"]
"""Language of the reasons."""
ExcludeSeen = bool | Literal["repeat"]
"""True: nothing the user has had. False: anything. "repeat": nothing the user has had, but for items
that the config's `repeat` names as bought again and again."""
ReasonCode = Literal[
    "because_of_item",
    "follows_item",
    "taken_before",
    "history",
    "for_you",
    "popular_now",
    "popular_in_segment",
    "popular",
    "general",
    "similar_to_item",
    "catalog",
]
"""Stable names of reasons; the words may change, these don't."""


def _check_ids(name: str, values: object) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise InputError(name, "must be a list of item ids", value=values)
    for value in values:
        if type(value) is not int and type(value) is not str:
            check_id(name, value)


@dataclass(frozen=True, slots=True)
class Query:
    """One question: what next for this user, or for somebody with this history.

    Raises
    ------
    InputError
        A field has the wrong type or a forbidden value, told when the query is made. Ids nobody knows
        are not wrong: an unknown user is answered from fallbacks, an unknown item is passed over.
    """

    user_id: OutsideId | None = None
    """None: somebody without a name."""
    history: Sequence[tuple[OutsideId, datetime | None]] | None = None
    """Replaces the stored history; None: the stored one. An event without a time happened when the one
    before it did; without any time the order alone counts."""
    k: int = 10
    """Items wanted, 1 or more."""
    exclude_seen: ExcludeSeen | None = None
    """None: as the pipeline's config says."""
    allow: Sequence[OutsideId] | None = None
    """Only these items may be in the answer; None: all."""
    deny: Sequence[OutsideId] | None = None
    """None of these items may be in the answer."""
    where: Mapping[str, Any] | None = None
    """Catalog column -> a value, a list of values, or {"min": x, "max": y} (both ends in); all must hold."""
    lang: Lang | None = None
    """Language of the reasons; None: as the pipeline's config says."""
    at: datetime | None = None
    """The moment asked about, for items that are sold from or until some time; None: the moment of the
    newest event that the pipeline knows."""
    explain: bool = True
    """False saves the time that words take; `reason` is then empty."""

    def __post_init__(self) -> None:
        if self.user_id is not None:
            check_id("user_id", self.user_id)
        if type(self.k) is not int or self.k < 1:
            raise InputError("k", "must be an integer, 1 or more", value=self.k)
        if self.exclude_seen not in (None, True, False, "repeat"):
            raise InputError("exclude_seen", "must be true, false or 'repeat'", value=self.exclude_seen)
        if self.history is not None:
            self._check_history()
        if self.allow is not None:
            _check_ids("allow", self.allow)
        if self.deny is not None:
            _check_ids("deny", self.deny)
        if self.where is not None and not (
            isinstance(self.where, Mapping) and all(isinstance(c, str) for c in self.where)
        ):
            raise InputError("where", "must map catalog columns to values", value=self.where)
        if self.lang is not None and self.lang not in get_args(Lang):
            raise InputError("lang", f"must be one of {list(get_args(Lang))}", value=self.lang)
        if self.at is not None:
            to_time_us("at", self.at)

    def _check_history(self) -> None:
        if isinstance(self.history, str) or not isinstance(self.history, Sequence):
            raise InputError("history", "must be a list of (item_id, time or None)", value=self.history)
        for event in self.history:
            if not isinstance(event, Sequence) or isinstance(event, str) or len(event) != 2:
                raise InputError("history", "must hold pairs (item_id, time or None)", value=event)
            check_id("history", event[0])
            if event[1] is not None:
                to_time_us("history", event[1])


@dataclass(frozen=True, slots=True)
class RecommendedItem:
    """One place of an answer."""

    item_id: OutsideId
    rank: int
    """1 = best."""
    score: float
    """No unit; comparable inside one answer and one `source` only. 0 from the catalogue."""
    source: str
    """Kind of the model that proposed it, or name of the fallback."""
    reason: str
    """The reason in words; empty when nobody asked for reasons."""
    reason_code: ReasonCode
    """The reason's stable name."""
    reason_item_id: OutsideId | None = None
    """The item the reason speaks of, if it speaks of one."""
    title: str | None = None
    """From the catalogue, in the query's language where it has one; None without a catalogue."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gets."""

    user_id: OutsideId | None
    """As it was asked."""
    known: bool
    """True if this user is in the journal, in the clients table, or has posted events."""
    items: list[RecommendedItem]
    """Best first; k of them, or every allowed item where there are fewer."""
