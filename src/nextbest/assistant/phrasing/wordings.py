"""The texts of `wordings/*.toml`: sections of variants in both languages, read once, with every place of theirs checked.

A section is `[name]` with `ru` and `en`, each a list of variants; `{place}` is filled by code. Which places a file may
use is written here, so that a misspelt one is found when the files are read, not when a client asks.
"""

import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nextbest.assistant.base import LANGUAGES, Language
from nextbest.errors import ArtifactError

FOLDER = Path(__file__).parent / "wordings"
VERSION = 1
_ITEMS = frozenset(
    ["who", "Who", "final", "inline", "first", "second", "third", "items", "options", "reason", "Reason"]
)
_FIGURES = frozenset(
    [
        "items",
        "value",
        "when",
        "When",
        "_when",
        "_on",
        "portfolio",
        "Portfolio",
        "portfolio_of",
        "clauses",
        "title",
        "figures",
    ]
)
PLACES: Mapping[str, frozenset[str]] = {
    "recommend": _ITEMS,
    "similar": _ITEMS | {"anchor"},
    "next_purchase": _ITEMS | {"when", "When"},
    "bank_product": _ITEMS,
    "explain": frozenset({"title", "reason", "Reason", "figures", "text"}),
    "documents": frozenset({"title", "text"}),
    "portfolio": _FIGURES,
    "peers": _FIGURES | {"low", "high"},
    "plan": _FIGURES | {"goal", "now", "odds"},
    "tracking": _FIGURES | {"now"},
    "forecast": frozenset({"asset", "until", "Until", "low", "high", "middle", "value", "_on", "headline"}),
    "figures": frozenset({"label", "value"}),
    "parts": frozenset({"source", "day", "client"}),
    "statuses": frozenset(),
    "conversation": frozenset(
        {"options", "first", "rest", "known", "about", "things", "can", "does", "examples"}
    ),
}
"""File -> the places that its sections may hold."""


class Wordings:
    """One file's sections."""

    def __init__(self, name: str, sections: Mapping[str, Mapping[Language, tuple[str, ...]]]) -> None:
        self.name = name
        self._sections = sections

    def __contains__(self, section: str) -> bool:
        return section in self._sections

    @property
    def sections(self) -> Mapping[str, Mapping[Language, tuple[str, ...]]]:
        """Variants by section and language."""
        return self._sections

    def say(self, section: str, language: Language, variant: int = 0, **places: str) -> str:
        """One variant with its places filled, its first letter a capital if it ends as a sentence does.

        Parameters
        ----------
        variant
            Any whole number; the same one gives the same wording.
        places
            Text by place; more than the variant holds do no harm.
        """
        variants = self._sections[section][language]
        text = variants[variant % len(variants)].format_map(places).strip()
        return text[:1].upper() + text[1:] if text.endswith((".", ":", "?", "!", "»", "”")) else text


@cache
def wordings(name: str) -> Wordings:
    """A file of the package.

    Raises
    ------
    ArtifactError
        It isn't there, is of another version, lacks a language, or holds a place that nothing fills.
    """
    return read(FOLDER / f"{name}.toml")


def read(path: Path) -> Wordings:
    """A file of wordings, checked; errors as `wordings`."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ArtifactError(
            path.name, "can't be read as wordings", remedy="install the package again"
        ) from error
    if document.pop("version", None) != VERSION:
        raise ArtifactError(path.name, f"must say version = {VERSION}", remedy="install the package again")
    allowed = PLACES.get(path.stem, frozenset())
    return Wordings(path.stem, {name: _section(path, name, body, allowed) for name, body in document.items()})


def _section(path: Path, name: str, body: Any, allowed: frozenset[str]) -> Mapping[Language, tuple[str, ...]]:
    where = f"{path.name} [{name}]"
    made: dict[Language, tuple[str, ...]] = {}
    for language in LANGUAGES:
        variants = body.get(language) if isinstance(body, dict) else None
        if not isinstance(variants, list) or not variants or not all(isinstance(v, str) for v in variants):
            raise ArtifactError(where, f"must hold a list of texts in {language!r}", remedy="add the wording")
        unknown = sorted({place for text in variants for place in places_of(text)} - allowed)
        if unknown:
            raise ArtifactError(
                where, f"has places that nothing fills: {unknown[:5]}", remedy=f"use {sorted(allowed)}"
            )
        made[language] = tuple(variants)
    return made


def places_of(text: str) -> set[str]:
    """The places of one variant.

    >>> sorted(places_of("{Who} may like {first}."))
    ['Who', 'first']
    """
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
