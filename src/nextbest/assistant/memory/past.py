"""The past of one conversation: its last turns whole, the older ones as a summary made by code.

Knows no file and no server. No figure of an answer is kept to be said again: figures are computed anew for each
question, and what was true yesterday isn't repeated as if it were today's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from nextbest.assistant.base import Intent, Language, Money, Shown, Turn
from nextbest.data.ids import OutsideId
from nextbest.errors import DataError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

KEPT_TURNS = 12
"""Turns kept whole."""
KEPT_REJECTED = 200
"""Things turned down that are remembered, the newest."""
KEPT_TEXT = 500
"""Characters of a question and of an answer."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is left of turns that are no longer kept whole."""

    n_turns: int = 0
    intents: Mapping[Intent, int] = field(default_factory=dict)
    """How often each was asked."""
    rejected: tuple[OutsideId, ...] = ()
    goal: str | None = None
    """The last one named."""
    amount: Money | None = None
    horizon_days: int | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A conversation so far."""

    turns: tuple[Turn, ...] = ()
    """Oldest first, `KEPT_TURNS` at most."""
    summary: Summary = field(default_factory=Summary)

    def with_turn(self, turn: Turn) -> "Past":
        """The same with one more turn; the oldest ones beyond `KEPT_TURNS` are folded into the summary."""
        short = replace(turn, question=turn.question[:KEPT_TEXT], answer=turn.answer[:KEPT_TEXT])
        turns = (*self.turns, short)
        summary = self.summary
        for old in turns[:-KEPT_TURNS]:
            summary = _folded(summary, old)
        return Past(turns[-KEPT_TURNS:], summary)

    @property
    def last(self) -> Turn | None:
        """The newest turn that answered something: not a question back, not small talk."""
        answered = (
            t
            for t in reversed(self.turns)
            if not t.asked_back and t.intent not in ("small_talk", "off_topic")
        )
        return next(answered, None)

    @property
    def waiting(self) -> Turn | None:
        """The question back that this turn may answer: the newest turn, if it was one."""
        return self.turns[-1] if self.turns and self.turns[-1].asked_back else None

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The newest list, in its order; a thing that was explained since is still a place of it."""
        lists = (t.shown for t in reversed(self.turns) if t.shown and t.intent != "explain")
        return next(lists, self.spoken_of)

    @property
    def spoken_of(self) -> tuple[Shown, ...]:
        """What the newest answer that named something named: what "it" is."""
        return next((t.shown for t in reversed(self.turns) if t.shown), ())

    @property
    def last_list(self) -> Turn | None:
        """The newest turn that answered with a list."""
        return next((t for t in reversed(self.turns) if t.shown and t.intent != "explain"), None)

    @property
    def rejected(self) -> tuple[OutsideId, ...]:
        """All that was turned down, oldest first, each once."""
        named = [*self.summary.rejected, *(item for turn in self.turns for item in turn.rejected)]
        return tuple(dict.fromkeys(named))[-KEPT_REJECTED:]

    @property
    def language(self) -> Language | None:
        """Of the newest turn."""
        return self.turns[-1].language if self.turns else self.summary.language

    def to_json(self) -> bytes:
        """One JSON document."""
        return _adapter().dump_json(self)

    @classmethod
    def from_json(cls, document: bytes | str) -> "Past":
        """What `to_json` wrote.

        Raises
        ------
        DataError
            The document is something else.
        """
        from pydantic import ValidationError

        try:
            return _adapter().validate_json(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(
                "conversation",
                f"can't be read: {first['loc']} {first['msg']}",
                n_bad=error.error_count(),
                remedy="erase it (`nextbest chat --forget`)",
            ) from error


@cache
def _adapter() -> "TypeAdapter[Past]":
    from pydantic import TypeAdapter

    return TypeAdapter(Past)


def _folded(summary: Summary, turn: Turn) -> Summary:
    intents = {**summary.intents, turn.intent: summary.intents.get(turn.intent, 0) + 1}
    rejected = tuple(dict.fromkeys((*summary.rejected, *turn.rejected)))[-KEPT_REJECTED:]
    return Summary(
        n_turns=summary.n_turns + 1,
        intents=intents,
        rejected=rejected,
        goal=turn.slots.goal or summary.goal,
        amount=turn.slots.amount or summary.amount,
        horizon_days=turn.slots.horizon_days or summary.horizon_days,
        language=turn.language,
    )
