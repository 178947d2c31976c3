"""Prompts as files: rendered in one pass, every value fenced as data, kept within a budget of tokens. Knows no model.

A file has `version` (raised with every change of words, and kept with what is logged), `budget`, `values` (what must be
given), and for each language `system`, `user` and `examples`. Values stand as `{{name}}`; they are never read again for
further ones.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil

from pydantic import BaseModel, Field, ValidationError

from nextbest.assistant.base import LANGUAGES, Language
from nextbest.assistant.prompts.fences import fence
from nextbest.assistant.providers.protocol import Message
from nextbest.errors import ArtifactError, InputError

_PLACE = re.compile(r"\{\{(\w+)\}\}")
Value = str | Sequence[str]
"""A text, or rows of which the last ones may be left out."""


class Example(BaseModel, frozen=True, extra="forbid"):
    """One exchange that shows what is wanted."""

    user: str
    answer: str


class Wording(BaseModel, frozen=True, extra="forbid"):
    """A prompt in one language."""

    system: str
    user: str
    examples: tuple[Example, ...] = ()


class Template(BaseModel, frozen=True, extra="forbid"):
    """A prompt's file."""

    version: int = Field(ge=1)
    budget: int = Field(ge=50)
    """Tokens of the whole prompt, as `n_tokens` estimates them."""
    values: tuple[str, ...]
    rows: str | None = None
    """The value that is shortened, from its end, when the budget is short."""
    ru: Wording
    en: Wording


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that is ready to be sent."""

    name: str
    version: int
    language: Language
    messages: tuple[Message, ...]
    n_tokens: int
    """An estimate, rather too high."""
    n_left_out: int = 0
    """Rows that the budget had no room for."""


def names() -> tuple[str, ...]:
    """Prompts that there are."""
    return tuple(sorted(p.name[:-5] for p in files(__package__).iterdir() if p.name.endswith(".toml")))


@cache
def template(name: str) -> Template:
    """A prompt's file, checked.

    Raises
    ------
    InputError
        There is no such prompt.
    ArtifactError
        The file is damaged, or uses a value that it doesn't declare.
    """
    if name not in names():
        raise InputError("prompt", f"must be one of {', '.join(names())}", value=name)
    path = files(__package__) / f"{name}.toml"
    try:
        found = Template.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ArtifactError(path, f"isn't a prompt: {error}", remedy="install the package anew") from error
    for language in LANGUAGES:
        used = set(_PLACE.findall(_wording(found, language).user))
        if used != set(found.values):
            raise ArtifactError(path, f"[{language}] uses {sorted(used)}, declares {sorted(found.values)}")
    return found


def n_tokens(text: str) -> int:
    """How many tokens a text may be, estimated so that the tokenizers we measured (Gemma, Llama) need fewer.

    >>> n_tokens("Во что поиграть вечером?")
    12
    """
    latin = sum(c.isascii() for c in text)
    cyrillic = sum("\u0400" <= c <= "\u04ff" for c in text)
    return ceil(latin / 3 + cyrillic / 2 + (len(text) - latin - cyrillic))


def render(
    name: str, values: Mapping[str, Value], *, language: Language, budget: int | None = None
) -> Prompt:
    """A prompt with its values, each in a fence of its own.

    Parameters
    ----------
    name
        Of a file beside this module.
    values
        All that the file declares, and no others.
    budget
        Tokens that the prompt may have; None: the file's own.

    Raises
    ------
    InputError
        No such prompt or language, missing or unknown values, or a budget that what can't be shortened exceeds.
    """
    if language not in LANGUAGES:
        raise InputError("language", f"must be one of {', '.join(LANGUAGES)}", value=language)
    form = template(name)
    if set(values) != set(form.values):
        raise InputError("values", f"prompt {name!r} needs {sorted(form.values)}", value=sorted(values))
    allowed = form.budget if budget is None else budget
    rows = () if form.rows is None else _rows(values[form.rows])
    kept = len(rows)
    while True:
        given = {key: "\n".join(_rows(value)) for key, value in values.items()}
        if form.rows is not None:
            given[form.rows] = "\n".join(rows[:kept])
        messages = _messages(_wording(form, language), given)
        needed = sum(n_tokens(message.content) + 4 for message in messages)
        if needed <= allowed:
            return Prompt(name, form.version, language, messages, needed, len(rows) - kept)
        if kept <= 1:
            raise InputError("budget", f"prompt {name!r} needs {needed} tokens", value=allowed)
        # rows are of about one length: leave out as many as are too many, at least one
        kept = min(kept - 1, max(1, ceil(kept * allowed / needed)))


def _rows(value: Value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _wording(form: Template, language: Language) -> Wording:
    return form.ru if language == "ru" else form.en


def _messages(wording: Wording, given: Mapping[str, str]) -> tuple[Message, ...]:
    """One pass: what a value holds is never a place for another value."""
    user = _PLACE.sub(lambda found: fence(found[1], given[found[1]]), wording.user)
    shown = [
        message
        for example in wording.examples
        for message in (Message("user", example.user.strip()), Message("assistant", example.answer.strip()))
    ]
    return (Message("system", wording.system.strip()), *shown, Message("user", user.strip()))
