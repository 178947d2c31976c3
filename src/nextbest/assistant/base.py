"""What rooms of the assistant hand to each other: who asks, what was understood, what a tool answered, what is sent.

Plain frozen values; nothing here computes an answer, reads a file or needs an extra. Units and time zones are stated
with each field; a missing value is None, never NaN.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

from nextbest.data.outside_id import OutsideId

Language = Literal["ru", "en"]
"""What a client reads."""
LANGUAGES: tuple[Language, ...] = get_args(Language)

Intent = Literal[
    "recommend",
    "similar",
    "next_purchase",
    "bank_product",
    "portfolio",
    "peers",
    "plan",
    "forecast",
    "explain",
    "small_talk",
    "off_topic",
]
INTENTS: tuple[Intent, ...] = get_args(Intent)
ON_TOPIC: frozenset[Intent] = frozenset(INTENTS) - {"off_topic"}

Mode = Literal["information", "advice"]
Role = Literal["client", "clerk"]
Room = Literal["shop", "products", "portfolio", "market", "documents"]
"""Which of the house's answers a tool draws on."""

Words = Mapping[Language, str]
"""One text in both languages."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the service or the terminal established it; a text changes nothing of it."""

    user_id: OutsideId | None = None
    """In the shop's log."""
    customer_id: int | None = None
    """In the bank's panel."""
    client_id: str | None = None
    """In the book of portfolios."""
    role: Role = "client"
    may_see: frozenset[str] = frozenset()
    """Ids, as text, of those a clerk may ask about; "*" = everybody. A client's is empty."""
    mode: Mode = "information"

    def own_id(self, room: Room) -> OutsideId | None:
        """The caller's own id in a room; None: unknown there."""
        own: dict[str, OutsideId | None] = {
            "shop": self.user_id,
            "products": self.customer_id,
            "portfolio": self.client_id,
        }
        return own.get(room)

    def may_ask(self, room: Room, client: OutsideId) -> bool:
        """Whether this caller may ask about that client; says nothing about whether there is one."""
        if str(client) == str(self.own_id(room)) and self.own_id(room) is not None:
            return True
        return self.role == "clerk" and ("*" in self.may_see or str(client) in self.may_see)

    @property
    def key(self) -> str:
        """Under which memory keeps this caller's turns: different for different ids, 7 and "7" included."""
        return json.dumps([self.role, self.user_id, self.customer_id, self.client_id])


@dataclass(frozen=True, slots=True)
class Link:
    """A stretch of the text that names something of the catalogue."""

    item_id: OutsideId
    title: str
    score: float
    """0 to 1; 1 = letter for letter."""
    span: tuple[int, int]
    """Characters of the cleaned text."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that the client named."""

    value: float
    currency: str | None = None
    """ISO 4217; None: none was said."""


