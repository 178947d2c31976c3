"""What a pipeline is told besides its models: filters, rules, caps, language, limits of memory."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, PositiveInt, model_validator

from nextbest.pipeline.query import ExcludeSeen, Lang

Conditions = dict[str, Any]
"""Column -> a value, a list of values, or {"min": x, "max": y}; all columns must hold."""


class Rule(BaseModel, frozen=True, extra="forbid"):
    """A named rule: these items are forbidden for those clients.

    `Rule(rule="adult_only", item={"category": ["wine"]}, user={"age_band": ["0-17"]})`
    """

    rule: str = Field(min_length=1)
    """Its name, for logs and for the reader."""
    item: Conditions = Field(min_length=1)
    """Which items, by columns of the catalogue."""
    user: Conditions = Field(default_factory=dict)
    """For which clients, by columns of the clients table; empty: for all."""
    when_unknown: Literal["forbid", "allow"] = "forbid"
    """What holds for a client without a row, or with an empty cell in a column the rule asks for."""


class Cap(BaseModel, frozen=True, extra="forbid"):
    """At most `at_most` items with the same value in one answer; items without a value are free."""

    column: str
    """A catalogue column of single values."""
    at_most: PositiveInt


class Unavailable(BaseModel, frozen=True, extra="forbid"):
    """An item that must not be recommended: never (no times), or outside of its time of sale."""

    item_id: int | str
    available_from: AwareDatetime | None = None
    """First moment of sale."""
    available_until: AwareDatetime | None = None
    """Last moment of sale."""


class LiveConfig(BaseModel, frozen=True, extra="forbid"):
    """Bounds of what live events may take in memory; what falls out stays in the event log."""

    max_users: PositiveInt = 200_000
    """Users with live events; beyond it the one whose last event came longest ago falls back to the
    stored history."""
    max_events_per_user: PositiveInt = 1_000
    """Live events of one user; the oldest go first."""
    max_event_ids: PositiveInt = 1_000_000
    """Newest event ids kept to recognise a repeat."""


class PipelineConfig(BaseModel, frozen=True, extra="forbid"):
    """Choices of a pipeline that are not a model's."""

    exclude_seen: ExcludeSeen = True
    """Default of a query."""
    repeat: Conditions = Field(default_factory=dict)
    """Items that "repeat" lets come again (groceries, fuel), by catalogue columns."""
    unavailable: tuple[Unavailable, ...] = ()
    """Items never or not always for sale; adds to the catalogue's own columns `available` (bool),
    `available_from` and `available_until` (UTC)."""
    allow: tuple[int | str, ...] | None = None
    """Only these items, in every answer; None: all."""
    deny: tuple[int | str, ...] = ()
    """None of these items, in any answer."""
    where: Conditions = Field(default_factory=dict)
    """Conditions on catalogue columns for every answer."""
    rules: tuple[Rule, ...] = ()
    caps: tuple[Cap, ...] = ()
    segment: str | None = None
    """Column of the clients table that names the segment of users whom the journal doesn't know."""
    lang: Lang = "en"
    """Language of reasons, where a query doesn't say."""
    live: LiveConfig = LiveConfig()

    @model_validator(mode="after")
    def _repeat_is_named(self) -> Self:
        if self.exclude_seen == "repeat" and not self.repeat:
            raise ValueError("exclude_seen = 'repeat' needs `repeat`: which items may come again")
        return self


class PipelineInfo(BaseModel, frozen=True, extra="forbid"):
    """What the manifest tells of where a pipeline came from."""

    name: str = "pipeline"
    recipe: str | dict[str, Any] | None = None
    """The recipe it was made by: its name, or as read."""
    has_moments: bool = True
    """False where the log's times are mere order: then no cutoff is stated."""
    cutoff: AwareDatetime | None = None
    """Last moment that the models have seen; None: the newest event."""
    created: AwareDatetime | None = None
    """When it was trained; None: the moment of `save`."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """What an evaluation measured for this recipe."""


def utc_iso(moment: datetime | None) -> str | None:
    """ISO 8601 text of a moment, None for None."""
    return None if moment is None else moment.isoformat()
