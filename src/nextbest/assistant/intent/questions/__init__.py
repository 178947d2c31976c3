"""Questions that people would ask, each with what should be understood and called; nothing is ever trained on them.

Two sets of two parts: "test" and "test2", for figures that are reported, "dev" and "dev2", for whoever improves templates,
rules or prompts. README.md beside this file has the conventions (which day is today, how long a month is, what a follow-up is).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast, get_args

import orjson

from nextbest.assistant.base import Intent, Language, ToolCall
from nextbest.errors import InputError

Part = Literal["test", "dev", "test2", "dev2"]
PARTS: tuple[Part, ...] = get_args(Part)
Kind = Literal["item", "product", "asset"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its right answers."""

    id: str
    text: str
    language: Language
    intent: Intent | None
    """None: nobody could tell without asking back (`band`)."""
    slots: Mapping[str, Any]
    """By the names of `Slots`; items and assets as ids of the catalogue, a period as two ISO days, an amount as
    {"value", "currency"}. What isn't there isn't said."""
    tool: str | None
    """None: no tool is called."""
    arguments: Mapping[str, Any]
    """Those of `slots` that the tool takes."""
    after: str | None = None
    """The question before it, where it can't be understood alone."""
    band: bool = False
    """Right is to ask back."""

    @property
    def call(self) -> ToolCall | None:
        """The one right call."""
        return None if self.tool is None else ToolCall(self.tool, self.arguments)


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that questions name: what a linker is built of when it is tested on them."""

    item_id: str
    kind: Kind
    title: str
    also: tuple[str, ...]
    """Other names, in Russian and short."""
    category: str


@cache
def load_questions(part: Part, language: Language, *, followups: bool = False) -> tuple[Question, ...]:
    """Questions of a part in one language, in the order of the file.

    Parameters
    ----------
    followups
        True: only those that need the question before them; False: only those that stand alone.

    Raises
    ------
    InputError
        For a part or a language that there isn't.
    """
    name = f"{part}_{language}.jsonl"
    path = files(__package__) / name
    if part not in PARTS or not path.is_file():
        raise InputError(
            "questions", f"must be of part {', '.join(PARTS)}, language ru or en", value=(part, language)
        )
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return tuple(Question(**row) for row in rows if (row["after"] is not None) == followups)


@cache
def load_catalogue() -> tuple[Named, ...]:
    """What the questions name: items of shops, products of the bank, assets of the market."""
    rows = [orjson.loads(line) for line in (files(__package__) / "catalogue.jsonl").read_bytes().splitlines()]
    return tuple(
        Named(**{**row, "kind": cast(Kind, row["kind"]), "also": tuple(row["also"])}) for row in rows
    )