@dataclass(frozen=True, slots=True)
class Slots:
    """What code found in a text besides its intent; None or empty = not said."""

    items: tuple[Link, ...] = ()
    client: str | None = None
    """Another client's id that the text names; whether it may be asked about is the tool's question."""
    period_days: int | None = None
    """Looking back."""
    period: tuple[date, date] | None = None
    """The same with its days, both in, where the text names them ("за 2024 год")."""
    horizon_days: int | None = None
    """Looking ahead."""
    undirected_days: int | None = None
    """Of a time that doesn't say itself whether it looks back or ahead ("за год", "this week"): which of the two fields above it
    stands in is by the text's verbs, and `agent.followups` goes by the intent."""
    amount: Money | None = None
    monthly: Money | None = None
    """What is put aside each month: "по 20 тысяч в месяц", "$200 a month"."""
    goal: str | None = None
    """house, education, pension, cushion, travel, car, growth."""
    k: int | None = None
    """How many are wanted."""
    ordinal: int | None = None
    """"the second one": 2; -1 = the last."""
    asset: str | None = None
    """Asset id of the market store."""
    category: str | None = None
    """Value of the catalogue's category column."""
    cheaper: bool = False
    rejects: bool = False
    """"not this", "something else"."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A text as code reads it."""

    text: str
    """Cleaned: NFKC, without tags, at most 2,000 characters."""
    language: Language
    intent: Intent
    probability: float
    """Calibrated, of `intent`."""
    alternatives: tuple[tuple[Intent, float], ...] = ()
    """The others worth asking about, likeliest first."""
    is_sure: bool = True
    """False: one clarifying question is asked instead of an answer."""
    slots: Slots = field(default_factory=Slots)
    is_followup: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call, as planned; `arguments` fits the tool's JSON schema."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number or day that an answer may say."""

    key: str
    """Stable name, e.g. "twr_ann"."""
    value: float | date
    unit: str
    """"fraction" (0.123 = 12.3 %), an ISO 4217 code, "count", "ratio", "days", "months", "years", "date", "bps"."""
    label: Words
    """What it is, e.g. {"en": "return a year", "ru": "доходность годовых"}."""
    period: tuple[date, date] | None = None
    """What it was measured over, both days in."""
    of: OutsideId | None = None
    """The item or asset it belongs to; None: the client or the whole."""


@dataclass(frozen=True, slots=True)
class ItemFact:
    """One item, product, asset, allocation or passage that an answer may name."""

    item_id: OutsideId
    title: Words
    kind: Literal["item", "product", "asset", "allocation", "passage"] = "item"
    reason: Words | None = None
    """Why it is there, in code-written words; its figures are among the result's."""
    rank: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values of the catalogue: category, price, text."""


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that code sends with the answer whatever the model wrote: a disclaimer, a method, a limit."""

    code: str
    text: Words
    is_disclaimer: bool = False


Status = Literal["ok", "no_data", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered; never an empty text for "nothing"."""

    tool: str
    status: Status
    room: Room
    arguments: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    """Why it isn't "ok", a stable name: unknown_client, not_yours, not_served, unknown_item, too_short, ..."""
    told: Words | None = None
    """The same for the client."""
    items: tuple[ItemFact, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[Note, ...] = ()
    source: str = ""
    """What it was computed from: a model's version, a book, a leaderboard."""
    as_of: date | None = None
    """Last day that the data knows."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """The tool's own JSON document, for the caller's screen: charts, tables."""

    @property
    def is_ok(self) -> bool:
        """Whether there is something to say."""
        return self.status == "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a draft that no result stands behind, and what was done about it."""

    kind: Literal[
        "item",
        "number",
        "date",
        "currency",
        "language",
        "loop",
        "promise",
        "advice",
        "injection",
        "placeholder",
        "missing",
    ]
    text: str
    action: Literal["repaired", "dropped", "fell_back"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent."""

    answer: str
    language: Language
    intent: Intent
    tool_calls: tuple[ToolCall, ...] = ()
    items: tuple[ItemFact, ...] = ()
    figures: tuple[Figure, ...] = ()
    provider: str = "phrasebook"
    """Who wrote the words."""
    findings: tuple[Finding, ...] = ()
    asked_back: bool = False
    results: tuple[ToolResult, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that a reply named, as memory keeps it: enough to resolve "the second one"."""

    item_id: OutsideId
    title: Words
    kind: str = "item"
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer, as memory keeps it: no figure, so that none can be said again when it is old."""

    question: str
    answer: str
    language: Language
    intent: Intent
    slots: Slots
    calls: tuple[ToolCall, ...] = ()
    shown: tuple[Shown, ...] = ()
    """What the answer named, in its order."""
    rejected: tuple[OutsideId, ...] = ()
    """What the question turned down; it isn't proposed again in this session."""
    asked_back: bool = False
    offered: tuple[Intent, ...] = ()
    """The intents that a question back offered; empty where it asked for something missing, such as an item."""
    time_us: int = 0
    """UTC, microseconds."""
