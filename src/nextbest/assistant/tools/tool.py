"""What a tool is: a name, words, typed arguments, a room; and the values that tools of all rooms are made of.

A tool that has nothing to say raises `Nothing`, which the toolbox turns into a typed answer; it never reaches a client.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from nextbest.assistant.base import Caller, Figure, Note, Room, ToolResult, Words
from nextbest.assistant.tools.words import DEFAULT_STATUS, LABELS
from nextbest.data.ids import OutsideId

TitleRow = tuple[OutsideId, str | None, str | None]
"""An item's id, its Russian title, its English title."""
LOOK_S = 2.0
"""Pause between two looks whether a folder changed, seconds."""
MAX_K = 50
"""Most items of one answer."""
MAX_DENIED = 200
MAX_DAYS = 36_525
"""A hundred years."""

ItemId = Annotated[str, Field(strict=True, min_length=1, max_length=200)] | Annotated[int, Field(strict=True)]
"""An item's id as the shop, the bank or the market writes it."""
K = Annotated[int, Field(strict=True, ge=1, le=MAX_K, description="how many are wanted")]
Days = Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)]
Price = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False, description="highest price")]
Denied = Annotated[
    tuple[ItemId, ...], Field(max_length=MAX_DENIED, description="ids that must not be in the answer")
]
Client = Annotated[
    Annotated[str, Field(min_length=1, max_length=100)] | None,
    BeforeValidator(lambda named: str(named) if type(named) is int else named),
    Field(
        description="another client's id, for a clerk who may ask about him; leave out for the caller himself"
    ),
]


class Arguments(BaseModel, frozen=True, extra="forbid"):
    """Arguments of a tool; whatever isn't said is left out."""


class AboutClient(Arguments, frozen=True, extra="forbid"):
    """Arguments of a tool that may be about another client."""

    client: Client = None


class Nothing(Exception):  # noqa: N818 - an everyday answer, not an error
    """A tool has nothing to say, for a reason that a client may read (`words.TOLD`)."""

    def __init__(
        self, code: str, *, document: Mapping[str, Any] | None = None, told: Words | None = None
    ) -> None:
        super().__init__(code)
        self.code, self.told = code, told
        self.status = DEFAULT_STATUS.get(code, "no_data")
        self.document: Mapping[str, Any] = document or {}


@dataclass(frozen=True, slots=True)
class About:
    """Who a question is about, once it is certain that the caller may ask it."""

    caller: Caller
    client: OutsideId | None
    """Id in the tool's room; None: nobody in particular."""
    is_own: bool

    @property
    def unknown(self) -> str:
        """Code of the answer where the room knows no such client."""
        if self.client is None and self.caller.role == "clerk":
            return "no_client"
        return "unknown_self" if self.is_own else "unknown_client"


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that can be computed."""

    name: str
    room: Room
    description: Words
    arguments: type[Arguments]
    run: Callable[[Any, Any, About], ToolResult]
    """(the room, arguments, whom about) -> answer; may raise `Nothing` or any error of the house."""

    def schema(self) -> dict[str, Any]:
        """In the form that OpenAI's protocol has for tools, in English."""
        parameters = self.arguments.model_json_schema()
        parameters.pop("description", None)
        parameters.pop("title", None)
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description["en"],
                "parameters": parameters,
            },
        }


def figure(
    key: str,
    value: float | date,
    unit: str,
    *,
    of: OutsideId | None = None,
    period: tuple[date, date] | None = None,
    label: Words | None = None,
) -> Figure:
    """A figure with the label that its key has."""
    return Figure(key, value, unit, LABELS[key] if label is None else label, period, of)


def disclaimer(words: Words) -> Note:
    """The words under an answer about money."""
    return Note("disclaimer", dict(words), is_disclaimer=True)
